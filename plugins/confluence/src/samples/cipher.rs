//! Sample i: an encrypted database password and its files.

use super::*;

pub(super) const SEALED: &str = "javax.crypto.SealedObject_1710000000000";
const KEY: &str = "javax.crypto.spec.SecretKeySpec_1710000000000";

#[test]
fn i_cipher_files_are_asked_for_where_the_password_names_them() {
    let host = home("i-encrypted-9x", &[("attachments/x", ""), ("keys/k", "k")]);
    let seen = inspect();
    assert_eq!(fact(&seen, "cipher files"), format!("/var/atlassian/secrets/{KEY}, /var/atlassian/secrets/{SEALED}"));
    assert_eq!(blockers(&seen), ["cipher-files-missing", "cipher-files-missing"]);
    assert_eq!(seen.wants.iter().filter(|want| want.name == "external-cipher").count(), 1);
    assert!(want(&seen, "external-cipher").contains("path = \"/var/atlassian/secrets\""));
    drop(host);
    let unnamed = sample_cfg("i-encrypted-9x").replace("{\"sealedObjectFilePath\"", "{}").replace("FilePath", "");
    let _host = Host::new().files("home", &[(CFG, &unnamed)]).display("dirs", "home", "/var/confluence, read");
    let seen = inspect();
    let found = seen.findings.iter().find(|one| one.code == "cipher-files-missing").unwrap();
    assert!(found.message.contains("cipher-files of the step's config"), "{}", found.message);
}

#[test]
fn i_cipher_files_are_one_with_the_other_secrets_and_come_back_with_their_paths() {
    let ciphers = Host::new().files("x", &[(SEALED, "sealed"), (KEY, "key"), ("other", "o")]);
    let directory = ciphers.path("x");
    let cfg = sample_cfg("i-encrypted-9x").replace("/var/atlassian/secrets", directory.to_str().unwrap());
    let host = Host::new().files("home", &[(CFG, &cfg), ("keys/k", "k")]).dir("external-cipher", &directory);
    let seen = inspect();
    assert!(blockers(&seen).is_empty(), "{:?}", seen.findings);
    let outcome = backup(part_of(&seen, part::SECRETS), Pass::InStage).unwrap();
    assert!(proven(&outcome.receipts));
    assert!(host.stored("keys/k").is_some());
    assert_eq!(host.stored(&format!("dirs/external-cipher/{SEALED}")).unwrap(), b"sealed");
    let noted = host.noted(note::CIPHER).unwrap();
    let host = host.stored_as_archive("secrets");
    backup(part_of(&seen, "external-cipher"), Pass::InStage).unwrap();
    assert_eq!(host.stored_paths(), ["other"]);
    std::fs::remove_file(directory.join(KEY)).unwrap();
    assert_eq!(blockers(&inspect()), ["cipher-files-missing"]);
    assert!(backup(part_of(&seen, part::SECRETS), Pass::InStage).is_err());
    drop(host);

    let paths = serde_json::json!({ "home": "/var/confluence", "external-cipher": directory.to_str().unwrap() });
    let snapshot = || {
        let host =
            target(&cfg).note(note::PATHS, &paths.to_string()).note(note::CIPHER, &noted).note(note::SECRETS, "");
        host.target("external-cipher", &[])
            .display("dirs", "external-cipher", "/new/secrets, write")
            .archived("secrets", "keys/k", "k")
            .archived("secrets", &format!("dirs/external-cipher/{SEALED}"), "sealed")
            .archived("secrets", &format!("dirs/external-cipher/{KEY}"), "key")
    };
    let host = snapshot();
    restore(&tree("secrets")).unwrap();
    restore(&tree("home")).unwrap();
    assert_eq!(host.file("external-cipher", KEY).as_deref(), Some("key"));
    assert_eq!(host.file("home", "keys/k").as_deref(), Some("k"));
    let restored_cfg = restored(&host, "home");
    let value = restored_cfg.get("hibernate.connection.password").unwrap();
    assert_eq!(crate::cipher::paths(value), [format!("/new/secrets/{KEY}"), format!("/new/secrets/{SEALED}")]);
    assert!(restored_cfg.get(crate::cipher::DECRYPTER).is_some());
    let verified = crate::verify::verify(&tree("secrets")).unwrap();
    assert!(
        verified.receipts.iter().any(|one| one.subject == "secrets required" && one.expected == 2 && one.actual == 2)
    );

    let host = snapshot().secret("database-password", "plain");
    restore(&tree("home")).unwrap();
    let restored_cfg = restored(&host, "home");
    assert_eq!(restored_cfg.get("hibernate.connection.password"), Some("plain"));
    assert_eq!(restored_cfg.get(crate::cipher::DECRYPTER), None);
}

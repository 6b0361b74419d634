//! How much of a home is saved, and homes on Windows.

use super::{cipher::SEALED, *};

/// A home with something of every class.
fn every_class(host: Host) -> Host {
    let cfg = sample_cfg("b-single-pg-85").replace("/mnt/big/", "${confluenceHome}/");
    let files = [
        (CFG, cfg.as_str()),
        ("shared-home/confluence.cfg.xml", &cfg),
        ("shared-home/config/cache.properties", "c"),
        ("shared-home/dcl-document/d", "d"),
        ("attachments/v4/5/0/5/5.1", "a"),
        ("keys/k", "k"),
        (SEALED, "s"),
        ("logos/l", "l"),
        ("index/i", "i"),
        ("backups/site/x.zip", "x"),
        ("mine/m", "m"),
        ("lock", ""),
    ];
    host.files("home", &files).display("dirs", "home", "/var/confluence, read")
}

#[test]
fn minimal_mode_saves_what_cannot_be_made_anew_and_names_all_else() {
    let host = every_class(Host::new()).config(&serde_json::json!({ "home-mode": "minimal" }));
    let seen = inspect();
    let left: Vec<&str> =
        seen.findings.iter().filter(|one| one.code == "left-out").map(|one| one.message.as_str()).collect();
    assert!(left.contains(&"not saved, home-mode is minimal: logos, mine"), "{left:?}");
    for name in ["index", "backups", "lock", "shared-home/dcl-document"] {
        assert!(left.iter().any(|one| one.split(": ").nth(1).unwrap().split(", ").any(|left| left == name)), "{name}");
    }
    assert!(!codes(&seen, Severity::Info).contains(&"unknown-entry"));
    let outcome = backup(part_of(&seen, part::HOME), Pass::InStage).unwrap();
    assert!(proven(&outcome.receipts));
    let files: Vec<String> = host.stored_paths().into_iter().filter(|path| host.stored(path).is_some()).collect();
    assert_eq!(files, [CFG, SEALED, "shared-home/config/cache.properties", "shared-home/confluence.cfg.xml"]);
}

#[test]
fn minimal_mode_saves_what_the_operator_adds_and_says_what_comes_to_nothing() {
    let added = ["logos", "shared-home/dcl-document", "backups/site", "index", "nowhere", "keys"];
    let host = every_class(Host::new());
    let host = host.config(&serde_json::json!({ "home-mode": "minimal", "home-includes": added }));
    let seen = inspect();
    let unused: Vec<&str> =
        seen.findings.iter().filter(|one| one.code == "include-unused").map(|one| one.message.as_str()).collect();
    assert_eq!(
        unused,
        [
            "home-includes names index, which is never saved",
            "home-includes names nowhere, which is in no home",
            "home-includes names keys, which has its own part",
        ]
    );
    backup(part_of(&seen, part::HOME), Pass::InStage).unwrap();
    let files: Vec<String> = host.stored_paths().into_iter().filter(|path| host.stored(path).is_some()).collect();
    let own = [CFG, SEALED, "shared-home/confluence.cfg.xml", "shared-home/config/cache.properties"];
    let mut wanted = [&own[..], &["backups/site/x.zip", "logos/l", "shared-home/dcl-document/d"]].concat();
    wanted.sort_unstable();
    assert_eq!(files, wanted);
}

#[test]
fn a_home_on_windows_is_named_by_its_batch_file_and_follows_it() {
    let script = "@echo off\r\nrem -Dconfluence.home=C:\\no\r\nset CATALINA_OPTS=-Dconfluence.home=C:\\data\\wiki %CATALINA_OPTS%\r\n";
    let cfg = sample_cfg("b-single-pg-85").replace("/mnt/big/attachments", "C:\\data\\wiki\\big");
    let host = Host::new().files("install", &[(crate::install::SETENV_BAT, script)]);
    let host = host.files("home", &[(CFG, &cfg), ("big/v4/5/0/5/5.1", "a")]).display("dirs", "home", "/mnt/wiki, read");
    let seen = inspect();
    assert_eq!(fact(&seen, "home"), "C:/data/wiki (bin/setenv.bat)");
    let attachments = part_of(&seen, part::ATTACHMENTS);
    assert_eq!((attachments.setting(setting::GRANT), attachments.setting(setting::PATH)), (Some("home"), Some("big")));
    drop(host);
    let host = target(&cfg)
        .note(note::PATHS, "{\"home\":\"C:/data/wiki\"}")
        .target("install", &[])
        .archived("install", crate::install::SETENV_BAT, script)
        .archived("attachments", "v4/5/0/5/5.1", "a");
    restore(&tree("install")).unwrap();
    restore(&tree("attachments")).unwrap();
    restore(&tree("home")).unwrap();
    assert_eq!(host.file("install", crate::install::SETENV_BAT).unwrap(), script.replace("C:\\data\\wiki", "/new"));
    assert_eq!(host.file("home", "big/v4/5/0/5/5.1").as_deref(), Some("a"));
    assert_eq!(restored(&host, "home").get("attachments.dir"), Some("/new/big"));
}

#[test]
fn what_has_its_own_part_is_not_called_left_out() {
    let host = home("h-h2-79", &[("database/h2db.mv.db", ""), ("database.old/x", "")]).in_use("home", "", Usage::Free);
    let _host = host.config(&serde_json::json!({ "home-mode": "minimal" }));
    let seen = inspect();
    let left = seen.findings.iter().find(|one| one.code == "left-out").unwrap();
    assert_eq!(left.message, "not saved, home-mode is minimal: database.old");
}

//! The files without which an encrypted database password is of no use.
//!
//! Atlassian's "Basic encryption" and "AES encryption" of the database password: the configuration names a class; for
//! the algorithm's classes the password's value is JSON with paths, and paths that it does not have are taken from
//! environment variables called after the Java class of what the file holds.

use serde_json::Value;
use strongroom_plugin::{Result, dirs::Kind};

use crate::{
    cfg::Cfg,
    settings::Settings,
    site::{Located, Place, installed::Installed, place_of, plain},
};

/// The property that names the class.
pub const DECRYPTER: &str = "jdbc.password.decrypter.classname";

/// The property that holds the value.
pub const PASSWORD: &str = "hibernate.connection.password";

/// What environment variables begin with; the Java class follows, its dots as underscores.
const VARIABLE: &str = "com_atlassian_db_config_password_ciphers_algorithm_";

/// Java classes of what is kept in files. The third is only needed to encrypt again.
const OBJECTS: [&str; 3] =
    ["javax.crypto.SealedObject", "javax.crypto.spec.SecretKeySpec", "java.security.AlgorithmParameters"];

/// How a database password is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// As it is, or encoded so that everybody can read it.
    None,
    /// In files, or with keys in files.
    Files,
    /// In a service: nothing of it is here.
    Service(&'static str),
}

/// An encrypted password's files.
#[derive(Debug)]
pub struct Cipher {
    /// How the password is kept.
    pub encryption: Encryption,
    /// The files, as they are named.
    pub files: Vec<File>,
}

/// One of them.
#[derive(Debug)]
pub struct File {
    /// As it is named.
    pub path: String,
    /// Where it is named.
    pub from: &'static str,
    /// Where it is; none where no granted directory holds it.
    pub at: Option<Located>,
    /// Whether it is there.
    pub present: bool,
}

impl Cipher {
    /// What the configuration, the scripts and the operator say.
    ///
    /// # Errors
    /// When a granted directory cannot be looked at.
    pub fn read(cfg: &Cfg, installed: &Installed, settings: &Settings, home: &str) -> Result<Self> {
        let encryption = encryption(cfg);
        let mut files = Vec::new();
        if encryption == Encryption::Files {
            for (path, from) in named(cfg, installed, settings) {
                let at = match place_of(&plain(&path), home)? {
                    Place::Granted(grant, path) => Some(Located { grant, path }),
                    Place::Outside => None,
                };
                let present = match &at {
                    Some(at) => at.find()?.is_some_and(|stat| stat.kind == Kind::File),
                    None => false,
                };
                files.push(File { path, from, at, present });
            }
        }
        Ok(Self { encryption, files })
    }
}

/// By the class that decrypts, of any generation.
pub fn encryption(cfg: &Cfg) -> Encryption {
    let class = cfg.get(DECRYPTER).unwrap_or_default().trim();
    let class = class.rsplit('.').next().unwrap_or(class);
    match class {
        "" => Encryption::None,
        _ if class.contains("Base64") => Encryption::None,
        _ if class.contains("Aws") => Encryption::Service("AWS Secrets Manager"),
        _ if class.contains("Vault") => Encryption::Service("HashiCorp Vault"),
        _ => Encryption::Files,
    }
}

/// Paths and where each is named: the value first, then the variables, then the operator.
fn named(cfg: &Cfg, installed: &Installed, settings: &Settings) -> Vec<(String, &'static str)> {
    let mut all: Vec<(String, &'static str)> =
        paths(cfg.get(PASSWORD).unwrap_or_default()).into_iter().map(|path| (path, PASSWORD)).collect();
    for object in OBJECTS {
        let variable = format!("{VARIABLE}{}", object.replace('.', "_"));
        let named =
            all.iter().any(|(path, _)| path.rsplit(['/', '\\']).next().is_some_and(|name| name.starts_with(object)));
        if !named {
            all.extend(installed.variable(&variable));
        }
    }
    all.extend(settings.cipher_files.iter().map(|path| (path.clone(), "[step.….config] cipher-files")));
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|(path, _)| seen.insert(path.clone()));
    all
}

/// Every path in the JSON value of a password.
pub fn paths(value: &str) -> Vec<String> {
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(value) else { return Vec::new() };
    let path = |(key, value): (String, Value)| match value {
        Value::String(path) if key.ends_with("Path") && !path.is_empty() => Some(path),
        _ => None,
    };
    fields.into_iter().filter_map(path).collect()
}

/// The value with paths replaced where `moved` has a new one; none when nothing moves.
pub fn follow(value: &str, moved: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut text = value.to_owned();
    for path in paths(value) {
        let Some(new) = moved(&path) else { continue };
        text = text.replace(&Value::from(path).to_string(), &Value::from(new).to_string());
    }
    (text != value).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cfg(class: &str) -> Cfg {
        let file = format!(
            "<confluence-configuration><properties><property name=\"{DECRYPTER}\">{class}</property></properties></confluence-configuration>"
        );
        Cfg::parse(file.as_bytes()).unwrap()
    }

    #[test]
    fn old_and_new_classes_are_told_apart() {
        let of = |class| encryption(&cfg(class));
        assert_eq!(of("com.atlassian.db.config.password.ciphers.base64.Base64Cipher"), Encryption::None);
        assert_eq!(of("com.atlassian.db.config.password.ciphers.algorithm.AlgorithmCipher"), Encryption::Files);
        assert_eq!(of("com.atlassian.secrets.store.algorithm.AesOnlyAlgorithmSecretStore"), Encryption::Files);
        assert_eq!(
            of("com.atlassian.secrets.store.aws.AwsSecretsManagerStore"),
            Encryption::Service("AWS Secrets Manager")
        );
        assert_eq!(of("com.atlassian.secrets.store.vault.VaultSecretStore"), Encryption::Service("HashiCorp Vault"));
        assert_eq!(of("com.example.MyCipher"), Encryption::Files);
        assert_eq!(of(""), Encryption::None);
    }

    #[test]
    fn paths_in_the_value_are_found_and_follow_their_files() {
        let value = r#"{"sealedObjectFilePath":"/s/a\\b","keyFilePath":"/s/k","note":"/no"}"#;
        assert_eq!(paths(value), ["/s/k", "/s/a\\b"]);
        assert!(paths("plain").is_empty() && paths("{}").is_empty());
        let moved = follow(value, |path| path.strip_prefix("/s/").map(|rest| format!("/t/{rest}"))).unwrap();
        assert_eq!(moved, r#"{"sealedObjectFilePath":"/t/a\\b","keyFilePath":"/t/k","note":"/no"}"#);
        assert_eq!(follow(value, |_| None), None);
    }

    #[test]
    fn variables_and_the_operator_name_what_the_value_does_not() {
        let script = crate::setenv::Script {
            path: "bin/setenv.sh",
            shell: crate::setenv::Shell::Posix,
            text: format!("export {VARIABLE}javax_crypto_SealedObject=/s/sealed\n"),
        };
        let installed = Installed { scripts: vec![script], ..Installed::default() };
        let settings = Settings { cipher_files: vec!["/s/key".into(), "/s/sealed".into()], ..Settings::default() };
        let all = named(&cfg("x.AlgorithmCipher"), &installed, &settings);
        assert_eq!(all.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["/s/sealed", "/s/key"]);
        assert_eq!(all[0].1, "bin/setenv.sh");
    }
}

//! Which keys hold secrets, and how values are shown without them.

use std::fmt;

use strongroom_database::jdbc;

use super::encrypted;

/// What is shown instead.
const MASK: &str = "[secret]";

/// A secret: it can be used, and is not shown by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes it in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, to be handed to what needs it and to nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Parts of names whose values are secrets: those of Nuxeo's own configuration, and what add-ons call theirs.
const PARTS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "jaas",
    "credential",
    "apikey",
    "accesskey",
    "privkey",
    "privatekey",
    "binarymanager_key",
    "connectionstring",
];

/// Whether the value of that key is a secret as a whole.
pub fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let last = key.rsplit('.').next().unwrap_or(&key);
    PARTS.iter().any(|part| key.contains(part))
        || matches!(last, "pass" | "pwd")
        || last.contains("token")
        || (key.starts_with("server.") && last.ends_with("key"))
}

/// The value of that key as it may be shown: a secret, an encrypted value, and credentials in a URL are not.
pub fn shown(key: &str, value: &str) -> String {
    match () {
        () if value.is_empty() => String::new(),
        () if encrypted::is_encrypted(value) => "[encrypted]".to_owned(),
        () if is_secret(key) => MASK.to_owned(),
        () => mask(value),
    }
}

/// The text without credentials before an `@` and without parameters that look like secrets.
pub fn mask(text: &str) -> String {
    let credentials = text.find("://").map(|at| at + "://".len()).zip(text.rfind('@'));
    match credentials {
        // To the last `@`: a password may hold one, and too much hidden is better than too little.
        Some((from, at)) if from <= at => format!("{}{MASK}{}", &text[..from], jdbc::mask(&text[at..])),
        _ => jdbc::mask(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_keys() {
        for key in [
            "nuxeo.db.password",
            "kafka.sasl.jaas.config",
            "kafka.truststore.password",
            "kafka.keystore.password",
            "elasticsearch.restClient.password",
            "elasticsearch.restClient.keystore.password",
            "nuxeo.opensearch1.client.password",
            "nuxeo.opensearch1.client.keyStore.password",
            "nuxeo.jwt.secret",
            "nuxeo.core.binarymanager_key",
            "mail.transport.password",
            "mail.store.password",
            "nuxeo.ldap.bindpassword",
            "server.crypt.key",
            "server.crypt.secretkey",
            "server.status.key",
            "server.crypt.keystore.pass",
            "javax.net.ssl.keyStorePassword",
            "nuxeo.s3storage.awssecret",
        ] {
            assert_eq!(shown(key, "hunter2"), MASK, "{key}");
        }
        for key in [
            "nuxeo.db.user",
            "nuxeo.url",
            "server.crypt.keyalias",
            "kafka.truststore.path",
            "nuxeo.changetoken.enabled",
        ] {
            assert_eq!(shown(key, "plain"), "plain", "{key}");
        }
        assert_eq!(shown("nuxeo.db.password", ""), "", "that none is set may be known");
        assert_eq!(shown("x", "{$$c2VjcmV0}"), "[encrypted]");
    }

    #[test]
    fn credentials_in_urls_are_hidden() {
        for text in [
            "mongodb://nx:hunter2@m1:27017,m2:27017/?replicaSet=rs0",
            "mongodb+srv://nx:hunter2@cluster.example/dam",
            "mongodb://nx:hunter2?x@m1/",
            "http://u:hunter2@es1:9200,http://u:hunter2@es2:9200",
            "https://u:hun@ter2hunter2@h",
            "jdbc:oracle:thin:nuxeo/hunter2@db:1521:NUXEO",
            "jdbc:postgresql://db/nuxeo?user=u&password=hunter2",
            "jdbc:sqlserver://db:1433;database=nuxeo;password=hunter2",
        ] {
            let shown = mask(text);
            assert!(!shown.contains("hunter2") && shown.contains(MASK), "{shown}");
        }
        assert_eq!(mask("mongodb://u:p@m1,m2/?replicaSet=rs0"), "mongodb://[secret]@m1,m2/?replicaSet=rs0");
        for plain in ["http://es1:9200,http://es2:9200", "a@b", "noreply@example.org", "x;y?z", ""] {
            assert_eq!(mask(plain), plain);
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some([secret])");
    }
}

//! Recognises encrypted values, and says what must be kept so that they can be read again.
//!
//! Nuxeo's `Crypto` and `CryptoProperties` (nuxeo-common) define the form and the keys.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD as BASE64};

use super::chain::Chain;

/// The properties that the key of encrypted values is made from, strongest first.
pub const KEYS: [&str; 8] = [
    "server.crypt.keystore.path",
    "server.crypt.keystore.pass",
    "server.crypt.keyalias",
    "server.crypt.secretkey",
    "server.crypt.key",
    "server.status.key",
    "javax.net.ssl.keyStore",
    "javax.net.ssl.keyStorePassword",
];

/// Whether a value is `{$ALGORITHM$BASE64}` or, with the default algorithm, `{$$BASE64}`.
pub fn is_encrypted(value: &str) -> bool {
    let inner = value.strip_prefix("{$").and_then(|rest| rest.strip_suffix('}'));
    let parts = inner.and_then(|inner| inner.split_once('$'));
    parts.is_some_and(|(_, text)| !text.is_empty() && !text.contains('$'))
}

/// The algorithm that an encrypted value names (`AES/ECB/PKCS5Padding`); none where it takes the default.
pub fn algorithm(value: &str) -> Option<String> {
    let (name, _) = value.strip_prefix("{$")?.split_once('$')?;
    decode(name).filter(|name| !name.trim().is_empty())
}

/// What encrypted values need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encrypted {
    /// The keys whose values are encrypted.
    pub values: Vec<String>,
    /// The properties that are set and that the key is made from: without them nothing can be decrypted.
    pub keys: Vec<String>,
    /// Files that hold the key.
    pub files: Vec<String>,
}

impl Encrypted {
    /// Those of a configuration.
    pub fn of(chain: &Chain) -> Self {
        let set = |key: &&str| chain.text(key).is_some_and(|value| !value.is_empty());
        let encrypted = |key: &&str| chain.get(key).is_some_and(|setting| is_encrypted(&setting.value));
        Self {
            values: chain.keys().filter(encrypted).map(str::to_owned).collect(),
            keys: KEYS.into_iter().filter(set).map(str::to_owned).collect(),
            files: files(chain),
        }
    }
}

/// A key store is used when an alias is set; the secret key may be the base64 text of a file's URL.
fn files(chain: &Chain) -> Vec<String> {
    let text = |key| chain.text(key).filter(|value| !value.is_empty());
    let store = text("server.crypt.keystore.path").or_else(|| text("javax.net.ssl.keyStore"));
    let store = store.filter(|_| text("server.crypt.keyalias").is_some());
    let keys = ["server.crypt.secretkey", "server.crypt.key"].into_iter().filter_map(text);
    let named = keys.filter_map(|key| file_url(&decode(&key)?));
    store.into_iter().chain(named).collect()
}

/// The path in `file:/path` or `file:///path`.
fn file_url(url: &str) -> Option<String> {
    let path = url.trim().strip_prefix("file:")?;
    let path = path.strip_prefix("//").map_or(path, |rest| rest.strip_prefix("localhost").unwrap_or(rest));
    path.starts_with('/').then(|| path.to_owned())
}

fn decode(text: &str) -> Option<String> {
    String::from_utf8(BASE64.decode(text.trim().trim_end_matches('=')).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encrypted_values_are_recognised() {
        for value in ["{$$c2VjcmV0LWZpeHR1cmU=}", "{$QUVT$c2VjcmV0}", "{$x$y}"] {
            assert!(is_encrypted(value), "{value}");
        }
        for value in ["", "{$$}", "{$a}", "{$a$b", "$a$b}", "{$a$b$c}", "x{$$a}", "{$$a}x", "${a}", "{$", "{$}"] {
            assert!(!is_encrypted(value), "{value}");
        }
        assert_eq!(algorithm("{$REVTL0VDQi9QS0NTNVBhZGRpbmc=$x}").as_deref(), Some("DES/ECB/PKCS5Padding"));
        assert_eq!(algorithm("{$$x}"), None);
        assert_eq!(algorithm("{$*$x}"), None);
    }

    #[test]
    fn what_the_key_is_made_from_is_found() {
        let with = |text| Encrypted::of(&crate::conf::chain::tests::plain(text));
        // base64 of file:///etc/nuxeo/crypt.key
        let found =
            with("a={$$eA==}\nb=x\nserver.status.key=s\nserver.crypt.secretkey=ZmlsZTovLy9ldGMvbnV4ZW8vY3J5cHQua2V5\n");
        assert_eq!(found.values, ["a"]);
        assert_eq!(found.keys, ["server.crypt.secretkey", "server.status.key"]);
        assert_eq!(found.files, ["/etc/nuxeo/crypt.key"]);
        let found =
            with("server.crypt.keystore.path=/k.jceks\nserver.crypt.keyalias=nx\nserver.crypt.secretkey=cGxhaW4=");
        assert_eq!(found.files, ["/k.jceks"]);
        assert!(with("server.crypt.keystore.path=/k.jceks").files.is_empty(), "without an alias it is not used");
        assert_eq!(with("a=1"), Encrypted::default());
    }
}

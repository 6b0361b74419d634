//! Whether an instance is one node of several, and which files its properties name.

use super::Values;
use crate::conf::paths::absolute;

/// What makes several nodes one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// `nuxeo.cluster.enabled`, up to 10.10 `repository.clustering.enabled`.
    pub enabled: bool,
    /// `nuxeo.cluster.nodeid`, up to 10.10 `repository.clustering.id`.
    pub node: Option<String>,
    /// Whether `nuxeo.jwt.secret` is set, which must be the same on all nodes.
    pub has_jwt_secret: bool,
}

impl Cluster {
    pub(super) fn of(values: &Values<'_>) -> Self {
        Self {
            enabled: values.flag("nuxeo.cluster.enabled") || values.flag("repository.clustering.enabled"),
            node: values.set("nuxeo.cluster.nodeid").or_else(|| values.set("repository.clustering.id")),
            has_jwt_secret: values.set("nuxeo.jwt.secret").is_some(),
        }
    }
}

/// A file that a property names, and that the instance cannot do without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// The property.
    pub key: String,
    /// Its absolute path.
    pub path: String,
}

/// The most that are listed: real instances have a handful.
const KEY_FILES_MAX: usize = 256;

/// Key stores and trust stores.
pub(super) fn key_files(values: &Values<'_>, home: &str) -> Vec<KeyFile> {
    let ends = ["truststore.path", "keystore.path", "net.ssl.truststore", "net.ssl.keystore"];
    let store = |key: &str| ends.iter().any(|end| key.to_ascii_lowercase().ends_with(end));
    let stores = values.chain.keys().filter(|key| store(key)).take(KEY_FILES_MAX);
    let stores = stores.filter_map(|key| Some((key, values.set(key)?)));
    let blobs = "nuxeo.core.binarymanager_key";
    let blobs = values.set(blobs).and_then(|value| Some((blobs, option(&value, "keyStoreFile")?)));
    let file = |(key, path): (&str, String)| KeyFile { key: key.to_owned(), path: absolute(home, &path) };
    blobs.into_iter().chain(stores).map(file).collect()
}

/// The value of a name in `name=value,name=value`.
fn option(text: &str, name: &str) -> Option<String> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
}

//! Whether an instance is one node of several, and which files its properties name.

use super::{Values, directories::absolute};

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

/// Key stores, trust stores and key tabs.
pub(super) fn key_files(values: &Values<'_>, home: &str) -> Vec<KeyFile> {
    let mut found = Vec::new();
    for key in values.chain.keys() {
        let Some(value) = values.set(key) else { continue };
        let name = key.to_ascii_lowercase();
        let store = ["truststore.path", "keystore.path", "net.ssl.truststore", "net.ssl.keystore"];
        let path = match name.as_str() {
            "nuxeo.core.binarymanager_key" => option(&value, "keyStoreFile"),
            _ if store.iter().any(|end| name.ends_with(end)) => Some(value),
            _ => None,
        };
        found.extend(path.map(|path| KeyFile { key: key.to_owned(), path: absolute(home, &path) }));
    }
    found
}

/// The value of a name in `name=value,name=value`.
fn option(text: &str, name: &str) -> Option<String> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
}

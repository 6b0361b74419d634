//! How an index lies in a snapshot: `INDEX/index.json`, and objects `INDEX/000001.ndjson`, each one bulk request, with
//! `INDEX/000001.ids`, a list of what is in it. `docs/elasticsearch-audit.md` describes them for readers without this
//! program.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use strongroom_plugin::{Context, Error, Result, archive, snapshot};

use crate::{
    engine::{Engine, Product},
    index::{Given, Index, Source, cleaned},
};

/// The version of the format.
pub const VERSION: u32 = 2;
/// Before, when documents were hashed by SHA-256; else the same.
pub const VERSION_SHA256: u32 = 1;
/// The longest `index.json`: settings and mapping of an index.
const JSON_BYTES_MAX: usize = 16 << 20;

/// `INDEX/index.json`: what an index is made of, and what its objects hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// [`VERSION`], [`VERSION_SHA256`]
    pub version: u32,
    /// The index's own name.
    pub index: String,
    /// Which one of that name.
    pub uuid: String,
    /// `elasticsearch` or `opensearch`.
    pub product: String,
    /// The engine's version.
    pub engine: String,
    /// When its moment was fixed, by the host's clock, in milliseconds since 1970.
    pub taken: i64,
    /// What a new index is given.
    pub settings: Given,
    /// Below Elasticsearch 7, by type.
    pub mappings: Value,
    /// By name, with filter and routing.
    pub aliases: BTreeMap<String, Value>,
    /// What it keeps of its documents.
    pub source: Source,
    /// Documents as the engine counted them at that moment.
    pub expected: u64,
    /// Documents stored.
    pub documents: u64,
    /// The hash over all of them: see [`crate::hash`].
    pub hash: String,
    /// Objects stored.
    pub objects: u32,
    /// Their bytes.
    pub bytes: u64,
}

impl Manifest {
    /// Of an index, before anything of it is stored.
    pub fn of(index: &Index, engine: &Engine, taken: i64) -> Self {
        Self {
            version: VERSION,
            index: index.name.clone(),
            uuid: index.uuid.clone(),
            product: match engine.product {
                Product::Elasticsearch => "elasticsearch".into(),
                Product::OpenSearch => "opensearch".into(),
            },
            engine: engine.number.clone(),
            taken,
            settings: cleaned(&index.settings),
            mappings: index.mappings.clone(),
            aliases: index.aliases.clone(),
            source: index.source(),
            expected: 0,
            documents: 0,
            hash: String::new(),
            objects: 0,
            bytes: 0,
        }
    }

    /// Stores it.
    ///
    /// # Errors
    /// `io` when the repository fails.
    pub fn put(&self) -> Result<()> {
        snapshot::put_bytes(&manifest(&self.index), &serde_json::to_vec_pretty(self)?).map(drop)
    }

    /// That of an index of a part.
    ///
    /// # Errors
    /// `not-found`; `corrupt` when it is none; `unsupported` when a newer program has written it.
    pub fn read(part: &str, index: &str) -> Result<Self> {
        let path = manifest(index);
        let text = archive::read_to_string(part, &path, JSON_BYTES_MAX)?;
        let read: Self = parse(&text).context(format!("reading {part}/{path}"))?;
        match read.version {
            VERSION | VERSION_SHA256 => Ok(read),
            other => {
                Err(Error::unsupported(format!("{part}/{path} is of version {other}: a newer program has written it")))
            }
        }
    }
}

/// Indices that a part holds.
///
/// # Errors
/// `io`, `corrupt`.
pub fn indices(part: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for item in archive::items(part, "") {
        if let Some(name) = item?.path.strip_suffix("/index.json") {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Where the manifest of an index is.
pub fn manifest(index: &str) -> String {
    format!("{index}/index.json")
}

/// Where an object is; the first is 1.
pub fn object(index: &str, number: u32) -> String {
    format!("{index}/{number:06}.ndjson")
}

/// Where the list of what is in it is.
pub fn ids(index: &str, number: u32) -> String {
    format!("{index}/{number:06}.ids")
}

/// Reads JSON of a snapshot.
///
/// # Errors
/// `corrupt`.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::corrupt(format!("it is not what it must be: {error}")))
}

#[cfg(test)]
impl Manifest {
    /// One to fill in.
    pub(crate) fn sample(index: &str) -> Self {
        let settings = serde_json::json!({ "index.number_of_shards": "1" });
        let index = Index {
            name: index.into(),
            uuid: "u".into(),
            shards: 1,
            settings: settings.as_object().cloned().unwrap_or_default(),
            mappings: serde_json::json!({}),
            aliases: BTreeMap::new(),
        };
        Self::of(&index, &Engine { number: "2.19.5".into(), ..Engine::default() }, 0)
    }
}

#[cfg(test)]
mod tests {
    use strongroom_plugin::{ErrorCode, testing::Host};

    use super::*;

    #[test]
    fn a_manifest_of_a_version_before_is_read_and_one_of_a_later_version_is_not() {
        for (version, expected) in [(VERSION_SHA256, Ok(())), (VERSION, Ok(())), (3, Err(ErrorCode::Unsupported))] {
            let text = serde_json::to_string(&Manifest { version, ..Manifest::sample("i") }).unwrap();
            let _host = Host::new().archived("p", "i/index.json", text);
            assert_eq!(Manifest::read("p", "i").map(drop).map_err(|error| error.code), expected, "{version}");
        }
    }
}

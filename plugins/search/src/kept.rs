//! What a part holds that is an engine's own snapshot: `snapshot.json`, and the files of the engine's repository below `repository/`.
//! Where the snapshot has stayed with the engine, only the former.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strongroom_plugin::{Context, Error, Result, archive};

use crate::{
    repository::Made,
    store::{self, Manifest},
};

/// The description.
pub const FILE: &str = "snapshot.json";
/// The files.
pub const FILES: &str = "repository";
/// The version of the format.
pub const VERSION: u32 = 1;
/// That of a [`Reference`], which readers of the first version would take for a snapshot without files.
pub const VERSION_REFERENCE: u32 = 2;
const JSON_BYTES_MAX: usize = 32 << 20;

/// `snapshot.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Kept {
    /// [`VERSION`], [`VERSION_REFERENCE`]
    pub version: u32,
    /// What the engine said of its snapshot.
    pub made: Made,
    /// Where it is, if not in the part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Files and directories below `repository/`.
    pub entries: u64,
    /// By name.
    pub indices: BTreeMap<String, Index>,
}

/// A snapshot that has stayed in the engine's own repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reference {
    /// The name under which the engine knew the repository.
    pub repository: String,
    /// `fs`, `s3` and the like.
    pub kind: String,
    /// The snapshot's name.
    pub snapshot: String,
}

/// One index of the snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Index {
    /// What it is made of. Its documents and their hash are set where nothing was written meanwhile.
    pub manifest: Manifest,
    /// The fewest and the most documents that it had while the snapshot was made.
    pub documents: (u64, u64),
}

impl Index {
    /// Whether the hash is known.
    pub fn is_exact(&self) -> bool {
        !self.manifest.hash.is_empty()
    }
}

impl Kept {
    /// That of a part; none where the part is no snapshot.
    ///
    /// # Errors
    /// `corrupt`, `unsupported`.
    pub fn read(part: &str) -> Result<Option<Self>> {
        if !archive::exists(part, FILE)? {
            return Ok(None);
        }
        let text = archive::read_to_string(part, FILE, JSON_BYTES_MAX)?;
        let kept: Self = store::parse(&text).context(format!("reading {part}/{FILE}"))?;
        match (kept.version, &kept.reference) {
            (VERSION, None) | (VERSION_REFERENCE, Some(_)) => Ok(Some(kept)),
            (VERSION | VERSION_REFERENCE, _) => {
                Err(Error::corrupt(format!("{part}/{FILE} does not say where the engine's snapshot is")))
            }
            (other, _) => {
                Err(Error::unsupported(format!("{part}/{FILE} is of version {other}: a newer program has written it")))
            }
        }
    }
}

//! What the part `snapshot` holds: `snapshot.json`, and the files of the engine's repository below `repository/`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strongroom_plugin::{Context, Error, Result, archive};
use strongroom_search::{
    repository::Made,
    store::{self, Manifest},
};

/// The description.
pub const FILE: &str = "snapshot.json";
/// The files.
pub const FILES: &str = "repository";
/// The version of the format.
pub const VERSION: u32 = 1;
const JSON_BYTES_MAX: usize = 32 << 20;

/// `snapshot.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Kept {
    /// [`VERSION`]
    pub version: u32,
    /// What the engine said of its snapshot.
    pub made: Made,
    /// Files and directories below `repository/`.
    pub entries: u64,
    /// By name.
    pub indices: BTreeMap<String, Index>,
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
        match kept.version {
            VERSION => Ok(Some(kept)),
            other => {
                Err(Error::unsupported(format!("{part}/{FILE} is of version {other}: a newer program has written it")))
            }
        }
    }
}

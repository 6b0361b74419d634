//! How much an index holds, by its primary shards.

use serde::Deserialize;
use strongroom_plugin::{Result, http::encoded};

use crate::client::{Client, Question};

/// What the primary shards of an index hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Documents; nested ones count by themselves.
    pub documents: u64,
    /// Removed ones that still have a place.
    pub removed: u64,
    /// Bytes that it takes on disk, where documents are packed.
    pub bytes: u64,
}

impl Size {
    /// As the engine says of `index` now.
    ///
    /// # Errors
    /// What the engine says.
    pub fn ask(client: &Client, index: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "_all")]
            all: All,
        }
        #[derive(Deserialize)]
        struct All {
            primaries: Primaries,
        }
        #[derive(Deserialize)]
        struct Primaries {
            docs: Docs,
            store: Store,
        }
        #[derive(Deserialize)]
        struct Docs {
            count: u64,
            #[serde(default)]
            deleted: u64,
        }
        #[derive(Deserialize)]
        struct Store {
            size_in_bytes: u64,
        }
        let answer: Answer = client.ask(&Question::get(format!("/{}/_stats/docs,store", encoded(index))))?;
        let Primaries { docs, store } = answer.all.primaries;
        Ok(Self { documents: docs.count, removed: docs.deleted, bytes: store.size_in_bytes })
    }
}

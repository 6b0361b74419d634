//! How much an index holds, by its primary shards; and how numbers of things are said.

use serde::Deserialize;
use strongroom_plugin::{Result, http::encoded};

use crate::client::{Client, Question};

/// So many of a thing, for people: `1 shard`, `2 shards`.
pub fn said(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The same of indices.
pub fn indices(count: usize) -> String {
    said(count, "index", "indices")
}

/// The same of shards.
pub fn shards(count: u64) -> String {
    said(usize::try_from(count).unwrap_or(usize::MAX), "shard", "shards")
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_said_as_one() {
        assert_eq!([shards(1), shards(2), indices(1), indices(0)], ["1 shard", "2 shards", "1 index", "0 indices"]);
    }
}

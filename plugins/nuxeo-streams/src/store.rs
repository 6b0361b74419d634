//! How streams lie in a snapshot: the files of the parts `positions`, `fence` and `records…`, and their JSON.
//! `docs/nuxeo-streams.md` describes them for readers without this program.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use strongroom_plugin::{Context, Error, Result, archive};

use crate::{cut::Cut, keep::Tally, prefix::Prefixes, settings::Records};

/// The file of the part `positions`.
pub const POSITIONS: &str = "positions.json";
/// The file of the part `fence`.
pub const FENCE: &str = "fence.json";
/// The version of all three formats.
pub const VERSION: u32 = 1;

/// The longest JSON file that is read: what a step's notes may be together.
const JSON_BYTES_MAX: usize = 4 << 20;

/// Offsets of one group: by topic, then by partition.
pub type Committed = BTreeMap<String, BTreeMap<i32, i64>>;

/// `positions.json`: what the groups had committed before the database's instant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Positions {
    /// [`VERSION`]
    pub version: u32,
    /// When, by the host's clock, in milliseconds since 1970.
    pub taken: i64,
    /// The offset that each group would read next, by group, topic and partition.
    pub groups: BTreeMap<String, Committed>,
}

impl Positions {
    /// What any group has committed of one partition.
    pub fn of(&self, topic: &str, partition: i32) -> impl Iterator<Item = (&str, i64)> {
        self.groups.iter().filter_map(move |(group, topics)| {
            topics.get(topic).and_then(|partitions| partitions.get(&partition)).map(|offset| (group.as_str(), *offset))
        })
    }

    /// All partitions together.
    pub fn count(&self) -> u64 {
        self.groups.values().flat_map(BTreeMap::values).map(|partitions| partitions.len() as u64).sum()
    }
}

/// `fence.json`: where every stream ended, and how its topic was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fence {
    /// [`VERSION`]
    pub version: u32,
    /// The cluster's own id.
    pub cluster: String,
    /// When, by the host's clock, in milliseconds since 1970.
    pub taken: i64,
    /// The last moment whose records are kept.
    pub cut: Cut,
    /// Whose topics these are.
    pub prefixes: Prefixes,
    /// Which records were to be stored.
    pub records: Records,
    /// By name.
    pub topics: BTreeMap<String, Fenced>,
}

/// One topic at the fence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fenced {
    /// Copies of each partition.
    pub replication: i16,
    /// What is set for this topic itself; the brokers' defaults are not.
    pub configs: BTreeMap<String, String>,
    /// `CreateTime` or `LogAppendTime`.
    pub timestamp_type: String,
    /// Whether old records are compacted away.
    pub compacted: bool,
    /// By number: the first offset, and the one behind the last.
    pub partitions: BTreeMap<i32, (i64, i64)>,
}

/// `TOPIC/PARTITION.json`: what of a partition lies in `TOPIC/PARTITION.batches`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Index {
    /// [`VERSION`]
    pub version: u32,
    /// The first offset that was asked for.
    pub from: i64,
    /// The offset behind the last one.
    pub fence: i64,
    /// Batches stored.
    pub batches: u64,
    /// Of these, written anew because they held something that is not kept.
    pub rewritten: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of the longest batch, where one was too long to be shown while it was stored; else 0.
    #[serde(default)]
    pub longest: u64,
    /// SHA-256 of the file of batches.
    pub sha256: String,
    /// Records kept, and offsets that are not, by the reason.
    #[serde(flatten)]
    pub tally: Tally,
    /// The first and the last offset kept.
    pub offsets: Option<(i64, i64)>,
    /// The latest time of a batch kept, in milliseconds since 1970.
    pub newest: Option<i64>,
    /// Offsets that the brokers had deleted before they were read: first, and the one behind the last.
    #[serde(default)]
    pub gaps: Vec<(i64, i64)>,
    /// Where reading ended before the fence.
    #[serde(default)]
    pub unread: Option<i64>,
}

/// The batches of a partition, as they lay at the broker, one after the other.
pub fn batches(topic: &str, partition: i32) -> String {
    format!("{topic}/{partition}.batches")
}

/// What is known of them.
pub fn index(topic: &str, partition: i32) -> String {
    format!("{topic}/{partition}.json")
}

/// A JSON file of a part of the snapshot that is being read.
///
/// # Errors
/// `not-found`; `corrupt` when it is not what it must be, `unsupported` when it is newer than this program.
pub fn read<T: DeserializeOwned>(part: &str, path: &str) -> Result<T> {
    parse(&archive::read_to_string(part, path, JSON_BYTES_MAX)?).context(format!("reading {part}/{path}"))
}

/// The same from text.
///
/// # Errors
/// As [`read`].
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let wrong = |error: serde_json::Error| Error::corrupt(error.to_string());
    let found: Versioned = serde_json::from_str(text).map_err(wrong)?;
    if found.version > VERSION {
        let message = format!("format {} is newer than {VERSION}: use the plugin that stored it", found.version);
        return Err(Error::unsupported(message));
    }
    serde_json::from_str(text).map_err(wrong)
}

/// `TOPIC/topic.json`, where no records were wanted: without a file there would be no part to restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Shape {
    /// [`VERSION`]
    pub version: u32,
    /// Which records were to be stored: none.
    pub records: Records,
    /// Its partitions.
    pub partitions: Vec<i32>,
}

/// What stands for a topic without records.
pub fn shape(topic: &str) -> String {
    format!("{topic}/topic.json")
}

/// As text that a person can read.
///
/// # Errors
/// `invalid`: a mistake of ours.
pub fn to_json(value: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keep::Why;

    #[test]
    fn an_index_reads_back_as_it_was_written() {
        let mut tally = Tally { kept: 3, holes: 1, ..Tally::default() };
        tally.leave_out(Why::Aborted, 2);
        let index = Index {
            version: VERSION,
            from: 5,
            fence: 11,
            batches: 2,
            tally,
            offsets: Some((5, 9)),
            gaps: vec![(6, 7)],
            ..Index::default()
        };
        let text = to_json(&index).unwrap();
        assert!(text.contains("\"left-out\": {\n    \"aborted\": 2"), "{text}");
        assert_eq!(parse::<Index>(&text).unwrap(), index);
    }

    #[test]
    fn what_a_newer_plugin_stored_is_refused() {
        let error = parse::<Positions>(r#"{ "version": 2, "taken": 0, "groups": {} }"#).unwrap_err();
        assert!(error.message.contains("newer"), "{error}");
        assert!(parse::<Positions>("{").is_err());
    }

    #[test]
    fn the_commits_of_a_partition_are_those_of_all_groups() {
        let of = |offset| Committed::from([("t".to_owned(), BTreeMap::from([(0, offset)]))]);
        let groups = BTreeMap::from([("a".to_owned(), of(4)), ("b".to_owned(), of(2)), ("c".to_owned(), [].into())]);
        let positions = Positions { version: VERSION, taken: 0, groups };
        assert_eq!(positions.of("t", 0).collect::<Vec<_>>(), [("a", 4), ("b", 2)]);
        assert_eq!((positions.of("t", 1).count(), positions.count()), (0, 2));
    }
}

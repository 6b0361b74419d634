//! What this plugin asks of Kafka, in its own words: `live` asks real brokers, tests ask a small one in memory.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_kafka::Builder;
use strongroom_plugin::{InputStream, Result};

use crate::store::Committed;

mod live;
#[cfg(test)]
pub(crate) mod memory;

pub use live::{connect, has_login, is_granted};

/// A topic as the cluster has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// Kafka's own: never touched.
    pub internal: bool,
    /// Numbers of its partitions.
    pub partitions: Vec<i32>,
    /// Copies of each.
    pub replication: i16,
}

/// A setting of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `retention.ms` and the like.
    pub name: String,
    /// None where the broker keeps it to itself.
    pub value: Option<String>,
    /// Set for this topic, not by the brokers' default.
    pub own: bool,
}

/// A place in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The first offset that is still there.
    Start,
    /// The one behind the last.
    End,
}

/// What a fetch brings.
pub enum Fetched {
    /// The offset is not, or no longer, in the log.
    OutOfRange,
    /// Batches, the first with the offset that was asked for or one behind it; the last may be cut off.
    Batches(Batches),
}

/// Batches that are still in the host.
pub struct Batches {
    /// The offset behind the last one that is committed to all replicas.
    pub high: i64,
    /// The first offset of the first transaction that is still open, else `high`.
    pub stable: i64,
    /// Producer and first offset of each aborted transaction among them.
    pub aborted: Vec<(i64, i64)>,
    /// How many bytes they are.
    pub bytes: u64,
    /// The batches, to be consumed or dropped before the next question.
    pub records: InputStream,
}

/// A cluster of brokers.
pub trait Broker {
    /// The cluster's own id.
    fn cluster(&self) -> String;

    /// How many brokers are up.
    fn brokers(&self) -> usize;

    /// All topics by name.
    ///
    /// # Errors
    /// What the broker says, or that none answers; so of all that follow.
    fn topics(&mut self) -> Result<BTreeMap<String, Shape>>;

    /// The settings of a topic.
    ///
    /// # Errors
    /// As [`Self::topics`].
    fn configs(&mut self, topic: &str) -> Result<Vec<Config>>;

    /// An offset of each of those partitions.
    ///
    /// # Errors
    /// As [`Self::topics`].
    fn offsets(&mut self, topic: &str, partitions: &[i32], edge: Edge) -> Result<BTreeMap<i32, i64>>;

    /// Ids of all consumer groups.
    ///
    /// # Errors
    /// As [`Self::topics`].
    fn groups(&mut self) -> Result<BTreeSet<String>>;

    /// How many members of a group are active.
    ///
    /// # Errors
    /// As [`Self::topics`].
    fn members(&mut self, group: &str) -> Result<usize>;

    /// What a group has committed.
    ///
    /// # Errors
    /// As [`Self::topics`].
    fn committed(&mut self, group: &str) -> Result<Committed>;

    /// Batches from `offset` on, of committed transactions and of none.
    ///
    /// # Errors
    /// As [`Self::topics`].
    fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> Result<Fetched>;

    /// Makes a topic. A `replication` of -1 is the brokers' default.
    ///
    /// # Errors
    /// `exists`; as [`Self::topics`].
    fn create(
        &mut self,
        topic: &str,
        partitions: i32,
        replication: i16,
        configs: &BTreeMap<String, String>,
    ) -> Result<()>;

    /// Removes a topic.
    ///
    /// # Errors
    /// `not-found`; as [`Self::topics`].
    fn delete(&mut self, topic: &str) -> Result<()>;

    /// Changes settings of a topic; none for a value: back to the brokers' default.
    ///
    /// # Errors
    /// As [`Self::topics`].
    fn set_configs(&mut self, topic: &str, configs: &BTreeMap<String, Option<String>>) -> Result<()>;

    /// Begins to append a batch, exactly once however often it has to be sent. Returns the offset of the first record of
    /// the batch before, which is there then; none where nothing was waited for.
    ///
    /// # Errors
    /// As [`Self::topics`].
    fn produce(&mut self, topic: &str, partition: i32, batch: Builder) -> Result<Option<i64>>;

    /// Waits for the batch that was appended last, and returns the same of it.
    ///
    /// # Errors
    /// As [`Self::topics`].
    fn produced(&mut self) -> Result<Option<i64>>;

    /// Commits offsets of a group without active members.
    ///
    /// # Errors
    /// As [`Self::topics`]; where the group has members.
    fn commit(&mut self, group: &str, offsets: &[(String, i32, i64)]) -> Result<()>;
}

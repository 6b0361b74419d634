//! A Kafka cluster: what can be asked of it and told to it, and which broker is the one to ask.

use std::{collections::BTreeMap, time::Duration};

use strongroom_plugin::tcp;

use crate::{Login, Result, connection::Connection};

mod ask;
mod brokers;
mod fetch;
mod groups;
mod offsets;
mod produce;
mod records;
mod topics;

pub use self::{
    brokers::Broker,
    fetch::{Fetched, Transaction},
    groups::Group,
    offsets::At,
    produce::Producer,
    records::Piece,
    topics::{Partition, Setting, Source, Topic},
};

/// How long to wait, how often to try, how much to take in. Each has a bound of its own by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long one request may take, from its first byte to the last of the answer: 30 s. Within it the grant's own
    /// `idle` holds, and a fetch may take that long for its head alone.
    pub request_timeout: Duration,
    /// How often a request is repeated when the broker says that it may pass, or when its connection is lost: 8 times.
    pub retries: u32,
    /// The wait before the first repetition, 100 ms; twice as long before each of the next.
    pub backoff: Duration,
    /// The longest wait before a repetition: 2 s.
    pub backoff_max: Duration,
    /// The longest answer that is taken into the plugin, in bytes: 8 MiB, about 100,000 partitions. Records are not
    /// counted: they stay in the host.
    pub answer_bytes_max: usize,
    /// How long a broker may wait for a first record where there is none yet: 500 ms.
    pub fetch_wait: Duration,
    /// Whose records a fetch gives: [`Isolation::Committed`].
    pub isolation: Isolation,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(30),
            retries: 8,
            backoff: Duration::from_millis(100),
            backoff_max: Duration::from_secs(2),
            answer_bytes_max: 8 << 20,
            fetch_wait: Duration::from_millis(500),
            isolation: Isolation::Committed,
        }
    }
}

/// Which records of transactions a reader gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Up to the first transaction that is still open (the stable end); what was aborted is named in the answer and
    /// must be passed over by the reader.
    #[default]
    Committed,
    /// Everything up to the high watermark.
    Uncommitted,
}

/// A cluster, and a connection to each broker that was asked so far. One request at a time, beside the batch that a
/// [`Producer`] has begun.
pub struct Cluster {
    grant: String,
    service: tcp::Service,
    login: Login,
    options: Options,
    id: String,
    controller: i32,
    brokers: Vec<Broker>,
    /// What is known of brokers is to be looked up again before the next request.
    stale: bool,
    /// By endpoint: a bootstrap address is often a broker's own.
    connections: BTreeMap<String, Connection>,
    leaders: BTreeMap<String, BTreeMap<i32, i32>>,
    coordinators: BTreeMap<String, i32>,
}

impl Cluster {
    /// Connects to the first endpoint of the grant that answers, logs in, and asks who belongs to the cluster. Brokers
    /// are then reached where they advertise themselves, which must be endpoints of the same grant.
    ///
    /// # Errors
    /// `denied` when there is no such grant, for an advertised listener that it does not name, and for a login that is
    /// refused. `unavailable` when nobody answers. `unsupported` for brokers older than 2.1.
    pub fn connect(grant: &str, login: Login, options: Options) -> Result<Self> {
        let service = tcp::get(grant)?;
        let mut cluster = Self {
            grant: grant.to_owned(),
            service,
            login,
            options,
            id: String::new(),
            controller: -1,
            brokers: Vec::new(),
            stale: true,
            connections: BTreeMap::new(),
            leaders: BTreeMap::new(),
            coordinators: BTreeMap::new(),
        };
        cluster.refresh()?;
        Ok(cluster)
    }

    /// The cluster's own id; empty where the broker keeps it to itself.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The brokers that are up.
    pub fn brokers(&self) -> &[Broker] {
        &self.brokers
    }

    /// What the brokers that were asked so far understand, for a person: `kafka-0:9092: Produce 0-12, Fetch 4-17, …`.
    pub fn versions(&self) -> Vec<String> {
        self.connections.iter().map(|(endpoint, connection)| format!("{endpoint}: {}", connection.versions())).collect()
    }

    /// How it waits, tries again and bounds.
    pub fn options(&self) -> &Options {
        &self.options
    }
}

#[cfg(test)]
mod tests;

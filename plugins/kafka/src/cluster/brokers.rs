//! Who belongs to the cluster, and who leads what.

use std::collections::BTreeMap;

use strongroom_plugin::Error as Cause;

use super::{
    Cluster,
    topics::{self, Topic},
};
use crate::{
    Error, Fault, Result,
    api::{FIND_COORDINATOR, METADATA},
    connection::{Connection, refusal},
    wire::Reader,
};

/// A server of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its number.
    pub id: i32,
    /// Where it says that it listens, `host:port`.
    pub endpoint: String,
}

/// What a coordinator is asked to coordinate: a group, not a transaction.
const GROUP: i8 = 0;

/// What one broker says of the cluster.
pub(super) struct Seen {
    id: String,
    controller: i32,
    brokers: Vec<Broker>,
    pub(super) topics: Vec<(Option<Fault>, Topic)>,
}

/// Asks one broker who belongs to the cluster, and of which topics: of all where none are named.
pub(super) fn metadata(connection: &mut Connection, topics: Option<&[&str]>) -> Result<Seen> {
    let answer = connection.ask(&METADATA, |writer, _| {
        match topics {
            None => writer.i32(-1),
            Some(topics) => writer.list(topics.iter(), |writer, topic| {
                writer.text(topic);
            }),
        };
        // A topic that is asked for is not to be created.
        writer.bool(false);
    })?;
    answer.read(read)
}

fn read(reader: &mut Reader, version: i16) -> Result<Seen> {
    reader.i32()?;
    let brokers = reader.list(broker)?;
    let id = reader.nullable_text()?.unwrap_or_default().to_owned();
    let controller = reader.i32()?;
    let topics = reader.list(|reader| topics::read(reader, version))?;
    Ok(Seen { id, controller, brokers, topics })
}

fn broker(reader: &mut Reader) -> Result<Broker> {
    let (id, host, port) = (reader.i32()?, reader.text()?, reader.i32()?);
    reader.nullable_text()?;
    let endpoint = match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    Ok(Broker { id, endpoint })
}

impl Cluster {
    /// Looks again who belongs to the cluster: asks the brokers that were talked to, those of the grant, and those that
    /// were known, until one answers.
    pub(super) fn look(&mut self) -> Result<()> {
        let mut last = Error::lost(Cause::unavailable("the grant names no endpoint"), false);
        for endpoint in self.candidates() {
            match self.talk(&endpoint, |connection, _| metadata(connection, Some(&[]))) {
                Ok(seen) => {
                    self.learn(seen);
                    return Ok(());
                }
                Err(error) if error.is_lost() => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    fn candidates(&self) -> Vec<String> {
        let connected = self.connections.keys().cloned();
        let known = self.brokers.iter().map(|broker| broker.endpoint.clone());
        let mut candidates: Vec<String> = Vec::new();
        for endpoint in connected.chain(self.service.endpoints()).chain(known) {
            if !candidates.contains(&endpoint) {
                candidates.push(endpoint);
            }
        }
        candidates
    }

    fn learn(&mut self, seen: Seen) {
        self.id = seen.id;
        self.controller = seen.controller;
        self.brokers = seen.brokers;
        self.stale = false;
    }

    /// The broker that leads a partition.
    pub(super) fn leader(&mut self, topic: &str, partition: i32) -> Result<i32> {
        if !self.leaders.contains_key(topic) {
            let leaders = self.leaders_of(topic)?;
            self.leaders.insert(topic.to_owned(), leaders);
        }
        let leader = self.leaders.get(topic).and_then(|leaders| leaders.get(&partition)).copied();
        let leader = leader.ok_or_else(|| Error::of(Fault::UnknownTopicOrPartition, None))?;
        match leader >= 0 {
            true => Ok(leader),
            false => Err(Error::of(Fault::LeaderNotAvailable, None)),
        }
    }

    /// Those of `partitions` that the same broker leads as `first`, as far as it is known.
    pub(super) fn led_with(&self, topic: &str, first: i32, partitions: &[i32]) -> Vec<i32> {
        let leaders = self.leaders.get(topic);
        let leader = |partition: i32| leaders.and_then(|leaders| leaders.get(&partition));
        partitions.iter().copied().filter(|partition| leader(*partition) == leader(first)).collect()
    }

    fn leaders_of(&mut self, topic: &str) -> Result<BTreeMap<i32, i32>> {
        let endpoint = self.any_endpoint()?;
        let seen = self.talk(&endpoint, |connection, _| metadata(connection, Some(&[topic])))?;
        let found = seen.topics.into_iter().find(|(_, found)| found.name == topic);
        let (fault, found) = found.ok_or_else(|| {
            Error::corrupt(format!("the broker was asked for topic {topic:?}, and answers for another"))
        })?;
        if let Some(fault) = fault {
            return Err(Error::of(fault, None));
        }
        Ok(found.partitions.iter().map(|partition| (partition.index, partition.leader.unwrap_or(-1))).collect())
    }

    /// The broker that keeps a group's offsets.
    pub(super) fn coordinator(&mut self, group: &str) -> Result<i32> {
        if let Some(id) = self.coordinators.get(group) {
            return Ok(*id);
        }
        let endpoint = self.any_endpoint()?;
        let id = self.talk(&endpoint, |connection, _| coordinator(connection, group))?;
        self.coordinators.insert(group.to_owned(), id);
        Ok(id)
    }
}

fn coordinator(connection: &mut Connection, group: &str) -> Result<i32> {
    let answer = connection.ask(&FIND_COORDINATOR, |writer, _| {
        writer.text(group).i8(GROUP);
    })?;
    answer.read(|reader, _| {
        reader.i32()?;
        let (code, words, id) = (reader.i16()?, reader.nullable_text()?, reader.i32()?);
        // Where it listens, which the metadata say too.
        reader.text()?;
        reader.i32()?;
        refusal(code, words)?;
        Ok(id)
    })
}

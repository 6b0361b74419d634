//! A small cluster in memory, for tests: it keeps batches as they came, and does what a test wants to happen meanwhile.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use strongroom_kafka::{Builder, Codec, Header, Record};
use strongroom_plugin::{Error, InputStream, Result, streams};

use super::{Batches, Broker, Config, Edge, Fetched, Shape};
use crate::store::Committed;

/// One partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Where the first open transaction begins.
    pub(crate) open: Option<i64>,
    /// Producer, first offset, and that of the marker.
    pub(crate) aborted: Vec<(i64, i64, i64)>,
    pub(crate) batches: Vec<Vec<u8>>,
}

impl Log {
    /// These batches, one behind the other.
    pub(crate) fn of(batches: Vec<Vec<u8>>) -> Self {
        let headers: Vec<_> = batches.iter().map(|batch| Header::parse(batch).unwrap()).collect();
        let start = headers.first().map_or(0, |header| header.base_offset);
        let end = headers.last().map_or(0, Header::next_offset);
        Self { start, end, batches, ..Self::default() }
    }
}

/// A topic.
#[derive(Debug, Clone, Default)]
pub(crate) struct Topic {
    pub(crate) partitions: BTreeMap<i32, Log>,
    pub(crate) configs: BTreeMap<String, String>,
}

/// What there is.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) topics: BTreeMap<String, Topic>,
    pub(crate) groups: BTreeMap<String, Committed>,
    pub(crate) members: BTreeMap<String, usize>,
    /// Every question that changes something, in order.
    pub(crate) done: Vec<String>,
    /// Called before each fetch.
    pub(crate) before_fetch: Option<Box<dyn FnMut(&mut BTreeMap<String, Topic>, i64)>>,
    /// Called after each batch that is produced.
    pub(crate) after_produce: Option<Box<dyn FnMut(&mut BTreeMap<String, Topic>)>>,
    /// Where the batch lies that was produced last, until somebody asks.
    pub(crate) last: Option<i64>,
    /// How often something may be produced; then the brokers are gone.
    pub(crate) produces_left: Option<u32>,
    /// How many answers break off behind their first bytes.
    pub(crate) broken: u32,
    /// Settings that cannot be changed; `configs`: none can be read.
    pub(crate) refused: BTreeSet<String>,
}

/// The cluster; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Memory(pub(crate) Rc<RefCell<State>>);

impl Memory {
    /// Adds a topic with these partitions.
    pub(crate) fn topic(self, name: &str, partitions: Vec<Log>) -> Self {
        let topic = Topic { partitions: (0..).zip(partitions).collect(), ..Topic::default() };
        self.0.borrow_mut().topics.insert(name.into(), topic);
        self
    }

    /// Sets something on a topic.
    pub(crate) fn config(self, topic: &str, name: &str, value: &str) -> Self {
        self.0.borrow_mut().topics.get_mut(topic).unwrap().configs.insert(name.into(), value.into());
        self
    }

    /// Adds what a group has committed.
    pub(crate) fn group(self, name: &str, committed: &[(&str, i32, i64)]) -> Self {
        let mut offsets = Committed::new();
        for (topic, partition, offset) in committed {
            offsets.entry((*topic).to_owned()).or_default().insert(*partition, *offset);
        }
        self.0.borrow_mut().groups.insert(name.into(), offsets);
        self
    }

    /// What a partition holds now.
    pub(crate) fn log(&self, topic: &str, partition: i32) -> Log {
        self.0.borrow().topics[topic].partitions[&partition].clone()
    }

    fn with<T>(&self, topic: &str, partition: i32, using: impl FnOnce(&mut Log) -> T) -> Result<T> {
        let mut state = self.0.borrow_mut();
        let log = state.topics.get_mut(topic).and_then(|topic| topic.partitions.get_mut(&partition));
        log.map(using).ok_or_else(|| Error::not_found(format!("there is no {topic}-{partition}")))
    }
}

impl Broker for Memory {
    fn cluster(&self) -> String {
        "c1".into()
    }

    fn brokers(&self) -> usize {
        1
    }

    fn topics(&mut self) -> Result<BTreeMap<String, Shape>> {
        let shape = |name: &str, topic: &Topic| Shape {
            internal: name.starts_with("__"),
            partitions: topic.partitions.keys().copied().collect(),
            replication: 1,
        };
        Ok(self.0.borrow().topics.iter().map(|(name, topic)| (name.clone(), shape(name, topic))).collect())
    }

    fn configs(&mut self, topic: &str) -> Result<Vec<Config>> {
        let config = |(name, value): (&str, &str), own| Config { name: name.into(), value: Some(value.into()), own };
        let defaults =
            [("cleanup.policy", "delete"), ("message.timestamp.type", "CreateTime"), ("retention.ms", "604800000")];
        let state = self.0.borrow();
        if state.refused.contains("configs") {
            return Err(Error::denied("TOPIC_AUTHORIZATION_FAILED"));
        }
        let own = &state.topics[topic].configs;
        let defaults = defaults.iter().filter(|(name, _)| !own.contains_key(*name)).map(|pair| config(*pair, false));
        Ok(own.iter().map(|(name, value)| config((name, value), true)).chain(defaults).collect())
    }

    fn offsets(&mut self, topic: &str, partitions: &[i32], edge: Edge) -> Result<BTreeMap<i32, i64>> {
        let of = |log: &mut Log| if edge == Edge::Start { log.start } else { log.end };
        partitions.iter().map(|partition| Ok((*partition, self.with(topic, *partition, of)?))).collect()
    }

    fn groups(&mut self) -> Result<BTreeSet<String>> {
        Ok(self.0.borrow().groups.keys().cloned().collect())
    }

    fn members(&mut self, group: &str) -> Result<usize> {
        Ok(self.0.borrow().members.get(group).copied().unwrap_or_default())
    }

    fn committed(&mut self, group: &str) -> Result<Committed> {
        Ok(self.0.borrow().groups.get(group).cloned().unwrap_or_default())
    }

    fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> Result<Fetched> {
        let hook = self.0.borrow_mut().before_fetch.take();
        if let Some(mut hook) = hook {
            hook(&mut self.0.borrow_mut().topics, offset);
            self.0.borrow_mut().before_fetch = Some(hook);
        }
        let found = self.with(topic, partition, |log| {
            if offset < log.start || offset > log.end {
                return None;
            }
            let stable = log.open.unwrap_or(log.end);
            let ahead = |batch: &&Vec<u8>| {
                let (base, next) = span(batch);
                next > offset && base < stable
            };
            let aborted = log.aborted.iter().filter(|(.., end)| *end >= offset);
            let aborted = aborted.map(|(producer, first, _)| (*producer, *first)).collect();
            // Two whole ones and the beginning of a third, as brokers cut answers off.
            let mut sent: Vec<u8> = log.batches.iter().filter(ahead).take(2).flatten().copied().collect();
            let third = log.batches.iter().filter(ahead).nth(2);
            sent.extend(third.iter().flat_map(|batch| &batch[..batch.len() / 2]));
            Some((log.end, stable, aborted, sent))
        })?;
        let Some((high, stable, aborted, sent)) = found else { return Ok(Fetched::OutOfRange) };
        let bytes = sent.len() as u64;
        let broken = &mut self.0.borrow_mut().broken;
        let records = match broken.checked_sub(1) {
            Some(left) => {
                *broken = left;
                breaking_off(&sent[..sent.len() * 2 / 3])?
            }
            None => streams::from_bytes(&sent)?,
        };
        Ok(Fetched::Batches(Batches { high, stable, aborted, bytes, records }))
    }

    fn create(
        &mut self,
        topic: &str,
        partitions: i32,
        replication: i16,
        configs: &BTreeMap<String, String>,
    ) -> Result<()> {
        let mut state = self.0.borrow_mut();
        state.done.push(format!("create {topic} {partitions} {replication}"));
        let partitions = (0..partitions).map(|number| (number, Log::default())).collect();
        state.topics.insert(topic.into(), Topic { partitions, configs: configs.clone() });
        Ok(())
    }

    fn delete(&mut self, topic: &str) -> Result<()> {
        let mut state = self.0.borrow_mut();
        state.done.push(format!("delete {topic}"));
        state.topics.remove(topic).map(drop).ok_or_else(|| Error::not_found("no such topic"))
    }

    fn set_configs(&mut self, topic: &str, configs: &BTreeMap<String, Option<String>>) -> Result<()> {
        let mut state = self.0.borrow_mut();
        if let Some(refused) = configs.keys().find(|name| state.refused.contains(*name)) {
            return Err(Error::invalid(format!("INVALID_CONFIG: {refused}")));
        }
        let own = &mut state.topics.get_mut(topic).unwrap().configs;
        for (name, value) in configs {
            own.remove(name);
            own.extend(value.clone().map(|value| (name.clone(), value)));
        }
        Ok(())
    }

    fn produce(&mut self, topic: &str, partition: i32, batch: Builder) -> Result<Option<i64>> {
        if let Some(left) = &mut self.0.borrow_mut().produces_left {
            *left = left.checked_sub(1).ok_or_else(|| Error::unavailable("the brokers are gone"))?;
        }
        let mut bytes = batch.finish(None)?;
        let first = self.with(topic, partition, |log| {
            let first = log.end;
            bytes[..8].copy_from_slice(&first.to_be_bytes());
            log.end = Header::parse(&bytes).unwrap().next_offset();
            log.batches.push(bytes);
            first
        })?;
        let state = &mut *self.0.borrow_mut();
        if let Some(after) = &mut state.after_produce {
            after(&mut state.topics);
        }
        Ok(state.last.replace(first))
    }

    fn produced(&mut self) -> Result<Option<i64>> {
        Ok(self.0.borrow_mut().last.take())
    }

    fn commit(&mut self, group: &str, offsets: &[(String, i32, i64)]) -> Result<()> {
        let mut state = self.0.borrow_mut();
        let committed = state.groups.entry(group.into()).or_default();
        for (topic, partition, offset) in offsets {
            committed.entry(topic.clone()).or_default().insert(*partition, *offset);
        }
        Ok(())
    }
}

/// A connection that ends in an error.
fn breaking_off(sent: &[u8]) -> Result<InputStream> {
    let (mut output, input) = streams::pipe()?;
    std::io::Write::write_all(&mut output, sent)?;
    Ok(input)
}

/// A batch of records with these offsets and times; their values are their offsets in words.
pub(crate) fn batch(records: &[(i64, i64)]) -> Vec<u8> {
    packed(Codec::None, records)
}

/// The same packed.
pub(crate) fn packed(codec: Codec, records: &[(i64, i64)]) -> Vec<u8> {
    let mut builder = Builder::keeping_offsets(codec, records[0].0);
    for (offset, timestamp) in records {
        let value = format!("record {offset}");
        let headers = vec![(&b"h"[..], None), (&b"h"[..], Some(&b"1"[..]))];
        let key = (offset % 2 == 0).then_some(&b"key"[..]);
        let record = Record { offset: *offset, timestamp: *timestamp, key, value: Some(value.as_bytes()), headers };
        builder.push(&record).unwrap();
    }
    builder.finish(None).unwrap()
}

/// Adds flags and a producer to a batch, and seals it again.
pub(crate) fn flagged(mut batch: Vec<u8>, flags: u8, producer: i64) -> Vec<u8> {
    batch[22] |= flags;
    batch[43..51].copy_from_slice(&producer.to_be_bytes());
    seal(&mut batch);
    batch
}

/// What a batch covers, whatever else it says.
fn span(batch: &[u8]) -> (i64, i64) {
    let base = i64::from_be_bytes(batch[..8].try_into().unwrap());
    (base, base + 1 + i64::from(i32::from_be_bytes(batch[23..27].try_into().unwrap())))
}

/// Stretches what a batch covers, as compaction leaves it.
pub(crate) fn covering(mut batch: Vec<u8>, base: i64, next: i64) -> Vec<u8> {
    let old = i64::from_be_bytes(batch[..8].try_into().unwrap());
    assert_eq!(old, base, "the first record stays where it is");
    batch[23..27].copy_from_slice(&i32::try_from(next - base - 1).unwrap().to_be_bytes());
    seal(&mut batch);
    batch
}

/// Writes the checksum of what the batch is now.
pub(crate) fn seal(batch: &mut [u8]) {
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// Part of a transaction.
pub(crate) const TRANSACTIONAL: u8 = 16;
/// The end of one.
pub(crate) const CONTROL: u8 = 16 | 32;

/// The end of a producer's transaction.
pub(crate) fn marker(offset: i64, producer: i64) -> Vec<u8> {
    flagged(batch(&[(offset, 0)]), CONTROL, producer)
}

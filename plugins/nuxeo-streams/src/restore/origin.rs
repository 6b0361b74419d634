//! Where the records of a restored partition come from: the snapshot, or a topic that is still there.

use std::collections::BTreeMap;

use strongroom_kafka::{Header, batch::HEADER_BYTES};
use strongroom_plugin::{Error, Finding, InputStream, Result, archive};

use super::{
    load::{Loader, Replica},
    target::Target,
};
use crate::{
    broker::{self, Broker, Edge},
    describe::grant,
    keep::{Keeper, Tally},
    scan::{self, Range, Unread},
    store::{self, Index},
};

/// What a partition's records were said to be, and what came.
#[derive(Debug, Default, PartialEq)]
pub struct Came {
    /// Records that had to come.
    pub expected: u64,
    /// What is to be said of them.
    pub findings: Vec<Finding>,
}

/// The grant of the brokers that topics are replicated from.
pub fn service() -> &'static str {
    if broker::is_granted(grant::SOURCE) { grant::SOURCE } else { grant::KAFKA }
}

/// The batches of a file of the snapshot, each whole, one after the other. Returns how many there were.
///
/// # Errors
/// `corrupt` when it is damaged; what `each` says.
pub fn batches(stream: &InputStream, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<u64> {
    let (mut read, mut count) = (Ahead { stream, bytes: Vec::new(), start: 0 }, 0);
    loop {
        let head = read.next(HEADER_BYTES)?;
        if head.is_empty() {
            return Ok(count);
        }
        let header = Header::parse(head)?;
        let length = scan::length(&header)?;
        let batch = read.next(length)?.get(..length);
        each(batch.ok_or_else(|| scan::cut_off(&header))?)?;
        read.start += length;
        count += 1;
    }
}

/// How much is read of a file at a time: a call of the host costs as much as some kilobytes.
const READ_BYTES: u32 = 1 << 20;

/// A file that is read ahead of what is looked at.
struct Ahead<'a> {
    stream: &'a InputStream,
    bytes: Vec<u8>,
    /// What is before it was looked at.
    start: usize,
}

impl Ahead<'_> {
    /// The next `count` bytes or more; fewer where the file ends.
    fn next(&mut self, count: usize) -> Result<&[u8]> {
        while self.bytes.len().saturating_sub(self.start) < count {
            let chunk = self.stream.read_chunk(READ_BYTES)?;
            if chunk.is_empty() {
                break;
            }
            self.bytes.drain(..self.start);
            self.start = 0;
            // Exactly: growing by doubling could take more than the plugin has.
            self.bytes.reserve_exact(chunk.len().max(count.saturating_sub(self.bytes.len())));
            self.bytes.extend_from_slice(&chunk);
        }
        Ok(self.bytes.get(self.start..).unwrap_or_default())
    }
}

/// From the snapshot: exactly what its index counts.
///
/// # Errors
/// `corrupt` when the snapshot is damaged; what the target's brokers say.
pub fn from_snapshot<B: Broker>(part: &str, (topic, partition): (&str, i32), into: &mut Loader<B>) -> Result<Came> {
    let index: Index = store::read(part, &store::index(topic, partition))?;
    let stream = archive::open(part, &store::batches(topic, partition))?;
    let count = batches(&stream, |batch| into.batch(batch))?;
    if count != index.batches {
        let message = format!("{topic}-{partition} has {count} batches, and its index counts {}", index.batches);
        return Err(Error::corrupt(message));
    }
    Ok(Came { expected: index.tally.kept, findings: Vec::new() })
}

/// From brokers that still have the topic: all up to the cut that are there now.
///
/// # Errors
/// What the brokers of either side say.
pub fn from_live<S: Broker, B: Broker>(
    source: &mut S,
    target: &Target,
    (topic, partition): (&str, i32),
    into: &mut Loader<B>,
) -> Result<Came> {
    let range = live_range(source, target, topic, partition)?;
    let keeper = Keeper::new(range.from, range.to, &target.fence.cut);
    let scanned = scan::scan(source, range, keeper, &mut Replica(into))?;
    let mut gaps = scanned.gaps;
    let fenced = target.fence.topics.get(topic).and_then(|fenced| fenced.partitions.get(&partition).copied());
    if let Some((start, end)) = fenced.filter(|(start, end)| *start < range.from && start < end) {
        gaps.insert(0, (start, range.from.min(end)));
    }
    let name = format!("{topic}-{partition}");
    let mut findings: Vec<Finding> = gaps.iter().map(|gap| gone(&name, *gap)).collect();
    findings.extend(scanned.unread.map(|(offset, why)| unread(&name, offset, why)));
    Ok(Came { expected: expected(&scanned.tally, range, scanned.unread.is_some()), findings })
}

fn live_range<'a, S: Broker>(source: &mut S, target: &Target, topic: &'a str, partition: i32) -> Result<Range<'a>> {
    let one = |offsets: BTreeMap<i32, i64>| {
        let none = || Error::corrupt(format!("the broker does not say where {topic}-{partition} is"));
        offsets.get(&partition).copied().ok_or_else(none)
    };
    let to = one(source.offsets(topic, &[partition], Edge::End)?)?;
    let from = one(source.offsets(topic, &[partition], Edge::Start)?)?.min(to);
    let compacted = target.fence.topics.get(topic).is_some_and(|fenced| fenced.compacted);
    Ok(Range { topic, partition, from, to, compacted })
}

/// What the brokers' offsets promise.
fn expected(tally: &Tally, range: Range, unread: bool) -> u64 {
    let promised = tally.promised(range.from, range.to, range.compacted);
    if unread { promised.max(tally.kept + 1) } else { promised }
}

fn gone(name: &str, (from, to): (i64, i64)) -> Finding {
    let message = format!("offsets {from} up to {to} were there when the snapshot was made, and are deleted now");
    Finding::warning("retention-gap", name, message)
}

fn unread(name: &str, offset: i64, why: Unread) -> Finding {
    match why {
        Unread::Open => {
            let message =
                format!("a transaction that began at or behind {offset} is still open: nothing behind it is copied");
            Finding::warning("transaction-open", name, message)
        }
        Unread::Lost => {
            let message = format!("the partition offers nothing from {offset} on, before its own end");
            Finding::warning("log-truncated", name, message)
        }
    }
}

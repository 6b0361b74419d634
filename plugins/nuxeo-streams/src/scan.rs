//! Walks a partition at the broker, batch by batch, up to a fence: progress is by the range that a batch covers, never
//! by the records in it, so neither a compacted tail nor an empty batch can hold it up, and nothing that the brokers
//! lose meanwhile goes unnoticed.

use std::time::Duration;

use strongroom_kafka::{Header, batch::HEADER_BYTES, batch::TimestampType};
use strongroom_plugin::{Context, Error, InputStream, Result, context};

use crate::{
    broker::{Batches, Broker, Edge, Fetched},
    keep::{Aborted, Facts, Fate, Keeper, Tally, Why},
};

/// How often a fetch may bring nothing while there should be something: with the pause, about a minute. A transaction
/// that is open for longer (its producer's `transaction.timeout.ms` is a minute by default) is not waited for.
const EMPTY_MAX: u32 = 60;
/// The pause between them.
const PAUSE: Duration = Duration::from_secs(1);
/// How often nothing has to come before a compacted partition is taken for empty up to the fence.
const EMPTY_COMPACTED: u32 = 3;

/// A range of a partition's offsets; `to` is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition's number.
    pub partition: i32,
    /// The first offset.
    pub from: i64,
    /// The offset behind the last one.
    pub to: i64,
    /// Whether the topic is compacted.
    pub compacted: bool,
}

/// Takes what is kept.
pub trait Taker {
    /// The next batch of the stream, header included, is kept as it is: it must be consumed.
    ///
    /// # Errors
    /// Then the scan ends.
    fn whole(&mut self, header: &Header, batch: &InputStream) -> Result<()>;

    /// The next batch has to be looked into: `keeper` decides over each record. It must be consumed. Returns the
    /// records that the range covers, kept and not.
    ///
    /// # Errors
    /// Then the scan ends.
    fn straddling(
        &mut self,
        header: &Header,
        batch: &InputStream,
        keeper: &mut Keeper,
        tally: &mut Tally,
    ) -> Result<u64>;
}

/// What a scan saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Every offset.
    pub tally: Tally,
    /// Offsets that were deleted before they were read.
    pub gaps: Vec<(i64, i64)>,
    /// Where it ended before the range did, and why.
    pub unread: Option<(i64, Unread)>,
}

/// Why a scan ended too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// A transaction is open for longer than was waited.
    Open,
    /// The partition ends before the fence: the brokers have lost records.
    Lost,
}

/// Walks `range`, and hands what `keeper` keeps to `taker`.
///
/// # Errors
/// When the brokers do not answer, a batch is damaged, or `taker` fails.
pub fn scan(broker: &mut impl Broker, range: Range, keeper: Keeper, taker: &mut impl Taker) -> Result<Scanned> {
    let doing = format!("reading {}-{}", range.topic, range.partition);
    let at = range.from;
    let mut scan = Scan { range, keeper, at, seen: Scanned::default(), empty: 0 };
    scan.run(broker, taker).context(doing)?;
    Ok(scan.seen)
}

struct Scan<'a> {
    range: Range<'a>,
    keeper: Keeper,
    /// The next offset.
    at: i64,
    seen: Scanned,
    /// Fetches in a row that brought nothing.
    empty: u32,
}

impl Scan<'_> {
    fn run(&mut self, broker: &mut impl Broker, taker: &mut impl Taker) -> Result<()> {
        while self.at < self.range.to && self.seen.unread.is_none() {
            let before = self.at;
            match broker.fetch(self.range.topic, self.range.partition, self.at)? {
                Fetched::OutOfRange => self.jump(broker)?,
                Fetched::Batches(batches) => {
                    let ends = (batches.high, batches.stable);
                    self.take(batches, taker)?;
                    if self.at == before {
                        self.nothing(ends)?;
                    }
                }
            }
            if self.at > before {
                self.empty = 0;
            }
        }
        Ok(())
    }

    /// Retention was quicker than this scan, or the partition is shorter than it was.
    fn jump(&mut self, broker: &mut impl Broker) -> Result<()> {
        let (topic, partition) = (self.range.topic, self.range.partition);
        let start = broker.offsets(topic, &[partition], Edge::Start)?.get(&partition).copied();
        let start = start.ok_or_else(|| Error::corrupt("the broker does not say where the partition begins"))?;
        if start > self.at {
            let end = start.min(self.range.to);
            self.seen.gaps.push((self.at, end));
            self.at = end;
        } else {
            self.seen.unread = Some((self.at, Unread::Lost));
        }
        Ok(())
    }

    /// A fetch brought nothing although the fence is ahead.
    fn nothing(&mut self, (high, stable): (i64, i64)) -> Result<()> {
        self.empty += 1;
        let here = high >= self.range.to && stable >= self.range.to;
        if here && self.range.compacted && self.empty >= EMPTY_COMPACTED {
            self.seen.tally.holes += distance(self.at, self.range.to);
            self.at = self.range.to;
        } else if self.empty >= EMPTY_MAX {
            let why = if high >= self.range.to && stable < self.range.to { Unread::Open } else { Unread::Lost };
            self.seen.unread = Some((self.at, why));
        } else {
            context::sleep(PAUSE)?;
        }
        Ok(())
    }

    fn take(&mut self, mut batches: Batches, taker: &mut impl Taker) -> Result<()> {
        let mut aborted = Aborted::new(std::mem::take(&mut batches.aborted));
        let mut left = batches.bytes;
        while self.at < self.range.to && left >= HEADER_BYTES as u64 {
            let header = Header::parse(&batches.records.peek(HEADER_BYTES as u32)?)?;
            if header.bytes() > left {
                // The last batch of an answer may be cut off; the next fetch begins with it.
                return Ok(());
            }
            left -= header.bytes();
            self.batch(&header, &batches.records, &mut aborted, taker)?;
        }
        Ok(())
    }

    fn batch(
        &mut self,
        header: &Header,
        stream: &InputStream,
        aborted: &mut Aborted,
        taker: &mut impl Taker,
    ) -> Result<()> {
        let facts = facts(header);
        self.keeper.advance(self.at);
        if facts.next <= self.at {
            // The broker may begin with a batch that is behind us; it must not hold us up.
            aborted.see(&facts);
            return skip(stream, header.bytes());
        }
        if facts.base > self.at {
            self.seen.tally.holes += distance(self.at, facts.base.min(self.range.to));
        }
        let fate = match aborted.see(&facts) {
            Some(why) => Fate::Not(why),
            None => self.keeper.batch(&facts),
        };
        let covered = distance(facts.base.max(self.at), facts.next.min(self.range.to));
        match fate {
            Fate::Whole => {
                taker.whole(header, stream)?;
                self.count(covered, facts.count, |tally, count| tally.kept += count);
            }
            Fate::Straddles => {
                let records = taker.straddling(header, stream, &mut self.keeper, &mut self.seen.tally)?;
                self.count(covered, records, |_, _| {});
            }
            Fate::Not(why @ (Why::Control | Why::Aborted)) => {
                skip(stream, header.bytes())?;
                self.seen.tally.leave_out(why, covered);
            }
            Fate::Not(why) => {
                skip(stream, header.bytes())?;
                if !matches!(why, Why::Before | Why::Fence) {
                    self.count(covered, facts.count, |tally, count| tally.leave_out(why, count));
                }
            }
        }
        self.at = facts.next.min(self.range.to).max(self.at);
        Ok(())
    }

    /// Records of a batch, and the holes between them.
    fn count(&mut self, covered: u64, records: u64, add: impl FnOnce(&mut Tally, u64)) {
        self.seen.tally.holes += covered.saturating_sub(records);
        add(&mut self.seen.tally, records);
    }
}

fn skip(stream: &InputStream, bytes: u64) -> Result<()> {
    match stream.skip(bytes)? {
        skipped if skipped == bytes => Ok(()),
        _ => Err(Error::corrupt("a batch is cut off")),
    }
}

fn distance(from: i64, to: i64) -> u64 {
    u64::try_from(to.saturating_sub(from)).unwrap_or_default()
}

/// What decides over a batch.
pub fn facts(header: &Header) -> Facts {
    Facts {
        base: header.base_offset,
        next: header.next_offset(),
        count: header.count.into(),
        newest: header.max_timestamp,
        appended: header.timestamp_type() == TimestampType::LogAppendTime,
        control: header.is_control(),
        transactional: header.is_transactional(),
        producer: header.producer_id,
    }
}

/// The most bytes of a batch that is looked into: with its records unpacked it must fit into a plugin's memory.
pub const BATCH_BYTES_MAX: u64 = 16 << 20;

/// The bytes of a batch.
///
/// # Errors
/// `limit` when it is too long, `corrupt` when it is cut off.
pub fn read_batch(header: &Header, stream: &InputStream) -> Result<Vec<u8>> {
    let bytes = header.bytes();
    if bytes > BATCH_BYTES_MAX {
        let message = format!("the batch at offset {} is longer than {BATCH_BYTES_MAX} bytes", header.base_offset);
        return Err(Error::limit(message));
    }
    let mut batch = Vec::with_capacity(bytes as usize);
    while (batch.len() as u64) < bytes {
        let chunk = stream.read_chunk((bytes - batch.len() as u64).min(1 << 20) as u32)?;
        if chunk.is_empty() {
            return Err(Error::corrupt(format!("the batch at offset {} is cut off", header.base_offset)));
        }
        batch.extend_from_slice(&chunk);
    }
    Ok(batch)
}

#[cfg(test)]
mod tests;

//! Walks a partition at the broker, batch by batch, up to a fence: progress is by the range that a batch covers, never
//! by the records in it, so neither a compacted tail nor an empty batch can hold it up, and nothing that the brokers
//! lose meanwhile goes unnoticed.

use std::time::Duration;

use strongroom_kafka::{Header, Record, Records, batch::TimestampType};
use strongroom_plugin::{Context, Error, InputStream, Result, context, log};

use crate::{
    broker::{Batches, Broker, Edge, Fetched},
    keep::{Aborted, Facts, Fate, Keeper, Tally, Why},
};

mod window;

use window::Window;
pub use window::{BATCH_BYTES_DEFAULT, cut_off, length, read_batch, skip};

/// How often a fetch may bring nothing while there should be something: with the pause, about a minute. A transaction
/// that is open for longer (its producer's `transaction.timeout.ms` is a minute by default) is not waited for.
const EMPTY_MAX: u32 = 60;
/// How often a connection may break while a partition is read.
const BROKEN_MAX: u32 = 8;
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
    /// Batches that are kept as they are, one behind the other, and what they say of themselves. Their checksums are
    /// right. The stream stands where they begin, and they must be consumed from it.
    ///
    /// # Errors
    /// Then the scan ends.
    fn whole(&mut self, headers: &[Header], batches: &[u8], stream: &InputStream) -> Result<()>;

    /// The same of a batch that is too long to be shown: its checksum is not proved yet.
    ///
    /// # Errors
    /// Then the scan ends.
    fn long(&mut self, header: &Header, stream: &InputStream) -> Result<()>;

    /// A batch that has to be looked into: `keeper` decides over each record. Its checksum may be wrong. Returns how
    /// many records the range covers, kept and not.
    ///
    /// # Errors
    /// Then the scan ends.
    fn straddling(&mut self, batch: &[u8], keeper: &mut Keeper, tally: &mut Tally) -> Result<u64>;
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
    let mut scan = Scan { range, keeper, at, seen: Scanned::default(), empty: 0, broken: 0 };
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
    /// Connections that broke.
    broken: u32,
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
        let mut window = Window::new(&batches.records, batches.bytes);
        while self.at < self.range.to {
            // The last batch of an answer may be cut off; the next fetch begins with it.
            let header = match window.next(taker) {
                Ok(Some(header)) => header,
                Ok(None) => break,
                Err(error) if window.is_lost() => return self.again(error),
                Err(error) => return Err(error),
            };
            match self.fate(&header, &mut aborted) {
                Fate::Whole => {
                    window.keep(header.clone(), taker)?;
                    self.count(&header, header.count.into(), |tally, count| tally.kept += count);
                }
                Fate::Straddles => {
                    let batch = window.take(&header, taker)?;
                    let records = taker.straddling(&batch, &mut self.keeper, &mut self.seen.tally)?;
                    self.count(&header, records, |_, _| {});
                }
                Fate::Not(why) => {
                    window.pass(&header, taker)?;
                    self.leave_out(&header, why);
                }
            }
            self.at = header.next_offset().min(self.range.to).max(self.at);
        }
        window.end(taker)
    }

    /// The connection broke between two batches: the next fetch goes on there.
    fn again(&mut self, error: Error) -> Result<()> {
        self.broken += 1;
        if self.broken > BROKEN_MAX {
            return Err(error);
        }
        log::warn(format!("reading {}-{} goes on at {}: {error}", self.range.topic, self.range.partition, self.at));
        context::sleep(PAUSE)
    }

    /// What becomes of the next batch; what is missing before it is a hole.
    fn fate(&mut self, header: &Header, aborted: &mut Aborted) -> Fate {
        let facts = facts(header);
        self.keeper.advance(self.at);
        self.seen.tally.holes += distance(self.at, facts.base.min(self.range.to));
        match aborted.see(&facts) {
            Some(why) => Fate::Not(why),
            None => self.keeper.batch(&facts),
        }
    }

    fn leave_out(&mut self, header: &Header, why: Why) {
        match why {
            Why::Before | Why::Fence => {}
            Why::Control | Why::Aborted => self.seen.tally.leave_out(why, self.covered(header)),
            Why::Newer | Why::Late => {
                self.count(header, header.count.into(), |tally, count| tally.leave_out(why, count));
            }
        }
    }

    /// Offsets that a batch adds to what was seen of the range.
    fn covered(&self, header: &Header) -> u64 {
        distance(header.base_offset.max(self.at), header.next_offset().min(self.range.to))
    }

    /// Records of a batch, and the holes between them.
    fn count(&mut self, header: &Header, records: u64, add: impl FnOnce(&mut Tally, u64)) {
        self.seen.tally.holes += self.covered(header).saturating_sub(records);
        add(&mut self.seen.tally, records);
    }
}

/// Each of these batches, one behind the other; then they are consumed from the stream that they were shown of.
///
/// # Errors
/// What `using` says; as [`skip`].
pub fn each(
    headers: &[Header],
    batches: &[u8],
    stream: &InputStream,
    mut using: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut rest = batches;
    for header in headers {
        let cut_off = || Error::corrupt(format!("the batch at offset {} is cut off", header.base_offset));
        let length = usize::try_from(header.bytes()).map_err(|_| cut_off())?;
        let (batch, behind) = rest.split_at_checked(length).ok_or_else(cut_off)?;
        using(batch)?;
        rest = behind;
    }
    skip(stream, batches.len() as u64)
}

/// Each record of a straddling batch that `keeper` keeps; the others are tallied. Returns how many the range covers.
///
/// # Errors
/// `corrupt` when the records are damaged; what `using` says.
pub fn sift(
    mut records: Records,
    keeper: &mut Keeper,
    tally: &mut Tally,
    mut using: impl FnMut(&Record) -> Result<()>,
) -> Result<u64> {
    let mut covered = 0;
    while let Some(record) = records.next_record()? {
        match keeper.record(record.offset, record.timestamp) {
            Some(Why::Before | Why::Fence) => continue,
            Some(why) => tally.leave_out(why, 1),
            None => {
                using(&record)?;
                tally.kept += 1;
            }
        }
        covered += 1;
    }
    Ok(covered)
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

#[cfg(test)]
mod tests;

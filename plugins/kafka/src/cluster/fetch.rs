//! Reading a partition.

use strongroom_plugin::InputStream;

use super::{
    Cluster, Isolation,
    ask::{Again, To},
};
use crate::{
    Error, Result,
    api::FETCH,
    connection::{Connection, Frame, lost, refusal},
    wire::Reader,
};

/// What a broker answers for a partition. Its records stay in the host until they are read; as long as it lives, nothing
/// else can be asked of that broker, and the cluster must not be dropped.
pub struct Fetched {
    /// One behind the last record that all replicas have.
    pub high_watermark: i64,
    /// One behind the last record before the first open transaction.
    pub stable_end: i64,
    /// The first offset that is still there.
    pub log_start: i64,
    /// The aborted transactions whose records are among these: their data must be passed over.
    pub aborted: Vec<Transaction>,
    /// How many bytes of records there are.
    pub bytes: u64,
    /// They themselves: whole batches, the last one perhaps cut off. Read them here or by [`Fetched::next_piece`], not both.
    pub records: InputStream,
    pub(super) asked: i64,
    pub(super) position: i64,
    pub(super) last_base: i64,
    pub(super) left: u64,
}

/// A transaction that was aborted. Its batches are those of this producer that are transactional and not control, from the
/// first offset to the producer's next control batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Whose.
    pub producer_id: i64,
    /// Where it begins.
    pub first_offset: i64,
}

/// What stands before the records of an answer.
struct Head {
    partition: i32,
    high_watermark: i64,
    stable_end: i64,
    log_start: i64,
    aborted: Vec<Transaction>,
    bytes: u64,
}

/// How much of an answer is looked at for its head: first so much, then all that may be.
const HEAD_BYTES: usize = 4 << 10;
/// 4 MiB is what the host shows ahead: 260,000 aborted transactions.
const HEAD_BYTES_MAX: usize = 4 << 20;

impl Cluster {
    /// Records of a partition from `offset` on, about `bytes_max` bytes of them: the broker always gives one batch. Where
    /// there are none yet it waits for [`super::Options::fetch_wait`].
    ///
    /// # Errors
    /// [`crate::Fault::OffsetOutOfRange`] when `offset` is not there, and others of the broker; what kept it from answering.
    pub fn fetch(&mut self, topic: &str, partition: i32, offset: i64, bytes_max: i32) -> Result<Fetched> {
        let doing = format!("reading {topic:?} {partition} from offset {offset}");
        let isolation = i8::from(self.options.isolation == Isolation::Committed);
        let wait = i32::try_from(self.options.fetch_wait.as_millis()).unwrap_or(i32::MAX);
        self.ask(To::Leader(topic, partition), Again::Harmless, doing, |connection, _| {
            let frame = connection.ask_for_frame(&FETCH, |writer, version| {
                // Not a replica; after one byte already; no session.
                writer.i32(-1).i32(wait).i32(1).i32(bytes_max).i8(isolation).i32(0).i32(-1);
                writer.count(1).text(topic).count(1).i32(partition);
                // Of any leader's epoch; no log start of a follower.
                writer.i32(-1).i64(offset).i64(-1).i32(bytes_max);
                // Nothing to forget; in no rack.
                writer.count(0);
                if version >= 11 {
                    writer.text("");
                }
            })?;
            let head = head(connection, &frame, topic)?;
            match head.partition == partition {
                true => fetched(connection, head, offset),
                false => Err(Error::corrupt("the broker answers for another partition")),
            }
        })
    }
}

fn fetched(connection: &Connection, head: Head, offset: i64) -> Result<Fetched> {
    let Head { high_watermark, stable_end, log_start, aborted, bytes, .. } = head;
    let records = connection.input().take_first(bytes)?;
    Ok(Fetched {
        high_watermark,
        stable_end,
        log_start,
        aborted,
        bytes,
        records,
        asked: offset,
        position: offset,
        last_base: 0,
        left: bytes,
    })
}

/// Looks at the head of an answer and passes over it, so that the records are next. After a fault the whole answer is
/// passed over.
fn head(connection: &Connection, frame: &Frame, topic: &str) -> Result<Head> {
    let (used, head) = match parse_head(connection, frame, topic, HEAD_BYTES) {
        Err(error) if frame.left > HEAD_BYTES && error.fault().is_none() => {
            parse_head(connection, frame, topic, HEAD_BYTES_MAX)
        }
        parsed => parsed,
    }
    .inspect_err(|error| {
        if error.fault().is_some() {
            // What cannot be passed over is found out with the next request.
            let _ = connection.input().skip(frame.left as u64);
        }
    })?;
    if (used as u64).checked_add(head.bytes) != Some(frame.left as u64) {
        return Err(Error::corrupt(format!(
            "the broker says that it sends {} bytes of records, and its answer leaves {} for them",
            head.bytes,
            frame.left.saturating_sub(used)
        )));
    }
    connection.input().skip(used as u64).map_err(lost)?;
    Ok(head)
}

/// How long the head is, and the head.
fn parse_head(connection: &Connection, frame: &Frame, topic: &str, bytes_max: usize) -> Result<(usize, Head)> {
    let asked = frame.left.min(bytes_max);
    let shown = connection.input().peek(asked as u32).map_err(lost)?;
    if shown.len() < asked {
        return Err(connection.closed());
    }
    let mut reader = Reader::new(&shown, false);
    let head = read_head(&mut reader, frame.version, topic)?;
    Ok((shown.len() - reader.left(), head))
}

fn read_head(reader: &mut Reader, version: i16, topic: &str) -> Result<Head> {
    reader.i32()?;
    refusal(reader.i16()?, None)?;
    reader.i32()?;
    let (topics, name, partitions) = (reader.i32()?, reader.text()?, reader.i32()?);
    if (topics, partitions) != (1, 1) || name != topic {
        return Err(Error::corrupt(format!("the broker was asked for topic {topic:?}, and answers for another")));
    }
    let partition = reader.i32()?;
    refusal(reader.i16()?, None)?;
    let (high_watermark, stable_end, log_start) = (reader.i64()?, reader.i64()?, reader.i64()?);
    let aborted = reader.list(|reader| Ok(Transaction { producer_id: reader.i64()?, first_offset: reader.i64()? }))?;
    if version >= 11 {
        reader.i32()?;
    }
    // None is written as -1.
    let bytes = u64::try_from(reader.i32()?.max(0)).unwrap_or_default();
    Ok(Head { partition, high_watermark, stable_end, log_start, aborted, bytes })
}

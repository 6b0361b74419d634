//! Puts records into a partition in their order: what was captured cannot be produced again as it is (brokers refuse
//! offsets with holes, and the producer is inside the checksum), so records are put into batches anew.

use std::collections::BTreeMap;

use strongroom_kafka::{Builder, Header, Record, Records};
use strongroom_plugin::{Context, Error, InputStream, Result};

use crate::{
    broker::Broker,
    hash::RecordHash,
    keep::{Keeper, Tally},
    scan::{self, Taker},
    translate::Marks,
};

/// Bytes of records in one batch, before they are compressed: half of what brokers take by default.
const BATCH_BYTES: usize = 512 << 10;

/// One partition on its way into a topic that this restore has made.
pub struct Loader<'a, B> {
    broker: &'a mut B,
    topic: &'a str,
    partition: i32,
    bytes_max: usize,
    batch: Option<Builder>,
    /// Records that are in the partition.
    produced: i64,
    /// Records that will be in it when the broker has taken the batch that was sent last.
    sent: Option<i64>,
    /// Records that are in it, sent, or in the batch.
    taken: i64,
    marks: Marks,
    hash: Option<RecordHash>,
    oldest: Option<i64>,
}

/// What has been loaded.
#[derive(Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Records.
    pub records: i64,
    /// Their hash, where one was wanted.
    pub hash: Option<String>,
    /// Committed offsets, from old to new.
    pub offsets: BTreeMap<i64, i64>,
    /// The earliest time of a record.
    pub oldest: Option<i64>,
}

impl<'a, B: Broker> Loader<'a, B> {
    /// Into an empty partition; `message_bytes_max` is the topic's `max.message.bytes`.
    pub fn new(
        broker: &'a mut B,
        (topic, partition): (&'a str, i32),
        message_bytes_max: Option<usize>,
        marks: Marks,
        hashed: bool,
    ) -> Self {
        // Room for the header, and for records that do not shrink.
        let bytes_max = message_bytes_max.map_or(BATCH_BYTES, |bytes| BATCH_BYTES.min(bytes - bytes / 8));
        let hash = hashed.then(RecordHash::default);
        let (batch, produced, sent, taken, oldest) = (None, 0, None, 0, None);
        Self { broker, topic, partition, bytes_max, batch, produced, sent, taken, marks, hash, oldest }
    }

    /// All records of a batch.
    ///
    /// # Errors
    /// `corrupt` when it is damaged; what the broker says.
    pub fn batch(&mut self, bytes: &[u8]) -> Result<()> {
        let mut records = Records::of(bytes)?;
        let codec = records.header().codec();
        while let Some(record) = records.next_record()? {
            self.record(codec, &record)?;
        }
        Ok(())
    }

    fn record(&mut self, codec: strongroom_kafka::Codec, record: &Record) -> Result<()> {
        if self.batch.as_ref().is_some_and(|batch| batch.bytes() + size(record) > self.bytes_max) {
            self.flush()?;
        }
        self.marks.pass(record.offset, self.taken);
        if let Some(hash) = &mut self.hash {
            hash.add(record.timestamp, record.key, record.value, record.headers.iter().copied());
        }
        self.oldest = Some(self.oldest.map_or(record.timestamp, |oldest| oldest.min(record.timestamp)));
        self.batch.get_or_insert_with(|| Builder::new(codec)).push(record)?;
        self.taken += 1;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let Some(batch) = self.batch.take() else { return Ok(()) };
        let before = self.broker.produce(self.topic, self.partition, batch).context(self.doing())?;
        self.placed(before)?;
        self.sent = Some(self.taken);
        Ok(())
    }

    fn doing(&self) -> String {
        format!("writing to {}-{}", self.topic, self.partition)
    }

    /// The batch that was sent last is in the partition, its first record at `first`.
    fn placed(&mut self, first: Option<i64>) -> Result<()> {
        let Some(sent) = self.sent.take() else { return Ok(()) };
        let doing = self.doing();
        let first = first.ok_or_else(|| Error::corrupt(format!("{doing}: nobody says where a batch lies")))?;
        if first != self.produced {
            let message = format!(
                "{doing}: the next offset should be {}, and is {first}: somebody else writes to this topic. Stop every node \
                 that uses the new prefix, and restore again",
                self.produced
            );
            return Err(Error::invalid(message));
        }
        self.produced = sent;
        Ok(())
    }

    /// The last batch, and what there is to know.
    ///
    /// # Errors
    /// What the broker says.
    pub fn end(mut self) -> Result<Loaded> {
        self.flush()?;
        let last = self.broker.produced().context(self.doing())?;
        self.placed(last)?;
        Ok(Loaded {
            records: self.produced,
            hash: self.hash.map(|hash| hash.end().1),
            offsets: self.marks.end(self.produced),
            oldest: self.oldest,
        })
    }
}

/// About what a record takes in a batch.
fn size(record: &Record) -> usize {
    let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    let headers: usize = record.headers.iter().map(|(name, value)| 10 + name.len() + length(*value)).sum();
    30 + length(record.key) + length(record.value) + headers
}

/// A live partition is loaded as it is scanned.
pub struct Replica<'a, 'b, B>(pub &'a mut Loader<'b, B>);

impl<B: Broker> Taker for Replica<'_, '_, B> {
    fn whole(&mut self, headers: &[Header], batches: &[u8], stream: &InputStream) -> Result<()> {
        scan::each(headers, batches, stream, |batch| self.0.batch(batch))
    }

    fn long(&mut self, header: &Header, stream: &InputStream) -> Result<()> {
        self.0.batch(&scan::read_batch(header, stream)?)
    }

    fn straddling(&mut self, batch: &[u8], keeper: &mut Keeper, tally: &mut Tally) -> Result<u64> {
        let records = Records::of(batch)?;
        let codec = records.header().codec();
        scan::sift(records, keeper, tally, |record| self.0.record(codec, record))
    }
}

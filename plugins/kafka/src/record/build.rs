//! Puts records into a new batch.

use strongroom_plugin::Error as Cause;

use super::Record;
use crate::{
    Codec, Result,
    batch::{self, TimestampType},
    wire::{Writer, put_signed},
};

/// Which producer a batch is from, so that the broker takes it once however often it is sent (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// As the broker gave it.
    pub producer_id: i64,
    /// As the broker gave it.
    pub producer_epoch: i16,
    /// The number of the batch's first record within this producer and partition, from 0.
    pub first: i32,
}

/// A batch in the making.
#[derive(Clone, Debug)]
pub struct Builder {
    codec: Codec,
    kept_offsets: bool,
    timestamp_type: TimestampType,
    base_offset: i64,
    last_offset: i64,
    first_timestamp: i64,
    max_timestamp: i64,
    count: u32,
    plain: Vec<u8>,
    /// The record that is being put in.
    body: Vec<u8>,
}

impl Builder {
    /// A batch to produce: its records get the offsets 0, 1, 2 …, which the broker moves to where the partition ends.
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            kept_offsets: false,
            timestamp_type: TimestampType::CreateTime,
            base_offset: 0,
            last_offset: -1,
            first_timestamp: -1,
            max_timestamp: -1,
            count: 0,
            plain: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A batch whose records keep their offsets, the first at `base_offset` or behind it: what is left of another batch.
    pub fn keeping_offsets(codec: Codec, base_offset: i64) -> Self {
        Self { kept_offsets: true, base_offset, last_offset: base_offset.saturating_sub(1), ..Self::new(codec) }
    }

    /// Whose clock the timestamps are; the producer's where nothing is said.
    #[must_use]
    pub fn timestamp_type(self, timestamp_type: TimestampType) -> Self {
        Self { timestamp_type, ..self }
    }

    /// Takes a record in.
    ///
    /// # Errors
    /// `invalid` when offsets do not rise, or offsets or times are further apart than a batch can hold.
    pub fn push(&mut self, record: &Record) -> Result<()> {
        let offset = if self.kept_offsets { record.offset } else { self.last_offset + 1 };
        let delta = offset.checked_sub(self.base_offset).and_then(|delta| i32::try_from(delta).ok());
        let delta = delta.filter(|_| offset > self.last_offset);
        let first_timestamp = if self.count == 0 { record.timestamp } else { self.first_timestamp };
        let (Some(delta), Some(later)) = (delta, record.timestamp.checked_sub(first_timestamp)) else {
            let message = format!("the record at offset {} does not fit behind {}", record.offset, self.last_offset);
            return Err(Cause::invalid(message).into());
        };
        encode(&mut self.body, record, later, delta);
        put_signed(&mut self.plain, self.body.len() as i64);
        self.plain.extend_from_slice(&self.body);
        self.first_timestamp = first_timestamp;
        self.max_timestamp = if self.count == 0 { record.timestamp } else { self.max_timestamp.max(record.timestamp) };
        self.last_offset = offset;
        self.count += 1;
        Ok(())
    }

    /// How many records are in it.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// What the records take so far, in bytes, before compression.
    pub fn bytes(&self) -> usize {
        self.plain.len()
    }

    /// Nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The batch. With a sequence the broker takes it once; without, as often as it is sent.
    ///
    /// # Errors
    /// `invalid` when it is empty; `limit` when it is longer than the format allows.
    pub fn finish(self, sequence: Option<Sequence>) -> Result<Vec<u8>> {
        if self.is_empty() {
            return Err(Cause::invalid("a batch needs a record").into());
        }
        let sequence = sequence.unwrap_or(Sequence { producer_id: -1, producer_epoch: -1, first: -1 });
        let append_time = if self.timestamp_type == TimestampType::LogAppendTime { 8 } else { 0 };
        let mut writer = Writer::default();
        writer.i64(self.base_offset).i32(0).i32(-1).i8(2).u32(0);
        writer.i16(self.codec.number() | append_time);
        writer.i32((self.last_offset - self.base_offset) as i32);
        writer.i64(self.first_timestamp).i64(self.max_timestamp);
        writer.i64(sequence.producer_id).i16(sequence.producer_epoch).i32(sequence.first).u32(self.count);
        drop(self.body);
        match self.codec {
            Codec::None => writer.raw(&self.plain),
            codec => writer.raw(&codec.pack(&self.plain)?),
        };
        let mut batch = writer.into_bytes();
        batch::seal(&mut batch)?;
        Ok(batch)
    }
}

fn encode(body: &mut Vec<u8>, record: &Record, timestamp_delta: i64, offset_delta: i32) {
    body.clear();
    body.push(0);
    put_signed(body, timestamp_delta);
    put_signed(body, offset_delta.into());
    put_bytes(body, record.key);
    put_bytes(body, record.value);
    put_signed(body, record.headers.len() as i64);
    for (name, value) in &record.headers {
        put_bytes(body, Some(name));
        put_bytes(body, *value);
    }
}

fn put_bytes(body: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_signed(body, bytes.map_or(-1, |bytes| bytes.len() as i64));
    body.extend_from_slice(bytes.unwrap_or_default());
}

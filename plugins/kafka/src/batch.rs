//! The header of a record batch, the unit in which Kafka stores, compresses and checks records.
//!
//! Source: <https://kafka.apache.org/documentation/#recordbatch> (format version 2, all that brokers from 4.0 on store).

use strongroom_plugin::Error as Cause;

use crate::{Codec, Error, Result, wire::Reader};

/// The size of a header.
pub const HEADER_BYTES: usize = 61;
/// Offset and length, which the length does not count.
const PREFIX_BYTES: usize = 12;
/// Where the checked bytes begin: behind the checksum, at the attributes.
const CHECKED_FROM: usize = 21;
/// Where the format's version stands, in the old formats too.
const MAGIC_AT: usize = 16;

/// Whose clock a batch's timestamps are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's, record by record.
    CreateTime,
    /// The broker's, one for the whole batch.
    LogAppendTime,
}

/// What a batch says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The offset of its first record, kept when that record is compacted away. Never negative.
    pub base_offset: i64,
    /// The bytes behind the first twelve: at least 49.
    pub length: u32,
    /// The epoch of the leader that appended it; brokers set it.
    pub leader_epoch: i32,
    /// CRC-32C of everything behind it.
    pub crc: u32,
    /// Codec and flags.
    pub attributes: i16,
    /// What the last offset is above the first, kept when records are compacted away. Never negative.
    pub last_offset_delta: i32,
    /// What timestamps are counted from, in milliseconds since 1970.
    pub base_timestamp: i64,
    /// The latest timestamp in it.
    pub max_timestamp: i64,
    /// Of an idempotent producer; -1 without one.
    pub producer_id: i64,
    /// Of an idempotent producer; -1 without one.
    pub producer_epoch: i16,
    /// The first record's number within its producer and partition; -1 without one.
    pub base_sequence: i32,
    /// How many records are in it: none is possible, when all were compacted away.
    pub count: u32,
}

impl Header {
    /// Reads the first [`HEADER_BYTES`] of a batch; more may follow. Nothing is said of the bytes behind it.
    ///
    /// # Errors
    /// `corrupt` when there are fewer, or when it contradicts itself. `unsupported` for the formats before Kafka 0.11.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if let Some(magic) = bytes.get(MAGIC_AT).filter(|magic| **magic != 2) {
            return Err(Cause::unsupported(format!(
                "a batch has the record format {magic}, not 2: Kafka before 0.11 wrote it, and it cannot be read"
            ))
            .into());
        }
        let cut = || Error::corrupt(format!("a batch is cut off: {} bytes of its header", bytes.len()));
        let header = Self::read(&mut Reader::new(bytes.get(..HEADER_BYTES).ok_or_else(cut)?, false))?;
        match header.contradiction() {
            Some(why) => Err(Error::corrupt(format!("the batch at offset {}: {why}", header.base_offset))),
            None => Ok(header),
        }
    }

    fn read(reader: &mut Reader) -> Result<Self> {
        let base_offset = reader.i64()?;
        let length = reader.u32()?;
        let leader_epoch = reader.i32()?;
        reader.i8()?;
        Ok(Self {
            base_offset,
            length,
            leader_epoch,
            crc: reader.u32()?,
            attributes: reader.i16()?,
            last_offset_delta: reader.i32()?,
            base_timestamp: reader.i64()?,
            max_timestamp: reader.i64()?,
            producer_id: reader.i64()?,
            producer_epoch: reader.i16()?,
            base_sequence: reader.i32()?,
            count: reader.u32()?,
        })
    }

    fn contradiction(&self) -> Option<String> {
        let span = i64::from(self.last_offset_delta) + 1;
        if self.base_offset < 0 || self.last_offset_delta < 0 || self.base_offset.checked_add(span).is_none() {
            return Some(format!("it ends {} behind its beginning", self.last_offset_delta));
        }
        if (self.length as usize) < HEADER_BYTES - PREFIX_BYTES || self.length > i32::MAX as u32 {
            return Some(format!("it says that it is {} bytes long", self.length));
        }
        if i64::from(self.count) > span {
            return Some(format!("it counts {} records in {span} offsets", self.count));
        }
        Codec::of(self.attributes).is_none().then(|| format!("codec {} is not known", self.attributes & 7))
    }

    /// All bytes of the batch, its header included.
    pub fn bytes(&self) -> u64 {
        u64::from(self.length) + PREFIX_BYTES as u64
    }

    /// The bytes behind the header.
    pub fn body_bytes(&self) -> u64 {
        self.bytes() - HEADER_BYTES as u64
    }

    /// The last offset that it takes, whether or not a record is left there.
    pub fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    /// Where to go on reading: never one more than the last record seen, which may have been compacted away.
    pub fn next_offset(&self) -> i64 {
        self.last_offset() + 1
    }

    /// How its records are compressed.
    pub fn codec(&self) -> Codec {
        Codec::of(self.attributes).unwrap_or_default()
    }

    /// Whose clock its timestamps are. Under the broker's, the time of every record is [`Self::max_timestamp`].
    pub fn timestamp_type(&self) -> TimestampType {
        match self.attributes & 8 {
            0 => TimestampType::CreateTime,
            _ => TimestampType::LogAppendTime,
        }
    }

    /// Whether it belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & 16 != 0
    }

    /// Whether it ends a transaction: its record is the broker's own, not data.
    pub fn is_control(&self) -> bool {
        self.attributes & 32 != 0
    }

    /// Whether the batch is what was written, by the bytes of its header and the CRC-32C of those behind it. So a batch
    /// can be copied in the host, `splice_digest` with `crc32c`, and still be proved.
    pub fn is_proved_by(&self, header: &[u8; HEADER_BYTES], body_crc: u32) -> bool {
        let own = crc32c::crc32c(&header[CHECKED_FROM..]);
        let body_bytes = usize::try_from(self.body_bytes()).unwrap_or(usize::MAX);
        crc32c::crc32c_combine(own, body_crc, body_bytes) == self.crc
    }
}

/// The header of a whole batch, `bytes`, whose length and checksum are right.
///
/// # Errors
/// As [`Header::parse`]; `corrupt` when there are fewer or more bytes than it says, or the checksum is another.
pub fn check(bytes: &[u8]) -> Result<Header> {
    let header = Header::parse(bytes)?;
    let wrong = |why: String| Error::corrupt(format!("the batch at offset {}: {why}", header.base_offset));
    if bytes.len() as u64 != header.bytes() {
        return Err(wrong(format!("{} bytes, and its header says {}", bytes.len(), header.bytes())));
    }
    let actual = crc32c::crc32c(&bytes[CHECKED_FROM..]);
    match actual == header.crc {
        true => Ok(header),
        false => Err(wrong(format!("its checksum is {actual:08x}, and its header says {:08x}", header.crc))),
    }
}

/// Writes length and checksum into a batch that is otherwise complete.
pub(crate) fn seal(batch: &mut [u8]) -> Result<()> {
    let crc = crc32c::crc32c(batch.get(CHECKED_FROM..).unwrap_or_default());
    let length = batch.len().saturating_sub(PREFIX_BYTES);
    let length = i32::try_from(length).map_err(|_| Cause::limit("a batch would be longer than 2 GiB"))?;
    if let Some(place) = batch.get_mut(8..12) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    if let Some(place) = batch.get_mut(17..CHECKED_FROM) {
        place.copy_from_slice(&crc.to_be_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests;

//! Records: what producers wrote and consumers read, one by one out of a batch, and into a new one.

use std::io::{BufReader, Read};

use strongroom_plugin::Error as Cause;

use crate::{
    Codec, Error, Header, Result,
    batch::{self, HEADER_BYTES, TimestampType},
    codec::Unpacked,
    wire::{Reader, unzigzag},
};

mod build;

pub use self::build::{Builder, Sequence};

/// What a batch's records may take unpacked, all together: 24 MiB, so that a codec's window of the same size and the
/// largest record still fit into a plugin's default memory of 64 MiB. Producers close a batch at their `batch.size` and
/// refuse a request above their `max.request.size`, 1 MiB by default, both counted before compression.
pub const UNPACKED_BYTES_MAX: u64 = 24 << 20;

/// A header of a record: its name, and what it says; a name may come again, and the order counts.
pub type RecordHeader<'a> = (&'a [u8], Option<&'a [u8]>);

/// One record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where it is in its partition.
    pub offset: i64,
    /// Milliseconds since 1970, by the clock that its batch names; -1 where there is none.
    pub timestamp: i64,
    /// What it is about; null and empty are two things.
    pub key: Option<&'a [u8]>,
    /// What it says; null marks the end of a key in a compacted topic.
    pub value: Option<&'a [u8]>,
    /// In their order.
    pub headers: Vec<RecordHeader<'a>>,
}

/// The records of a batch, one at a time: whatever the codec, no more than one record is unpacked at once.
pub struct Records<'a> {
    header: Header,
    body: Body<'a>,
    seen: u32,
    last_delta: i64,
}

enum Body<'a> {
    Plain(Reader<'a>),
    Packed { source: BufReader<Unpacked<'a>>, bytes_max: u64, record: Vec<u8> },
}

impl<'a> Records<'a> {
    /// The records of `batch`, all of its bytes, unpacked to [`UNPACKED_BYTES_MAX`] at most.
    ///
    /// # Errors
    /// As [`batch::check`]: nothing is read of a batch whose checksum is wrong.
    pub fn of(batch: &'a [u8]) -> Result<Self> {
        Self::bounded(batch, UNPACKED_BYTES_MAX)
    }

    /// The same with another bound, in bytes.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn bounded(batch: &'a [u8], bytes_max: u64) -> Result<Self> {
        let header = batch::check(batch)?;
        let packed = batch.get(HEADER_BYTES..).unwrap_or_default();
        let body = match header.codec() {
            Codec::None => Body::Plain(Reader::new(packed, false)),
            // A batch that was compacted to nothing has no frame of its codec either.
            _ if header.count == 0 => Body::Plain(Reader::new(&[], false)),
            codec => {
                let source = BufReader::with_capacity(16 << 10, codec.unpack(packed, bytes_max)?);
                Body::Packed { source, bytes_max, record: Vec::new() }
            }
        };
        Ok(Self { header, body, seen: 0, last_delta: -1 })
    }

    /// The header of the batch.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next record; none behind the last, when nothing else may follow.
    ///
    /// # Errors
    /// `corrupt` when the records are not those that the header counts, in order and within its offsets; `limit` when
    /// they unpack to more than was allowed.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>> {
        let at = self.header.base_offset;
        let wrong = |error: Error| error.context(format!("reading the records of the batch at offset {at}"));
        if self.seen == self.header.count {
            return self.body.end().map(|()| None).map_err(wrong);
        }
        self.seen += 1;
        let bytes = self.body.next_bytes().map_err(wrong)?;
        let (delta, record) = parse(&self.header, bytes).map_err(wrong)?;
        if delta <= self.last_delta || delta > self.header.last_offset_delta.into() {
            return Err(wrong(Error::corrupt(format!("a record's offset is {delta} behind the first"))));
        }
        self.last_delta = delta;
        Ok(Some(record))
    }
}

impl Body<'_> {
    fn next_bytes(&mut self) -> Result<&[u8]> {
        match self {
            Self::Plain(reader) => {
                let length = length(reader.varint()?)?;
                reader.take(length)
            }
            Self::Packed { source, bytes_max, record } => {
                let length = length(unpacked_varint(source)?)?;
                if length as u64 > *bytes_max {
                    return Err(Cause::limit(format!("a record says that it is {length} bytes long")).into());
                }
                record.clear();
                // Exactly: growing by doubling could take more than the plugin has.
                record.reserve_exact(length);
                let count = source.take(length as u64).read_to_end(record).map_err(Cause::from)?;
                match count == length {
                    true => Ok(record),
                    false => Err(Error::corrupt("the last record is cut off")),
                }
            }
        }
    }

    fn end(&mut self) -> Result<()> {
        let more = match self {
            Self::Plain(reader) => reader.left() > 0,
            Self::Packed { source, .. } => source.read(&mut [0]).map_err(Cause::from)? > 0,
        };
        match more {
            true => Err(Error::corrupt("there is more behind the last record")),
            false => Ok(()),
        }
    }
}

fn length(length: i32) -> Result<usize> {
    usize::try_from(length).map_err(|_| Error::corrupt(format!("a record is {length} bytes long")))
}

/// A number at the front of what a codec unpacks.
fn unpacked_varint(source: &mut impl Read) -> Result<i32> {
    let (mut value, mut byte) = (0u64, [0]);
    for shift in (0..35).step_by(7) {
        source.read_exact(&mut byte).map_err(Cause::from)?;
        value |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            return i32::try_from(unzigzag(value)).map_err(|_| Error::corrupt("a record's length is out of range"));
        }
    }
    Err(Error::corrupt("a record's length is out of range"))
}

/// A record's offset delta, and the record.
fn parse<'a>(header: &Header, bytes: &'a [u8]) -> Result<(i64, Record<'a>)> {
    let mut reader = Reader::new(bytes, false);
    reader.i8()?;
    let timestamp_delta = reader.varlong()?;
    let offset_delta = i64::from(reader.varint()?);
    let timestamp = match header.timestamp_type() {
        TimestampType::LogAppendTime => Some(header.max_timestamp),
        TimestampType::CreateTime => header.base_timestamp.checked_add(timestamp_delta),
    };
    let record = Record {
        offset: header.base_offset.saturating_add(offset_delta),
        timestamp: timestamp.ok_or_else(|| Error::corrupt("a record's time is out of range"))?,
        key: reader.varint_bytes()?,
        value: reader.varint_bytes()?,
        headers: record_headers(&mut reader)?,
    };
    reader.end()?;
    Ok((offset_delta, record))
}

fn record_headers<'a>(reader: &mut Reader<'a>) -> Result<Vec<RecordHeader<'a>>> {
    let count = length(reader.varint()?)?;
    if count > reader.left() {
        return Err(Error::corrupt("a record counts more headers than it has bytes"));
    }
    let name = |reader: &mut Reader<'a>| -> Result<&'a [u8]> {
        reader.varint_bytes()?.ok_or_else(|| Error::corrupt("a record's header has no name"))
    };
    (0..count).map(|_| Ok((name(reader)?, reader.varint_bytes()?))).collect()
}

#[cfg(test)]
mod tests;

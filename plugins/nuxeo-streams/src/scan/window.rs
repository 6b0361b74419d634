//! The batches of one fetch, one behind the other. Long ones stay in the host; short ones are shown many at a time,
//! proved here, and moved on together, for a call of the host costs as much as some kilobytes.

use strongroom_kafka::{
    Header,
    batch::{self, HEADER_BYTES},
};
use strongroom_plugin::{Error, ErrorCode, InputStream, Result};

use super::Taker;

/// From this length on a batch is not shown whole.
const LONG_BYTES: u64 = 32 << 10;
/// How much is shown at a time.
const WINDOW_BYTES: u64 = 256 << 10;
/// The most bytes of a batch that is looked into. What a plugin may have is less, unless its limit is raised, and the host
/// says then which line does that; a length above this one is a lie.
const BATCH_BYTES_MAX: u64 = 256 << 20;
/// A batch of this length can be restored with the memory that a plugin has by default, 64 MiB: its records, the new
/// batch, and the request are in it at a time. Tried with one of 10 MB.
pub const BATCH_BYTES_DEFAULT: u64 = 10 << 20;

/// What is shown of a stream of batches.
pub(super) struct Window<'a> {
    stream: &'a InputStream,
    /// Bytes that the stream still has.
    left: u64,
    shown: Vec<u8>,
    /// Where the stream stands in what is shown.
    start: usize,
    /// Up to here it is kept, and waits to be moved on.
    kept: usize,
    headers: Vec<Header>,
    /// The connection broke where nothing was waiting to be moved on: what came before it is safe.
    lost: bool,
}

impl<'a> Window<'a> {
    /// Over a stream of so many bytes.
    pub(super) fn new(stream: &'a InputStream, bytes: u64) -> Self {
        Self { stream, left: bytes, shown: Vec::new(), start: 0, kept: 0, headers: Vec::new(), lost: false }
    }

    /// The next batch, to be kept, taken or passed; none where the rest is not a whole one.
    pub(super) fn next(&mut self, taker: &mut impl Taker) -> Result<Option<Header>> {
        let waiting = (self.kept - self.start) as u64;
        let rest = self.left.saturating_sub(waiting);
        if rest < HEADER_BYTES as u64 {
            return Ok(None);
        }
        if self.ahead().len() < HEADER_BYTES {
            self.show(HEADER_BYTES as u64, taker)?;
        }
        let header = Header::parse(self.ahead())?;
        if header.bytes() > rest {
            return Ok(None);
        }
        if !is_long(&header) && (self.ahead().len() as u64) < header.bytes() {
            self.show(WINDOW_BYTES, taker)?;
        }
        Ok(Some(header))
    }

    /// What is shown and not kept.
    fn ahead(&self) -> &[u8] {
        self.shown.get(self.kept..).unwrap_or_default()
    }

    /// Shows the next bytes of the stream.
    fn show(&mut self, bytes: u64, taker: &mut impl Taker) -> Result<()> {
        self.move_on(taker)?;
        let shown = self.stream.peek(u32::try_from(bytes.min(self.left)).unwrap_or(u32::MAX));
        self.shown = shown.inspect_err(|error| self.lost = may_pass(error))?;
        (self.start, self.kept) = (0, 0);
        Ok(())
    }

    /// Whether reading broke off between two batches, and may go on with another fetch.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Hands on what is kept.
    fn move_on(&mut self, taker: &mut impl Taker) -> Result<()> {
        if self.kept > self.start {
            let batches = self.shown.get(self.start..self.kept).unwrap_or_default();
            taker.whole(&self.headers, batches, self.stream)?;
            self.left -= batches.len() as u64;
            self.start = self.kept;
            self.headers.clear();
        }
        Ok(())
    }

    /// The short batch that is next, all of it.
    fn short(&self, header: &Header) -> Result<&[u8]> {
        let cut_off = || Error::corrupt(format!("the batch at offset {} is cut off", header.base_offset));
        let length = usize::try_from(header.bytes()).map_err(|_| cut_off())?;
        self.ahead().get(..length).ok_or_else(cut_off)
    }

    /// Keeps the next batch as it is.
    pub(super) fn keep(&mut self, header: Header, taker: &mut impl Taker) -> Result<()> {
        if is_long(&header) {
            self.move_on(taker)?;
            taker.long(&header, self.stream)?;
            self.consumed(header.bytes());
            return Ok(());
        }
        let batch = self.short(&header)?;
        batch::check(batch)?;
        self.kept += batch.len();
        self.headers.push(header);
        Ok(())
    }

    /// The bytes of the next batch, which is consumed.
    pub(super) fn take(&mut self, header: &Header, taker: &mut impl Taker) -> Result<Vec<u8>> {
        self.move_on(taker)?;
        let batch = match is_long(header) {
            true => read_batch(header, self.stream)?,
            false => {
                let batch = self.short(header)?.to_vec();
                skip(self.stream, header.bytes())?;
                batch
            }
        };
        self.consumed(header.bytes());
        Ok(batch)
    }

    /// Leaves the next batch out.
    pub(super) fn pass(&mut self, header: &Header, taker: &mut impl Taker) -> Result<()> {
        self.move_on(taker)?;
        skip(self.stream, header.bytes())?;
        self.consumed(header.bytes());
        Ok(())
    }

    fn consumed(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
        self.start =
            usize::try_from(bytes).map_or(usize::MAX, |bytes| self.start.saturating_add(bytes)).min(self.shown.len());
        self.kept = self.start;
    }

    /// Hands on what is left.
    pub(super) fn end(mut self, taker: &mut impl Taker) -> Result<()> {
        self.move_on(taker)
    }
}

/// Whether a connection may be had again. A part of a stream whose end does not come is `corrupt` to the host.
fn may_pass(error: &Error) -> bool {
    matches!(error.code, ErrorCode::Io | ErrorCode::Timeout | ErrorCode::Unavailable | ErrorCode::Corrupt)
}

fn is_long(header: &Header) -> bool {
    header.bytes() >= LONG_BYTES
}

/// Passes over so many bytes.
///
/// # Errors
/// `corrupt` when there are fewer.
pub fn skip(stream: &InputStream, bytes: u64) -> Result<()> {
    match stream.skip(bytes)? {
        skipped if skipped == bytes => Ok(()),
        _ => Err(Error::corrupt("a batch is cut off")),
    }
}

/// How many bytes of a batch are to be taken in.
///
/// # Errors
/// `limit` when it is too long.
pub fn length(header: &Header) -> Result<usize> {
    let length = usize::try_from(header.bytes()).ok().filter(|bytes| *bytes as u64 <= BATCH_BYTES_MAX);
    length.ok_or_else(|| {
        let message = format!("the batch at offset {} is longer than {BATCH_BYTES_MAX} bytes", header.base_offset);
        Error::limit(message)
    })
}

/// Where a batch should be, the stream ends.
pub fn cut_off(header: &Header) -> Error {
    Error::corrupt(format!("the batch at offset {} is cut off", header.base_offset))
}

/// The bytes of the batch that is next in a stream.
///
/// # Errors
/// `limit` when it is too long, `corrupt` when it is cut off.
pub fn read_batch(header: &Header, stream: &InputStream) -> Result<Vec<u8>> {
    let bytes = length(header)?;
    let mut batch = Vec::with_capacity(bytes);
    while batch.len() < bytes {
        let chunk = stream.read_chunk((bytes - batch.len()).min(1 << 20) as u32)?;
        if chunk.is_empty() {
            return Err(cut_off(header));
        }
        batch.extend_from_slice(&chunk);
    }
    Ok(batch)
}

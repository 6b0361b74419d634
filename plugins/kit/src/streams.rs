//! Bytes that live in the host. Passing a stream on never copies them into the plugin.

use std::io::{self, BufRead, BufReader, Read, Write};

pub use crate::bindings::strongroom::plugin::streams::Algorithm;
use crate::{Error, ErrorCode, Result, host::streams as host};

/// The most that one call moves into the plugin.
const CHUNK_BYTES: usize = 1 << 20;

/// Content to read or to hand on. Also a [`std::io::Read`]; wrap it in a `BufReader` for small reads.
pub struct InputStream(pub(crate) host::InputStream);

impl InputStream {
    /// At most `max` bytes, never more than 1 MiB; an empty list is the end.
    ///
    /// # Errors
    /// Whatever ended the stream before its end.
    pub fn read_chunk(&self, max: u32) -> Result<Vec<u8>> {
        Ok(self.0.read(max)?)
    }

    /// The next bytes without consuming them: `max` of them unless the stream ends before, at most 4 MiB.
    ///
    /// # Errors
    /// As [`Self::read_chunk`].
    pub fn peek(&self, max: u32) -> Result<Vec<u8>> {
        Ok(self.0.peek(max)?)
    }

    /// The next `bytes` as a stream of their own; until it is handed on or dropped, this one cannot be read.
    ///
    /// # Errors
    /// `invalid` when such a part is still unread.
    pub fn take_first(&self, bytes: u64) -> Result<Self> {
        Ok(Self(host::InputStream::take(&self.0, bytes)?))
    }

    /// Passes over the next `bytes`. Returns how many there were.
    ///
    /// # Errors
    /// As [`Self::read_chunk`].
    pub fn skip(&self, bytes: u64) -> Result<u64> {
        Ok(self.0.skip(bytes)?)
    }

    /// Everything, if it is not more than `bytes_max`.
    ///
    /// # Errors
    /// `limit` when it is more; as [`Self::read_chunk`].
    pub fn bytes(self, bytes_max: usize) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let chunk = self.read_chunk(CHUNK_BYTES as u32)?;
            if chunk.is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(&chunk);
            if all.len() > bytes_max {
                return Err(Error::limit(format!("the content is longer than {bytes_max} bytes")));
            }
        }
    }

    /// The same as text.
    ///
    /// # Errors
    /// As [`Self::bytes`]; `corrupt` when it is not UTF-8.
    pub fn text(self, bytes_max: usize) -> Result<String> {
        Ok(String::from_utf8(self.bytes(bytes_max)?)?)
    }

    /// Reads to the end without taking the bytes into the plugin. Returns how many there were.
    ///
    /// # Errors
    /// As [`Self::read_chunk`].
    pub fn drain(self) -> Result<u64> {
        self.skip(u64::MAX)
    }
}

impl Read for InputStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let chunk = self.read_chunk(buffer.len().min(CHUNK_BYTES) as u32)?;
        buffer[..chunk.len()].copy_from_slice(&chunk);
        Ok(chunk.len())
    }
}

/// A place for bytes that the plugin makes. Also a [`std::io::Write`]. What is not [`finish`](Self::finish)ed fails.
pub struct OutputStream(pub(crate) host::OutputStream);

impl OutputStream {
    /// Moves up to `bytes_max` from `source` without taking them through the plugin; 0 is its end.
    ///
    /// # Errors
    /// What ended `source`, or the consumer.
    pub fn splice(&self, source: &InputStream, bytes_max: u64) -> Result<u64> {
        Ok(self.0.splice(&source.0, bytes_max)?)
    }

    /// Moves all of `source`. Returns its bytes.
    ///
    /// # Errors
    /// As [`Self::splice`].
    pub fn splice_all(&self, source: &InputStream) -> Result<u64> {
        let mut total = 0;
        loop {
            match self.splice(source, u64::MAX)? {
                0 => return Ok(total),
                bytes => total += bytes,
            }
        }
    }

    /// Moves exactly `bytes`. Returns their digest.
    ///
    /// # Errors
    /// `corrupt` when there are fewer; as [`Self::splice`].
    pub fn splice_digest(&self, source: &InputStream, bytes: u64, algorithm: Algorithm) -> Result<Vec<u8>> {
        Ok(self.0.splice_digest(&source.0, bytes, algorithm)?)
    }

    /// Marks the content complete. Dropping an unfinished stream makes its consumer fail.
    ///
    /// # Errors
    /// What the consumer made of it.
    pub fn finish(self) -> Result<()> {
        Ok(host::OutputStream::finish(self.0)?)
    }
}

impl Write for OutputStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let count = data.len().min(CHUNK_BYTES);
        self.0.write(&data[..count]).map_err(Error::from)?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Size and digest of `content`, read in the host.
///
/// # Errors
/// What ended `content` before its end.
pub fn digest(algorithm: Algorithm, content: InputStream) -> Result<(u64, Vec<u8>)> {
    Ok(host::digest(algorithm, content.0)?)
}

/// The same bytes twice. The slower reader sets the pace; if one is dropped, the other goes on.
///
/// # Errors
/// `limit` when too many streams are open.
pub fn tee(source: InputStream) -> Result<(InputStream, InputStream)> {
    let (left, right) = host::tee(source.0)?;
    Ok((InputStream(left), InputStream(right)))
}

/// A stream of `data`.
///
/// # Errors
/// `limit` when it is too much.
pub fn from_bytes(data: &[u8]) -> Result<InputStream> {
    Ok(InputStream(host::from_bytes(data)?))
}

/// One after the other.
///
/// # Errors
/// `limit` when too many streams are open.
pub fn concat(parts: impl IntoIterator<Item = InputStream>) -> Result<InputStream> {
    Ok(InputStream(host::concat(parts.into_iter().map(|part| part.0).collect())?))
}

/// A bounded pipe. Start its consumer before writing more than the host's buffer.
///
/// # Errors
/// `limit` when too many streams are open.
pub fn pipe() -> Result<(OutputStream, InputStream)> {
    let (output, input) = host::pipe()?;
    Ok((OutputStream(output), InputStream(input)))
}

/// A row of a query: text or null, column by column.
pub type Row = Vec<Option<String>>;

/// The rows of a query or of an expectations list: a JSON array of text or null a line.
pub struct Rows {
    lines: BufReader<InputStream>,
    line: Vec<u8>,
}

/// The longest line that [`Rows`] takes in.
const ROW_BYTES_MAX: usize = 16 << 20;

impl Rows {
    /// Reads `content` as rows.
    pub fn new(content: InputStream) -> Self {
        Self { lines: BufReader::with_capacity(256 << 10, content), line: Vec::new() }
    }

    fn next_row(&mut self) -> Result<Option<Row>> {
        self.line.clear();
        let count = (&mut self.lines).take(ROW_BYTES_MAX as u64).read_until(b'\n', &mut self.line)?;
        if count == 0 {
            return Ok(None);
        }
        if count == ROW_BYTES_MAX {
            return Err(Error::new(ErrorCode::Limit, format!("a row is longer than {ROW_BYTES_MAX} bytes")));
        }
        Ok(Some(
            serde_json::from_slice(&self.line)
                .map_err(|error| Error::corrupt(format!("a row that is no row: {error}")))?,
        ))
    }
}

impl Iterator for Rows {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_row().transpose()
    }
}

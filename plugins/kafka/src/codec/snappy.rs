//! Snappy as Kafka's clients write it: the Java client wraps it in the blocks of `snappy-java` (also called xerial),
//! others write one bare block.
//!
//! Source: <https://github.com/xerial/snappy-java>, `SnappyOutputStream` and `SnappyCodec`: 8 bytes of magic, two
//! versions of 4 bytes, then blocks behind their lengths, 4 bytes each, in network order.

use std::io::{self, Read};

use crate::{Error, Result};

const MAGIC: &[u8] = b"\x82SNAPPY\0";
/// Magic, and the versions.
const HEADER_BYTES: usize = 16;
/// What `snappy-java` puts into a block.
const BLOCK_BYTES: usize = 32 << 10;

/// The unpacked bytes, block by block.
pub(crate) struct Blocks<'a> {
    packed: &'a [u8],
    framed: bool,
    bytes_max: u64,
    block: io::Cursor<Vec<u8>>,
}

impl<'a> Blocks<'a> {
    pub(crate) fn new(packed: &'a [u8], bytes_max: u64) -> Result<Self> {
        let framed = packed.starts_with(MAGIC);
        let packed = match framed {
            true => {
                packed.get(HEADER_BYTES..).ok_or_else(|| Error::corrupt("reading snappy: its header is cut off"))?
            }
            false => packed,
        };
        Ok(Self { packed, framed, bytes_max, block: io::Cursor::default() })
    }

    /// The next block, if there is one.
    fn next_block(&mut self) -> io::Result<Option<&'a [u8]>> {
        if self.packed.is_empty() {
            return Ok(None);
        }
        if !self.framed {
            return Ok(Some(std::mem::take(&mut self.packed)));
        }
        let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let (length, rest) = self.packed.split_first_chunk().ok_or_else(cut)?;
        let (block, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or_else(cut)?;
        self.packed = rest;
        Ok(Some(block))
    }
}

impl Read for Blocks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.block.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(block) = self.next_block()? else { return Ok(0) };
            self.block = io::Cursor::new(unpack(block, self.bytes_max)?);
        }
    }
}

/// A block says how long it will be: not believed beyond the bound.
fn unpack(block: &[u8], bytes_max: u64) -> io::Result<Vec<u8>> {
    let length = snap::raw::decompress_len(block).map_err(io::Error::other)?;
    if length as u64 > bytes_max {
        return Err(io::Error::other(format!("a block says that it holds {length} bytes")));
    }
    snap::raw::Decoder::new().decompress_vec(block).map_err(io::Error::other)
}

/// Blocks as the Java client writes them.
pub(crate) fn pack(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = [MAGIC, &1u32.to_be_bytes(), &1u32.to_be_bytes()].concat();
    let mut encoder = snap::raw::Encoder::new();
    for block in plain.chunks(BLOCK_BYTES) {
        let block = encoder.compress_vec(block).map_err(io::Error::other)?;
        packed.extend_from_slice(&(block.len() as u32).to_be_bytes());
        packed.extend_from_slice(&block);
    }
    Ok(packed)
}

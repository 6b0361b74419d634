//! How the records of a batch are compressed.

use std::io::{self, Read};

use strongroom_plugin::Context as _;

use crate::{Error, Result};

mod snappy;

/// A codec of record batches (KIP-110 added the last).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Codec {
    /// As they are.
    #[default]
    None,
    /// gzip
    Gzip,
    /// Snappy, in the framing of the Java client (`snappy-java`) or bare.
    Snappy,
    /// LZ4 frames
    Lz4,
    /// Zstandard frames
    Zstd,
}

impl Codec {
    /// The codec that the lowest three bits of a batch's attributes name.
    pub fn of(attributes: i16) -> Option<Self> {
        [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd].get((attributes & 7) as usize).copied()
    }

    /// Its number in a batch's attributes.
    pub fn number(self) -> i16 {
        self as i16
    }

    /// Its name in the configuration of topics and producers.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Reads what was packed: at most `bytes_max` bytes, then an error.
    pub(crate) fn unpack<'a>(self, packed: &'a [u8], bytes_max: u64) -> Result<Unpacked<'a>> {
        let source: Box<dyn Read + 'a> = match self {
            Self::None => Box::new(packed),
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed)),
            Self::Snappy => Box::new(snappy::Blocks::new(packed, bytes_max)?),
            Self::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(packed)),
            Self::Zstd => Box::new(zstd(packed)?),
        };
        Ok(Unpacked { codec: self, source, left: bytes_max })
    }

    /// Packs records for a new batch.
    ///
    /// # Errors
    /// `other` when the codec fails: a mistake of ours.
    pub(crate) fn pack(self, plain: &[u8]) -> Result<Vec<u8>> {
        let packed = match self {
            Self::None => Ok(plain.to_vec()),
            Self::Gzip => {
                let mut packed = Vec::new();
                flate2::read::GzEncoder::new(plain, flate2::Compression::default())
                    .read_to_end(&mut packed)
                    .map(|_| packed)
            }
            Self::Snappy => snappy::pack(plain),
            Self::Lz4 => lz4(plain),
            Self::Zstd => Ok(ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest)),
        };
        Ok(packed.with_context_of(self)?)
    }
}

/// What a frame may ask to look back on: 16 MiB, that of level 19 twice over. Levels 20 to 22 may ask for more.
const ZSTD_WINDOW_BYTES_MAX: u64 = 16 << 20;

/// The window is allocated as soon as the frame names its size.
fn zstd(packed: &[u8]) -> Result<impl Read> {
    ruzstd::decoding::StreamingDecoder::new_with_max_window_size(packed, ZSTD_WINDOW_BYTES_MAX)
        .map_err(|error| Error::corrupt(format!("reading zstd: {error}")))
}

/// Frames as the Java client writes them: blocks of 64 KiB, each on its own.
fn lz4(plain: &[u8]) -> io::Result<Vec<u8>> {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    let info = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    io::copy(&mut &*plain, &mut encoder)?;
    encoder.finish().map_err(io::Error::other)
}

trait Packing<T> {
    fn with_context_of(self, codec: Codec) -> strongroom_plugin::Result<T>;
}

impl<T> Packing<T> for io::Result<T> {
    fn with_context_of(self, codec: Codec) -> strongroom_plugin::Result<T> {
        self.context(format!("packing records with {}", codec.name()))
    }
}

/// What a codec unpacks, up to a bound.
pub(crate) struct Unpacked<'a> {
    codec: Codec,
    source: Box<dyn Read + 'a>,
    left: u64,
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("reading {}: {error}", self.codec.name()))
        })?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            let message = format!("a batch holds more records ({}) than may be unpacked", self.codec.name());
            io::Error::from(strongroom_plugin::Error::limit(message))
        })?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;

//! What every draft counts of content on its way: bytes, their SHA-256, and the last ones.

use std::io::{self, Read};

use super::Stored;
use crate::digest::{Digest, Summing};

/// The last bytes that are reported.
const TAIL: usize = 256;

/// See the module.
#[derive(Default)]
pub(super) struct Sums {
    sha256: Summing,
    size: u64,
    tail: Vec<u8>,
}

impl Sums {
    /// The next bytes.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.size += bytes.len() as u64;
        self.tail.extend(&bytes[bytes.len().saturating_sub(TAIL)..]);
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
    }

    /// Bytes so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Of content that has ended.
    pub(super) fn stored(self, new_bytes: u64) -> Stored {
        let sha256 = self.sha256.finish();
        Stored { size: self.size, sha256, new_bytes, tail: self.tail }
    }

    /// Of content that was there at once, and whose digest is known.
    pub(super) fn whole(content: &[u8], sha256: Digest, new_bytes: u64) -> Stored {
        let tail = content[content.len().saturating_sub(TAIL)..].to_vec();
        Stored { size: content.len() as u64, sha256, new_bytes, tail }
    }
}

/// Reads until `room` is full or the content ends; returns how many bytes there were.
pub(super) fn fill(content: &mut dyn Read, room: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < room.len() {
        match content.read(&mut room[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

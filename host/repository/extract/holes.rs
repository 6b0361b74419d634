//! Writes a file's content, with holes for zeros where the original had holes.

use std::io::{self, Seek, SeekFrom, Write};

use cap_std::fs::File;

/// What a file system keeps as one piece, mostly.
const BLOCK: usize = 4096;

/// A file that is being written.
pub(super) struct Writer<'a> {
    file: &'a mut File,
    /// Zeros become holes.
    sparse: bool,
    /// Bytes at the end that are holes so far.
    hole: u64,
}

impl<'a> Writer<'a> {
    /// From the beginning of an empty file.
    pub(super) fn new(file: &'a mut File, sparse: bool) -> Self {
        Self { file, sparse, hole: 0 }
    }

    /// Adds bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.sparse {
            return self.file.write_all(bytes);
        }
        let mut content = 0;
        for (number, block) in bytes.chunks(BLOCK).enumerate() {
            let at = number * BLOCK;
            if block.iter().all(|byte| *byte == 0) {
                self.fill(&bytes[content..at])?;
                self.hole += block.len() as u64;
                content = at + block.len();
            }
        }
        self.fill(&bytes[content..])
    }

    /// Writes what follows the hole.
    fn fill(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.hole > 0 {
            self.file.seek(SeekFrom::Current(i64::try_from(self.hole).map_err(io::Error::other)?))?;
            self.hole = 0;
        }
        self.file.write_all(bytes)
    }

    /// A hole at the end counts, too.
    pub(super) fn end(self) -> io::Result<()> {
        if self.hole == 0 {
            return Ok(());
        }
        let length = self.file.stream_position()? + self.hole;
        self.file.set_len(length)
    }
}

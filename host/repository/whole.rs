//! Reads content whose size is known: an end before it is an error, not an end.

use std::{
    fs::File,
    io::{self, Read},
};

/// Content that is an error where it ends before its size: what shrinks while it is read, or is on a storage that loses
/// its end, must not be taken for whole.
pub struct Whole<R> {
    content: R,
    left: u64,
    may_grow: bool,
}

impl<R: Read> Whole<R> {
    /// `content`, which has `size` bytes and no more.
    pub fn new(content: R, size: u64) -> Self {
        Self { content, left: size, may_grow: false }
    }

    /// `content`, which had `size` bytes when somebody looked, and may have grown since.
    pub fn at_least(content: R, size: u64) -> Self {
        Self { content, left: size, may_grow: true }
    }
}

/// One whose size nobody looked at.
impl From<File> for Whole<File> {
    fn from(file: File) -> Self {
        Self::at_least(file, 0)
    }
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        if count == 0 && !buffer.is_empty() && self.left > 0 {
            let why = format!("the file ended {} bytes before the size that it had", self.left);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        if count as u64 > self.left && !self.may_grow {
            return Err(io::Error::other("the file is longer than it was"));
        }
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8], size: u64) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        Whole::new(content, size).read_to_end(&mut all).map(|_| all)
    }

    #[test]
    fn content_of_another_size_is_an_error() {
        assert_eq!(read(b"four", 4).unwrap(), b"four");
        assert!(read(b"", 0).unwrap().is_empty());
        assert_eq!(read(b"thr", 4).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(read(b"five!", 4).unwrap_err().to_string().contains("longer"));
    }
}

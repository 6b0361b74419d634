//! Reads just so many bytes: content that ends before them is an error, not an end.

use std::io::{self, Read};

/// Content of a size that is known. A storage that says too early that a file ends is seen here only.
pub struct Whole<R> {
    content: R,
    left: u64,
}

impl<R: Read> Whole<R> {
    /// `content`, which has `size` bytes.
    pub fn new(content: R, size: u64) -> Self {
        Self { content, left: size }
    }
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("it ends {} bytes too early", self.left)));
        }
        let left = self.left.checked_sub(count as u64);
        self.left = left.ok_or_else(|| io::Error::other("it is longer than it was"))?;
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

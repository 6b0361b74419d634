//! Content whose bytes are counted while they are read, and which ends when the watch says so.

use std::{
    io::{self, Read},
    sync::atomic::{AtomicU64, Ordering},
};

use super::Watch;

/// See the module.
pub(super) struct Watched<'a, R> {
    inner: R,
    watch: &'a dyn Watch,
    bytes: Option<&'a AtomicU64>,
}

impl<'a, R> Watched<'a, R> {
    pub(super) fn new(inner: R, watch: &'a dyn Watch) -> Self {
        Self { inner, watch, bytes: None }
    }

    /// Adds what is read to `bytes`, too.
    pub(super) fn counting(inner: R, watch: &'a dyn Watch, bytes: &'a AtomicU64) -> Self {
        Self { inner, watch, bytes: Some(bytes) }
    }
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.watch.stopped() {
            return Err(io::Error::other("stopped"));
        }
        let count = self.inner.read(buffer)?;
        if let Some(bytes) = self.bytes {
            bytes.fetch_add(count as u64, Ordering::Relaxed);
        }
        self.watch.moved(count as u64, 0);
        Ok(count)
    }
}

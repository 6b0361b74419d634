//! So many calls at once: whoever asks for more waits.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use super::{Found, Kind, Name, Storage};

/// See the module. Each call ends by itself, so each wait does.
#[derive(Debug)]
pub(super) struct Limited {
    inner: Arc<dyn Storage>,
    connections: usize,
    free: Mutex<usize>,
    freed: Condvar,
}

/// The right to make one call.
struct Slot<'a>(&'a Limited);

impl Limited {
    pub(super) fn new(inner: Arc<dyn Storage>, connections: usize) -> Self {
        let connections = connections.max(1);
        Self { inner, connections, free: Mutex::new(connections), freed: Condvar::new() }
    }

    fn slot(&self) -> Slot<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Slot(self)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

impl Storage for Limited {
    fn create(&self, kinds: &[Kind]) -> io::Result<()> {
        let _slot = self.slot();
        self.inner.create(kinds)
    }

    fn list(&self, kind: Kind) -> io::Result<Vec<Found>> {
        let _slot = self.slot();
        self.inner.list(kind)
    }

    fn read(&self, name: &Name) -> io::Result<Vec<u8>> {
        let _slot = self.slot();
        self.inner.read(name)
    }

    fn read_at(&self, name: &Name, offset: u64, room: &mut [u8]) -> io::Result<()> {
        let _slot = self.slot();
        self.inner.read_at(name, offset, room)
    }

    fn write(&self, name: &Name, content: &[u8]) -> io::Result<()> {
        let _slot = self.slot();
        self.inner.write(name, content)
    }

    fn remove(&self, name: &Name) -> io::Result<()> {
        let _slot = self.slot();
        self.inner.remove(name)
    }

    fn sweep(&self, kinds: &[Kind], untouched: Duration) -> io::Result<u64> {
        let _slot = self.slot();
        self.inner.sweep(kinds, untouched)
    }

    fn connections(&self) -> usize {
        self.connections
    }

    fn room(&self) -> io::Result<Option<u64>> {
        let _slot = self.slot();
        self.inner.room()
    }

    fn place(&self) -> PathBuf {
        self.inner.place()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread,
    };

    use super::*;

    #[test]
    fn no_more_calls_run_at_once_than_allowed_and_all_run() {
        let directory = tempfile::tempdir().unwrap();
        let limited = Limited::new(Arc::new(super::super::local::Local::new(directory.path())), 3);
        let (running, most, all) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let _slot = limited.slot();
                        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::yield_now();
                        running.fetch_sub(1, Ordering::SeqCst);
                        all.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(all.into_inner(), 1600);
        assert!((1..=3).contains(&most.into_inner()));
        assert_eq!(limited.connections(), 3);
    }
}

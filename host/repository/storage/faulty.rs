//! A storage that fails as tests want it: at one call, from one call on, by half an answer, or by listing late.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{Found, Kind, Name, Storage};

/// What goes wrong. Calls are counted from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::repository) enum Fault {
    /// Nothing.
    None,
    /// One call fails and does nothing.
    Fails(u64),
    /// One call does what it should, and says that it failed.
    Lies(u64),
    /// A call and all later ones fail, as after a power cut: what it was to write is not there.
    Dies(u64),
    /// One call is to write, and writes other bytes than those that it was given.
    Garbles(u64),
    /// One call that reads brings half of what is there, and says that this is all.
    Halves(u64),
    /// The file of each kind that was written last is not listed so many times.
    ListsLate(u32),
}

/// See the module.
#[derive(Debug)]
pub(in crate::repository) struct Faulty {
    inner: Arc<dyn Storage>,
    fault: Fault,
    calls: AtomicU64,
    /// Written last, and how often it is not listed yet.
    late: Mutex<Vec<(Name, u32)>>,
}

impl Faulty {
    pub(in crate::repository) fn new(inner: Arc<dyn Storage>, fault: Fault) -> Self {
        Self { inner, fault, calls: AtomicU64::new(0), late: Mutex::default() }
    }

    /// Calls so far.
    pub(in crate::repository) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    fn call<T>(&self, operation: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let failed = || Err(io::Error::other(format!("call {call} fails")));
        match self.fault {
            Fault::Fails(at) if call == at => failed(),
            Fault::Dies(at) if call >= at => failed(),
            Fault::Lies(at) if call == at => operation().and_then(|_| failed()),
            _ => operation(),
        }
    }

    /// Whether the call that was counted last is the one. Calls at once may both be.
    fn halves(&self) -> bool {
        matches!(self.fault, Fault::Halves(at) if self.calls() == at)
    }

    /// Takes out what is not to be seen yet.
    fn hide(&self, kind: Kind, found: &mut Vec<Found>) {
        for (name, lists) in &mut *self.late.lock().unwrap_or_else(PoisonError::into_inner) {
            if name.kind == kind && *lists > 0 {
                *lists -= 1;
                found.retain(|found| found.name != name.name);
            }
        }
    }
}

impl Storage for Faulty {
    fn create(&self, kinds: &[Kind]) -> io::Result<()> {
        self.call(|| self.inner.create(kinds))
    }

    fn list(&self, kind: Kind) -> io::Result<Vec<Found>> {
        let mut found = self.call(|| self.inner.list(kind))?;
        self.hide(kind, &mut found);
        Ok(found)
    }

    fn read(&self, name: &Name) -> io::Result<Vec<u8>> {
        let mut content = self.call(|| self.inner.read(name))?;
        if self.halves() {
            content.truncate(content.len() / 2);
        }
        Ok(content)
    }

    fn read_at(&self, name: &Name, offset: u64, room: &mut [u8]) -> io::Result<()> {
        self.call(|| self.inner.read_at(name, offset, room))?;
        if self.halves() {
            let half = room.len() / 2;
            room[half..].fill(0);
        }
        Ok(())
    }

    fn write(&self, name: &Name, content: &[u8]) -> io::Result<()> {
        let garbles = self.fault == Fault::Garbles(self.calls() + 1);
        let content = if garbles { &content[..content.len() / 2] } else { content };
        self.call(|| self.inner.write(name, content))?;
        if let Fault::ListsLate(lists) = self.fault {
            let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
            late.retain(|(other, _)| other.kind != name.kind);
            late.push((name.clone(), lists));
        }
        Ok(())
    }

    fn remove(&self, name: &Name) -> io::Result<()> {
        self.call(|| self.inner.remove(name))
    }

    fn sweep(&self, kinds: &[Kind], untouched: Duration) -> io::Result<u64> {
        self.call(|| self.inner.sweep(kinds, untouched))
    }

    fn connections(&self) -> usize {
        self.inner.connections()
    }

    fn room(&self) -> io::Result<Option<u64>> {
        self.inner.room()
    }

    fn place(&self) -> PathBuf {
        self.inner.place()
    }
}

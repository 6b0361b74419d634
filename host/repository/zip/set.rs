//! The set as it grows: one long stream at a time writes at its tail, what is stored meanwhile waits beside it.
//!
//! Entries that fit in memory are appended whole. While a long stream holds the tail they go to a common spool file,
//! and further long streams to spools of their own; all move into the set when the tail is free again. So nothing ever
//! waits for a slow stream. An entry's [`Place`] stays valid when its spool moves: only the spool's base changes.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::health::Health;
use crate::repository::Error;

/// Where an entry's local header begins: a spool (0 is the set itself) and an offset in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    spool: u32,
    offset: u64,
}

/// See the module.
pub(super) struct Set {
    file: File,
    path: PathBuf,
    scratch: PathBuf,
    health: Arc<Health>,
    tail: Mutex<Tail>,
}

#[derive(Default)]
struct Tail {
    end: u64,
    held: bool,
    common: Option<Spool>,
    waiting: Vec<Spool>,
    /// Where each spool begins in the set, once it has moved.
    bases: Vec<u64>,
}

struct Spool {
    number: u32,
    file: File,
    length: u64,
}

impl Set {
    pub(super) fn new(file: File, path: PathBuf, scratch: PathBuf, health: Arc<Health>) -> Self {
        let tail = Tail { bases: vec![0], ..Tail::default() };
        Self { file, path, scratch, health, tail: Mutex::new(tail) }
    }

    fn lock(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> String {
        format!("writing {}", self.path.display())
    }

    /// Where the next byte would go.
    pub(super) fn end(&self) -> u64 {
        self.lock().end
    }

    /// Where `place` is in the set. Only what has moved has an answer.
    pub(super) fn resolve(&self, place: Place) -> u64 {
        self.lock().bases.get(place.spool as usize).map_or(u64::MAX, |base| base + place.offset)
    }

    /// Appends a whole entry.
    pub(super) fn append(&self, entry: &[u8]) -> Result<Place, Error> {
        let mut tail = self.lock();
        if tail.held {
            return self.append_common(&mut tail, entry);
        }
        let offset = tail.end;
        tail.end += entry.len() as u64;
        drop(tail);
        self.health.run(|| self.writing(), || self.file.write_all_at(entry, offset))?;
        Ok(Place { spool: 0, offset })
    }

    fn append_common(&self, tail: &mut Tail, entry: &[u8]) -> Result<Place, Error> {
        let mut spool = match tail.common.take() {
            Some(spool) => spool,
            None => self.spool(tail)?,
        };
        let (offset, number) = (spool.length, spool.number);
        self.health.run(|| self.spooling(), || spool.file.write_all_at(entry, offset))?;
        spool.length += entry.len() as u64;
        tail.common = Some(spool);
        Ok(Place { spool: number, offset })
    }

    fn spool(&self, tail: &mut Tail) -> Result<Spool, Error> {
        let file = self.health.run(|| self.spooling(), || tempfile::tempfile_in(&self.scratch))?;
        tail.bases.push(u64::MAX);
        Ok(Spool { number: tail.bases.len() as u32 - 1, file, length: 0 })
    }

    fn spooling(&self) -> String {
        format!("writing a spool file in {}", self.scratch.display())
    }

    /// Begins a long entry: at the tail, or in a spool of its own while another one has it.
    pub(super) fn stream(&self) -> Result<Stream<'_>, Error> {
        self.health.check()?;
        let mut tail = self.lock();
        if tail.held {
            let spool = self.spool(&mut tail)?;
            return Ok(Stream { set: self, spool: Some(spool), start: 0, at: 0, ended: false });
        }
        tail.held = true;
        Ok(Stream { set: self, spool: None, start: tail.end, at: tail.end, ended: false })
    }

    /// Moves whatever waits into the set, when nobody holds the tail.
    fn settle(&self) -> Result<(), Error> {
        let mut moves = Vec::new();
        {
            let mut tail = self.lock();
            if tail.held {
                return Ok(());
            }
            let waiting: Vec<Spool> = tail.common.take().into_iter().collect();
            for spool in waiting.into_iter().chain(std::mem::take(&mut tail.waiting)) {
                let base = tail.end;
                tail.bases[spool.number as usize] = base;
                tail.end += spool.length;
                moves.push((spool, base));
            }
        }
        moves.into_iter().try_for_each(|(spool, base)| {
            self.health.run(|| self.writing(), || copy(&spool.file, spool.length, &self.file, base))
        })
    }

    /// Waits until all of it is on the disk.
    pub(super) fn sync(&self) -> Result<(), Error> {
        self.health.run(|| format!("syncing {}", self.path.display()), || self.file.sync_all())
    }
}

/// A long entry on its way. Dropped unfinished, it leaves nothing.
pub(super) struct Stream<'a> {
    set: &'a Set,
    spool: Option<Spool>,
    start: u64,
    at: u64,
    ended: bool,
}

impl Stream<'_> {
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), Error> {
        match &self.spool {
            Some(spool) => self.set.health.run(|| self.set.spooling(), || spool.file.write_all_at(bytes, offset)),
            None => self.set.health.run(|| self.set.writing(), || self.set.file.write_all_at(bytes, offset)),
        }
    }

    /// Appends to the entry.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.write_at(bytes, self.at)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Writes the header, of the same length as before, over the first one, and ends the entry.
    pub(super) fn finish(mut self, header: &[u8]) -> Result<Place, Error> {
        self.write_at(header, self.start)?;
        self.ended = true;
        let place = match self.spool.take() {
            Some(mut spool) => {
                spool.length = self.at;
                let place = Place { spool: spool.number, offset: 0 };
                self.set.lock().waiting.push(spool);
                place
            }
            None => {
                let mut tail = self.set.lock();
                (tail.end, tail.held) = (self.at, false);
                Place { spool: 0, offset: self.start }
            }
        };
        self.set.settle()?;
        Ok(place)
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        if self.ended || self.spool.is_some() {
            return;
        }
        // What fails here makes the draft refuse all that follows; there is nobody to tell now.
        let _ = self.set.health.run(|| self.set.writing(), || self.set.file.set_len(self.start));
        self.set.lock().held = false;
        let _ = self.set.settle();
    }
}

/// Copies a whole spool into the set, in the kernel where it can.
fn copy(from: &File, length: u64, to: &File, base: u64) -> io::Result<()> {
    let mut done = copy_in_kernel(from, length, to, base);
    let mut buffer = vec![0; if done < length { 1 << 20 } else { 0 }];
    while done < length {
        let count = buffer.len().min((length - done) as usize);
        from.read_exact_at(&mut buffer[..count], done)?;
        to.write_all_at(&buffer[..count], base + done)?;
        done += count as u64;
    }
    Ok(())
}

/// How far the kernel came; the rest is copied by hand, which also names what is wrong.
#[cfg(target_os = "linux")]
fn copy_in_kernel(from: &File, length: u64, to: &File, base: u64) -> u64 {
    let (mut source, mut target) = (0, base);
    while source < length {
        let count = (length - source).min(1 << 30) as usize;
        match rustix::fs::copy_file_range(from, Some(&mut source), to, Some(&mut target), count) {
            Ok(1..) => {}
            _ => break,
        }
    }
    source
}

#[cfg(not(target_os = "linux"))]
fn copy_in_kernel(_: &File, _: u64, _: &File, _: u64) -> u64 {
    0
}

//! The set as it grows: one long stream at a time writes at its tail, what is stored meanwhile waits beside it.
//!
//! Entries that fit in memory are appended whole. While a long stream holds the tail they go to a common spool file,
//! and further long streams to spools of their own; all move into the set when the tail is free again. So nothing ever
//! waits for a slow stream. An entry's [`Place`] stays valid when its spool moves: only the spool's base changes.
//!
//! An encrypted set is only ever appended to, so there each long stream has a spool, and its header, known at its end, is
//! written ahead of it when it moves.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::cipher::{CipherFile, Scrap};
use crate::{
    config::recipient::Recipient,
    repository::{Error, health::Health},
};

/// Where an entry's local header begins: a spool (0 is the set itself) and an offset in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    spool: u32,
    offset: u64,
}

/// See the module.
pub(super) struct Set {
    body: Body,
    path: PathBuf,
    scratch: PathBuf,
    health: Arc<Health>,
    tail: Mutex<Tail>,
}

enum Body {
    /// Written anywhere.
    Clear(File),
    /// Appended to, until it has ended.
    Encrypted(Mutex<Option<CipherFile>>),
}

#[derive(Default)]
struct Tail {
    end: u64,
    /// A long stream writes there, or spools move there.
    held: bool,
    common: Option<Spool>,
    waiting: Vec<Spool>,
    /// Where each spool begins in the set, once it has moved.
    bases: Vec<u64>,
}

struct Spool {
    number: u32,
    body: SpoolBody,
    length: u64,
    /// What its first bytes are to be, where they cannot be written over.
    header: Vec<u8>,
}

enum SpoolBody {
    Clear(File),
    Encrypted(Scrap),
}

impl Spool {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.body {
            SpoolBody::Clear(file) => file.write_all_at(bytes, self.length)?,
            SpoolBody::Encrypted(scrap) => scrap.append(bytes)?,
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Puts `header` in the place of its first bytes, which are as many.
    fn begin_with(&mut self, header: &[u8]) -> io::Result<()> {
        match &self.body {
            SpoolBody::Clear(file) => file.write_all_at(header, 0)?,
            SpoolBody::Encrypted(_) => self.header = header.to_vec(),
        }
        Ok(())
    }
}

impl Set {
    /// A set in `file`, encrypted when there are `recipients`.
    pub(super) fn new(
        file: File,
        recipients: &[Recipient],
        path: PathBuf,
        scratch: PathBuf,
        health: Arc<Health>,
    ) -> Result<Self, Error> {
        let writing = || format!("writing {}", path.display());
        let body = match recipients {
            [] => Body::Clear(file),
            _ => {
                let file = health.run(writing, || CipherFile::begin(file, recipients))?;
                Body::Encrypted(Mutex::new(Some(file)))
            }
        };
        let tail = Tail { bases: vec![0], ..Tail::default() };
        Ok(Self { body, path, scratch, health, tail: Mutex::new(tail) })
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
        match &self.body {
            Body::Clear(file) => {
                drop(tail);
                self.health.run(|| self.writing(), || file.write_all_at(entry, offset))?;
            }
            // The tail stays locked, so that what follows comes after.
            Body::Encrypted(file) => self.health.run(|| self.writing(), || append(file, entry))?,
        }
        Ok(Place { spool: 0, offset })
    }

    fn append_common(&self, tail: &mut Tail, entry: &[u8]) -> Result<Place, Error> {
        let mut spool = match tail.common.take() {
            Some(spool) => spool,
            None => self.spool(tail)?,
        };
        let (offset, number) = (spool.length, spool.number);
        self.health.run(|| self.spooling(), || spool.append(entry))?;
        tail.common = Some(spool);
        Ok(Place { spool: number, offset })
    }

    fn spool(&self, tail: &mut Tail) -> Result<Spool, Error> {
        let make = || {
            let file = tempfile::tempfile_in(&self.scratch)?;
            Ok(match &self.body {
                Body::Clear(_) => SpoolBody::Clear(file),
                Body::Encrypted(_) => SpoolBody::Encrypted(Scrap::new(file)?),
            })
        };
        let body = self.health.run(|| self.spooling(), make)?;
        tail.bases.push(u64::MAX);
        Ok(Spool { number: tail.bases.len() as u32 - 1, body, length: 0, header: Vec::new() })
    }

    fn spooling(&self) -> String {
        format!("writing a spool file in {}", self.scratch.display())
    }

    /// Begins a long entry: at the tail, or in a spool of its own while another one has it.
    pub(super) fn stream(&self) -> Result<Stream<'_>, Error> {
        self.health.check()?;
        let mut tail = self.lock();
        let place = match &self.body {
            Body::Clear(file) if !tail.held => {
                tail.held = true;
                StreamPlace::Tail { file, start: tail.end, at: tail.end }
            }
            _ => StreamPlace::Spool(self.spool(&mut tail)?),
        };
        Ok(Stream { set: self, place: Some(place) })
    }

    /// Moves whatever waits into the set, when nobody holds the tail.
    fn settle(&self) -> Result<(), Error> {
        match &self.body {
            Body::Clear(file) => {
                let waiting = match self.lock() {
                    tail if tail.held => return Ok(()),
                    mut tail => tail.take_waiting(),
                };
                waiting.into_iter().try_for_each(|(spool, base)| self.move_to(file, &spool, base))
            }
            Body::Encrypted(file) => self.settle_encrypted(file),
        }
    }

    fn move_to(&self, file: &File, spool: &Spool, base: u64) -> Result<(), Error> {
        match &spool.body {
            SpoolBody::Clear(from) => self.health.run(|| self.writing(), || copy(from, spool.length, file, base)),
            SpoolBody::Encrypted(_) => Err(Error::io(self.writing())(io::Error::other("a spool of an encrypted set"))),
        }
    }

    /// One thread moves at a time, and holds the tail: what comes meanwhile waits, and is moved by that thread too.
    fn settle_encrypted(&self, file: &Mutex<Option<CipherFile>>) -> Result<(), Error> {
        let mut tail = self.lock();
        if tail.held {
            return Ok(());
        }
        loop {
            let waiting = tail.take_waiting();
            tail.held = !waiting.is_empty();
            if waiting.is_empty() {
                return Ok(());
            }
            drop(tail);
            for (spool, _) in waiting {
                self.health.run(|| self.writing(), || append_spool(file, spool))?;
            }
            tail = self.lock();
        }
    }

    /// Waits until all of it is on the disk. Nothing can be appended to an encrypted set afterwards.
    pub(super) fn sync(&self) -> Result<(), Error> {
        let sync = || match &self.body {
            Body::Clear(file) => file.sync_all(),
            Body::Encrypted(file) => match file.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(file) => file.end()?.sync_all(),
                None => Err(io::Error::other("it has ended before")),
            },
        };
        self.health.run(|| format!("syncing {}", self.path.display()), sync)
    }
}

impl Tail {
    /// What waits, each with the place that it gets in the set.
    fn take_waiting(&mut self) -> Vec<(Spool, u64)> {
        let waiting: Vec<Spool> = self.common.take().into_iter().chain(std::mem::take(&mut self.waiting)).collect();
        let place = |spool: Spool| {
            let base = self.end;
            self.bases[spool.number as usize] = base;
            self.end += spool.length;
            (spool, base)
        };
        waiting.into_iter().map(place).collect()
    }
}

/// A long entry on its way. Dropped unfinished, it leaves nothing.
pub(super) struct Stream<'a> {
    set: &'a Set,
    /// None once it has ended.
    place: Option<StreamPlace<'a>>,
}

enum StreamPlace<'a> {
    /// At the set's tail, which it holds.
    Tail { file: &'a File, start: u64, at: u64 },
    /// Beside it.
    Spool(Spool),
}

impl Stream<'_> {
    /// Appends to the entry.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let set = self.set;
        match &mut self.place {
            Some(StreamPlace::Tail { file, at, .. }) => {
                set.health.run(|| set.writing(), || file.write_all_at(bytes, *at))?;
                *at += bytes.len() as u64;
            }
            Some(StreamPlace::Spool(spool)) => set.health.run(|| set.spooling(), || spool.append(bytes))?,
            None => {}
        }
        Ok(())
    }

    /// Writes the header, of the same length as before, over the first one, and ends the entry.
    pub(super) fn finish(mut self, header: &[u8]) -> Result<Place, Error> {
        let set = self.set;
        match &mut self.place {
            Some(StreamPlace::Tail { file, start, .. }) => {
                set.health.run(|| set.writing(), || file.write_all_at(header, *start))?;
            }
            Some(StreamPlace::Spool(spool)) => set.health.run(|| set.spooling(), || spool.begin_with(header))?,
            None => {}
        }
        let mut tail = set.lock();
        let place = match self.place.take() {
            Some(StreamPlace::Tail { start, at, .. }) => {
                (tail.end, tail.held) = (at, false);
                Place { spool: 0, offset: start }
            }
            Some(StreamPlace::Spool(spool)) => {
                let place = Place { spool: spool.number, offset: 0 };
                tail.waiting.push(spool);
                place
            }
            None => Place::default(),
        };
        drop(tail);
        set.settle()?;
        Ok(place)
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        if let Some(StreamPlace::Tail { file, start, .. }) = self.place.take() {
            // What fails here makes the draft refuse all that follows; there is nobody to tell now.
            let _ = self.set.health.run(|| self.set.writing(), || file.set_len(start));
            self.set.lock().held = false;
            let _ = self.set.settle();
        }
    }
}

/// Appends to an encrypted set.
fn append(file: &Mutex<Option<CipherFile>>, bytes: &[u8]) -> io::Result<()> {
    match &mut *file.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(file) => file.append(bytes),
        None => Err(io::Error::other("the set has ended")),
    }
}

/// Appends a spool to an encrypted set, its header ahead of what followed the first one.
fn append_spool(file: &Mutex<Option<CipherFile>>, spool: Spool) -> io::Result<()> {
    let SpoolBody::Encrypted(scrap) = spool.body else { return Err(io::Error::other("a spool in clear")) };
    let (mut scrap, mut left) = (scrap.read()?, spool.length);
    let mut buffer = vec![0; 256 << 10];
    if !spool.header.is_empty() {
        let first = &mut buffer[..spool.header.len()];
        scrap.read_exact(first)?;
        append(file, &spool.header)?;
        left -= spool.header.len() as u64;
    }
    while left > 0 {
        let count = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        scrap.read_exact(&mut buffer[..count])?;
        append(file, &buffer[..count])?;
        left -= count as u64;
    }
    Ok(())
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

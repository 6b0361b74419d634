//! Saves blobs: each is sealed into a pack by whoever brings it, full packs are stored by threads of their own.
//!
//! Memory is bounded by the number of packs: as many as there are cores are being filled, as many as the storage has
//! connections are on their way.

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use super::{
    index::{BlobLine, ById, Index, IndexFile, PackLine},
    pack::{Blob, BlobKind, Full, Pack},
    storage::{Kind, Name},
    vault::{LEVEL, Vault},
};
use crate::{
    config::Compression,
    digest::Digest,
    repository::{Error, cores, health::Health},
};

/// Blobs of one index file; restic's bound for a full one.
pub(super) const INDEX_BLOBS: usize = 50_000;

/// See the module.
pub(super) struct Writer {
    shared: Arc<Shared>,
    compression: Compression,
    full: Mutex<Option<SyncSender<Full>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    benches: Benches,
}

/// What the storing threads share with those that seal.
struct Shared {
    vault: Vault,
    health: Arc<Health>,
    known: Mutex<Known>,
    /// Buffers of packs that were stored.
    spare: Mutex<Vec<Vec<u8>>>,
    new_bytes: AtomicU64,
}

/// What needs no storing.
struct Known {
    index: Index,
    /// Sealed, and not in the index yet.
    fresh: [ById<()>; 2],
    /// Stored, and in no index file yet.
    unlisted: Vec<PackLine>,
    unlisted_blobs: usize,
}

/// Places to seal at, one for each core.
struct Benches {
    count: usize,
    /// None once the snapshot is to end: then nobody may seal any more.
    idle: Mutex<Option<Vec<Bench>>>,
    freed: Condvar,
}

struct Bench {
    packs: [Pack; 2],
    zstd: zstd::bulk::Compressor<'static>,
}

/// A blob that is in the repository, or on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Saved {
    pub id: Digest,
    /// Bytes that the repository did not hold before.
    pub new_bytes: u64,
}

impl Writer {
    /// Writes to `vault`, where `index` is known; `unlisted` packs of it stand in no index file yet.
    pub(super) fn new(
        vault: Vault,
        index: Index,
        unlisted: Vec<PackLine>,
        compression: Compression,
        health: Arc<Health>,
    ) -> Result<Self, Error> {
        let connections = vault.storage.connections();
        let known = Known { index, fresh: Default::default(), unlisted, unlisted_blobs: 0 };
        let (known, spare) = (Mutex::new(known), Mutex::default());
        let shared = Arc::new(Shared { vault, health, known, spare, new_bytes: AtomicU64::new(0) });
        let (full, queue) = sync_channel(0);
        let queue = Arc::new(Mutex::new(queue));
        let mut threads = Vec::new();
        for _ in 0..connections {
            let (queue, shared) = (Arc::clone(&queue), Arc::clone(&shared));
            let started = std::thread::Builder::new().spawn(move || shared.serve(&queue));
            match started {
                Ok(thread) => threads.push(thread),
                Err(cause) if threads.is_empty() => return Err(Error::io("starting a thread")(cause)),
                Err(_) => break,
            }
        }
        let (full, threads) = (Mutex::new(Some(full)), Mutex::new(threads));
        Ok(Self { shared, compression, full, threads, benches: Benches::new()? })
    }

    /// Saves a blob, unless the repository has it.
    pub(super) fn save(&self, kind: BlobKind, content: &[u8]) -> Result<Saved, Error> {
        let id = Digest::of(content);
        if !self.shared.is_new(kind, &id) {
            return Ok(Saved { id, new_bytes: 0 });
        }
        let mut bench = self.benches.take()?;
        let saved = self.seal(&mut bench, kind, id, content);
        self.benches.give_back(bench);
        Ok(Saved { id, new_bytes: u64::from(saved?.length) })
    }

    fn seal(&self, bench: &mut Bench, kind: BlobKind, id: Digest, content: &[u8]) -> Result<Blob, Error> {
        let pack = &mut bench.packs[kind as usize];
        // Trees are always compressed, as restic has it.
        let zstd = (self.compression.is_auto() || kind == BlobKind::Tree).then_some(&mut bench.zstd);
        let key = &self.shared.vault.key;
        let blob = self.shared.health.run(|| "sealing a blob".to_owned(), || pack.add(key, id, content, zstd))?;
        if pack.is_full() {
            self.store(pack, kind)?;
        }
        Ok(blob)
    }

    /// Hands a pack to a storing thread, and begins another.
    fn store(&self, pack: &mut Pack, kind: BlobKind) -> Result<(), Error> {
        let spare = self.shared.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let full = std::mem::replace(pack, Pack::new(kind, spare));
        let full = self.shared.health.run(|| "ending a pack".to_owned(), || full.finish(&self.shared.vault.key))?;
        let gone = || io::Error::other("a storing thread has died");
        let sender = self.full.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(gone);
        let sent = sender.and_then(|sender| sender.send(full).map_err(|_| gone()));
        self.shared.health.run(|| "storing a pack".to_owned(), || sent)
    }

    /// Bytes that this run has added so far.
    pub(super) fn new_bytes(&self) -> u64 {
        self.shared.new_bytes.load(Ordering::Relaxed)
    }

    /// Where a blob is, once it is stored.
    pub(super) fn find(&self, kind: BlobKind, id: &Digest) -> Option<(Digest, Blob)> {
        self.shared.known().index.find(kind, id)
    }

    /// Stores what is left, and lists it. After it everything that was saved is in the repository.
    pub(super) fn finish(&self) -> Result<(), Error> {
        for mut bench in self.benches.all() {
            for kind in [BlobKind::Data, BlobKind::Tree] {
                if !bench.packs[kind as usize].is_empty() {
                    self.store(&mut bench.packs[kind as usize], kind)?;
                }
            }
        }
        self.stop();
        self.shared.health.check()?;
        self.shared.list_rest()
    }

    fn stop(&self) {
        *self.full.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                let died = Err::<(), _>(io::Error::other("a storing thread has died"));
                // What it says is repeated by every later check.
                let _ = self.shared.health.run(|| "storing a pack".to_owned(), || died);
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the caller is the one who stores that blob.
    fn is_new(&self, kind: BlobKind, id: &Digest) -> bool {
        let mut known = self.known();
        !known.index.has(kind, id) && known.fresh[kind as usize].insert(*id, ()).is_none()
    }

    fn serve(&self, queue: &Mutex<Receiver<Full>>) {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(full) = next else { return };
            // After a failure the queue is only emptied, so that nobody waits at its other end.
            let _ = self.store(full);
        }
    }

    fn store(&self, full: Full) -> Result<(), Error> {
        let name = Name::new(Kind::Pack, full.id);
        let writing = || format!("writing {}", self.vault.path(&name).display());
        self.health.run(writing, || self.vault.storage.write(&name, &full.bytes))?;
        self.new_bytes.fetch_add(full.bytes.len() as u64, Ordering::Relaxed);
        let lines = full.blobs.iter().map(BlobLine::new).collect();
        let index = {
            let mut known = self.known();
            for blob in &full.blobs {
                known.fresh[blob.kind as usize].remove(&blob.id);
            }
            known.index.add(full.id, full.blobs.iter().copied());
            known.unlisted_blobs += full.blobs.len();
            known.unlisted.push(PackLine { id: full.id, blobs: lines });
            if known.unlisted_blobs >= INDEX_BLOBS { known.take_unlisted() } else { Vec::new() }
        };
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(full.bytes);
        self.list(index)
    }

    /// Writes an index file of packs.
    fn list(&self, packs: Vec<PackLine>) -> Result<(), Error> {
        if packs.is_empty() {
            return Ok(());
        }
        self.health.check()?;
        let saved = self.vault.save(Kind::Index, &IndexFile { supersedes: Vec::new(), packs });
        // Remembered, so that what was not listed is not believed to be.
        saved.map(drop).map_err(|why| match why {
            Error::Io { doing, cause } => {
                self.health.run::<()>(|| doing, || Err(cause)).err().unwrap_or(Error::Canceled)
            }
            why => why,
        })
    }

    fn list_rest(&self) -> Result<(), Error> {
        let packs = self.known().take_unlisted();
        self.list(packs)
    }
}

impl Known {
    fn take_unlisted(&mut self) -> Vec<PackLine> {
        self.unlisted_blobs = 0;
        std::mem::take(&mut self.unlisted)
    }
}

impl Benches {
    fn new() -> Result<Self, Error> {
        let bench = || {
            let zstd = zstd::bulk::Compressor::new(LEVEL);
            let packs = [BlobKind::Data, BlobKind::Tree].map(|kind| Pack::new(kind, Vec::new()));
            zstd.map(|zstd| Bench { packs, zstd }).map_err(Error::io("starting zstd"))
        };
        let idle: Vec<_> = (0..cores()).map(|_| bench()).collect::<Result<_, _>>()?;
        Ok(Self { count: idle.len(), idle: Mutex::new(Some(idle)), freed: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Bench>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Result<Bench, Error> {
        let mut idle = self.lock();
        loop {
            let Some(benches) = idle.as_mut() else {
                return Err(Error::io("sealing a blob")(io::Error::other("the snapshot has ended")));
            };
            match benches.pop() {
                Some(bench) => return Ok(bench),
                // Whoever has one gives it back when its blob is sealed.
                None => idle = self.freed.wait(idle).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn give_back(&self, bench: Bench) {
        if let Some(benches) = self.lock().as_mut() {
            benches.push(bench);
        }
        self.freed.notify_all();
    }

    /// All of them, once nobody seals any more: what somebody still holds has blobs in it that others rely on.
    fn all(&self) -> Vec<Bench> {
        let mut idle = self.lock();
        while idle.as_ref().is_some_and(|benches| benches.len() < self.count) {
            idle = self.freed.wait(idle).unwrap_or_else(PoisonError::into_inner);
        }
        let all = idle.take().unwrap_or_default();
        // Those that wait for one must hear that there is none any more.
        self.freed.notify_all();
        all
    }
}

//! Copies what is still needed out of packs that are to go: sealed as it is, after it was opened and its sum compared.

use std::sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicUsize, atomic::Ordering};

use super::{list::List, plan::Plan, refused};
use crate::{
    diagnostic::causes,
    digest::Digest,
    repository::{
        Error, Watch,
        restic::{
            index::{BlobLine, Index, PackLine},
            pack::{self, Blob, BlobKind, Pack},
            storage::{Kind, Name},
            vault::Vault,
        },
        workers,
    },
};

/// Bytes that are read at once, where blobs lie close together.
const READ_MAX: u64 = 4 << 20;
/// What is read without being needed costs less than another call.
const GAP_MAX: u64 = 64 << 10;

struct Repack<'a, 'b> {
    vault: &'a Vault,
    index: &'a Index,
    watch: &'a dyn Watch,
    /// Being filled: data, and trees.
    open: [Mutex<Pack>; 2],
    list: Mutex<&'a mut List<'b>>,
    failure: Mutex<Option<Error>>,
}

/// See the module. What was copied is stored and noted in `list` when it returns.
///
/// # Errors
/// The first blob that is damaged, and what the storage says: then all old packs are still needed.
pub(super) fn repack(
    vault: &Vault,
    index: &Index,
    plan: &Plan,
    list: &mut List<'_>,
    watch: &dyn Watch,
) -> Result<(), Error> {
    let open = [BlobKind::Data, BlobKind::Tree].map(|kind| Mutex::new(Pack::new(kind, Vec::new())));
    let repack = Repack { vault, index, watch, open, list: Mutex::new(list), failure: Mutex::default() };
    let packs: Vec<(&Digest, &(u64, u32))> = plan.repack.iter().collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((id, (size, wanted))) = packs.get(next.fetch_add(1, Ordering::Relaxed))
            && repack.goes_on()
        {
            repack.note(repack.copy(id, *size, *wanted));
        }
    };
    std::thread::scope(|scope| workers::start(scope, work))?;
    repack.finish()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Repack<'_, '_> {
    fn goes_on(&self) -> bool {
        lock(&self.failure).is_none() && !self.watch.stopped()
    }

    fn note(&self, done: Result<(), Error>) {
        if let Err(why) = done {
            lock(&self.failure).get_or_insert(why);
        }
    }

    /// Copies the blobs of a pack that are needed, and read from it: `wanted` of them.
    fn copy(&self, id: &Digest, size: u64, wanted: u32) -> Result<(), Error> {
        let Vault { storage, key, .. } = self.vault;
        let path = || self.vault.path(&Name::new(Kind::Pack, id)).display().to_string();
        let listed = pack::blobs(&**storage, key, &id.to_string(), size);
        let mut blobs = listed.map_err(|why| refused(format!("{}: {}", path(), causes(&why))))?;
        blobs.retain(|blob| self.index.find_marked(blob.kind, &blob.id) == Some((*id, *blob)));
        if blobs.len() != wanted as usize {
            return Err(refused(format!("{}: the index says that other blobs are in it", path())));
        }
        let mut rest = &blobs[..];
        while !rest.is_empty() && self.goes_on() {
            let (run, later) = rest.split_at(run_length(rest));
            self.copy_run(id, run)?;
            rest = later;
        }
        self.watch.moved(0, 1);
        Ok(())
    }

    /// Copies blobs that are read at once.
    fn copy_run(&self, id: &Digest, run: &[Blob]) -> Result<(), Error> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(()) };
        let start = u64::from(first.offset);
        let mut bytes = vec![0; (end(last) - start) as usize];
        let name = Name::new(Kind::Pack, id);
        let path = || self.vault.path(&name).display().to_string();
        let read = self.vault.storage.read_at(&name, start, &mut bytes);
        read.map_err(Error::io(format!("reading {}", path())))?;
        for blob in run {
            let begin = (u64::from(blob.offset) - start) as usize;
            let sealed = &bytes[begin..begin + blob.length as usize];
            pack::open(&self.vault.key, blob, &mut sealed.to_vec())
                .map_err(|why| refused(format!("{}, blob {} at byte {}: {why}", path(), blob.id, blob.offset)))?;
            self.add(blob, sealed)?;
        }
        self.watch.moved(bytes.len() as u64, 0);
        Ok(())
    }

    fn add(&self, blob: &Blob, sealed: &[u8]) -> Result<(), Error> {
        let full = {
            let mut pack = lock(&self.open[blob.kind as usize]);
            pack.add_sealed(blob, sealed);
            if !pack.is_full() {
                return Ok(());
            }
            std::mem::replace(&mut *pack, Pack::new(blob.kind, Vec::new()))
        };
        self.store(full)
    }

    fn store(&self, pack: Pack) -> Result<(), Error> {
        let full = pack.finish(&self.vault.key).map_err(Error::io("ending a pack"))?;
        let name = Name::new(Kind::Pack, full.id);
        let writing = format!("writing {}", self.vault.path(&name).display());
        self.vault.storage.write(&name, &full.bytes).map_err(Error::io(writing))?;
        lock(&self.list).add(PackLine { id: full.id, blobs: full.blobs.iter().map(BlobLine::new).collect() })
    }

    /// Stores what is left.
    fn finish(&self) -> Result<(), Error> {
        if self.watch.stopped() {
            return Err(Error::Canceled);
        }
        if let Some(why) = lock(&self.failure).take() {
            return Err(why);
        }
        for kind in [BlobKind::Data, BlobKind::Tree] {
            let pack = std::mem::replace(&mut *lock(&self.open[kind as usize]), Pack::new(kind, Vec::new()));
            if !pack.is_empty() {
                self.store(pack)?;
            }
        }
        Ok(())
    }
}

fn end(blob: &Blob) -> u64 {
    u64::from(blob.offset) + u64::from(blob.length)
}

/// How many of `blobs`, which come in the order of a pack, are read at once.
fn run_length(blobs: &[Blob]) -> usize {
    let start = blobs.first().map_or(0, |blob| u64::from(blob.offset));
    let close = |pair: &&[Blob]| {
        u64::from(pair[1].offset).saturating_sub(end(&pair[0])) <= GAP_MAX && end(&pair[1]) - start <= READ_MAX
    };
    1 + blobs.windows(2).take_while(close).count()
}

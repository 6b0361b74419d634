//! Copies a snapshot to another repository, of whatever format, and proves what came of it.

use std::{
    io::Read,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    Archive, Draft, Error, Item, Kind, Listed, Pass, Repository, Stored, Watch,
    lines::{ENTRIES, Lines, OWN, RECORD, SUMS},
    queue,
    watched::Watched,
    zip::Sealed,
};
use crate::{diagnostic::causes, digest::Digest, name::RawPath, snapshot::record::Record};

/// Entries that are listed at once.
const PAGE: usize = 1000;
/// Entries on their way to the threads that copy them.
const QUEUE_MAX: usize = 64;

/// What came of a copy: it is sealed, and proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Entries that were read, strongroom's own among them; none: it was not opened.
    pub entries: Option<u64>,
    /// Bytes that were read.
    pub bytes: u64,
    /// Bytes that the repository did not hold before.
    pub new_bytes: u64,
}

/// A snapshot that was opened to be copied.
pub struct Original {
    archive: Box<dyn Archive>,
    /// What it says of its run.
    pub record: Record,
    /// The same as it is written, byte by byte.
    written: Vec<u8>,
}

/// Opens a snapshot that is to be copied. None: that cannot be done, and the copy will be the sealed file as it is.
///
/// # Errors
/// As [`Repository::open`] and [`Archive::record`]; [`Error::Damaged`] when its record cannot be understood.
pub fn open(from: &dyn Repository, to: &dyn Repository, id: &str) -> Result<Option<Original>, Error> {
    match from.open(id) {
        Err(Error::Refused(why)) => match from.sealed(id)? {
            Some(sealed) if to.takes(&sealed) => Ok(None),
            _ => Err(Error::Refused(why)),
        },
        opened => Original::of(opened?, id).map(Some),
    }
}

impl Original {
    fn of(archive: Box<dyn Archive>, id: &str) -> Result<Self, Error> {
        let written = archive.record()?;
        let damaged = |why| Error::Damaged(format!("the record of snapshot {id} cannot be understood: {why}"));
        let record = serde_json::from_slice(&written).map_err(damaged)?;
        Ok(Self { archive, record, written })
    }
}

/// Copies the snapshot `listed`, which [`open`] has opened as `original`, to `to`, under its id, with its record as it is.
/// Each file is compared with the digest that the snapshot has of it, and what was written is proven
/// ([`Repository::prove_copy`]); a sealed file that stays as it is, is read back. Call it only under the pipeline's lock.
///
/// # Errors
/// When either repository fails, or the snapshot is damaged, or was not made by strongroom; then no copy is visible.
pub fn copy(
    from: &dyn Repository,
    original: Option<&Original>,
    to: &dyn Repository,
    listed: &Listed,
    watch: &dyn Watch,
) -> Result<Copied, Error> {
    match (from.sealed(&listed.id)?, original) {
        (Some(sealed), original) if to.takes(&sealed) => as_it_is(&sealed, original, to, listed, watch),
        (_, Some(original)) => entry_by_entry(original, to, listed, watch),
        (_, None) => Err(Error::Refused(format!("snapshot {} cannot be opened", listed.id))),
    }
}

/// Copies the file that the snapshot is. One that can be opened is proven first: damage is not copied.
fn as_it_is(
    sealed: &Sealed,
    original: Option<&Original>,
    to: &dyn Repository,
    listed: &Listed,
    watch: &dyn Watch,
) -> Result<Copied, Error> {
    let mut read = None;
    if let Some(original) = original {
        watch.phase("reading", listed.bytes);
        let proof = original.archive.prove(watch)?;
        if let Some(damage) = described(&proof.damage) {
            return Err(Error::Damaged(format!("snapshot {} is damaged: {damage}", listed.id)));
        }
        read = Some(proof);
    }
    watch.phase("copying", Some(listed.stored_bytes));
    let new_bytes = to.put_sealed(sealed, watch)?;
    let bytes = read.as_ref().map_or(new_bytes, |proof| proof.bytes);
    Ok(Copied { entries: read.map(|proof| proof.entries), bytes, new_bytes })
}

fn entry_by_entry(
    original: &Original,
    to: &dyn Repository,
    listed: &Listed,
    watch: &dyn Watch,
) -> Result<Copied, Error> {
    let draft = to.draft(&listed.id, &listed.pipeline, &listed.started)?;
    let copying = Copying::new(&*original.archive, &*draft, watch);
    copying.all()?;
    copying.compare()?;
    let sealed = draft.seal(&original.written)?;
    let copied = copying.copied();
    drop(draft);
    to.deliver(&sealed, watch)?;
    prove(to, listed, watch)?;
    Ok(copied)
}

/// The first difference, and how many more there are.
fn described(damage: &[String]) -> Option<String> {
    let first = damage.first()?;
    Some(match damage.len() - 1 {
        0 => first.clone(),
        others => format!("{first} (and {others} more)"),
    })
}

/// A copy that is not what it should be must not be taken for one.
fn prove(to: &dyn Repository, listed: &Listed, watch: &dyn Watch) -> Result<(), Error> {
    let damage = match to.prove_copy(&listed.id, watch) {
        Ok(proof) => proof.damage,
        Err(why) => return to.forget(&listed.id).and(Err(why)),
    };
    let Some(damage) = described(&damage) else { return Ok(()) };
    let what = match to.forget(&listed.id) {
        Ok(()) => "it was removed again".to_owned(),
        Err(why) => format!("it could not be removed, do not rely on it: {}", causes(&why)),
    };
    Err(Error::Damaged(format!("the copy of snapshot {} is damaged: {damage}; {what}", listed.id)))
}

struct Copying<'a> {
    archive: &'a dyn Archive,
    draft: &'a dyn Draft,
    watch: &'a dyn Watch,
    entries: AtomicU64,
    bytes: AtomicU64,
    new_bytes: AtomicU64,
    files: AtomicU64,
    failure: Mutex<Option<Error>>,
}

impl<'a> Copying<'a> {
    fn new(archive: &'a dyn Archive, draft: &'a dyn Draft, watch: &'a dyn Watch) -> Self {
        let zero = || AtomicU64::new(0);
        let (entries, bytes, new_bytes, files) = (zero(), zero(), zero(), zero());
        Self { archive, draft, watch, entries, bytes, new_bytes, files, failure: Mutex::default() }
    }

    fn copied(&self) -> Copied {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Copied { entries: Some(of(&self.entries)), bytes: of(&self.bytes), new_bytes: of(&self.new_bytes) }
    }

    /// Copies every entry; the first that fails ends it.
    fn all(&self) -> Result<(), Error> {
        queue::share(QUEUE_MAX, self.archive.readers(), |send| self.each(send), |item| self.attempt(&item))?;
        match self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(why) => Err(why),
            None if self.watch.stopped() => Err(Error::Canceled),
            None => Ok(()),
        }
    }

    fn ended(&self) -> bool {
        self.watch.stopped() || self.failure.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn each(&self, send: &mut dyn FnMut(Item)) -> Result<(), Error> {
        let mut after = None;
        while !self.ended() {
            let items = self.archive.items(&RawPath::root(), after.as_ref(), PAGE)?;
            let Some(last) = items.last() else { return Ok(()) };
            after = Some(last.path.clone());
            items.into_iter().for_each(&mut *send);
        }
        Ok(())
    }

    fn attempt(&self, item: &Item) {
        if self.ended() {
            return;
        }
        if let Err(why) = self.one(item) {
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        }
    }

    fn one(&self, item: &Item) -> Result<(), Error> {
        let path = item.path.as_bytes();
        // The format of the copy writes its own.
        if [SUMS, ENTRIES, RECORD].iter().any(|made| made.as_bytes() == path) {
            return Ok(());
        }
        let own = path.strip_prefix(OWN.as_bytes()).is_some_and(|rest| rest.is_empty() || rest[0] == b'/');
        match (own, item.kind == Kind::File) {
            (true, true) => self.own(item)?,
            // Directories that only lead there.
            (true, false) => return Ok(()),
            (false, true) => self.file(item)?,
            (false, false) => self.draft.put_plain(&item.path, &item.kind, &item.meta, Pass::InStage)?,
        }
        self.entries.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn own(&self, item: &Item) -> Result<(), Error> {
        let path = item.path.to_text();
        let name = path.strip_prefix(OWN).and_then(|name| name.strip_prefix('/')).unwrap_or(&path);
        let mut content = self.content(item)?;
        let stored = self.draft.put_own(name, &mut content)?;
        self.stored(&stored);
        Ok(())
    }

    fn file(&self, item: &Item) -> Result<(), Error> {
        // What the other repository has piece by piece need not be read.
        let stored = match self.archive.pieces(&item.path)? {
            Some(pieces) => self.draft.put_pieces(&item.path, &item.meta, &pieces, Pass::InStage)?,
            None => None,
        };
        let stored = match stored {
            Some(stored) => {
                self.watch.moved(stored.size, 0);
                stored
            }
            None => self.draft.put(&item.path, &mut self.content(item)?, &item.meta, None, Pass::InStage)?,
        };
        self.stored(&stored);
        Ok(())
    }

    fn stored(&self, stored: &Stored) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(stored.size, Ordering::Relaxed);
        self.new_bytes.fetch_add(stored.new_bytes, Ordering::Relaxed);
        self.watch.moved(0, 1);
    }

    fn content(&self, item: &Item) -> Result<impl Read, Error> {
        Ok(Watched::new(self.archive.open(&item.path, 0)?, self.watch))
    }

    /// Compares what the draft took with what the snapshot says of each file.
    fn compare(&self) -> Result<(), Error> {
        let (mut sums, mut alike) = (Lines::open(self.archive, SUMS)?, 0_u64);
        while let Some((sum, path)) = sums.next_sum().map_err(Error::Damaged)? {
            if ![ENTRIES, RECORD].iter().any(|made| made.as_bytes() == path.as_bytes()) {
                self.compare_one(&path, &sum)?;
                alike += 1;
            }
        }
        match self.files.load(Ordering::Relaxed) {
            files if files == alike => Ok(()),
            files => Err(Error::Damaged(format!("the snapshot holds {files} files, and {SUMS} names {alike}"))),
        }
    }

    fn compare_one(&self, path: &RawPath, sum: &Digest) -> Result<(), Error> {
        match self.draft.find(path)? {
            Some(held) if held.kind == Kind::File && held.sha256 == *sum => Ok(()),
            Some(_) => Err(Error::Damaged(format!("{path}: content differs from {SUMS}"))),
            None => Err(Error::Damaged(format!("{path}: missing"))),
        }
    }
}

#[cfg(test)]
mod tests;

//! What a draft holds, entry by entry, on disk; in memory only where each one's facts are.
//!
//! An append-only file of facts and a map from a keyed 128-bit hash of each path to its place in that file: about 50
//! bytes an entry. Facts that were replaced or removed stay in the file and are passed over. Beside an encrypted set they
//! are encrypted, too.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
    fs::File,
    hash::{BuildHasher, RandomState},
    io::{self, BufReader, Read},
    marker::PhantomData,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    vec::IntoIter,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Error, Held, Identity, Kind, Meta, Pass, health::Health, veil::Veil};
use crate::{digest::Digest, name::RawPath};

/// Kinds of entries, without a link's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Shape {
    File,
    Directory,
    Symlink,
}

impl Shape {
    /// The file type bits of `st_mode`, and the permissions of what has none.
    pub(super) const fn mode(self) -> (u32, u32) {
        match self {
            Self::File => (0o100_000, 0o600),
            Self::Directory => (0o040_000, 0o700),
            Self::Symlink => (0o120_000, 0o777),
        }
    }
}

/// All that a draft knows of an entry. `S`: what its format must know to find the content again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry<S> {
    pub path: Vec<u8>,
    pub shape: Shape,
    pub target: Vec<u8>,
    pub stored: S,
    /// Bytes of content; of a link, those of its target.
    pub size: u64,
    pub sha256: [u8; 32],
    pub modified: Option<(i64, u32)>,
    pub mode: Option<u32>,
    pub owner: Option<(u32, u32)>,
    pub attributes: Vec<(String, String)>,
    pub identity: Option<(u64, u64, u64, i128, i128)>,
}

impl<S> Entry<S> {
    /// The facts of an entry without content.
    pub(super) fn bare(path: &RawPath, shape: Shape, meta: &Meta) -> Self
    where
        S: Default,
    {
        Self {
            path: path.as_bytes().to_vec(),
            shape,
            target: Vec::new(),
            stored: S::default(),
            size: 0,
            sha256: *Digest::of(b"").as_bytes(),
            modified: meta.modified,
            mode: meta.mode.map(|mode| mode & 0o7777),
            owner: meta.owner,
            attributes: meta.attributes.clone(),
            identity: None,
        }
    }

    /// Notes how the source looked.
    pub(super) fn seen_as(&mut self, identity: Option<Identity>) {
        self.identity = identity.map(|id| (id.device, id.inode, id.size, id.modified_ns, id.changed_ns));
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        self.identity.map(|(device, inode, size, modified_ns, changed_ns)| Identity {
            device,
            inode,
            size,
            modified_ns,
            changed_ns,
        })
    }

    pub(super) fn meta(&self) -> Meta {
        let attributes = self.attributes.clone();
        Meta { modified: self.modified, mode: self.mode, owner: self.owner, attributes }
    }

    pub(super) fn kind(&self) -> Kind {
        match self.shape {
            Shape::File => Kind::File,
            Shape::Directory => Kind::Directory,
            Shape::Symlink => Kind::Symlink(self.target.clone()),
        }
    }

    pub(super) fn held(&self, pass: Pass) -> Held {
        let (kind, sha256) = (self.kind(), Digest::from_bytes(self.sha256));
        let size = if self.shape == Shape::File { self.size } else { 0 };
        Held { kind, size, sha256, identity: self.identity(), pass }
    }
}

type Key = [u64; 2];

/// See the module.
pub(super) struct Catalog<S> {
    file: File,
    facts: PhantomData<fn() -> S>,
    /// What hides the facts.
    veil: Option<Veil>,
    keys: [RandomState; 2],
    inner: Mutex<Inner>,
    health: Arc<Health>,
}

#[derive(Default)]
struct Inner {
    index: HashMap<Key, Spot>,
    /// Every directory that something was stored below.
    folders: HashSet<Key>,
    /// What is being stored right now.
    busy: HashSet<Key>,
    /// Bytes of the file.
    written: u64,
    /// What follows them, not written yet.
    pending: Vec<u8>,
}

/// Bytes that are written at a time.
const PENDING_MAX: usize = 64 << 10;

/// Bytes before an entry's facts: their length.
const PREAMBLE: usize = 4;

/// What is known of an entry without reading: where its facts are, whether it is a directory, and in which pass it was
/// stored or seen unchanged.
#[derive(Clone, Copy)]
struct Spot(u64);

impl Spot {
    fn new(offset: u64, shape: Shape, pass: Pass) -> Self {
        Self(offset << 2 | u64::from(shape == Shape::Directory) << 1 | u64::from(pass == Pass::InStage))
    }

    fn offset(self) -> u64 {
        self.0 >> 2
    }

    fn is_directory(self) -> bool {
        self.0 & 2 != 0
    }

    fn pass(self) -> Pass {
        if self.0 & 1 == 0 { Pass::Ahead } else { Pass::InStage }
    }

    fn seen_in(&mut self, pass: Pass) {
        self.0 = self.0 & !1 | u64::from(pass == Pass::InStage);
    }
}

/// The right to store one path, until it is dropped.
pub(super) struct Claim<'a, S> {
    catalog: &'a Catalog<S>,
    path: &'a RawPath,
    key: Key,
    shape: Shape,
    pass: Pass,
}

impl<S: Serialize + DeserializeOwned> Catalog<S> {
    /// An empty one, in a file without a name in `scratch`; `hidden` for an encrypted set.
    pub(super) fn new(scratch: &Path, hidden: bool, health: Arc<Health>) -> Result<Self, Error> {
        let doing = || format!("making a file in {}", scratch.display());
        let file = health.run(doing, || tempfile::tempfile_in(scratch))?;
        let veil = hidden.then(Veil::new).transpose().map_err(Error::io("making a key"))?;
        let keys = [RandomState::new(), RandomState::new()];
        Ok(Self { file, facts: PhantomData, veil, keys, inner: Mutex::default(), health })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    fn key(&self, path: &[u8]) -> Key {
        [self.keys[0].hash_one(path), self.keys[1].hash_one(path)]
    }

    /// Claims `path` for storing.
    pub(super) fn claim<'a>(&'a self, path: &'a RawPath, shape: Shape, pass: Pass) -> Result<Claim<'a, S>, Error> {
        self.health.check()?;
        let key = self.key(path.as_bytes());
        let mut inner = self.lock();
        self.check_place(&inner, path, key, shape)?;
        let again = |spot: &Spot| shape == Shape::Directory && spot.is_directory() || spot.pass() < pass;
        if !inner.index.get(&key).is_none_or(again) || !inner.busy.insert(key) {
            return Err(Error::Exists(path.to_text()));
        }
        Ok(Claim { catalog: self, path, key, shape, pass })
    }

    /// A file cannot lie below a file, nor where a directory is.
    fn check_place(&self, inner: &Inner, path: &RawPath, key: Key, shape: Shape) -> Result<(), Error> {
        if shape != Shape::Directory && inner.folders.contains(&key) {
            return Err(Error::Refused(format!("{path} is a directory in this snapshot, other entries lie below it")));
        }
        for (folder, key) in self.new_folders(inner, path) {
            if inner.index.get(&key).is_some_and(|spot| !spot.is_directory()) {
                return Err(Error::Refused(format!(
                    "{path} lies below {folder}, which is no directory in this snapshot"
                )));
            }
        }
        Ok(())
    }

    /// The directories above `path` that nothing was stored below so far.
    fn new_folders(&self, inner: &Inner, path: &RawPath) -> Vec<(RawPath, Key)> {
        std::iter::successors(path.parent(), RawPath::parent)
            .take_while(|folder| !folder.is_root())
            .map(|folder| (self.key(folder.as_bytes()), folder))
            .take_while(|(key, _)| !inner.folders.contains(key))
            .map(|(key, folder)| (folder, key))
            .collect()
    }

    /// What is held there.
    pub(super) fn find(&self, path: &RawPath) -> Result<Option<(Entry<S>, Pass)>, Error> {
        let spot = self.spot(path);
        spot.map(|spot| Ok((self.read(spot.offset())?, spot.pass()))).transpose()
    }

    /// In which pass it was stored or seen unchanged.
    pub(super) fn pass_of(&self, path: &RawPath) -> Result<Option<Pass>, Error> {
        self.health.check()?;
        Ok(self.spot(path).map(Spot::pass))
    }

    fn spot(&self, path: &RawPath) -> Option<Spot> {
        self.lock().index.get(&self.key(path.as_bytes())).copied()
    }

    /// Marks an entry as seen in `pass`.
    pub(super) fn keep(&self, path: &RawPath, pass: Pass) -> Result<(), Error> {
        let key = self.key(path.as_bytes());
        let mut inner = self.lock();
        let spot = inner.index.get_mut(&key).ok_or_else(|| Error::NotFound(path.to_text()))?;
        spot.seen_in(pass);
        Ok(())
    }

    /// Forgets how an entry's source looked.
    pub(super) fn doubt(&self, path: &RawPath) -> Result<(), Error> {
        let found = self.find(path)?.ok_or_else(|| Error::NotFound(path.to_text()))?;
        let entry = Entry { identity: None, ..found.0 };
        let mut inner = self.lock();
        let offset = self.write(&mut inner, &entry)?;
        inner.index.insert(self.key(path.as_bytes()), Spot::new(offset, entry.shape, found.1));
        Ok(())
    }

    /// Adds facts; returns where they begin.
    fn write(&self, inner: &mut Inner, entry: &Entry<S>) -> Result<u64, Error> {
        let mut facts = postcard::to_stdvec(entry).map_err(|why| Error::io(WRITING)(io::Error::other(why)))?;
        let offset = inner.written + inner.pending.len() as u64;
        if let Some(veil) = &self.veil {
            veil.hide(offset, &mut facts).map_err(Error::io(WRITING))?;
        }
        inner.pending.extend((facts.len() as u32).to_le_bytes());
        inner.pending.extend(facts);
        if inner.pending.len() >= PENDING_MAX {
            self.flush(inner)?;
        }
        Ok(offset)
    }

    /// Forgets an entry.
    pub(super) fn remove(&self, path: &RawPath) -> Result<(), Error> {
        let removed = self.lock().index.remove(&self.key(path.as_bytes()));
        removed.map(|_| ()).ok_or_else(|| Error::NotFound(path.to_text()))
    }

    fn read(&self, offset: u64) -> Result<Entry<S>, Error> {
        self.health.check()?;
        let inner = self.lock();
        let facts = match offset.checked_sub(inner.written) {
            Some(pending) => facts(&mut &inner.pending[pending as usize..], self.veil.as_ref(), offset),
            None => {
                drop(inner);
                facts(&mut Window { file: &self.file, at: offset, end: u64::MAX }, self.veil.as_ref(), offset)
            }
        };
        facts.map(|(entry, _)| entry).map_err(Error::io(READING))
    }

    fn flush(&self, inner: &mut Inner) -> Result<(), Error> {
        self.health.run(|| WRITING.into(), || self.file.write_all_at(&inner.pending, inner.written))?;
        inner.written += inner.pending.len() as u64;
        inner.pending.clear();
        Ok(())
    }

    /// Visits every live entry below `prefix`, in no order, until `visit` says no.
    pub(super) fn each(&self, prefix: &RawPath, visit: &mut dyn FnMut(&RawPath, &Held) -> bool) -> Result<(), Error> {
        for entry in self.walk()? {
            let (entry, pass) = entry?;
            let path = RawPath::from_bytes(&entry.path)?;
            if path.below(prefix).is_some() && !visit(&path, &entry.held(pass)) {
                break;
            }
        }
        Ok(())
    }

    /// Every live entry that is there now, in the order that `compare` gives their paths. It holds the first ones, as many as
    /// are in [`KEPT_MAX`] bytes of facts; of the others eight bytes each, and the paths of a batch.
    pub(super) fn sorted(&self, compare: fn(&[u8], &[u8]) -> Ordering) -> Result<Sorted<'_, S>, Error> {
        let (mut kept, mut batch) = (Vec::new(), Vec::new());
        let mut walk = self.walk()?;
        while walk.at < KEPT_MAX
            && let Some(entry) = walk.next()
        {
            kept.push(entry?);
        }
        kept.sort_unstable_by(|one, other| compare(&one.0.path, &other.0.path));
        let mut runs = vec![Run::Kept(kept.into_iter())];
        while let Some(entry) = walk.next() {
            batch.push((entry?.0.path, walk.last));
            if batch.len() == BATCH {
                runs.push(sorted_run(&mut batch, compare));
            }
        }
        if !batch.is_empty() {
            runs.push(sorted_run(&mut batch, compare));
        }
        let heads = runs.iter_mut().map(|run| self.head(run)).collect::<Result<_, _>>()?;
        Ok(Sorted { catalog: self, compare, runs, heads })
    }

    /// The next entry of a run.
    fn head(&self, run: &mut Run<S>) -> Result<Option<(Entry<S>, Pass)>, Error> {
        let offset = match run {
            Run::Kept(entries) => return Ok(entries.next()),
            Run::Places(places) => places.next(),
        };
        let Some(offset) = offset else { return Ok(None) };
        let entry = self.read(offset)?;
        let pass = self.lock().index.get(&self.key(&entry.path)).map_or(Pass::Ahead, |spot| spot.pass());
        Ok(Some((entry, pass)))
    }

    /// Every live entry that is there now, in the order of storing.
    pub(super) fn walk(&self) -> Result<Walk<'_, S>, Error> {
        let mut inner = self.lock();
        self.flush(&mut inner)?;
        let end = inner.written;
        let file = Window { file: &self.file, at: 0, end };
        Ok(Walk { catalog: self, file: BufReader::with_capacity(256 << 10, file), at: 0, last: 0, end })
    }
}

impl<S: Serialize + DeserializeOwned> Claim<'_, S> {
    /// Makes the entry findable.
    pub(super) fn commit(self, entry: &Entry<S>) -> Result<(), Error> {
        let mut inner = self.catalog.lock();
        self.catalog.check_place(&inner, self.path, self.key, self.shape)?;
        let offset = self.catalog.write(&mut inner, entry)?;
        let folders = self.catalog.new_folders(&inner, self.path);
        inner.folders.extend(folders.into_iter().map(|(_, key)| key));
        inner.index.insert(self.key, Spot::new(offset, self.shape, self.pass));
        // The claim ends with this call, and takes the lock once more.
        drop(inner);
        Ok(())
    }
}

impl<S> Drop for Claim<'_, S> {
    fn drop(&mut self) {
        lock(&self.catalog.inner).busy.remove(&self.key);
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// See [`Catalog::walk`].
pub(super) struct Walk<'a, S> {
    catalog: &'a Catalog<S>,
    file: BufReader<Window<'a>>,
    at: u64,
    /// Where the entry that was given last begins.
    last: u64,
    end: u64,
}

impl<S: Serialize + DeserializeOwned> Iterator for Walk<'_, S> {
    type Item = Result<(Entry<S>, Pass), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.end {
            match facts(&mut self.file, self.catalog.veil.as_ref(), self.at) {
                Ok((entry, length)) => {
                    let offset = self.at;
                    self.at += length;
                    let known = self.catalog.lock().index.get(&self.catalog.key(&entry.path)).copied();
                    if let Some(spot) = known.filter(|known| known.offset() == offset) {
                        self.last = offset;
                        return Some(Ok((entry, spot.pass())));
                    }
                }
                Err(cause) => {
                    self.at = self.end;
                    return Some(Err(Error::io(READING)(cause)));
                }
            }
        }
        None
    }
}

/// Bytes of facts whose entries are held while they are sorted; as entries they take about twice as many.
const KEPT_MAX: u64 = 16 << 20;
/// Paths that are held at once while sorting.
const BATCH: usize = 100_000;

/// Entries in order.
enum Run<S> {
    Kept(IntoIter<(Entry<S>, Pass)>),
    /// Where they are in the file.
    Places(IntoIter<u64>),
}

fn sorted_run<S>(batch: &mut Vec<(Vec<u8>, u64)>, compare: fn(&[u8], &[u8]) -> Ordering) -> Run<S> {
    batch.sort_unstable_by(|one, other| compare(&one.0, &other.0));
    Run::Places(batch.drain(..).map(|(_, offset)| offset).collect::<Vec<_>>().into_iter())
}

/// See [`Catalog::sorted`].
pub(super) struct Sorted<'a, S> {
    catalog: &'a Catalog<S>,
    compare: fn(&[u8], &[u8]) -> Ordering,
    runs: Vec<Run<S>>,
    /// The next entry of each run.
    heads: Vec<Option<(Entry<S>, Pass)>>,
}

impl<S: Serialize + DeserializeOwned> Iterator for Sorted<'_, S> {
    type Item = Result<(Entry<S>, Pass), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let path = |number: usize| self.heads[number].as_ref().map(|(entry, _)| &entry.path[..]);
        let heads = (0..self.heads.len()).filter_map(|number| Some((number, path(number)?)));
        let (first, _) = heads.min_by(|one, other| (self.compare)(one.1, other.1))?;
        let next = self.catalog.head(&mut self.runs[first]);
        match next {
            Ok(next) => std::mem::replace(&mut self.heads[first], next).map(Ok),
            Err(why) => {
                self.heads.clear();
                Some(Err(why))
            }
        }
    }
}

/// Orders paths name by name, so that a directory's content follows it at once.
pub(super) fn by_names(one: &[u8], other: &[u8]) -> Ordering {
    names(one).cmp(names(other))
}

/// A path's bytes, where the slash comes ahead of all others.
fn names(path: &[u8]) -> impl Iterator<Item = u16> + '_ {
    path.iter().map(|byte| if *byte == b'/' { 0 } else { u16::from(*byte) + 1 })
}

/// A stretch of a file that others read too.
struct Window<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min((self.end - self.at) as usize);
        let count = self.file.read_at(&mut buffer[..count], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Reads the facts of the entry at `place`, and how many bytes they take.
fn facts<S: DeserializeOwned>(from: &mut impl Read, veil: Option<&Veil>, place: u64) -> io::Result<(Entry<S>, u64)> {
    let mut length = [0; PREAMBLE];
    from.read_exact(&mut length)?;
    let mut facts = vec![0; u32::from_le_bytes(length) as usize];
    from.read_exact(&mut facts)?;
    let length = (PREAMBLE + facts.len()) as u64;
    if let Some(veil) = veil {
        veil.show(place, &mut facts)?;
    }
    Ok((postcard::from_bytes(&facts).map_err(io::Error::other)?, length))
}

const WRITING: &str = "writing the list of what was stored";
const READING: &str = "reading back the list of what was stored";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::conformance::path;

    /// Entries whose facts take more than are held, the same each time.
    const COUNT: u64 = 5_000;

    #[test]
    fn all_come_in_order_whether_they_are_held_or_not() {
        let directory = tempfile::tempdir().unwrap();
        let catalog = Catalog::<()>::new(directory.path(), true, Arc::default()).unwrap();
        let put = |name: &str, size: u64, pass: Pass| {
            let (path, target) = (path(name), vec![b'x'; 4000]);
            let entry = Entry { size, target, ..Entry::bare(&path, Shape::Symlink, &Meta::default()) };
            catalog.claim(&path, Shape::Symlink, pass).unwrap().commit(&entry).unwrap();
        };
        let name = |number: u64| match number % 3 {
            0 => format!("step/{:04}", number * 7919 % COUNT),
            _ => format!("step-{number:04}/below"),
        };
        (0..COUNT).for_each(|number| put(&name(number), 0, Pass::Ahead));
        (0..COUNT).step_by(10).for_each(|number| put(&name(number), 1, Pass::InStage));
        (5..COUNT).step_by(10).for_each(|number| catalog.remove(&path(&name(number))).unwrap());
        assert!(catalog.lock().written > KEPT_MAX);
        for compare in [Ord::cmp, by_names as fn(&[u8], &[u8]) -> Ordering] {
            let sorted: Vec<_> = catalog.sorted(compare).unwrap().map(Result::unwrap).collect();
            assert_eq!(sorted.len() as u64, COUNT - COUNT / 10);
            assert!(sorted.is_sorted_by(|one, other| compare(&one.0.path, &other.0.path).is_lt()));
            assert!(sorted.iter().all(|(entry, pass)| (entry.size == 1) == (*pass == Pass::InStage)));
        }
        assert!(catalog.sorted(Ord::cmp).unwrap().next().unwrap().unwrap().0.path.starts_with(b"step-"));
        assert!(catalog.sorted(by_names).unwrap().next().unwrap().unwrap().0.path.starts_with(b"step/"));
    }
}

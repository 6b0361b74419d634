//! A set in a storage: cut into volumes, files of one size but for the last, which `cat` joins to the set again.
//!
//! The last volume is written last and removed first: where it is not there, nobody takes the others for a set.

use std::{
    collections::BTreeMap,
    fmt, io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::home::Blob;
use crate::repository::{
    Error, Watch,
    storage::{Kind, Name, Storage},
    workers,
};

/// Bytes of a volume, but for the last.
pub(super) const VOLUME: u64 = 16 << 20;
/// Volumes that are written at once: each takes its size in memory up to three times.
const AT_ONCE: usize = 3;
/// Volumes that a set may have: what their names have digits for. A set of them has 1.5 TiB.
const VOLUMES_MAX: u64 = 99_999;

/// A set whose volumes are all there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VolumeSet {
    /// The set's own.
    pub name: String,
    /// Bytes of the whole set.
    pub length: u64,
    count: u64,
}

/// What a storage holds of sets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Whole ones.
    pub sets: Vec<VolumeSet>,
    /// Those that lack more than their end: what, in words.
    pub damaged: Vec<(VolumeSet, String)>,
    /// Those without an end: somebody writes or removes them, or has died of it.
    pub unfinished: Vec<VolumeSet>,
}

/// What a volume is called: `SET.00003-of-00012`.
struct Volume<'a> {
    set: &'a str,
    number: u64,
    count: u64,
}

impl fmt::Display for Volume<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:05}-of-{:05}", self.set, self.number, self.count)
    }
}

impl<'a> Volume<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let (set, numbers) = name.rsplit_once('.')?;
        let (number, count) = numbers.split_once("-of-")?;
        let volume = Self { set, number: number.parse().ok()?, count: count.parse().ok()? };
        // Nothing else stands for the same volume.
        ((1..=volume.count).contains(&volume.number) && volume.to_string() == name).then_some(volume)
    }
}

impl VolumeSet {
    fn new(name: &str, length: u64) -> Self {
        Self { name: name.to_owned(), length, count: length.div_ceil(VOLUME).max(1) }
    }

    /// The file that is its volume `number`, from 1 on.
    fn file(&self, number: u64) -> Name {
        Name::new(Kind::Set, Volume { set: &self.name, number, count: self.count })
    }

    /// Bytes of its volume `number`.
    fn size(&self, number: u64) -> u64 {
        if number < self.count { VOLUME } else { self.length - (self.count - 1) * VOLUME }
    }
}

/// Looks what there is.
pub(super) fn list(storage: &dyn Storage) -> io::Result<Found> {
    let listed = storage.list(Kind::Set)?;
    let mut volumes = BTreeMap::<(String, u64), BTreeMap<u64, u64>>::new();
    for (volume, size) in listed.iter().filter_map(|file| Some((Volume::parse(&file.name)?, file.size))) {
        volumes.entry((volume.set.to_owned(), volume.count)).or_default().insert(volume.number, size);
    }
    let mut found = Found::default();
    for ((name, count), sizes) in volumes {
        let Some(end) = sizes.get(&count) else {
            found.unfinished.push(VolumeSet { name, length: 0, count });
            continue;
        };
        let held = VolumeSet { name, length: (count - 1) * VOLUME + end, count };
        let why = match (1..=count).find(|number| sizes.get(number) != Some(&held.size(*number))) {
            None if *end <= VOLUME => {
                found.sets.push(held);
                continue;
            }
            None => format!("{} has {end} bytes", held.file(count)),
            Some(number) => match sizes.get(&number) {
                Some(size) => format!("{} has {size} bytes and not {}", held.file(number), held.size(number)),
                None => format!("{} is not there", held.file(number)),
            },
        };
        found.damaged.push((held, why));
    }
    Ok(found)
}

/// Writes the set `from` under `name`, where none is whole; when it fails or is stopped, no set is visible.
pub(super) fn write(storage: &dyn Storage, name: &str, from: &Blob, watch: &dyn Watch) -> Result<(), Error> {
    let length = from.length().map_err(Error::io(format!("reading {name}")))?;
    make_way(storage, name)?;
    let held = VolumeSet::new(name, length);
    if held.count > VOLUMES_MAX {
        let most = VOLUMES_MAX * VOLUME;
        return Err(Error::Refused(format!("{name} has {length} bytes, and in a storage a set has {most} at most")));
    }
    let writing = Writing { storage, held: &held, from, watch, next: AtomicU64::new(1), failure: Mutex::default() };
    let at_once = storage.connections().clamp(1, AT_ONCE);
    std::thread::scope(|scope| workers::start_many(scope, at_once, || writing.all_but_the_last()))?;
    let written = match writing.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(why) => Err(why),
        None => one(storage, &held, from, watch, held.count),
    };
    if matches!(written, Err(Error::Canceled)) {
        // What cannot be removed now is removed by the next sweep.
        let _ = remove(storage, &held);
    }
    written
}

/// Removes what is left of a set of that name: of two whose volumes mix, none would be what it says.
fn make_way(storage: &dyn Storage, name: &str) -> Result<(), Error> {
    let sets = storage.place().join(Kind::Set.word());
    let found = list(storage).map_err(Error::io(format!("listing {}", sets.display())))?;
    if found.sets.iter().any(|held| held.name == name) {
        return Err(Error::Exists(sets.join(name).display().to_string()));
    }
    let left = found.damaged.into_iter().map(|(held, _)| held).chain(found.unfinished);
    left.filter(|held| held.name == name).try_for_each(|held| remove(storage, &held))
}

struct Writing<'a> {
    storage: &'a dyn Storage,
    held: &'a VolumeSet,
    from: &'a Blob,
    watch: &'a dyn Watch,
    next: AtomicU64,
    failure: Mutex<Option<Error>>,
}

impl Writing<'_> {
    fn failure(&self) -> MutexGuard<'_, Option<Error>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all_but_the_last(&self) {
        while self.failure().is_none() {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.held.count {
                return;
            }
            if let Err(why) = one(self.storage, self.held, self.from, self.watch, number) {
                self.failure().get_or_insert(why);
            }
        }
    }
}

fn one(storage: &dyn Storage, held: &VolumeSet, from: &Blob, watch: &dyn Watch, number: u64) -> Result<(), Error> {
    if watch.stopped() {
        return Err(Error::Canceled);
    }
    let mut content = vec![0; held.size(number) as usize];
    let read = from.read_exact_at(&mut content, (number - 1) * VOLUME);
    read.map_err(Error::io(format!("reading {}", held.name)))?;
    let file = held.file(number);
    let writing = || format!("writing {}", storage.place().join(file.path()).display());
    storage.write(&file, &content).map_err(|cause| Error::io(writing())(cause))?;
    watch.moved(content.len() as u64, 0);
    Ok(())
}

/// Removes a set; what was removed is not missed.
pub(super) fn remove(storage: &dyn Storage, held: &VolumeSet) -> Result<(), Error> {
    for number in (1..=held.count).rev() {
        let file = held.file(number);
        let removing = || format!("removing {}", storage.place().join(file.path()).display());
        storage.remove(&file).map_err(|cause| Error::io(removing())(cause))?;
    }
    Ok(())
}

/// Bytes that are asked for at once: who reads on, reads what is there already.
const PAGE: u64 = 1 << 20;
/// Pages that are kept.
const PAGES_MAX: usize = 32;
/// Bytes at a set's end that are asked for by themselves: whoever lists sets needs no more.
const TAIL: u64 = 128 << 10;

/// A set that is being read from any place.
pub(super) struct Volumes {
    storage: Arc<dyn Storage>,
    held: VolumeSet,
    /// By where they begin; used last, last.
    pages: Mutex<Vec<(u64, Arc<Vec<u8>>)>>,
}

impl Volumes {
    pub(super) fn new(storage: Arc<dyn Storage>, held: VolumeSet) -> Self {
        Self { storage, held, pages: Mutex::default() }
    }

    /// Bytes of the set.
    pub(super) fn length(&self) -> u64 {
        self.held.length
    }

    /// As [`std::os::unix::fs::FileExt::read_at`].
    pub(super) fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        if at >= self.held.length || buffer.is_empty() {
            return Ok(0);
        }
        let (begin, end) = self.page_around(at);
        let page = self.page(begin, end)?;
        let there = &page[(at - begin) as usize..];
        let count = buffer.len().min(there.len());
        buffer[..count].copy_from_slice(&there[..count]);
        Ok(count)
    }

    /// Where the page begins and ends that holds the byte `at`. No page is in two volumes.
    fn page_around(&self, at: u64) -> (u64, u64) {
        let length = self.held.length;
        let tail = length.saturating_sub(TAIL).max((length - 1) / VOLUME * VOLUME);
        if at >= tail {
            return (tail, length);
        }
        let begin = at / PAGE * PAGE;
        (begin, (begin + PAGE).min(tail))
    }

    fn page(&self, begin: u64, end: u64) -> io::Result<Arc<Vec<u8>>> {
        let lock = || self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pages = lock();
        if let Some(at) = pages.iter().rposition(|(known, _)| *known == begin) {
            let found = pages.remove(at);
            pages.push(found.clone());
            return Ok(found.1);
        }
        // Others may go on; two that miss the same page both ask.
        drop(pages);
        let mut content = vec![0; (end - begin) as usize];
        let file = self.held.file(begin / VOLUME + 1);
        self.storage.read_at(&file, begin % VOLUME, &mut content)?;
        let content = Arc::new(content);
        let mut pages = lock();
        if pages.len() >= PAGES_MAX {
            pages.remove(0);
        }
        pages.push((begin, Arc::clone(&content)));
        Ok(content)
    }
}

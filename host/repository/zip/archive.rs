//! A set that is being read. Its directory is checked before anything in it is believed.

use std::{
    io::{self, BufReader, Read, Seek, SeekFrom},
    sync::{Arc, OnceLock},
};

use flate2::bufread::DeflateDecoder;
use zip::{
    ZipArchive,
    read::{ZipArchiveMetadata, ZipFileEntry},
};

use super::{
    cipher::Keys,
    header::{Local, Method},
    home::Sealed,
    prove,
    seal::Label,
    source::Source,
};
use crate::{
    digest::Digest,
    name::RawPath,
    repository::{Archive, Error, Item, Kind, Meta, Print, Proof, Watch, catalog::Shape},
};

/// Bytes that a link's target may take; Linux allows no more.
const TARGET_MAX: u64 = 4096;
/// See the module.
pub(super) struct ZipSet {
    source: Arc<Source>,
    directory: Arc<ZipArchiveMetadata>,
    pub(super) label: Option<Label>,
    /// What it was read from.
    pub(super) comment: Vec<u8>,
    /// Numbers of the directory's entries, in byte order of their paths.
    order: Vec<u32>,
    /// What the list of entries says of each file's content, once somebody has asked.
    sums: OnceLock<Vec<Option<Digest>>>,
}

/// What the central directory says of an entry.
pub(super) struct Listing {
    pub path: RawPath,
    pub shape: Shape,
    pub mode: u32,
    pub method: Method,
    pub crc: u32,
    pub size: u64,
    pub packed: u64,
    pub start: u64,
}

impl ZipSet {
    /// Opens a set and checks its directory.
    pub(super) fn open(sealed: &Sealed, keys: &Keys) -> Result<Self, Error> {
        let path = sealed.path();
        let reading = || Error::io(format!("opening {}", path.display()));
        let source = Arc::new(Source::new(sealed.open_to_read()?, sealed, keys)?);
        let length = source.length().map_err(reading())?;
        let damaged = |why: String| Error::Damaged(format!("{}: {why}", path.display()));
        let cut = || damaged("it is not a whole zip file: it does not end as one does".into());
        let ending = super::ending(&source).map_err(|why| damaged(why.to_string()))?;
        let comment = super::header::comment(&ending).ok_or_else(cut)?;
        let label = serde_json::from_slice(comment).ok();
        let window = Window { source: Arc::clone(&source), at: 0, end: length };
        let zip = ZipArchive::new(BufReader::with_capacity(256 << 10, window))
            .map_err(|why| damaged(format!("its directory cannot be read: {why}")))?;
        if zip.offset() != 0 {
            return Err(damaged("something lies ahead of its first entry".into()));
        }
        if zip.comment() != comment {
            return Err(cut());
        }
        let directory = zip.metadata();
        let order = checked_order(&zip).map_err(|why| damaged(why.to_string()))?;
        Ok(Self { source, directory, label, comment: comment.to_vec(), order, sums: OnceLock::new() })
    }

    /// Entries of the directory.
    pub(super) fn len(&self) -> usize {
        self.directory.len()
    }

    /// What the directory says of its entry `number`.
    pub(super) fn listing(&self, number: usize) -> Result<Listing, Error> {
        entry(&self.directory, number).and_then(|entry| listing(&entry))
    }

    /// The directory's number of `path`.
    pub(super) fn number(&self, path: &RawPath) -> Option<usize> {
        let at = self.order.partition_point(|number| self.with_path(*number, |name| name < path.as_bytes()));
        let number = *self.order.get(at)?;
        self.with_path(number, |name| name == path.as_bytes()).then_some(number as usize)
    }

    /// Asks about the path of an entry. A number that there is no entry of has an empty one.
    fn with_path<T>(&self, number: u32, ask: impl FnOnce(&[u8]) -> T) -> T {
        match self.directory.entry(number as usize) {
            Ok(entry) => ask(without_slash(entry.name_raw())),
            Err(_) => ask(&[]),
        }
    }

    /// The local header of an entry, which must agree with the directory.
    pub(super) fn local(&self, listing: &Listing) -> Result<Local, Error> {
        let damaged = |why: &str| Error::Damaged(format!("{}: {why}", listing.path));
        let local = Local::read(|bytes, at| self.source.read_exact_at(bytes, at), listing.start)
            .map_err(|why| damaged(&why.to_string()))?;
        let name = super::header::name(listing.path.as_bytes(), listing.shape);
        let content = (local.method, local.crc, local.size, local.packed);
        if local.name != name {
            return Err(damaged("another name stands at its place in the set"));
        }
        if content != (listing.method.number(), listing.crc, listing.size, listing.packed) {
            return Err(damaged("its header and the directory disagree"));
        }
        Ok(local)
    }

    /// All that is known of an entry without reading a file's content.
    pub(super) fn item(&self, listing: &Listing, local: Local) -> Result<Item, Error> {
        let kind = match listing.shape {
            Shape::File => Kind::File,
            Shape::Directory => Kind::Directory,
            Shape::Symlink => Kind::Symlink(self.target(listing, &local)?),
        };
        let mode = local.mode_known.then_some(listing.mode & 0o7777);
        if mode.is_none() && listing.mode & 0o7777 != listing.shape.mode().1 {
            return Err(Error::Damaged(format!("{}: its header and the directory disagree on its mode", listing.path)));
        }
        let meta = Meta { modified: local.modified, mode, owner: local.owner, attributes: local.attributes };
        let size = if listing.shape == Shape::File { listing.size } else { 0 };
        Ok(Item { path: listing.path.clone(), kind, size, meta })
    }

    fn target(&self, listing: &Listing, local: &Local) -> Result<Vec<u8>, Error> {
        if listing.size > TARGET_MAX {
            return Err(Error::Damaged(format!("{}: a link's target of {} bytes", listing.path, listing.size)));
        }
        let mut target = Vec::new();
        let read = self.content(listing, local).read_to_end(&mut target);
        read.map_err(|why| Error::Damaged(why.to_string()))?;
        Ok(target)
    }

    /// The content of an entry, checked at its end.
    pub(super) fn content(&self, listing: &Listing, local: &Local) -> Content {
        let start = listing.start + local.length;
        let window = Window { source: Arc::clone(&self.source), at: start, end: start.saturating_add(listing.packed) };
        let inner = match listing.method {
            Method::Stored => Unpacked::Stored(window),
            Method::Deflated => {
                Unpacked::Deflated(Box::new(DeflateDecoder::new(BufReader::with_capacity(64 << 10, window))))
            }
        };
        let (crc, expected) = (crc32fast::Hasher::new(), (listing.size, listing.crc));
        Content { inner, crc, size: 0, expected, path: listing.path.clone() }
    }

    fn number_of(&self, path: &RawPath) -> Result<usize, Error> {
        self.number(path).ok_or_else(|| Error::NotFound(path.to_text()))
    }

    fn item_at(&self, number: usize) -> Result<Item, Error> {
        let listing = self.listing(number)?;
        let local = self.local(&listing)?;
        self.item(&listing, local)
    }
}

impl Archive for ZipSet {
    fn items(&self, prefix: &RawPath, after: Option<&RawPath>, count_max: usize) -> Result<Vec<Item>, Error> {
        let after = after.map(RawPath::as_bytes);
        // In byte order the prefix itself comes ahead of what lies below it, but `prefix-x` lies between the two.
        let inside = if prefix.is_root() { Vec::new() } else { [prefix.as_bytes(), b"/"].concat() };
        let itself = self.number(prefix).filter(|_| after.is_none_or(|after| after < prefix.as_bytes()));
        let passed = |name: &[u8]| name < &inside[..] || after.is_some_and(|after| name <= after);
        let start = self.order.partition_point(|number| self.with_path(*number, passed));
        let is_inside = |number: &&u32| self.with_path(**number, |name| name.starts_with(&inside));
        let below = self.order[start..].iter().take_while(is_inside);
        let numbers = itself.into_iter().chain(below.map(|number| *number as usize));
        numbers.take(count_max).map(|number| self.item_at(number)).collect()
    }

    fn prints(&self, prefix: &RawPath, after: Option<&RawPath>, count_max: usize) -> Result<Vec<(Item, Print)>, Error> {
        let sums = self.sums.get_or_init(|| prove::sums(self));
        let print = |item: Item| {
            let sha256 = self.number(&item.path).and_then(|number| *sums.get(number)?);
            (item, Print { sha256, blobs: None })
        };
        Ok(self.items(prefix, after, count_max)?.into_iter().map(print).collect())
    }

    fn stat(&self, path: &RawPath) -> Result<Item, Error> {
        self.item_at(self.number_of(path)?)
    }

    fn open(&self, path: &RawPath, offset: u64) -> Result<Box<dyn Read + Send>, Error> {
        let listing = self.listing(self.number_of(path)?)?;
        if listing.shape != Shape::File {
            return Err(Error::Refused(format!("{path} is no file")));
        }
        let mut content = self.content(&listing, &self.local(&listing)?);
        // All of it is read, so that the checksum at the end stands for what was skipped, too.
        let skipped = io::copy(&mut (&mut content).take(offset), &mut io::sink());
        skipped.map_err(|why| Error::Damaged(why.to_string()))?;
        Ok(Box::new(content))
    }

    fn prove(&self, watch: &dyn Watch) -> Result<Proof, Error> {
        prove::prove(self, watch)
    }
}

fn entry(directory: &ZipArchiveMetadata, number: usize) -> Result<ZipFileEntry<'_>, Error> {
    directory.entry(number).map_err(|why| Error::Damaged(format!("entry {number}: {why}")))
}

/// A name without the slash that marks a directory.
fn without_slash(name: &[u8]) -> &[u8] {
    name.strip_suffix(b"/").unwrap_or(name)
}

/// What the directory says of an entry, when that can be followed.
fn listing(entry: &ZipFileEntry<'_>) -> Result<Listing, Error> {
    let name = entry.name_raw();
    let (path, slash) = (RawPath::from_bytes(without_slash(name))?, name.ends_with(b"/"));
    let damaged = |why: &str| Error::Damaged(format!("{path}: {why}"));
    if path.is_root() {
        return Err(Error::Damaged("an entry without a name".into()));
    }
    let attributes = entry.external_attributes() >> 16;
    let shape = match (attributes & 0o170_000, slash) {
        (0o120_000, false) => Shape::Symlink,
        (0o040_000 | 0, true) => Shape::Directory,
        (0o100_000 | 0, false) => Shape::File,
        _ => return Err(damaged("its name and its file type disagree")),
    };
    let method = match entry.compression() {
        zip::CompressionMethod::Stored => Method::Stored,
        zip::CompressionMethod::Deflated => Method::Deflated,
        other => return Err(damaged(&format!("packed by {other}, which no set uses"))),
    };
    if entry.encrypted() {
        return Err(damaged("it is encrypted, which no set is"));
    }
    let (size, packed, start) = (entry.size(), entry.compressed_size(), entry.header_start());
    Ok(Listing { path, shape, mode: attributes, method, crc: entry.crc32(), size, packed, start })
}

/// Checks every entry of the directory; returns their numbers in byte order.
fn checked_order<R: Read + Seek>(zip: &ZipArchive<R>) -> Result<Vec<u32>, Error> {
    let directory = zip.metadata();
    let count = u32::try_from(directory.len()).map_err(|_| Error::Damaged("too many entries".into()))?;
    if directory.has_duplicate_names() {
        return Err(Error::Damaged("its directory names an entry twice".into()));
    }
    for number in 0..count {
        listing(&entry(&directory, number as usize)?)?;
    }
    let names: Vec<&[u8]> = zip.file_names_raw().map(without_slash).collect();
    let name = |number: &u32| names[*number as usize];
    let mut order: Vec<u32> = (0..count).collect();
    order.sort_unstable_by_key(name);
    match order.windows(2).find(|pair| name(&pair[0]) == name(&pair[1])) {
        Some(pair) => Err(Error::Damaged(format!("it has {} twice", crate::name::text(name(&pair[0]))))),
        None => Ok(order),
    }
}

/// A stretch of the set, read at a place of its own: many can be read at once.
pub(super) struct Window {
    source: Arc<Source>,
    at: u64,
    end: u64,
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        let count = self.source.read_at(&mut buffer[..count], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

enum Unpacked {
    Stored(Window),
    Deflated(Box<DeflateDecoder<BufReader<Window>>>),
}

/// Content of an entry. Its end is an error unless size and checksum are right.
pub(super) struct Content {
    inner: Unpacked,
    crc: crc32fast::Hasher,
    size: u64,
    expected: (u64, u32),
    path: RawPath,
}

impl Content {
    fn damaged(&self, why: &str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, format!("{} is damaged: {why}", self.path))
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = match &mut self.inner {
            Unpacked::Stored(window) => window.read(buffer),
            Unpacked::Deflated(decoder) => decoder.read(buffer),
        };
        let count = read.map_err(|why| self.damaged(&why.to_string()))?;
        self.crc.update(&buffer[..count]);
        self.size += count as u64;
        if self.size > self.expected.0 {
            return Err(self.damaged("it is longer than it was"));
        }
        if count == 0 && self.size < self.expected.0 {
            return Err(self.damaged("it ends early"));
        }
        if count == 0 && self.crc.clone().finalize() != self.expected.1 {
            return Err(self.damaged("its checksum does not match"));
        }
        Ok(count)
    }
}

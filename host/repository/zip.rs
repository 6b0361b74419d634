//! A repository of self-contained zip sets: `unzip` and `sha256sum -c SHA256SUMS` prove each of them.
//!
//! `home` is where sealed sets are (`volumes`: cut into pieces in a storage). `draft` writes (`intake` takes content, `pack` deflates it, `set` is the file and its spools, `seal` its end), `archive` reads and `prove` reads all of it back, `removal` takes a set away. `header` knows
//! the format.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use cipher::BadIdentity;
use cipher::Keys;
use home::Home;
pub use home::Sealed;
use source::Source;

use super::{Archive, Draft, Error, Listed, Proof, Repository, Watch, directory, storage};
use crate::{
    config::{Compression, Place, Remote, recipient::Recipient},
    diagnostic::causes,
    secret::Secret,
    snapshot::state::State,
};

mod archive;
mod cipher;
mod draft;
mod header;
mod home;
mod intake;
mod pack;
mod prove;
mod removal;
mod seal;
mod set;
mod source;
#[cfg(test)]
mod tests;
mod volumes;

/// A directory of sets, or a storage of them.
#[derive(Clone, Debug)]
pub struct ZipRepository {
    home: Home,
    /// Where sets are written.
    drafts: PathBuf,
    compression: Compression,
    keys: Keys,
    spill: Option<PathBuf>,
}

/// How the name of an encrypted set ends.
const ENCRYPTED: &str = ".zip.age";

impl ZipRepository {
    /// Uses `directory`; it is made, with mode 0700, when the first draft is.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        Self::of(Home::Directory(directory.clone()), directory)
    }

    /// The one at `place`, of which nothing is asked yet. Where that is no directory, sets are written in `drafts`, a
    /// directory of this machine's own, and brought there when they are sealed ([`Repository::deliver`]).
    ///
    /// # Errors
    /// [`Error::Io`] when what opens the place cannot be read.
    pub fn at(place: &Place, remote: &Remote, drafts: PathBuf) -> Result<Self, Error> {
        let drafts = place.directory().map_or(drafts, Path::to_owned);
        Ok(Self::of(Home::at(place, remote)?, drafts))
    }

    /// Whether a repository of this format is at `place`, which is no directory.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn is_at(place: &Place, remote: &Remote) -> Result<bool, Error> {
        let reading = format!("reading {place}/config");
        Home::is_in(&*storage::open(place, remote)?).map_err(Error::io(reading))
    }

    fn of(home: Home, drafts: PathBuf) -> Self {
        Self { home, drafts, compression: Compression::default(), keys: Keys::default(), spill: None }
    }

    /// Whether new sets are compressed.
    #[must_use]
    pub fn compressing(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Encrypts new sets to `recipients`, if there are any. What others spill while such a set is written goes to
    /// `spill`, a directory of this machine's own.
    #[must_use]
    pub fn encrypted_to(mut self, recipients: &[Recipient], spill: PathBuf) -> Self {
        self.keys.recipients = recipients.to_vec();
        self.spill = Some(spill);
        self
    }

    /// Opens encrypted sets with the identities in `text`, which is as `age-keygen` writes it.
    ///
    /// # Errors
    /// When there is none in it, or something else.
    pub fn opened_by(mut self, text: &Secret) -> Result<Self, BadIdentity> {
        self.keys.open_with(text)?;
        Ok(self)
    }

    /// The set with that id.
    fn sealed_as(&self, id: &str) -> Result<Sealed, Error> {
        let mut endings = vec![format!("-{id}.zip")];
        endings.extend(State::ALL.map(|state| format!("-{id}.{state}{ENCRYPTED}")));
        let is_it = |sealed: &Sealed| endings.iter().any(|ending| sealed.name().ends_with(ending));
        let sealed = self.home.sealed()?.0.into_iter().find(is_it);
        sealed.ok_or_else(|| Error::NotFound(format!("snapshot {id} in {}", self.home.place().display())))
    }

    /// Whether sets are brought elsewhere when they are sealed.
    fn is_away(&self) -> bool {
        matches!(self.home, Home::Storage(_))
    }
}

/// Whether plain `unzip` would drop bytes of this name: control characters and 0xff. `unzip -^` keeps them.
pub fn awkward_name(path: &crate::name::RawPath) -> bool {
    path.as_bytes().iter().any(|byte| matches!(byte, 0..32 | 0x7f | 0xff))
}

impl Repository for ZipRepository {
    fn place(&self) -> PathBuf {
        self.home.place()
    }

    fn exists(&self) -> Result<bool, Error> {
        self.home.exists()
    }

    fn maker(&self) -> &'static str {
        if self.is_away() { "`strongroom init`" } else { "the first `strongroom backup`" }
    }

    fn init(&self) -> Result<(), Error> {
        self.home.init()
    }

    fn snapshots(&self) -> Result<(Vec<Listed>, Vec<String>), Error> {
        let (sealed, mut unreadable) = self.home.sealed()?;
        let mut sets = Vec::new();
        for set in sealed {
            match listed(&set, &self.keys) {
                Ok(set) => sets.push(set),
                // Removed since the names were read.
                Err(Error::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {}
                Err(why) => unreadable.push(format!("{}: {}", set.path().display(), causes(&why))),
            }
        }
        sets.sort_by(|one, other| (&one.started, &one.id).cmp(&(&other.started, &other.id)));
        Ok((sets, unreadable))
    }

    fn open(&self, id: &str) -> Result<Box<dyn Archive>, Error> {
        Ok(Box::new(archive::ZipSet::open(&self.sealed_as(id)?, &self.keys)?))
    }

    fn draft(&self, id: &str, pipeline: &str, started: &str) -> Result<Box<dyn Draft>, Error> {
        let stem = &format!("{pipeline}-{}-{id}", stamp(started));
        let spill = self.spill.as_ref().filter(|_| !self.keys.recipients.is_empty()).unwrap_or(&self.drafts);
        let parent = newest(&self.home.sealed()?.0, pipeline);
        let name = draft::Name { directory: &self.drafts, spill, stem, parent };
        Ok(Box::new(draft::ZipDraft::begin(&name, self.compression, &self.keys.recipients, Arc::default())?))
    }

    fn deliver(&self, sealed: &Path, watch: &dyn Watch) -> Result<(), Error> {
        if !self.is_away() {
            return Ok(());
        }
        let set = Sealed::in_file(sealed);
        let delivered = self.put_sealed(&set, watch);
        // It is there, or is made anew.
        let removed = fs::remove_file(sealed).map_err(Error::io(format!("removing {}", sealed.display())));
        delivered.and(removed)
    }

    /// What a storage was given was read back by whoever gave it.
    fn prove_copy(&self, id: &str, watch: &dyn Watch) -> Result<Proof, Error> {
        match self.is_away() {
            true => self.sealed_as(id).map(|_| Proof::default()),
            false => self.open(id)?.prove(watch),
        }
    }

    fn sealed(&self, id: &str) -> Result<Option<Sealed>, Error> {
        self.sealed_as(id).map(Some)
    }

    /// What is encrypted stays as it is; what is not must not come to where others may read it.
    fn takes(&self, set: &Sealed) -> bool {
        set.is_encrypted() || self.keys.recipients.is_empty()
    }

    fn put_sealed(&self, set: &Sealed, watch: &dyn Watch) -> Result<u64, Error> {
        self.home.put(set.name(), &set.open_to_read()?, watch)
    }

    fn room(&self) -> Result<u64, Error> {
        self.home.room()
    }

    fn forget(&self, id: &str) -> Result<(), Error> {
        self.sealed_as(id)?.remove()
    }

    fn remains(&self, pipeline: &str) -> Result<Vec<PathBuf>, Error> {
        let mut remains = Vec::new();
        for place in std::iter::once(&self.drafts).chain(&self.spill) {
            let left = |name: &String| is_remains(name, pipeline) || self.is_away() && is_set_of(name, pipeline);
            let names = directory::names_in(place)?.into_iter().filter(left);
            remains.extend(names.map(|name| place.join(name)));
        }
        Ok(remains)
    }

    fn sweep(&self, pipeline: &str) -> Result<Vec<String>, Error> {
        let mut swept = super::remove_remains(self.remains(pipeline)?)?;
        swept.extend(self.home.sweep(|name| is_set_of(name, pipeline))?);
        Ok(swept)
    }
}

/// Whether a draft or a removal of `pipeline` (and not of one whose name only begins alike) left `name` behind.
fn is_remains(name: &str, pipeline: &str) -> bool {
    let own = || {
        let rest = name.strip_prefix('.')?.strip_prefix(pipeline)?.strip_prefix('-')?;
        let rest = [".partial", ".scratch", ".forgotten"].iter().find_map(|ending| rest.strip_suffix(ending))?;
        let rest = rest.strip_suffix(".zip").or_else(|| rest.strip_suffix(ENCRYPTED))?;
        let (stamp, id) = rest.split_once('-')?;
        Some(stamp.bytes().all(|byte| byte.is_ascii_digit() || b"TZ".contains(&byte)) && !id.contains('-'))
    };
    own() == Some(true)
}

/// `20261121T130000Z`, from RFC 3339.
fn stamp(started: &str) -> String {
    match started.parse::<jiff::Timestamp>() {
        Ok(at) => at.strftime("%Y%m%dT%H%M%SZ").to_string(),
        Err(_) => started.chars().filter(|digit| digit.is_ascii_digit()).collect(),
    }
}

/// The id of the newest set of `pipeline`, as the names say.
fn newest(sealed: &[Sealed], pipeline: &str) -> Option<String> {
    sealed.iter().filter_map(|set| stamp_and_id(set.name(), pipeline)).max().map(|(_, id)| id.to_owned())
}

/// What the name of a set of `pipeline` (and not of one whose name only begins alike) says.
fn stamp_and_id<'a>(name: &'a str, pipeline: &str) -> Option<(&'a str, &'a str)> {
    let stem = name.strip_suffix(".zip").or_else(|| Some(name.strip_suffix(ENCRYPTED)?.rsplit_once('.')?.0))?;
    let (stamp, id) = stem.strip_prefix(pipeline)?.strip_prefix('-')?.split_once('-')?;
    (!id.contains('-')).then_some((stamp, id))
}

fn is_set_of(name: &str, pipeline: &str) -> bool {
    stamp_and_id(name, pipeline).is_some()
}

/// What a set says of itself: its comment, or, where that cannot be opened, its name.
fn listed(set: &Sealed, keys: &Keys) -> Result<Listed, Error> {
    let path = set.path();
    let reading = || Error::io("it cannot be read");
    let blob = set.open().map_err(reading())?;
    let stored_bytes = blob.length().map_err(reading())?;
    let named = named(set.name());
    if set.is_encrypted() && named.is_none() {
        return Err(Error::Damaged("it is not named as an encrypted set is".into()));
    }
    // Unlike one who reads, one who lists does not keep others from removing it.
    let source = match Source::new(blob, set, keys) {
        Ok(source) => source,
        Err(why) => match (why, named) {
            (Error::Refused(_), Some((id, pipeline, started, state))) => {
                let (host, parent) = (None, None);
                return Ok(Listed { id, pipeline, started, host, parent, state, bytes: None, stored_bytes, path });
            }
            (why, _) => return Err(why),
        },
    };
    let ending = ending(&source).map_err(reading())?;
    let label: Option<seal::Label> = header::comment(&ending).and_then(|comment| serde_json::from_slice(comment).ok());
    let label = label.ok_or_else(|| Error::Damaged("it does not end as a set does".into()))?;
    let stem = format!("{}-{}-{}", label.pipeline, stamp(&label.started), label.snapshot);
    if named.is_some() && set.name() != format!("{stem}.{}{ENCRYPTED}", label.state) {
        return Err(Error::Damaged("its name says something else than its content".into()));
    }
    Ok(Listed {
        id: label.snapshot,
        pipeline: label.pipeline,
        started: label.started,
        host: label.host,
        parent: label.parent,
        state: label.state,
        bytes: Some(label.totals.bytes),
        stored_bytes,
        path,
    })
}

/// What the name of an encrypted set says: id, pipeline, start (to the second) and state.
fn named(name: &str) -> Option<(String, String, String, State)> {
    let (stem, state) = name.strip_suffix(ENCRYPTED)?.rsplit_once('.')?;
    let state = State::ALL.into_iter().find(|known| known.word() == state)?;
    let mut words = stem.rsplitn(3, '-');
    let (id, stamp, pipeline) = (words.next()?, words.next()?, words.next()?);
    let started = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", stamp).ok()?.in_tz("UTC").ok()?.timestamp();
    Some((id.to_owned(), pipeline.to_owned(), started.to_string(), state))
}

/// The last bytes of a set: where a zip's end and its comment are.
fn ending(source: &Source) -> io::Result<Vec<u8>> {
    let length = source.length()?;
    let count = length.min(22 + 0xffff);
    let mut ending = vec![0; count as usize];
    source.read_exact_at(&mut ending, length - count)?;
    Ok(ending)
}

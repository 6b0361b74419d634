//! A repository of self-contained zip sets: `unzip` and `sha256sum -c SHA256SUMS` prove each of them.
//!
//! `draft` writes (`intake` takes content, `pack` deflates it, `set` is the file and its spools, `seal` its end), `archive` reads and `prove` reads all of it back, `removal` takes a set away. `header` knows
//! the format.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use cipher::BadIdentity;
use cipher::Keys;
use source::Source;

use super::{Archive, Draft, Error, Listed, Repository, directory};
use crate::{
    config::{Compression, recipient::Recipient},
    secret::Secret,
    snapshot::state::State,
};

mod archive;
mod cipher;
mod draft;
mod header;
mod intake;
mod pack;
mod prove;
mod removal;
mod seal;
mod set;
mod source;
#[cfg(test)]
mod tests;

/// A directory of sets.
#[derive(Clone, Debug)]
pub struct ZipRepository {
    directory: PathBuf,
    compression: Compression,
    keys: Keys,
    spill: Option<PathBuf>,
}

/// How the name of an encrypted set ends.
const ENCRYPTED: &str = ".zip.age";

impl ZipRepository {
    /// Uses `directory`; it is made, with mode 0700, when the first draft is.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), compression: Compression::default(), keys: Keys::default(), spill: None }
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
    fn path_of(&self, id: &str) -> Result<PathBuf, Error> {
        let mut endings = vec![format!("-{id}.zip")];
        endings.extend(State::ALL.map(|state| format!("-{id}.{state}{ENCRYPTED}")));
        let is_it = |name: &String| is_sealed(name) && endings.iter().any(|ending| name.ends_with(ending));
        let name = directory::names_in(&self.directory)?.into_iter().find(is_it);
        let name = name.ok_or_else(|| Error::NotFound(format!("snapshot {id} in {}", self.directory.display())))?;
        Ok(self.directory.join(name))
    }
}

/// Whether plain `unzip` would drop bytes of this name: control characters and 0xff. `unzip -^` keeps them.
pub fn awkward_name(path: &crate::name::RawPath) -> bool {
    path.as_bytes().iter().any(|byte| matches!(byte, 0..32 | 0x7f | 0xff))
}

impl Repository for ZipRepository {
    fn place(&self) -> PathBuf {
        self.directory.clone()
    }

    fn exists(&self) -> Result<bool, Error> {
        Ok(self.directory.is_dir())
    }

    fn maker(&self) -> &'static str {
        "the first `strongroom backup`"
    }

    fn init(&self) -> Result<(), Error> {
        use std::os::unix::fs::DirBuilderExt;
        let making = format!("making {}", self.directory.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory).map_err(Error::io(making))
    }

    fn snapshots(&self) -> Result<(Vec<Listed>, Vec<String>), Error> {
        let (mut sets, mut unreadable) = (Vec::new(), Vec::new());
        for name in directory::names_in(&self.directory)?.into_iter().filter(|name| is_sealed(name)) {
            let path = self.directory.join(&name);
            match listed(&path, &self.keys) {
                Ok(set) => sets.push(set),
                // Removed since the names were read.
                Err(Error::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {}
                Err(why) => unreadable.push(format!("{}: {why}", path.display())),
            }
        }
        sets.sort_by(|one, other| (&one.started, &one.id).cmp(&(&other.started, &other.id)));
        Ok((sets, unreadable))
    }

    fn open(&self, id: &str) -> Result<Box<dyn Archive>, Error> {
        Ok(Box::new(archive::ZipSet::open(&self.path_of(id)?, &self.keys)?))
    }

    fn draft(&self, id: &str, pipeline: &str, started: &str) -> Result<Box<dyn Draft>, Error> {
        let stem = &format!("{pipeline}-{}-{id}", stamp(started));
        let spill = self.spill.as_ref().filter(|_| !self.keys.recipients.is_empty()).unwrap_or(&self.directory);
        let parent = newest(&self.directory, pipeline)?;
        let name = draft::Name { directory: &self.directory, spill, stem, parent };
        Ok(Box::new(draft::ZipDraft::begin(&name, self.compression, &self.keys.recipients, Arc::default())?))
    }

    fn room(&self) -> Result<u64, Error> {
        let asking = format!("asking for the room in {}", self.directory.display());
        directory::room_in(&self.directory).map_err(Error::io(asking))
    }

    fn forget(&self, id: &str) -> Result<(), Error> {
        removal::remove(&self.path_of(id)?)
    }

    fn remains(&self, pipeline: &str) -> Result<Vec<PathBuf>, Error> {
        let mut remains = Vec::new();
        for place in std::iter::once(&self.directory).chain(&self.spill) {
            let names = directory::names_in(place)?.into_iter().filter(|name| is_remains(name, pipeline));
            remains.extend(names.map(|name| place.join(name)));
        }
        Ok(remains)
    }
}

fn is_sealed(name: &str) -> bool {
    (name.ends_with(".zip") || name.ends_with(ENCRYPTED)) && !name.starts_with('.')
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
fn newest(directory: &Path, pipeline: &str) -> Result<Option<String>, Error> {
    let names = directory::names_in(directory)?;
    let sealed = names.iter().filter(|name| is_sealed(name)).filter_map(|name| {
        let stem = name.strip_suffix(".zip").or_else(|| Some(name.strip_suffix(ENCRYPTED)?.rsplit_once('.')?.0))?;
        let (stamp, id) = stem.strip_prefix(pipeline)?.strip_prefix('-')?.split_once('-')?;
        (!id.contains('-')).then_some((stamp, id))
    });
    Ok(sealed.max().map(|(_, id)| id.to_owned()))
}

/// What a set says of itself: its comment, or, where that cannot be opened, its name.
fn listed(path: &Path, keys: &Keys) -> Result<Listed, Error> {
    let reading = || Error::io(format!("reading {}", path.display()));
    let file = File::open(path).map_err(reading())?;
    let stored_bytes = file.metadata().map_err(reading())?.len();
    let named = named(path);
    if path.as_os_str().as_encoded_bytes().ends_with(ENCRYPTED.as_bytes()) && named.is_none() {
        return Err(Error::Damaged("it is not named as an encrypted set is".into()));
    }
    // Unlike one who reads, one who lists does not keep others from removing it.
    let source = match Source::new(file, path, keys) {
        Ok(source) => source,
        Err(why) => match (why, named) {
            (Error::Refused(_), Some((id, pipeline, started, state))) => {
                let (host, parent, path) = (None, None, path.to_owned());
                return Ok(Listed { id, pipeline, started, host, parent, state, bytes: None, stored_bytes, path });
            }
            (why, _) => return Err(why),
        },
    };
    let ending = ending(&source).map_err(reading())?;
    let label: Option<seal::Label> = header::comment(&ending).and_then(|comment| serde_json::from_slice(comment).ok());
    let label = label.ok_or_else(|| Error::Damaged("it does not end as a set does".into()))?;
    let stem = format!("{}-{}-{}", label.pipeline, stamp(&label.started), label.snapshot);
    if named.is_some() && !path.ends_with(format!("{stem}.{}{ENCRYPTED}", label.state)) {
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
        path: path.to_owned(),
    })
}

/// What the name of an encrypted set says: id, pipeline, start (to the second) and state.
fn named(path: &Path) -> Option<(String, String, String, State)> {
    let (stem, state) = path.file_name()?.to_str()?.strip_suffix(ENCRYPTED)?.rsplit_once('.')?;
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

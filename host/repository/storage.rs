//! Where a repository's files lie. One small trait; what wraps it (retries, faults) implements it, too.
//!
//! Files are written whole, never changed, and named by the SHA-256 of what is in them (all but `config` and pieces of
//! sets).

use std::{fmt, io, path::PathBuf, sync::Arc, time::Duration};

use self::{limited::Limited, local::Local, retried::Retried, s3::S3, sftp::Sftp};
use super::Error;
use crate::config::{Place, Remote};

#[cfg(test)]
pub(super) mod faulty;
mod limited;
pub(super) mod local;
pub(super) mod read_back;
mod retried;
mod s3;
mod sftp;
#[cfg(test)]
mod tests;
mod wire;

/// Kinds of files, each in a directory of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// What is needed ahead of all else. There is one, without a name.
    Config,
    /// A master key, sealed with a password.
    Key,
    /// Who uses the repository.
    Lock,
    /// A snapshot.
    Snapshot,
    /// What is in which pack.
    Index,
    /// Many blobs.
    Pack,
    /// A piece of a zip set.
    Set,
}

impl Kind {
    /// Its directory; `config` is a file itself.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Key => "keys",
            Self::Lock => "locks",
            Self::Snapshot => "snapshots",
            Self::Index => "index",
            Self::Pack => "data",
            Self::Set => "sets",
        }
    }

    /// Whether files of this kind have such names.
    fn has(self, name: &str) -> bool {
        match self {
            Self::Config => ["", "config"].contains(&name),
            Self::Set => is_word(name),
            Self::Key | Self::Lock | Self::Snapshot | Self::Index | Self::Pack => is_name(name),
        }
    }
}

/// One file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub kind: Kind,
    /// 64 hex digits; of `config`, empty; of a piece of a set, words between dots.
    pub name: String,
}

impl Name {
    pub(super) fn new(kind: Kind, name: impl fmt::Display) -> Self {
        Self { kind, name: name.to_string() }
    }

    pub(super) fn config() -> Self {
        Self { kind: Kind::Config, name: String::new() }
    }

    /// Below the repository, with `/`. Packs lie in 256 directories, by their first two digits.
    pub(super) fn path(&self) -> String {
        match (self.kind, self.name.get(..2)) {
            (Kind::Config, _) => "config".to_owned(),
            (Kind::Pack, Some(first)) => format!("data/{first}/{}", self.name),
            (kind, _) => format!("{}/{}", kind.word(), self.name),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

/// A file as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub name: String,
    /// Bytes.
    pub size: u64,
}

/// See the module. Every call blocks.
pub(super) trait Storage: Send + Sync + fmt::Debug {
    /// Makes the directories of an empty repository that has such files.
    fn create(&self, kinds: &[Kind]) -> io::Result<()>;

    /// Files of a kind, in no order. Names that no repository gives are left out.
    fn list(&self, kind: Kind) -> io::Result<Vec<Found>>;

    /// A whole file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where there is none.
    fn read(&self, name: &Name) -> io::Result<Vec<u8>>;

    /// `room.len()` bytes from `offset` on.
    fn read_at(&self, name: &Name, offset: u64, room: &mut [u8]) -> io::Result<()>;

    /// Writes a whole file: after it, all of it is there, and stays there after a crash; or nothing is.
    fn write(&self, name: &Name, content: &[u8]) -> io::Result<()>;

    /// Removes a file; one that is not there is removed already.
    fn remove(&self, name: &Name) -> io::Result<()>;

    /// Removes what writers of such files that died have left under names of no file, where it was not touched for so
    /// long; says how many that were. Whoever calls it uses the repository alone. A storage that writes whole files at once has none.
    fn sweep(&self, kinds: &[Kind], untouched: Duration) -> io::Result<u64>;

    /// Files that are worth writing at once.
    fn connections(&self) -> usize;

    /// Bytes that can still be written, where anybody knows.
    fn room(&self) -> io::Result<Option<u64>>;

    /// What people call it.
    fn place(&self) -> PathBuf;
}

/// The file `config`; none: there is none.
///
/// # Errors
/// What the storage says.
pub(super) fn config_of(storage: &dyn Storage) -> io::Result<Option<Vec<u8>>> {
    match storage.read(&Name::config()) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// The one at `place`. Nothing is asked of it yet.
///
/// # Errors
/// [`Error::Io`] when what opens it cannot be read.
pub(super) fn open(place: &Place, remote: &Remote) -> Result<Arc<dyn Storage>, Error> {
    let server: Arc<dyn Storage> = match place {
        Place::Directory(directory) => return Ok(Arc::new(Local::new(directory))),
        Place::Sftp(sftp) => Arc::new(Sftp::new(sftp, remote)),
        Place::S3(s3) => Arc::new(S3::new(s3, remote)?),
    };
    let limited = Arc::new(Limited::new(server, remote.connections.into()));
    Ok(Arc::new(Retried::new(limited, remote.retries)))
}

/// What was begun so long ago is nobody's any more, whoever writes without a lock.
pub(super) const UNTOUCHED: Duration = Duration::from_secs(24 * 60 * 60);
/// Bytes that a file may have: what is longer is none of a repository.
const FILE_MAX: u64 = 1 << 30;
/// Files that a listing may name.
const FOUND_MAX: usize = 50_000_000;

/// Whether a repository gives such names.
pub(super) fn is_name(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether it is a name in every directory and bucket, and hidden in none.
fn is_word(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=255).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain)
}

/// What a file is called while it is written, where that takes a name of its own.
fn unfinished(path: impl fmt::Display) -> String {
    format!("{path}{UNFINISHED}{:016x}", rand::random::<u64>())
}

/// What follows a file's name while it is written, ahead of 16 hex digits.
const UNFINISHED: &str = "-tmp-";

/// Whether a file of that kind has that name while it is written; `config` may have none of its own.
fn is_unfinished(kind: Kind, name: &str) -> bool {
    name.rsplit_once(UNFINISHED).is_some_and(|(name, random)| {
        kind.has(name) && random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

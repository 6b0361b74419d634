//! Where snapshots live. Two traits: a [`Draft`] is being written, an [`Archive`] is being read.
//!
//! Both block: they are called from threads that may wait. `zip` keeps one self-contained set a snapshot; `tree`
//! stores a directory in a draft, `extract` brings one back from an archive. What a draft holds is noted in its
//! `catalog`.

use std::{
    fs,
    io::{self, Read},
    path::PathBuf,
    sync::OnceLock,
};

use self::zip::Sealed;
use crate::{
    digest::{Algorithm, Digest},
    name::{BadPath, RawPath},
    plan::inspection::Attributes,
    snapshot::state::State,
};

#[cfg(test)]
pub(crate) mod conformance;
pub mod copy;
pub mod difference;
pub mod extract;
pub mod holdings;
pub mod restic;
pub mod tree;
pub mod whole;
pub mod zip;

mod beneath;
mod catalog;
mod cataloged;
mod directory;
mod damage;
mod health;
mod lines;
mod patterns;
mod pool;
mod queue;
mod storage;
mod sums;
mod veil;
mod watched;
mod workers;

/// What kind of thing an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link and its target, in raw bytes.
    Symlink(Vec<u8>),
}

/// What is kept of an entry beside its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Seconds and nanoseconds since 1970.
    pub modified: Option<(i64, u32)>,
    /// Permission bits, as in `chmod`.
    pub mode: Option<u32>,
    /// Numeric user and group.
    pub owner: Option<(u32, u32)>,
    /// Annotations.
    pub attributes: Attributes,
}

/// The annotation of a file that has holes, `yes`: restored, its zeros are holes again.
const SPARSE: &str = "sparse";

/// The annotation of a file that was compared with its name, and by which digest.
const COMPARED: &str = "name-compared";

impl Meta {
    /// Notes that the file's content was compared with its name. What came of it stands in the findings.
    pub(crate) fn compared_by(mut self, digest: Algorithm) -> Self {
        self.attributes.push((COMPARED.to_owned(), digest.word().to_owned()));
        self
    }

    /// Notes that the file has holes.
    pub(crate) fn with_holes(mut self) -> Self {
        self.attributes.push((SPARSE.to_owned(), "yes".to_owned()));
        self
    }

    /// Whether it had holes.
    pub(crate) fn is_sparse(&self) -> bool {
        self.attributes.iter().any(|(name, value)| name == SPARSE && value == "yes")
    }
}

/// How a file looked when it was stored: what tells, in a second pass, whether it must be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Device.
    pub device: u64,
    /// Inode.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub modified_ns: i128,
    /// Change time in nanoseconds since 1970.
    pub changed_ns: i128,
}

/// Which of a part's passes is storing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pass {
    /// Before all stages.
    Ahead,
    /// In its stage.
    InStage,
}

/// Content that a draft has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its bytes.
    pub size: u64,
    /// Their SHA-256.
    pub sha256: Digest,
    /// Bytes that the repository did not hold before.
    pub new_bytes: u64,
    /// The last 256 bytes.
    pub tail: Vec<u8>,
}

/// What a draft holds under a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What it is.
    pub kind: Kind,
    /// Bytes of content.
    pub size: u64,
    /// SHA-256 of the content (of nothing, for what is no file).
    pub sha256: Digest,
    /// How its source looked.
    pub identity: Option<Identity>,
    /// The pass that stored it last.
    pub pass: Pass,
}

/// A snapshot that is being written. Paths are `step/part/…`. Many threads may store at once; of each entry the
/// draft holds all or nothing, and none of it is ever whole in memory. Dropped unsealed, it leaves nothing behind.
pub trait Draft: Send + Sync {
    /// Stores what `content` brings until its end. When reading fails nothing is stored.
    ///
    /// # Errors
    /// [`Error::Exists`] when this pass has stored that path before; [`Error::Source`] when `content` fails;
    /// [`Error::Io`] when the repository does.
    fn put(
        &self,
        path: &RawPath,
        content: &mut dyn io::Read,
        meta: &Meta,
        identity: Option<Identity>,
        pass: Pass,
    ) -> Result<Stored, Error>;

    /// Whether [`Self::put_unchanged`] can know of any file.
    fn has_past(&self) -> bool {
        false
    }

    /// Stores a file without reading it, where the repository knows from the snapshot before what is in a file that looks
    /// like that, and has the same annotations. None: it must be read.
    fn put_unchanged(
        &self,
        _path: &RawPath,
        _meta: &Meta,
        _identity: &Identity,
        _pass: Pass,
    ) -> Result<Option<Stored>, Error> {
        Ok(None)
    }

    /// Stores a file without its content, where the repository holds all of its pieces. None: it must be read.
    fn put_pieces(
        &self,
        _path: &RawPath,
        _meta: &Meta,
        _pieces: &Pieces,
        _pass: Pass,
    ) -> Result<Option<Stored>, Error> {
        Ok(None)
    }

    /// Stores a directory or a symbolic link. A directory may be stored again in the same pass.
    fn put_plain(&self, path: &RawPath, kind: &Kind, meta: &Meta, pass: Pass) -> Result<(), Error>;

    /// What it holds there.
    fn find(&self, path: &RawPath) -> Result<Option<Held>, Error>;

    /// In which pass it was stored or seen unchanged last; quicker than [`Self::find`].
    fn pass_of(&self, path: &RawPath) -> Result<Option<Pass>, Error> {
        Ok(self.find(path)?.map(|held| held.pass))
    }

    /// Marks what an earlier pass stored there as seen unchanged in `pass`.
    fn keep(&self, path: &RawPath, pass: Pass) -> Result<(), Error>;

    /// Forgets how the entry's source looked: the next pass reads it again, and so does the next snapshot.
    fn doubt(&self, path: &RawPath) -> Result<(), Error>;

    /// Removes the entry again (the source says that it is gone for good).
    fn remove(&self, path: &RawPath) -> Result<(), Error>;

    /// Every live entry below `prefix`, in no order; stops when `visit` says so.
    fn each(&self, prefix: &RawPath, visit: &mut dyn FnMut(&RawPath, &Held) -> bool) -> Result<(), Error>;

    /// The id of the newest snapshot of the pipeline, by its date, that was there when this was begun, where anybody looked.
    fn parent(&self) -> Option<String> {
        None
    }

    /// A directory on the repository's file system for what spills; gone with the draft.
    fn scratch(&self) -> &std::path::Path;

    /// Adds `.strongroom/` files that are already known. `name` is below `.strongroom/`.
    fn put_own(&self, name: &str, content: &mut dyn io::Read) -> Result<Stored, Error>;

    /// Writes the record, the sums and the directory, syncs, and makes the snapshot visible in one atomic step, last.
    /// Returns where it is.
    ///
    /// # Errors
    /// [`Error::Io`]: then no snapshot is visible.
    fn seal(&self, record: &[u8]) -> Result<PathBuf, Error>;
}

/// Content as the pieces that a deduplicating repository cut it into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pieces {
    /// Bytes of all of them.
    pub size: u64,
    /// The SHA-256 of all of them.
    pub sha256: Digest,
    /// The SHA-256 of each, in order.
    pub ids: Vec<Digest>,
}

/// An entry of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Whole path, `step/part/…` or `.strongroom/…`.
    pub path: RawPath,
    /// What it is.
    pub kind: Kind,
    /// Bytes of content.
    pub size: u64,
    /// What was kept beside it.
    pub meta: Meta,
}

/// What tells a file's content from another's without reading it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Print {
    /// Its SHA-256.
    pub sha256: Option<Digest>,
    /// A digest of the names of the blobs that it is kept in, in their order.
    pub blobs: Option<Digest>,
}

impl Print {
    /// Whether both are of one content; none: nobody can tell without reading.
    pub fn same(&self, other: &Self) -> Option<bool> {
        match (self.sha256, other.sha256) {
            (Some(one), Some(other)) => Some(one == other),
            // The same content may be cut at other places, but not by one and the same program.
            (None, None) => self.blobs.zip(other.blobs).map(|(one, other)| one == other),
            _ => self.blobs.zip(other.blobs).filter(|(one, other)| one == other).map(|_| true),
        }
    }
}

/// Bytes that a record may take.
const RECORD_MAX: u64 = 256 << 20;

/// A snapshot that is being read.
pub trait Archive: Send + Sync {
    /// A page of what lies below `prefix`, in byte order of the whole path, after `after`.
    fn items(&self, prefix: &RawPath, after: Option<&RawPath>, count_max: usize) -> Result<Vec<Item>, Error>;

    /// As [`Self::items`], and what tells the content of each from another's.
    fn prints(&self, prefix: &RawPath, after: Option<&RawPath>, count_max: usize) -> Result<Vec<(Item, Print)>, Error> {
        Ok(self.items(prefix, after, count_max)?.into_iter().map(|item| (item, Print::default())).collect())
    }

    /// One entry.
    fn stat(&self, path: &RawPath) -> Result<Item, Error>;

    /// Its content from `offset` on. Ends in an error where the stored checksum does not match.
    fn open(&self, path: &RawPath, offset: u64) -> Result<Box<dyn io::Read + Send>, Error>;

    /// Files that are worth reading at once.
    fn readers(&self) -> usize {
        cores()
    }

    /// The pieces of a file's content, where they have names that another repository may know.
    fn pieces(&self, _path: &RawPath) -> Result<Option<Pieces>, Error> {
        Ok(None)
    }

    /// `record.json`.
    fn record(&self) -> Result<Vec<u8>, Error> {
        let mut record = Vec::new();
        let path = RawPath::from_bytes(lines::RECORD.as_bytes())?;
        let read = self.open(&path, 0)?.take(RECORD_MAX).read_to_end(&mut record);
        read.map_err(|why| Error::Damaged(why.to_string()))?;
        Ok(record)
    }

    /// Reads every byte back and names each difference to the sums and to the list of entries.
    fn prove(&self, watch: &dyn Watch) -> Result<Proof, Error>;
}

/// What reading a whole snapshot back showed.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// Entries that were read.
    pub entries: u64,
    /// Bytes of content that were read.
    pub bytes: u64,
    /// Each difference: what, and how it differs. Empty means proven.
    pub damage: Vec<String>,
}

/// A snapshot as the repository lists it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// 16 hex digits.
    pub id: String,
    /// The pipeline that made it.
    pub pipeline: String,
    /// RFC 3339, UTC: when its run began.
    pub started: String,
    /// The machine that it was made on, where the snapshot says it.
    pub host: Option<String>,
    /// The id of the newest snapshot of the pipeline that was there when its run began, where the snapshot says it.
    pub parent: Option<String>,
    /// What it is worth.
    pub state: State,
    /// Bytes of content; none: it is encrypted, and no identity opens it.
    pub bytes: Option<u64>,
    /// Bytes that it takes in the repository.
    pub stored_bytes: u64,
    /// Where it is.
    pub path: PathBuf,
}

/// A place for snapshots.
pub trait Repository: Send + Sync {
    /// What people call it.
    fn place(&self) -> PathBuf;

    /// Whether it has been made.
    fn exists(&self) -> Result<bool, Error>;

    /// The commands that make it, for people.
    fn maker(&self) -> &'static str;

    /// Makes it, empty.
    ///
    /// # Errors
    /// [`Error::Exists`] when there is one.
    fn init(&self) -> Result<(), Error>;

    /// Every snapshot, oldest first. What cannot be read is named, not dropped.
    fn snapshots(&self) -> Result<(Vec<Listed>, Vec<String>), Error>;

    /// Opens one by its whole id.
    fn open(&self, id: &str) -> Result<Box<dyn Archive>, Error>;

    /// Reads what must be read to know that a snapshot which was written just now is all there: every byte of it, unless
    /// the repository has read back whatever it wrote while it wrote it.
    fn prove_copy(&self, id: &str, watch: &dyn Watch) -> Result<Proof, Error> {
        self.open(id)?.prove(watch)
    }

    /// Begins one.
    fn draft(&self, id: &str, pipeline: &str, started: &str) -> Result<Box<dyn Draft>, Error>;

    /// Brings a snapshot that a draft of this repository has sealed to where it belongs, where that is not where drafts
    /// are written; what was brought is read back. `sealed` is what [`Draft::seal`] said.
    fn deliver(&self, _sealed: &std::path::Path, _watch: &dyn Watch) -> Result<(), Error> {
        Ok(())
    }

    /// A snapshot as the one sealed file that it is, in a repository that keeps such.
    fn sealed(&self, _id: &str) -> Result<Option<Sealed>, Error> {
        Ok(None)
    }

    /// Whether this repository keeps such a file as it is.
    fn takes(&self, _sealed: &Sealed) -> bool {
        false
    }

    /// Takes one that it [`Self::takes`], reads back what it wrote, and says how many bytes that were.
    ///
    /// # Errors
    /// [`Error::Refused`] where it takes none.
    fn put_sealed(&self, sealed: &Sealed, _watch: &dyn Watch) -> Result<u64, Error> {
        Err(Error::Refused(format!("{} keeps no sealed files", self.place().join(sealed.name()).display())))
    }

    /// Bytes that can still be written.
    fn room(&self) -> Result<u64, Error>;

    /// Removes one by its whole id: at once it is no longer visible, then its bytes go. Call it only under the
    /// pipeline's lock.
    ///
    /// # Errors
    /// [`Error::Busy`] while somebody reads it.
    fn forget(&self, id: &str) -> Result<(), Error>;

    /// What drafts of `pipeline`, of a run that goes on or of one that died, and removals that were broken off have left
    /// on this machine.
    fn remains(&self, pipeline: &str) -> Result<Vec<PathBuf>, Error>;

    /// Removes what runs that died left behind, and says what it was. Call it only under the pipeline's lock.
    fn sweep(&self, pipeline: &str) -> Result<Vec<String>, Error> {
        remove_remains(self.remains(pipeline)?)
    }
}

/// Removes files and directories of this machine, and says what they were.
fn remove_remains(remains: Vec<PathBuf>) -> Result<Vec<String>, Error> {
    let remove = |path: PathBuf| {
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(Error::io(format!("removing {}", path.display())))?;
        Ok(path.display().to_string())
    };
    remains.into_iter().map(remove).collect()
}

/// Someone who watches long work, and may end it.
pub trait Watch: Sync {
    /// Another phase of the work begins: what is done in it, and to how many bytes, where anybody knows.
    fn phase(&self, _doing: &'static str, _total: Option<u64>) {}
    /// Bytes moved, and files ended.
    fn moved(&self, bytes: u64, files: u64);
    /// Whether to give up with [`Error::Canceled`].
    fn stopped(&self) -> bool;
}

/// Why a repository did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A path stored twice in one pass.
    #[error("{0} was stored before in this pass")]
    Exists(String),
    /// Nothing there.
    #[error("{0} is not there")]
    NotFound(String),
    /// Someone else uses it.
    #[error("{0}")]
    Busy(String),
    /// The bytes that should have been stored could not be read.
    #[error("reading {path}")]
    Source {
        /// What was being stored.
        path: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The repository's own storage failed.
    #[error("{doing}")]
    Io {
        /// What was being done, to what.
        doing: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// What was stored is not what should be there.
    #[error("{0}")]
    Damaged(String),
    /// A name that cannot be kept or must not be followed.
    #[error(transparent)]
    Path(#[from] BadPath),
    /// There is no repository.
    #[error("there is no repository at {0}")]
    NoRepository(String),
    /// The password opens no key.
    #[error("no key of {0} opens with this password\nhelp: compare the file, variable or command that it is read from")]
    WrongPassword(String),
    /// The target refuses: a link in the way, a file that is there already.
    #[error("{0}")]
    Refused(String),
    /// A bad pattern.
    #[error("pattern {pattern:?}: {why}")]
    Pattern {
        /// As given.
        pattern: String,
        /// What is wrong.
        why: String,
    },
    /// The run is to stop.
    #[error("canceled")]
    Canceled,
}

/// Threads that can run at once. Asked once: the answer costs ten system calls where there are control groups.
pub fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(2, usize::from))
}

/// The machine's name.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

impl Error {
    /// For `map_err` on storage: what was being done, to what.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |cause| Self::Io { doing, cause }
    }

    /// For `map_err` on sources.
    pub fn source(path: &RawPath) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_text();
        move |cause| Self::Source { path, cause }
    }
}

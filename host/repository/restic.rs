//! A repository in restic's format, version 2: deduplicated, encrypted, and read by restic when strongroom is gone
//! (<https://restic.readthedocs.io/en/stable/100_references.html>).
//!
//! `draft` writes (`intake` takes content, `cut` says where it is cut, `writer` saves blobs, `parent` knows what has not
//! changed, `seal` ends it), `archive` reads (`trees` and `reader` find what is where) and `prove` reads all of it back.
//! `check` looks whether all is there and whole, `prune` removes what no snapshot needs, by trees that `forest` walks.
//! `vault` is the storage where files lie, with the key; `lock` keeps others away. `pack`, `index`, `node`, `snapshot`
//! and `keys` know the format.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use self::{
    archive::ResticSet,
    draft::{ResticDraft, Started},
    keys::MasterKey,
    lock::Lock,
    snapshot::{Label, SnapshotFile},
    vault::Vault,
};
use super::{
    Archive, Draft, Error, Listed, Proof, Repository, Watch,
    directory::names_in,
    health::Health,
    storage::{self, Kind, Name, Storage, read_back::ReadBack},
};
use crate::{
    config::{Compression, Place, Remote},
    diagnostic::causes,
    digest::Digest,
    secret::Secret,
    snapshot::state::State,
};

mod amount;
mod archive;
mod check;
mod cut;
mod draft;
mod forest;
mod index;
mod intake;
mod key;
mod keyring;
mod keys;
mod lock;
mod node;
mod pack;
mod parent;
mod polynomial;
mod prove;
mod prune;
mod reader;
mod seal;
mod snapshot;
#[cfg(test)]
mod tests;
mod trees;
mod vault;
mod writer;

pub use check::{Checked, Reading};
pub use keyring::KeyListed;
pub use prune::{Amount, MaxUnused, Pruned};

/// Kinds of files of a repository of this format; `config` is there, too.
const KINDS: &[Kind] = &[Kind::Key, Kind::Lock, Kind::Snapshot, Kind::Index, Kind::Pack];
/// The version of the format that is written, and the only one that is read.
const VERSION: u32 = 2;

/// A repository, opened when it is first used.
#[derive(Debug)]
pub struct ResticRepository {
    storage: Arc<dyn Storage>,
    password: Secret,
    compression: Compression,
    /// Whether files are read back while they are written.
    reads_back: bool,
    spill: PathBuf,
    vault: Mutex<Option<Vault>>,
}

/// The file `config`.
#[derive(Serialize, Deserialize)]
struct ConfigFile {
    version: u32,
    id: String,
    chunker_polynomial: String,
}

impl ResticRepository {
    /// The one at `place`, of which nothing is asked yet. `spill`: where this machine keeps what a run must remember
    /// until its end.
    ///
    /// # Errors
    /// [`Error::Io`] when what opens the place cannot be read.
    pub fn at(place: &Place, remote: &Remote, password: Secret, spill: PathBuf) -> Result<Self, Error> {
        let (storage, compression) = (storage::open(place, remote)?, Compression::default());
        Ok(Self { storage, password, compression, reads_back: false, spill, vault: Mutex::default() })
    }

    /// The one in `directory`.
    #[cfg(test)]
    pub fn in_directory(directory: impl Into<PathBuf>, password: Secret, spill: PathBuf) -> Self {
        let (storage, compression) = (Arc::new(storage::local::Local::new(directory)), Compression::default());
        Self { storage, password, compression, reads_back: false, spill, vault: Mutex::default() }
    }

    /// Whether new snapshots are compressed.
    #[must_use]
    pub fn compressing(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Reads each file back after it was written.
    #[must_use]
    pub fn reading_back(mut self) -> Self {
        self.storage = Arc::new(ReadBack(self.storage));
        self.reads_back = true;
        self
    }

    /// Makes it, empty, to cut content where `other` does: then copies of the other's snapshots hold the same pieces.
    ///
    /// # Errors
    /// As [`Repository::init`], and when the other cannot be opened.
    pub fn init_like(&self, other: &Self) -> Result<(), Error> {
        self.make(other.vault()?.polynomial)
    }

    fn make(&self, polynomial: u64) -> Result<(), Error> {
        let making = || Error::io(format!("making {}", self.place().display()));
        if self.exists()? {
            return Err(Error::Exists(self.place().display().to_string()));
        }
        self.storage.create(KINDS).map_err(making())?;
        // One that could not be made to its end may have left a key; two that one password opens would be one too many.
        let master = match keys::open(&*self.storage, &self.password) {
            Ok((master, _)) => master,
            Err(_) => {
                let master = MasterKey::random();
                keys::add(&*self.storage, &master, &self.password)?;
                master
            }
        };
        let config = ConfigFile {
            version: VERSION,
            id: Digest::from_bytes(rand::random()).to_string(),
            chunker_polynomial: format!("{polynomial:x}"),
        };
        let json = serde_json::to_vec(&config).map_err(|why| making()(why.into()))?;
        let mut file = Vec::new();
        let start = key::Key::begin(&mut file);
        file.extend(json);
        master.key().seal(&mut file, start).map_err(|why| making()(io::Error::other(why)))?;
        self.storage.write(&Name::config(), &file).map_err(making())
    }

    /// Removes locks that nobody holds any more, or all of them; returns how many.
    ///
    /// # Errors
    /// When the repository cannot be opened, or a lock not be removed.
    pub fn unlock(&self, all: bool) -> Result<usize, Error> {
        lock::unlock(&self.vault()?, all)
    }

    /// Looks whether everything that snapshots need is there and, as far as `reading` says, whole.
    ///
    /// # Errors
    /// When the repository cannot be opened or listed. What is damaged is no error: it is named in what is returned.
    pub fn check(&self, reading: Reading, watch: &dyn Watch) -> Result<Checked, Error> {
        let vault = self.vault()?;
        let mut checked = check::check(&vault, reading, watch)?;
        if let Err(why) = self.config(&vault.key) {
            checked.errors.insert(0, causes(&why));
        }
        Ok(checked)
    }

    /// Removes what no snapshot needs; of packs that hold too much of it, the rest is copied. `dry_run`: only says what
    /// would be done.
    ///
    /// # Errors
    /// [`Error::Busy`] while somebody else uses the repository; [`Error::Damaged`] when it cannot be told for certain
    /// what is needed. Then nothing was removed.
    pub fn prune(&self, max_unused: MaxUnused, dry_run: bool, watch: &dyn Watch) -> Result<Pruned, Error> {
        prune::prune(&self.vault()?, max_unused, dry_run, watch)
    }

    /// The opened repository.
    fn vault(&self) -> Result<Vault, Error> {
        let mut vault = self.vault.lock().unwrap_or_else(PoisonError::into_inner);
        match &*vault {
            Some(vault) => Ok(vault.clone()),
            None => Ok(vault.insert(self.open_vault()?).clone()),
        }
    }

    fn open_vault(&self) -> Result<Vault, Error> {
        let place = self.place().display().to_string();
        if !self.exists()? {
            return Err(Error::NoRepository(place));
        }
        let (master, _) = keys::open(&*self.storage, &self.password)?;
        let key = master.key();
        let config = self.config(&key)?;
        if config.version != VERSION {
            return Err(Error::Refused(format!(
                "{place} has version {} of restic's format, and strongroom knows {VERSION} only\n\
                 help: `restic migrate upgrade_repo_v2` makes it one",
                config.version
            )));
        }
        let polynomial = u64::from_str_radix(&config.chunker_polynomial, 16);
        let polynomial = polynomial.map_err(|why| Error::Damaged(format!("{place}/config: {why}")))?;
        Ok(Vault { storage: Arc::clone(&self.storage), key, polynomial })
    }

    fn config(&self, key: &key::Key) -> Result<ConfigFile, Error> {
        let path = self.place().join("config").display().to_string();
        let mut file = self.storage.read(&Name::config()).map_err(Error::io(format!("reading {path}")))?;
        let json = key.open(&mut file).map_err(|why| Error::Damaged(format!("{path}: {why}")))?;
        serde_json::from_slice(json).map_err(|why| Error::Damaged(format!("{path}: {why}")))
    }

    /// Every snapshot file that can be read, and why others cannot.
    fn files(&self) -> Result<(Vec<(String, SnapshotFile)>, Vec<String>), Error> {
        let vault = self.vault()?;
        let (mut files, mut unreadable) = (Vec::new(), Vec::new());
        for found in vault.list(Kind::Snapshot)? {
            match vault.load(Kind::Snapshot, &found.name) {
                Ok(file) => files.push((found.name, file)),
                // Removed since it was listed.
                Err(Error::NotFound(_)) => {}
                Err(why) => unreadable.push(causes(&why)),
            }
        }
        Ok((files, unreadable))
    }

    fn file(&self, id: &str) -> Result<(String, SnapshotFile), Error> {
        let found = self.files()?.0.into_iter().find(|(name, file)| snapshot_id(name, file) == id);
        found.ok_or_else(|| Error::NotFound(format!("snapshot {id} in {}", self.place().display())))
    }
}

/// Our id of a snapshot; of one that another program made, the begin of its file's name.
fn snapshot_id(name: &str, file: &SnapshotFile) -> String {
    Label::of(&file.tags).map_or_else(|| name[..name.len().min(16)].to_owned(), |label| label.snapshot)
}

/// The pipeline of snapshots that another program made.
const FOREIGN: &str = "-";

impl Repository for ResticRepository {
    fn place(&self) -> PathBuf {
        self.storage.place()
    }

    fn exists(&self) -> Result<bool, Error> {
        let reading = format!("reading {}/config", self.place().display());
        Ok(storage::config_of(&*self.storage).map_err(Error::io(reading))?.is_some())
    }

    fn maker(&self) -> &'static str {
        "`strongroom init`"
    }

    fn init(&self) -> Result<(), Error> {
        self.make(polynomial::random())
    }

    fn snapshots(&self) -> Result<(Vec<Listed>, Vec<String>), Error> {
        let (files, unreadable) = self.files()?;
        let ids: HashMap<String, String> =
            files.iter().map(|(name, file)| (name.clone(), snapshot_id(name, file))).collect();
        let listed = |(name, file): (String, SnapshotFile)| {
            let label = Label::of(&file.tags);
            let totals = file.summary.clone();
            Listed {
                id: snapshot_id(&name, &file),
                pipeline: label.as_ref().map_or_else(|| FOREIGN.to_owned(), |label| label.pipeline.clone()),
                started: file.time.clone(),
                host: Some(file.hostname.clone()).filter(|host| !host.is_empty()),
                parent: file.parent.and_then(|parent| ids.get(&parent.to_string()).cloned()),
                state: label.map_or(State::Unproven, |label| label.state),
                bytes: totals.as_ref().map(|totals| totals.total_bytes_processed),
                stored_bytes: totals.map_or(0, |totals| totals.data_added_packed),
                path: self.place().join(Kind::Snapshot.word()).join(name),
            }
        };
        let mut snapshots: Vec<_> = files.into_iter().map(listed).collect();
        snapshots.sort_by(|one, other| (&one.started, &one.id).cmp(&(&other.started, &other.id)));
        Ok((snapshots, unreadable))
    }

    fn open(&self, id: &str) -> Result<Box<dyn Archive>, Error> {
        Ok(Box::new(ResticSet::open(self.vault()?, self.file(id)?.1)?))
    }

    fn prove_copy(&self, id: &str, watch: &dyn Watch) -> Result<Proof, Error> {
        if !self.reads_back {
            return self.open(id)?.prove(watch);
        }
        let vault = self.vault()?;
        let _lock = Lock::take_to_read(&vault)?;
        let damage = check::check_one(&vault, id, self.file(id)?.1.tree, watch)?;
        Ok(Proof { damage, ..Proof::default() })
    }

    fn draft(&self, id: &str, pipeline: &str, started: &str) -> Result<Box<dyn Draft>, Error> {
        let label = Started { id: id.to_owned(), pipeline: pipeline.to_owned(), started: started.to_owned() };
        let (spill, health) = (&self.spill, Arc::<Health>::default());
        Ok(Box::new(ResticDraft::begin(self.vault()?, label, spill, self.compression, health)?))
    }

    fn room(&self) -> Result<u64, Error> {
        let asking = format!("asking for the room in {}", self.place().display());
        Ok(self.storage.room().map_err(Error::io(asking))?.unwrap_or(u64::MAX))
    }

    fn forget(&self, id: &str) -> Result<(), Error> {
        let vault = self.vault()?;
        let _lock = Lock::take(&vault, true)?;
        vault.remove(&Name::new(Kind::Snapshot, self.file(id)?.0))
    }

    fn remains(&self, pipeline: &str) -> Result<Vec<PathBuf>, Error> {
        let names = names_in(&self.spill)?.into_iter().filter(|name| draft::is_scratch(name, pipeline));
        Ok(names.map(|name| self.spill.join(name)).collect())
    }
}

/// Whether a repository of this format lies in `directory`.
pub fn is_in(directory: &Path) -> bool {
    directory.join("config").is_file() && directory.join("keys").is_dir()
}

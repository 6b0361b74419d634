//! Where sealed sets are: files in a directory of this machine, or volumes in a storage.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    ENCRYPTED, removal, seal,
    volumes::{self, VolumeSet, Volumes},
};
use crate::{
    config::{Place, Remote},
    repository::{
        Error, Watch, directory,
        health::Health,
        storage::{self, Kind, Name, Storage},
    },
};

/// See the module.
#[derive(Clone, Debug)]
pub(super) enum Home {
    /// Of this machine.
    Directory(PathBuf),
    /// Anywhere else.
    Storage(Arc<dyn Storage>),
}

/// A sealed set, which is one file wherever it is.
#[derive(Clone, Debug)]
pub struct Sealed {
    name: String,
    at: At,
}

#[derive(Clone, Debug)]
enum At {
    /// In this directory.
    Directory(PathBuf),
    /// In volumes.
    Storage(Arc<dyn Storage>, VolumeSet),
}

/// The bytes of a sealed set, any stretch of them at once.
pub(super) enum Blob {
    File(File),
    Volumes(Volumes),
}

/// The file `config` of a storage of sets, by which it is known from one of another format.
#[derive(Serialize, Deserialize)]
struct ConfigFile {
    format: String,
    version: u32,
}

/// What `config` says.
const FORMAT: &str = "strongroom-zip";
/// The version that is written, and the only one that is read.
const FORMAT_VERSION: u32 = 1;
/// Bytes that are copied at once.
const PIECE: usize = 1 << 20;

impl ConfigFile {
    /// Its version; none: it is of another format.
    fn parse(json: &[u8]) -> Option<u32> {
        let config: Self = serde_json::from_slice(json).ok()?;
        (config.format == FORMAT).then_some(config.version)
    }
}

impl Home {
    /// The one at `place`. Nothing is asked of it yet.
    pub(super) fn at(place: &Place, remote: &Remote) -> Result<Self, Error> {
        Ok(match place {
            Place::Directory(directory) => Self::Directory(directory.clone()),
            elsewhere => Self::Storage(storage::open(elsewhere, remote)?),
        })
    }

    pub(super) fn place(&self) -> PathBuf {
        match self {
            Self::Directory(directory) => directory.clone(),
            Self::Storage(storage) => storage.place(),
        }
    }

    /// Whether it has been made.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is something else.
    pub(super) fn exists(&self) -> Result<bool, Error> {
        let storage = match self {
            Self::Directory(directory) => return Ok(directory.is_dir()),
            Self::Storage(storage) => storage,
        };
        let reading = format!("reading {}/config", self.place().display());
        let Some(config) = storage::config_of(&**storage).map_err(Error::io(reading))? else { return Ok(false) };
        match ConfigFile::parse(&config) {
            Some(FORMAT_VERSION) => Ok(true),
            version => {
                let found = version.map_or("another format".to_owned(), |version| format!("version {version} of it"));
                let what = format!("{} holds no repository of format zip, but {found}", self.place().display());
                Err(Error::Refused(format!("{what}\nhelp: correct its url or its format in the pipeline file")))
            }
        }
    }

    /// Whether a storage says that sets are in it.
    pub(super) fn is_in(storage: &dyn Storage) -> io::Result<bool> {
        Ok(storage::config_of(storage)?.is_some_and(|config| ConfigFile::parse(&config).is_some()))
    }

    pub(super) fn init(&self) -> Result<(), Error> {
        let making = || Error::io(format!("making {}", self.place().display()));
        match self {
            Self::Directory(path) => DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(making()),
            Self::Storage(storage) => {
                let config = ConfigFile { format: FORMAT.to_owned(), version: FORMAT_VERSION };
                let json = serde_json::to_vec(&config).map_err(|why| making()(why.into()))?;
                let made = storage.create(&[Kind::Set]).and_then(|()| storage.write(&Name::config(), &json));
                made.map_err(|cause| match cause.kind() {
                    io::ErrorKind::AlreadyExists => Error::Exists(self.place().display().to_string()),
                    _ => making()(cause),
                })
            }
        }
    }

    /// Every sealed set, by name; and what is wrong with others, in words.
    pub(super) fn sealed(&self) -> Result<(Vec<Sealed>, Vec<String>), Error> {
        match self {
            Self::Directory(path) => {
                let names = directory::names_in(path)?.into_iter().filter(|name| is_sealed(name));
                Ok((names.map(|name| Sealed { name, at: At::Directory(path.clone()) }).collect(), Vec::new()))
            }
            Self::Storage(storage) => {
                let found = self.volumes(storage)?;
                let sealed =
                    |held: VolumeSet| Sealed { name: held.name.clone(), at: At::Storage(storage.clone(), held) };
                let sets = found.sets.into_iter().filter(|held| is_sealed(&held.name)).map(sealed).collect();
                let place = self.place();
                let damaged = found.damaged.iter().map(|(_, why)| format!("{}/{why}", place.display())).collect();
                Ok((sets, damaged))
            }
        }
    }

    fn volumes(&self, storage: &Arc<dyn Storage>) -> Result<volumes::Found, Error> {
        let listing = format!("listing {}/{}", self.place().display(), Kind::Set.word());
        volumes::list(&**storage).map_err(Error::io(listing))
    }

    /// Bytes that can still be written.
    pub(super) fn room(&self) -> Result<u64, Error> {
        let asking = Error::io(format!("asking for the room in {}", self.place().display()));
        match self {
            Self::Directory(path) => directory::room_in(path).map_err(asking),
            Self::Storage(storage) => Ok(storage.room().map_err(asking)?.unwrap_or(u64::MAX)),
        }
    }

    /// Puts a sealed set there as it is, under `name`, and compares what comes back. Says how many bytes it has.
    pub(super) fn put(&self, name: &str, from: &Blob, watch: &dyn Watch) -> Result<u64, Error> {
        let length = from.length().map_err(Error::io(format!("reading {name}")))?;
        match self {
            Self::Directory(path) => put_file(path, name, from, watch)?,
            Self::Storage(storage) => {
                volumes::write(&storage::read_back::ReadBack(storage.clone()), name, from, watch)?
            }
        }
        Ok(length)
    }

    /// Removes volumes of sets of which no end is there, of those that `wanted` says, and what writers that died long ago
    /// have left of single volumes; and says what they were.
    pub(super) fn sweep(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<String>, Error> {
        let Self::Storage(storage) = self else { return Ok(Vec::new()) };
        let sets = format!("{}/{}", self.place().display(), Kind::Set.word());
        let mut swept = Vec::new();
        for held in self.volumes(storage)?.unfinished.into_iter().filter(|held| wanted(&held.name)) {
            volumes::remove(&**storage, &held)?;
            swept.push(format!("volumes of {sets}/{}", held.name));
        }
        let halves = storage.sweep(&[Kind::Set], storage::UNTOUCHED).map_err(Error::io(format!("sweeping {sets}")))?;
        if halves > 0 {
            swept.push(format!("{halves} halves of volumes in {sets}"));
        }
        Ok(swept)
    }
}

impl Sealed {
    /// The one in the file at `path`.
    pub(super) fn in_file(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { name, at: At::Directory(path.parent().unwrap_or(Path::new(".")).to_owned()) }
    }

    /// Its file's.
    pub(in crate::repository) fn name(&self) -> &str {
        &self.name
    }

    /// Whether only an identity opens it.
    pub(super) fn is_encrypted(&self) -> bool {
        self.name.ends_with(ENCRYPTED)
    }

    /// What people call it.
    pub(super) fn path(&self) -> PathBuf {
        match &self.at {
            At::Directory(directory) => directory.join(&self.name),
            At::Storage(storage, _) => storage.place().join(Kind::Set.word()).join(&self.name),
        }
    }

    /// Opens it for a moment.
    pub(super) fn open(&self) -> io::Result<Blob> {
        match &self.at {
            At::Directory(_) => directory::file_at(&self.path()).map(Blob::File),
            At::Storage(storage, held) => Ok(Blob::Volumes(Volumes::new(storage.clone(), held.clone()))),
        }
    }

    /// Opens it, and where that can be done keeps others from removing it for as long.
    ///
    /// # Errors
    /// [`Error::Busy`] when it is being removed this moment.
    pub(super) fn open_to_read(&self) -> Result<Blob, Error> {
        let blob = self.open().map_err(Error::io(format!("opening {}", self.path().display())))?;
        if let Blob::File(file) = &blob {
            removal::mark_read(file, &self.path())?;
        }
        Ok(blob)
    }

    pub(super) fn remove(&self) -> Result<(), Error> {
        match &self.at {
            At::Directory(_) => removal::remove(&self.path()),
            At::Storage(storage, held) => volumes::remove(&**storage, held),
        }
    }
}

impl Blob {
    /// Bytes of it.
    pub(super) fn length(&self) -> io::Result<u64> {
        match self {
            Self::File(file) => file.metadata().map(|metadata| metadata.len()),
            Self::Volumes(volumes) => Ok(volumes.length()),
        }
    }

    /// As [`FileExt::read_at`].
    pub(super) fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read_at(buffer, at),
            Self::Volumes(volumes) => volumes.read_at(buffer, at),
        }
    }

    /// As [`FileExt::read_exact_at`].
    pub(super) fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        fill_at(buffer, at, |buffer, at| self.read_at(buffer, at))
    }
}

/// Fills `buffer` with what `read` brings from `at` on.
pub(super) fn fill_at(
    mut buffer: &mut [u8],
    mut at: u64,
    read: impl Fn(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<()> {
    while !buffer.is_empty() {
        match read(buffer, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => (buffer, at) = (&mut buffer[count..], at + count as u64),
        }
    }
    Ok(())
}

/// Whether a file of that name is a set that anybody may see.
pub(super) fn is_sealed(name: &str) -> bool {
    (name.ends_with(".zip") || name.ends_with(ENCRYPTED)) && !name.starts_with('.')
}

fn put_file(directory: &Path, name: &str, from: &Blob, watch: &dyn Watch) -> Result<(), Error> {
    let (sealed, partial) = (directory.join(name), directory.join(format!(".{name}{}", seal::PARTIAL)));
    if sealed.exists() {
        return Err(Error::Exists(sealed.display().to_string()));
    }
    let written = fill(&partial, from, watch).and_then(|()| seal::publish(&Health::default(), &partial, &sealed));
    if written.is_err() {
        // What cannot be removed now is removed by the next sweep.
        let _ = fs::remove_file(&partial);
    }
    written
}

fn fill(partial: &Path, from: &Blob, watch: &dyn Watch) -> Result<(), Error> {
    let writing = || Error::io(format!("writing {}", partial.display()));
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(partial).map_err(writing())?;
    let mut at = 0;
    each_piece(from, watch, |piece| {
        (&file).write_all(piece).map_err(writing())?;
        watch.moved(piece.len() as u64, 0);
        Ok(())
    })?;
    file.sync_all().map_err(writing())?;
    each_piece(from, watch, |piece| {
        let mut back = vec![0; piece.len()];
        file.read_exact_at(&mut back, at).map_err(writing())?;
        at += piece.len() as u64;
        match back == piece {
            true => Ok(()),
            false => {
                Err(Error::Damaged(format!("{} was read back as other bytes than were written", partial.display())))
            }
        }
    })
}

fn each_piece(from: &Blob, watch: &dyn Watch, mut each: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
    let (mut piece, mut at) = (vec![0; PIECE], 0);
    loop {
        if watch.stopped() {
            return Err(Error::Canceled);
        }
        match from.read_at(&mut piece, at).map_err(Error::io("reading the set that is copied"))? {
            0 => return Ok(()),
            count => {
                each(&piece[..count])?;
                at += count as u64;
            }
        }
    }
}

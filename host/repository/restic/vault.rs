//! A repository whose key is known: its storage, and how what is in it is sealed and opened.

use std::{io, path::PathBuf, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    key::Key,
    storage::{Found, Kind, Name, Storage},
};
use crate::{
    digest::Digest,
    repository::{Error, cores},
};

/// Ahead of a file whose JSON is packed with zstd.
const PACKED: u8 = 2;
/// Bytes that the JSON of one file may take: what is longer is no file of a repository.
pub(super) const JSON_MAX: usize = 1 << 30;
/// zstd's scale: what `auto` means.
pub(super) const LEVEL: i32 = 3;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Vault {
    pub storage: Arc<dyn Storage>,
    pub key: Key,
    /// From the repository's `config`.
    pub polynomial: u64,
}

impl Vault {
    /// Files that are worth reading at once: a server answers while others are waited for.
    pub(super) fn readers(&self) -> usize {
        cores().max(self.storage.connections())
    }

    /// Seals `content` as JSON into a file of its own; returns its name.
    pub(super) fn save(&self, kind: Kind, content: &impl Serialize) -> Result<Digest, Error> {
        let writing = || Error::io(format!("writing a file of {}", self.describe(kind)));
        let json = serde_json::to_vec(content).map_err(|why| writing()(why.into()))?;
        let mut file = Vec::with_capacity(json.len() / 2 + 128);
        let start = Key::begin(&mut file);
        file.push(PACKED);
        file.extend(zstd::bulk::compress(&json, LEVEL).map_err(writing())?);
        self.key.seal(&mut file, start).map_err(|why| writing()(io::Error::other(why)))?;
        let digest = Digest::of(&file);
        let name = Name::new(kind, digest);
        self.storage.write(&name, &file).map_err(Error::io(format!("writing {}", self.path(&name).display())))?;
        Ok(digest)
    }

    /// Reads the JSON of a file, which must be what its name says.
    pub(super) fn load<T: DeserializeOwned>(&self, kind: Kind, name: &str) -> Result<T, Error> {
        let name = Name::new(kind, name);
        let damaged = |why: String| Error::Damaged(format!("{}: {why}", self.path(&name).display()));
        let mut file = self.read(&name)?;
        if Digest::of(&file).to_string() != name.name {
            return Err(damaged("its content is not what its name says".into()));
        }
        let opened = self.key.open(&mut file).map_err(|why| damaged(why.to_string()))?;
        let json = unpack(opened).map_err(|why| damaged(why.to_string()))?;
        serde_json::from_slice(&json).map_err(|why| damaged(format!("it cannot be understood: {why}")))
    }

    /// A whole file.
    pub(super) fn read(&self, name: &Name) -> Result<Vec<u8>, Error> {
        self.storage.read(name).map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => Error::NotFound(self.path(name).display().to_string()),
            _ => Error::io(format!("reading {}", self.path(name).display()))(cause),
        })
    }

    /// Files of a kind.
    pub(super) fn list(&self, kind: Kind) -> Result<Vec<Found>, Error> {
        self.storage.list(kind).map_err(Error::io(format!("listing {}", self.describe(kind))))
    }

    /// Removes a file.
    pub(super) fn remove(&self, name: &Name) -> Result<(), Error> {
        self.storage.remove(name).map_err(Error::io(format!("removing {}", self.path(name).display())))
    }

    /// What people call a file.
    pub(super) fn path(&self, name: &Name) -> PathBuf {
        self.storage.place().join(name.path())
    }

    fn describe(&self, kind: Kind) -> String {
        self.storage.place().join(kind.word()).display().to_string()
    }
}

/// JSON as it is, or packed.
fn unpack(content: &[u8]) -> io::Result<std::borrow::Cow<'_, [u8]>> {
    match content.first() {
        Some(b'{' | b'[') => Ok(content.into()),
        Some(&PACKED) => Ok(unzstd(&content[1..], JSON_MAX)?.into()),
        _ => Err(io::Error::other("it begins as no file of a repository does")),
    }
}

/// What zstd packed, of `max` bytes at most.
pub(super) fn unzstd(packed: &[u8], max: usize) -> io::Result<Vec<u8>> {
    use io::Read;
    let mut content = Vec::new();
    let count = zstd::Decoder::with_buffer(packed)?.take(max as u64 + 1).read_to_end(&mut content)?;
    match count <= max {
        true => Ok(content),
        false => Err(io::Error::other(format!("it holds more than {max} bytes"))),
    }
}

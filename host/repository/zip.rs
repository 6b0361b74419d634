//! A repository of self-contained zip sets: `unzip` and `sha256sum -c SHA256SUMS` prove each of them.
//!
//! `draft` writes (`intake` takes content, `pack` deflates it, `set` is the file and its spools, `catalog` what is in
//! it, `seal` its end), `archive` reads and `prove` reads all of it back, `removal` takes a set away. `header` knows
//! the format, `lines` the lists.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Archive, Draft, Error, Listed, Repository};

mod archive;
mod catalog;
mod draft;
mod header;
mod health;
mod intake;
mod lines;
mod pack;
mod prove;
mod removal;
mod seal;
mod set;
#[cfg(test)]
mod tests;

/// A directory of sets.
#[derive(Clone, Debug)]
pub struct ZipRepository {
    directory: PathBuf,
}

impl ZipRepository {
    /// Uses `directory`; it is made, with mode 0700, when the first draft is.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The set with that id.
    fn path_of(&self, id: &str) -> Result<PathBuf, Error> {
        let ending = format!("-{id}.zip");
        let name = self.names()?.into_iter().find(|name| is_sealed(name) && name.ends_with(&ending));
        let name = name.ok_or_else(|| Error::NotFound(format!("snapshot {id} in {}", self.directory.display())))?;
        Ok(self.directory.join(name))
    }

    /// Names in the directory; none when it is not there yet.
    fn names(&self) -> Result<Vec<String>, Error> {
        let listing = || format!("listing {}", self.directory.display());
        let entries = match fs::read_dir(&self.directory) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::io(listing()))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(Error::io(listing()))?.file_name();
            names.extend(name.into_string().ok());
        }
        names.sort();
        Ok(names)
    }
}

/// Whether plain `unzip` would drop bytes of this name: control characters and 0xff. `unzip -^` keeps them.
pub fn awkward_name(path: &crate::name::RawPath) -> bool {
    path.as_bytes().iter().any(|byte| matches!(byte, 0..32 | 0x7f | 0xff))
}

impl Repository for ZipRepository {
    fn snapshots(&self) -> Result<(Vec<Listed>, Vec<String>), Error> {
        let (mut sets, mut unreadable) = (Vec::new(), Vec::new());
        for name in self.names()?.into_iter().filter(|name| is_sealed(name)) {
            let path = self.directory.join(&name);
            match listed(&path) {
                Ok(set) => sets.push(set),
                Err(why) => unreadable.push(format!("{}: {why}", path.display())),
            }
        }
        sets.sort_by(|one, other| (&one.started, &one.id).cmp(&(&other.started, &other.id)));
        Ok((sets, unreadable))
    }

    fn open(&self, id: &str) -> Result<Box<dyn Archive>, Error> {
        Ok(Box::new(archive::ZipSet::open(&self.path_of(id)?)?))
    }

    fn draft(&self, id: &str, pipeline: &str, started: &str) -> Result<Box<dyn Draft>, Error> {
        let name = format!("{pipeline}-{}-{id}.zip", stamp(started));
        Ok(Box::new(draft::ZipDraft::begin(&self.directory, &name, Arc::default())?))
    }

    fn room(&self) -> Result<u64, Error> {
        let there = self.directory.ancestors().find(|directory| directory.is_dir()).unwrap_or(Path::new("."));
        let asking = || format!("asking for the room in {}", there.display());
        let room = rustix::fs::statvfs(there).map_err(|cause| Error::io(asking())(cause.into()))?;
        Ok(room.f_bavail.saturating_mul(room.f_frsize))
    }

    fn forget(&self, id: &str) -> Result<(), Error> {
        removal::remove(&self.path_of(id)?)
    }

    fn sweep(&self, pipeline: &str) -> Result<Vec<String>, Error> {
        let mut swept = Vec::new();
        for name in self.names()?.into_iter().filter(|name| is_remains(name, pipeline)) {
            let path = self.directory.join(&name);
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(Error::io(format!("removing {}", path.display())))?;
            swept.push(path.display().to_string());
        }
        Ok(swept)
    }
}

fn is_sealed(name: &str) -> bool {
    name.ends_with(".zip") && !name.starts_with('.')
}

/// Whether a draft or a removal of `pipeline` (and not of one whose name only begins alike) left `name` behind.
fn is_remains(name: &str, pipeline: &str) -> bool {
    let own = || {
        let rest = name.strip_prefix('.')?.strip_prefix(pipeline)?.strip_prefix('-')?;
        let endings = [".zip.partial", ".zip.scratch", ".zip.forgotten"];
        let rest = endings.iter().find_map(|ending| rest.strip_suffix(ending))?;
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

/// What a set's comment says of it.
fn listed(path: &Path) -> Result<Listed, Error> {
    let reading = || Error::io(format!("reading {}", path.display()));
    let file = File::open(path).map_err(reading())?;
    let stored_bytes = file.metadata().map_err(reading())?.len();
    let ending = ending(&file, stored_bytes).map_err(reading())?;
    let label: Option<seal::Label> = header::comment(&ending).and_then(|comment| serde_json::from_slice(comment).ok());
    let label = label.ok_or_else(|| Error::Damaged("it does not end as a set does".into()))?;
    Ok(Listed {
        id: label.snapshot,
        pipeline: label.pipeline,
        started: label.started,
        state: label.state,
        bytes: label.totals.bytes,
        stored_bytes,
        path: path.to_owned(),
    })
}

/// The last bytes of a file of `length` bytes: where a zip's end and its comment are.
fn ending(file: &File, length: u64) -> io::Result<Vec<u8>> {
    let count = length.min(22 + 0xffff);
    let mut ending = vec![0; count as usize];
    file.read_exact_at(&mut ending, length - count)?;
    Ok(ending)
}

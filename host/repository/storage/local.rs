//! A repository in a directory.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{Found, Kind, Name, Storage, is_unfinished, unfinished};
use crate::repository::directory::{file_at, room_in};

/// Files that are kept open for reading.
const OPEN_MAX: usize = 64;

/// See the module.
pub(in crate::repository) struct Local {
    directory: PathBuf,
    /// Read last, last.
    open: Mutex<Vec<(String, Arc<File>)>>,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Local({})", self.directory.display())
    }
}

impl Local {
    pub(in crate::repository) fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), open: Mutex::default() }
    }

    fn path(&self, name: &Name) -> PathBuf {
        self.directory.join(name.path())
    }

    /// The file, opened for reading; one that was read lately still is.
    fn file(&self, name: &Name) -> io::Result<Arc<File>> {
        let lock = || self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open = lock();
        if let Some(at) = open.iter().rposition(|(known, _)| *known == name.name) {
            let found = open.remove(at);
            open.push(found.clone());
            return Ok(found.1);
        }
        drop(open);
        let file = Arc::new(file_at(&self.path(name))?);
        let mut open = lock();
        if open.len() >= OPEN_MAX {
            open.remove(0);
        }
        open.push((name.name.clone(), file.clone()));
        Ok(file)
    }
}

impl Storage for Local {
    fn create(&self, kinds: &[Kind]) -> io::Result<()> {
        let make = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
        for kind in kinds {
            make(&self.directory.join(kind.word()))?;
            if *kind == Kind::Pack {
                (0..=255).try_for_each(|first| make(&self.directory.join(format!("data/{first:02x}"))))?;
            }
        }
        Ok(())
    }

    fn list(&self, kind: Kind) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        let directory = self.directory.join(kind.word());
        match kind {
            Kind::Config => return Ok(found),
            Kind::Pack => {
                for first in fs::read_dir(&directory)? {
                    let first = first?;
                    if first.file_type()?.is_dir() {
                        list_into(kind, &first.path(), &mut found)?;
                    }
                }
            }
            _ => list_into(kind, &directory, &mut found)?,
        }
        Ok(found)
    }

    fn read(&self, name: &Name) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        file_at(&self.path(name))?.read_to_end(&mut content)?;
        Ok(content)
    }

    fn read_at(&self, name: &Name, offset: u64, room: &mut [u8]) -> io::Result<()> {
        self.file(name)?.read_exact_at(room, offset)
    }

    fn write(&self, name: &Name, content: &[u8]) -> io::Result<()> {
        let path = self.path(name);
        let directory = path.parent().unwrap_or(&self.directory);
        let temporary = directory.join(unfinished(&name.name));
        let written = write_new(&temporary, content).and_then(|()| fs::rename(&temporary, &path));
        if written.is_err() {
            // What cannot be removed now is no file of the repository: nobody lists it.
            let _ = fs::remove_file(&temporary);
        }
        written?;
        File::open(directory)?.sync_all()
    }

    fn remove(&self, name: &Name) -> io::Result<()> {
        let path = self.path(name);
        // One that is open takes room for as long.
        self.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, _)| *known != name.name);
        match fs::remove_file(&path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
            // An index that came back after a crash would name packs that were removed after it.
            Ok(()) if name.kind == Kind::Index => File::open(path.parent().unwrap_or(&self.directory))?.sync_all(),
            removed => removed,
        }
    }

    fn sweep(&self, kinds: &[Kind], untouched: Duration) -> io::Result<u64> {
        let mut swept = sweep_in(Kind::Config, &self.directory, untouched)?;
        for kind in kinds {
            let directory = self.directory.join(kind.word());
            if *kind != Kind::Pack {
                swept += sweep_in(*kind, &directory, untouched)?;
                continue;
            }
            for first in fs::read_dir(directory)? {
                let first = first?;
                if first.file_type()?.is_dir() {
                    swept += sweep_in(*kind, &first.path(), untouched)?;
                }
            }
        }
        Ok(swept)
    }

    fn connections(&self) -> usize {
        2
    }

    fn room(&self) -> io::Result<Option<u64>> {
        room_in(&self.directory).map(Some)
    }

    fn place(&self) -> PathBuf {
        self.directory.clone()
    }
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    // Read-only, as restic has it: nothing in a repository is ever changed.
    let mut file = File::options().write(true).create_new(true).mode(0o400).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn list_into(kind: Kind, directory: &Path, found: &mut Vec<Found>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if kind.has(&name) {
            match entry.metadata() {
                Ok(metadata) => found.push(Found { name, size: metadata.len() }),
                // Removed since the names were read.
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
                Err(cause) => return Err(cause),
            }
        }
    }
    Ok(())
}

/// Removes what is not a file yet, and was not touched for so long.
fn sweep_in(kind: Kind, directory: &Path, untouched: Duration) -> io::Result<u64> {
    let mut swept = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().into_string().unwrap_or_default();
        // A time that is later than now is no age.
        let age = || entry.metadata().and_then(|metadata| metadata.modified()).ok()?.elapsed().ok();
        if is_unfinished(kind, &name) && age().is_some_and(|age| age > untouched) {
            fs::remove_file(entry.path())?;
            swept += 1;
        }
    }
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    const KINDS: &[Kind] = &[Kind::Key, Kind::Lock, Kind::Snapshot, Kind::Index, Kind::Pack, Kind::Set];

    #[test]
    fn a_pipe_is_refused_and_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let local = Local::new(directory.path());
        local.create(KINDS).unwrap();
        let name = Name::new(Kind::Index, "ab".repeat(32));
        rustix::fs::mkfifoat(rustix::fs::CWD, local.path(&name), rustix::fs::Mode::RUSR).unwrap();
        let refused = [local.read(&name).map(drop), local.read_at(&name, 0, &mut [0; 4])];
        assert!(refused.iter().all(|read| read.as_ref().is_err_and(|why| why.kind() == io::ErrorKind::InvalidInput)));
    }

    #[test]
    fn what_a_dead_writer_left_goes_when_it_is_old_and_nothing_else_does() {
        let directory = tempfile::tempdir().unwrap();
        let (local, day) = (Local::new(directory.path()), Duration::from_secs(86_400));
        local.create(KINDS).unwrap();
        let (id, random) = ("ab".repeat(32), "0123456789abcdef");
        let old = [
            format!("-tmp-{random}"),
            format!("data/ab/{id}-tmp-{random}"),
            format!("index/{id}-tmp-{random}"),
            format!("sets/wiki-tmp-1.zip-tmp-{random}"),
        ];
        let stays = [
            format!("data/ab/{id}"),
            format!("data/{id}-tmp-{random}"),
            format!("snapshots/{id}-tmp-{random}0"),
            format!("keys/{}-tmp-{random}", &id[1..]),
            format!("locks/{id}-tmp-new0123456789ab"),
            "config".to_owned(),
            "sets/wiki-tmp-1.zip".to_owned(),
        ];
        let long_ago = SystemTime::now() - 2 * day;
        for name in old.iter().chain(&stays) {
            let path = directory.path().join(name);
            fs::write(&path, "half").unwrap();
            File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
        }
        let young = directory.path().join(format!("data/ab/{id}-tmp-ffffffffffffffff"));
        let ahead = directory.path().join(format!("data/ab/{id}-tmp-fffffffffffffff0"));
        fs::write(&young, "half").unwrap();
        fs::write(&ahead, "half").unwrap();
        File::options().write(true).open(&ahead).unwrap().set_modified(SystemTime::now() + day).unwrap();
        assert_eq!(local.sweep(KINDS, day).unwrap(), 4);
        assert!(old.iter().all(|name| !directory.path().join(name).exists()));
        assert!(stays.iter().all(|name| directory.path().join(name).exists()) && young.exists() && ahead.exists());
    }
}

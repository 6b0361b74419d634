//! Removes a sealed set: hidden in one step, then unlinked. What dies in between is swept like any other remains.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use crate::repository::{Error, directory::file_at};

/// How the name of a set that is being removed ends.
pub(super) const FORGOTTEN: &str = ".forgotten";

/// Marks an open set as being read, for as long as `file` is open.
///
/// # Errors
/// [`Error::Busy`] when it is being removed this moment.
pub(super) fn mark_read(file: &File, path: &Path) -> Result<(), Error> {
    match flock(file, FlockOperation::NonBlockingLockShared) {
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Busy(format!("{} is being removed", path.display()))),
        // A file system without locks protects no reader, and keeps none from reading.
        _ => Ok(()),
    }
}

/// Removes the set at `path`. Its name is gone in one step, whatever happens next.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    let file = file_at(path).map_err(Error::io(format!("opening {}", path.display())))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => return Err(Error::Busy(format!("{} is being read", path.display()))),
        Err(errno) if !is_unsupported(errno) => {
            return Err(Error::io(format!("locking {}", path.display()))(errno.into()));
        }
        _ => {}
    }
    let hidden = hide(path)?;
    fs::remove_file(&hidden).map_err(Error::io(format!("removing {}", hidden.display())))?;
    sync_directory(path)
}

fn is_unsupported(errno: rustix::io::Errno) -> bool {
    [rustix::io::Errno::NOSYS, rustix::io::Errno::OPNOTSUPP, rustix::io::Errno::NOLCK].contains(&errno)
}

/// Gives the set a name that no listing shows and the next sweep knows.
pub(super) fn hide(path: &Path) -> Result<PathBuf, Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hidden = path.with_file_name(format!(".{name}{FORGOTTEN}"));
    fs::rename(path, &hidden).map_err(Error::io(format!("renaming {} to {}", path.display(), hidden.display())))?;
    sync_directory(path)?;
    Ok(hidden)
}

fn sync_directory(path: &Path) -> Result<(), Error> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let sync = || -> io::Result<()> { File::open(directory)?.sync_all() };
    sync().map_err(Error::io(format!("syncing {}", directory.display())))
}

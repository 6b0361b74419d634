//! A private directory for one run: for files with secrets, lists and spools. Gone with its run, or with the next one.
//!
//! A run that is killed cannot remove its own. So whoever makes one first removes those beside it that nobody holds: each
//! is held by an `flock`, which dies with its process, whatever its number means on another machine or in a container.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

/// What the name of each begins with.
const PREFIX: &str = "strongroom-scratch-";

/// How often a name that is taken, or a directory that was swept before it was held, is tried again.
const TRIES: usize = 16;

/// See the module. Removed when it is dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _held: File,
}

impl Scratch {
    /// Makes one below `parent`, with mode 0700, and removes what dead runs left there.
    ///
    /// # Errors
    /// When it cannot be made or held.
    pub fn make(parent: &Path) -> io::Result<Self> {
        sweep(parent);
        for _ in 0..TRIES {
            if let Some(scratch) = Self::try_make(parent)? {
                return Ok(scratch);
            }
        }
        Err(io::Error::other(format!("no directory below {} could be held", parent.display())))
    }

    /// Makes one where this system keeps what is temporary (`TMPDIR`).
    ///
    /// # Errors
    /// As [`Self::make`].
    pub fn temporary() -> io::Result<Self> {
        Self::make(&std::env::temp_dir())
    }

    fn try_make(parent: &Path) -> io::Result<Option<Self>> {
        let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), std::process::id());
        let path = parent.join(format!("{PREFIX}{random:016x}"));
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            made => made?,
        }
        hold(&path).inspect_err(|_| {
            let _ = fs::remove_dir(&path);
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Holds a new directory; none when another run swept it before it was held.
fn hold(path: &Path) -> io::Result<Option<Scratch>> {
    let held = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        held => held?,
    };
    match flock(&held, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
        locked => locked?,
    }
    let same = fs::metadata(path).is_ok_and(|there| held.metadata().is_ok_and(|own| own.ino() == there.ino()));
    Ok(same.then(|| Scratch { path: path.to_owned(), _held: held }))
}

/// Removes what dead runs left below `parent`. What cannot be removed now is tried again by the next run: nothing of this run depends on it.
pub(super) fn sweep(parent: &Path) {
    let own = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok) {
        let ours = entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes());
        // In a directory that all may write into, somebody else's is left alone; so is a link.
        let dir = || entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == own);
        if ours
            && dir()
            && let Ok(Some(_held)) = hold(&entry.path())
        {
            // Dropping it removes it.
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_run_left_goes_and_what_a_living_one_holds_stays() {
        let parent = tempfile::tempdir().unwrap();
        let living = Scratch::make(parent.path()).unwrap();
        let dead = parent.path().join(format!("{PREFIX}0"));
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join("secret"), "x").unwrap();
        let foreign = parent.path().join("strongroom");
        fs::create_dir(&foreign).unwrap();
        let next = Scratch::make(parent.path()).unwrap();
        assert!(living.path().is_dir() && next.path().is_dir() && foreign.is_dir());
        assert!(!dead.exists());
    }

    #[test]
    fn it_is_private_and_gone_with_its_run() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::make(parent.path()).unwrap();
        let path = scratch.path().to_owned();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        fs::write(path.join("list"), "x").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn a_link_with_such_a_name_is_left_alone() {
        let (parent, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(elsewhere.path(), parent.path().join(format!("{PREFIX}1"))).unwrap();
        drop(Scratch::make(parent.path()).unwrap());
        assert!(elsewhere.path().is_dir());
    }
}

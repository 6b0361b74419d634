//! Lists a directory and all below it, never through a link, in constant memory but for names of directories.

use std::{collections::HashSet, ffi::OsStr, io, os::unix::ffi::OsStrExt, path::Path, sync::Arc};

use cap_std::fs::{Dir, DirEntry, FileTypeExt};

use crate::{
    name::RawPath,
    repository::{Error, beneath, patterns::Patterns},
};

/// Something that the walk saw and that can be stored.
pub(super) struct Seen {
    /// The directory that it lies in.
    pub dir: Arc<Dir>,
    /// Relative to the walk's root.
    pub path: RawPath,
    /// Its name in `dir`.
    pub name: RawPath,
    /// The listing says that it is a regular file; it may have become something else.
    pub is_file: bool,
}

impl Seen {
    /// The walk's root itself, which is `sub` elsewhere.
    pub(super) fn root(root: &Dir, sub: &RawPath) -> Result<Self, Error> {
        let dir = Arc::new(root.try_clone().map_err(Error::source(sub))?);
        Ok(Self { dir, path: RawPath::root(), name: RawPath::root(), is_file: false })
    }

    /// Its name, for the operating system; `.` for the root.
    pub(super) fn name(&self) -> &Path {
        self.name.as_path()
    }
}

/// What a walk finds.
pub(super) enum Found {
    /// A file, a directory or a link.
    Entry(Seen),
    /// Something that no snapshot can hold, and what it is.
    Other(RawPath, &'static str),
    /// A directory that cannot be listed.
    Unreadable(RawPath, io::Error),
}

/// Gives what it finds to `visit`, a directory before what lies in it, until that says false.
pub(super) fn walk(
    root: &Dir,
    patterns: &Patterns,
    visit: &mut dyn FnMut(Found) -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut walk = Walk { patterns, pending: vec![RawPath::root()], passed: HashSet::new(), visit };
    while let Some(path) = walk.pending.pop() {
        let more = match walk.list(root, &path) {
            Ok(more) => more?,
            Err(cause) => (walk.visit)(Found::Unreadable(path, cause))?,
        };
        if !more {
            break;
        }
    }
    Ok(())
}

struct Walk<'a> {
    patterns: &'a Patterns,
    pending: Vec<RawPath>,
    /// Directories that are not meant themselves: they are seen only if something in them is.
    passed: HashSet<RawPath>,
    visit: &'a mut dyn FnMut(Found) -> Result<bool, Error>,
}

impl Walk<'_> {
    /// Lists one directory. The outer error is of the directory, the inner one the visitor's.
    fn list(&mut self, root: &Dir, path: &RawPath) -> io::Result<Result<bool, Error>> {
        let dir = Arc::new(beneath::open_dir(root, path)?);
        for entry in dir.entries()? {
            match self.entry(root, &dir, path, &entry?) {
                Ok(true) => {}
                ended => return Ok(ended),
            }
        }
        Ok(Ok(true))
    }

    fn entry(&mut self, root: &Dir, dir: &Arc<Dir>, parent: &RawPath, entry: &DirEntry) -> Result<bool, Error> {
        let name = RawPath::from_bytes(entry.file_name().as_bytes())?;
        let path = parent.join(&name);
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(cause) => return (self.visit)(Found::Unreadable(path, cause)),
        };
        if self.patterns.excludes(&path, kind.is_dir()) {
            return Ok(true);
        }
        let meant = self.patterns.includes(&path, kind.is_dir());
        if kind.is_dir() {
            self.pending.push(path.clone());
            if !meant {
                self.passed.insert(path);
                return Ok(true);
            }
        }
        let other = match () {
            () if !meant => return Ok(true),
            () if kind.is_dir() || kind.is_file() || kind.is_symlink() => None,
            () if kind.is_socket() => Some("a socket"),
            () if kind.is_fifo() => Some("a named pipe"),
            () => Some("a device"),
        };
        match other {
            Some(what) => (self.visit)(Found::Other(path, what)),
            None => {
                let seen = Seen { dir: Arc::clone(dir), path, name, is_file: kind.is_file() };
                Ok(self.parents(root, &seen.path)? && (self.visit)(Found::Entry(seen))?)
            }
        }
    }

    /// Visits the directories above `path` that are not meant themselves, once each.
    fn parents(&mut self, root: &Dir, path: &RawPath) -> Result<bool, Error> {
        let mut above: Vec<RawPath> =
            std::iter::successors(path.parent(), RawPath::parent).take_while(|dir| self.passed.contains(dir)).collect();
        while let Some(path) = above.pop() {
            self.passed.remove(&path);
            let parent = path.parent().unwrap_or_default();
            let dir = Arc::new(beneath::open_dir(root, &parent).map_err(Error::source(&parent))?);
            let name = RawPath::from_bytes(OsStr::from_bytes(path.file_name()).as_bytes())?;
            if !(self.visit)(Found::Entry(Seen { dir, path, name, is_file: false }))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

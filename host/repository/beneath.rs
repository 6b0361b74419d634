//! Opens what lies below a directory, name by name, never through a link.

use std::{ffi::OsStr, io, os::unix::ffi::OsStrExt, path::Path, sync::Arc};

use cap_fs_ext::DirExt;
use cap_std::fs::{Dir, Metadata, MetadataExt};

use super::{Identity, Meta};
use crate::name::RawPath;

/// Opens the directory at `path`.
pub(super) fn open_dir(root: &Dir, path: &RawPath) -> io::Result<Dir> {
    let names = path.as_bytes().split(|byte| *byte == b'/').filter(|name| !name.is_empty());
    names.map(OsStr::from_bytes).try_fold(root.try_clone()?, |dir, name| dir.open_dir_nofollow(name))
}

/// What is at `path`, a link as a link.
pub(super) fn look(root: &Dir, path: &RawPath) -> io::Result<Metadata> {
    match path.parent() {
        None => root.dir_metadata(),
        Some(parent) => open_dir(root, &parent)?.symlink_metadata(name(path)),
    }
}

/// The last name of a path, for the operating system.
pub(super) fn name(path: &RawPath) -> &Path {
    Path::new(OsStr::from_bytes(path.file_name()))
}

/// What is kept of a file's metadata.
pub(super) fn meta(metadata: &Metadata) -> Meta {
    Meta {
        modified: Some((metadata.mtime(), metadata.mtime_nsec() as u32)),
        mode: Some(metadata.mode() & 0o7777),
        owner: Some((metadata.uid(), metadata.gid())),
        attributes: Vec::new(),
    }
}

/// The same for a regular file, which may have holes: then it takes fewer blocks than it has bytes.
pub(super) fn file_meta(metadata: &Metadata) -> Meta {
    let has_holes = metadata.size() >= HOLES_FROM && metadata.blocks() < metadata.size() / 512;
    if has_holes { meta(metadata).with_holes() } else { meta(metadata) }
}

/// Below this many bytes holes save nothing.
const HOLES_FROM: u64 = 64 << 10;

/// What tells whether a file is the same as before.
pub(super) fn identity(metadata: &Metadata) -> Identity {
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
    }
}

/// The directory that was opened last: files of one directory mostly come one after the other.
#[derive(Default)]
pub(super) struct LastDir(Option<(RawPath, Arc<Dir>)>);

impl LastDir {
    /// Opens `path`, or says again what was opened last.
    pub(super) fn get(
        &mut self,
        path: &RawPath,
        open: impl FnOnce() -> Result<Dir, super::Error>,
    ) -> Result<Arc<Dir>, super::Error> {
        if let Some((last, dir)) = &self.0
            && last == path
        {
            return Ok(Arc::clone(dir));
        }
        let dir = Arc::new(open()?);
        self.0 = Some((path.clone(), Arc::clone(&dir)));
        Ok(dir)
    }
}

//! Files that are written beside their place, synced, and renamed into it: whole or not at all.

use std::{fs::File, io, os::unix::fs::PermissionsExt, sync::Arc};

use cap_std::fs::{Dir, MetadataExt, OpenOptions, OpenOptionsExt};
use rustix::fs::{Mode, OFlags};

use crate::name::RawPath;

/// A file under a temporary name. Dropped before it is placed, it removes itself.
pub struct Temporary {
    dir: Arc<Dir>,
    temporary: RawPath,
    place: RawPath,
    mode: Option<u32>,
    owner: Option<(u32, u32)>,
    placed: bool,
}

impl Temporary {
    /// Creates it beside `place`. A file that is replaced keeps its owner, and without `mode` its mode.
    pub fn new(dir: Arc<Dir>, place: &RawPath, mode: Option<u32>) -> io::Result<(Self, File)> {
        let Some(parent) = place.parent() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an empty path names no file"));
        };
        let replaced = dir.symlink_metadata(place.as_path()).ok();
        if replaced.as_ref().is_some_and(|metadata| metadata.is_dir()) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let replaced = replaced.filter(|metadata| metadata.is_file());
        let owner = replaced.as_ref().map(|metadata| (metadata.uid(), metadata.gid()));
        let mode = mode.or(replaced.map(|metadata| metadata.mode()));
        let name = format!(".strongroom-{:016x}", wasmtime_wasi::random::thread_rng().next_u64());
        let temporary = parent.join(&RawPath::from_bytes(name.as_bytes()).map_err(io::Error::other)?);
        let mut options = OpenOptions::new();
        // Nobody else reads it before it has its mode; without one the process's umask decides.
        options.write(true).create_new(true).mode(if mode.is_some() { 0o600 } else { 0o666 });
        let file = dir.open_with(temporary.as_path(), &options)?.into_std();
        Ok((Self { dir, temporary, place: place.clone(), mode, owner, placed: false }, file))
    }

    /// Syncs `file` and renames it into its place; a link there is replaced, not followed.
    pub fn place(mut self, file: &File) -> io::Result<()> {
        if let Some((user, group)) = self.owner {
            let (user, group) = (rustix::fs::Uid::from_raw(user), rustix::fs::Gid::from_raw(group));
            match rustix::fs::fchown(file, Some(user), Some(group)) {
                // Only root may give files away: then it stays with whom runs this.
                Err(rustix::io::Errno::PERM) | Ok(()) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(mode) = self.mode {
            file.set_permissions(std::fs::Permissions::from_mode(mode & 0o7777))?;
        }
        file.sync_all()?;
        self.dir.rename(self.temporary.as_path(), &self.dir, self.place.as_path())?;
        self.placed = true;
        let parent = self.place.parent().unwrap_or_default();
        // What `open_dir` opens only names the directory, and cannot be synced.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::fsync(rustix::fs::openat(self.dir.open_dir(parent.as_path())?, ".", flags, Mode::empty())?)?;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.placed {
            // Nothing better can be done here than to leave it behind.
            let _ = self.dir.remove_file(self.temporary.as_path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_is_placed_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let dir = Arc::new(Dir::open_ambient_dir(place.path(), cap_std::ambient_authority()).unwrap());
        let path = RawPath::from_text("conf.xml").unwrap();
        let (abandoned, mut file) = Temporary::new(dir.clone(), &path, None).unwrap();
        file.write_all(b"half").unwrap();
        drop(abandoned);
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);

        let (temporary, mut file) = Temporary::new(dir, &path, Some(0o640)).unwrap();
        file.write_all(b"whole").unwrap();
        temporary.place(&file).unwrap();
        let written = place.path().join("conf.xml");
        assert_eq!(std::fs::read(&written).unwrap(), b"whole");
        assert_eq!(std::fs::metadata(&written).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_link_in_the_way_is_replaced_and_its_target_left_alone() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("other"), "other").unwrap();
        std::os::unix::fs::symlink("other", place.path().join("link")).unwrap();
        let dir = Arc::new(Dir::open_ambient_dir(place.path(), cap_std::ambient_authority()).unwrap());
        let (temporary, mut file) = Temporary::new(dir, &RawPath::from_text("link").unwrap(), None).unwrap();
        file.write_all(b"new").unwrap();
        temporary.place(&file).unwrap();
        assert_eq!(std::fs::read(place.path().join("other")).unwrap(), b"other");
        assert!(!place.path().join("link").is_symlink());
    }
}

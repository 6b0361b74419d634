//! Whether anyone has a file, or anything below a directory, open or locked.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use cap_std::fs::{Dir, MetadataExt, OpenOptions, OpenOptionsExt};
use rustix::{
    fs::{FsWord, OFlags},
    process::{Flock, FlockType},
};

use crate::{
    name::RawPath,
    sandbox::{bindings::host::dirs::Usage, holders::Holders},
};

/// File systems that live on this machine's disks alone (`statfs(2)`). On any other, machines that cannot be looked into may
/// have a file open as well.
const LOCAL: &[FsWord] = &[
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // btrfs
    0x2fc1_2fc1, // ZFS
    0xf2f5_2010, // F2FS
    0x0102_1994, // tmpfs
    0x794c_7630, // overlayfs
    0x3153_464a, // JFS
    0x5265_4973, // ReiserFS
    0xca45_1a4e, // bcachefs
    0x4d44,      // FAT
    0x5346_544e, // NTFS
    0x7366_746e, // NTFS, since Linux 5.15
];

/// Who has what lies at `path` open or locked. A link is followed while it stays inside the grant.
///
/// # Errors
/// When nothing is there, or it cannot be looked at.
pub fn of(dir: &Dir, path: &RawPath, stop: impl Fn() -> bool) -> io::Result<Usage> {
    let metadata = if path.is_root() { dir.dir_metadata() } else { dir.metadata(path.as_path()) }?;
    let holders = Holders::look(Path::new("/proc"), &stop);
    let mut look = Look { holders, certain: true, device: None, stop };
    let used = match metadata.is_dir() {
        true if path.is_root() => look.below(dir)?,
        true => look.below(&dir.open_dir(path.as_path())?)?,
        false => look.file(dir, path, (metadata.dev(), metadata.ino())),
    };
    Ok(match used {
        Some(who) => Usage::Used(who),
        None if look.certain && look.holders.is_complete() => Usage::Free,
        None => Usage::Unknown,
    })
}

struct Look<F> {
    holders: Holders,
    /// Nothing was left out, and nobody but this machine's processes can hold anything.
    certain: bool,
    /// The device that was asked last whether it is local.
    device: Option<u64>,
    stop: F,
}

impl<F: Fn() -> bool> Look<F> {
    fn file(&mut self, dir: &Dir, path: &RawPath, file: (u64, u64)) -> Option<String> {
        if let Some(who) = self.holders.of(file) {
            return Some(who);
        }
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OFlags::NONBLOCK.bits() as i32);
        match dir.open_with(path.as_path(), &options) {
            Ok(opened) => {
                let opened = opened.into_std();
                self.ask_where(file.0, &opened);
                locked(&opened)
            }
            Err(_) => {
                self.certain = false;
                None
            }
        }
    }

    /// Looks at a directory and everything below it; never through a link.
    fn below(&mut self, root: &Dir) -> io::Result<Option<String>> {
        let metadata = root.dir_metadata()?;
        let used = self.holders.of((metadata.dev(), metadata.ino()));
        let mut pending = vec![PathBuf::from(".")];
        while let Some(path) = pending.pop().filter(|_| used.is_none()) {
            let used = match root.open_dir(&path) {
                Ok(dir) => self.list(&dir, &path, &mut pending),
                Err(error) => Err(error),
            };
            match used {
                Ok(None) => {}
                Ok(used) => return Ok(used),
                // What is gone by now is held by nobody who could be found here.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => self.certain = false,
            }
            if (self.stop)() {
                break;
            }
        }
        Ok(used)
    }

    fn list(&mut self, dir: &Dir, path: &Path, pending: &mut Vec<PathBuf>) -> io::Result<Option<String>> {
        self.ask_where(dir.dir_metadata()?.dev(), dir);
        for entry in dir.entries()? {
            if (self.stop)() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let entry = entry?;
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                looked => looked?,
            };
            if let Some(who) = self.holders.of((metadata.dev(), metadata.ino())) {
                return Ok(Some(who));
            }
            if metadata.is_dir() {
                pending.push(path.join(entry.file_name()));
            }
        }
        Ok(None)
    }

    fn ask_where(&mut self, device: u64, file: impl rustix::fd::AsFd) {
        if self.device.replace(device) != Some(device) {
            let local = rustix::fs::fstatfs(file).is_ok_and(|system| LOCAL.contains(&system.f_type));
            self.certain &= local;
        }
    }
}

/// Whether anyone holds a lock that this program could not get now; asks, and locks nothing. This is how a lock of another
/// machine is seen.
fn locked(file: &File) -> Option<String> {
    let holder = rustix::process::fcntl_getlk(file, &Flock::from(FlockType::WriteLock)).ok()??;
    Some(holder.pid.map_or_else(|| "a lock".to_owned(), |pid| format!("pid {}", pid.as_raw_nonzero())))
}

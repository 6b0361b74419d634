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

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::{BufRead, BufReader},
        process::{Child, Command, Stdio},
    };

    use super::*;

    /// A process that holds something until it is let go.
    struct Holder(Child);

    impl Holder {
        /// Runs the script, which says a line once it holds what it is to hold, and then reads one.
        fn start(place: &Path, script: &str) -> Self {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", script]).current_dir(place).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = shell.spawn().unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            assert_eq!(line, "holds\n");
            Self(child)
        }

        fn pid(&self) -> String {
            format!("pid {}", self.0.id())
        }
    }

    impl Drop for Holder {
        fn drop(&mut self) {
            drop(self.0.stdin.take());
            let _ = self.0.wait();
        }
    }

    fn place() -> (tempfile::TempDir, Dir) {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("base/deep")).unwrap();
        fs::write(place.path().join("base/deep/data.mv.db"), "data").unwrap();
        fs::write(place.path().join("other"), "other").unwrap();
        let dir = Dir::open_ambient_dir(place.path(), cap_std::ambient_authority()).unwrap();
        (place, dir)
    }

    fn usage(dir: &Dir, path: &str) -> Usage {
        of(dir, &RawPath::from_text(path).unwrap(), || false).unwrap()
    }

    #[track_caller]
    fn is_used(dir: &Dir, path: &str, by: &str) {
        let usage = usage(dir, path);
        assert!(matches!(&usage, Usage::Used(who) if who.starts_with(by)), "{path:?}: {usage:?}, not {by}");
    }

    /// Whoever may not look into every process must not say that nobody is there.
    #[track_caller]
    fn is_not_used(dir: &Dir, path: &str) {
        let usage = usage(dir, path);
        match Holders::look(Path::new("/proc"), || false).is_complete() {
            true => assert!(matches!(usage, Usage::Free), "{path:?}: {usage:?}"),
            false => assert!(matches!(usage, Usage::Unknown), "{path:?}: {usage:?}"),
        }
    }

    #[test]
    fn what_a_process_has_open_is_used_and_so_is_every_directory_above_it() {
        let (place, dir) = place();
        let holder = Holder::start(place.path(), "exec 3<base/deep/data.mv.db; echo holds; read line");
        for path in ["base/deep/data.mv.db", "base/deep", "base", ""] {
            is_used(&dir, path, &format!("{} sh", holder.pid()));
        }
        is_not_used(&dir, "other");
        drop(holder);
        for path in ["base/deep/data.mv.db", "base/deep", "base", ""] {
            is_not_used(&dir, path);
        }
    }

    #[test]
    fn what_a_process_runs_or_maps_is_used_without_a_descriptor() {
        let (place, dir) = place();
        fs::copy("/bin/cat", place.path().join("base/program")).unwrap();
        let mut child = Command::new(place.path().join("base/program"));
        let child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // It has begun to run once it copies what it is told.
        let mut holder = Holder(child);
        io::Write::write_all(holder.0.stdin.as_mut().unwrap(), b"x").unwrap();
        io::Read::read_exact(holder.0.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        is_used(&dir, "base/program", &format!("{} program", holder.pid()));
        is_used(&dir, "base", &holder.pid());
        is_not_used(&dir, "base/deep");
    }

    #[test]
    fn what_a_process_has_locked_is_used_and_asking_does_not_disturb_the_lock() {
        let (place, dir) = place();
        let holder = Holder::start(place.path(), "exec 3<>base/deep/data.mv.db; flock 3; echo holds; read line");
        for _ in 0..3 {
            is_used(&dir, "base/deep/data.mv.db", &holder.pid());
        }
        let file = File::open(place.path().join("base/deep/data.mv.db")).unwrap();
        let lock = rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        assert_eq!(lock, Err(rustix::io::Errno::WOULDBLOCK));
    }

    #[test]
    fn a_lock_for_ranges_is_seen_by_asking_for_it() {
        let (place, _dir) = place();
        let python = "import fcntl, sys; file = open('other', 'r+'); fcntl.lockf(file, fcntl.LOCK_EX, 1, 2); print('holds', flush=True); sys.stdin.read()";
        let holder = Holder::start(place.path(), &format!("exec python3 -c \"{python}\""));
        let file = File::open(place.path().join("other")).unwrap();
        assert_eq!(locked(&file), Some(holder.pid()));
        drop(holder);
        assert_eq!(locked(&file), None);
    }

    #[test]
    fn a_link_is_followed_inside_the_grant_and_never_out_of_it() {
        let (place, dir) = place();
        std::os::unix::fs::symlink("base/deep/data.mv.db", place.path().join("link")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", place.path().join("out")).unwrap();
        let holder = Holder::start(place.path(), "exec 3<base/deep/data.mv.db; echo holds; read line");
        is_used(&dir, "link", &holder.pid());
        let of = |path: &str| of(&dir, &RawPath::from_text(path).unwrap(), || false).unwrap_err().kind();
        assert_eq!(of("out"), io::ErrorKind::PermissionDenied);
        assert_eq!(of("absent"), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_look_that_was_given_up_says_that_it_does_not_know() {
        let (_place, dir) = place();
        assert!(matches!(of(&dir, &RawPath::root(), || true).unwrap(), Usage::Unknown));
    }

    #[test]
    fn a_file_system_that_others_may_share_is_not_free() {
        let proc = Dir::open_ambient_dir("/proc/self", cap_std::ambient_authority()).unwrap();
        assert!(matches!(usage(&proc, "comm"), Usage::Unknown));
    }
}

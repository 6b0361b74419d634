//! Who holds files open: descriptors, mappings and locks of every process, from `/proc` (`man 5 proc`). Changes nothing.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    io::{BufRead, BufReader},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

use rustix::fs::makedev;

/// A file, by device and inode.
pub type File = (u64, u64);

/// Open files of a whole system that are remembered. With more of them not all are known.
const FILES_MAX: usize = 4 << 20;
/// The processes of the whole machine (the kernel's `PROC_PID_INIT_INO`), not only those of a container.
const ALL_PROCESSES: &str = "pid:[4026531836]";

/// What was held when it was looked.
pub struct Holders {
    files: HashMap<File, u32>,
    names: BTreeMap<u32, String>,
    complete: bool,
}

/// Whether something else than a descriptor that is closed by now, or a process that has ended, stood in the way.
fn hidden(error: &io::Error) -> bool {
    let gone = [rustix::io::Errno::NOENT, rustix::io::Errno::SRCH];
    !gone.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

impl Holders {
    /// Looks through `proc` (`/proc`), at every process but this one. Gives up, incomplete, once `stop` says so.
    pub fn look(proc: &Path, stop: impl Fn() -> bool) -> Self {
        let mut holders = Self { files: HashMap::new(), names: BTreeMap::new(), complete: true };
        let all = fs::read_link(proc.join("self/ns/pid")).is_ok_and(|space| space.as_os_str() == ALL_PROCESSES);
        // Where processes are hidden from this one (`hidepid`), the first of them is, too.
        holders.complete &= all && proc.join("1").exists();
        let looked = holders.look_at_all(proc, &stop);
        // Locks are there for everyone to read, those of processes that may not be looked into as well.
        let locks = fs::read_to_string(proc.join("locks")).map(|locks| holders.locks(&locks));
        holders.complete &= looked.is_ok() && locks.is_ok() && !stop();
        holders
    }

    /// Who holds it: `pid 4711 java`.
    pub fn of(&self, file: File) -> Option<String> {
        self.files.get(&file).map(|pid| match self.names.get(pid) {
            Some(name) => format!("pid {pid} {name}"),
            None => format!("pid {pid}"),
        })
    }

    /// Whether nobody else can hold anything: every process could be looked into.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    fn look_at_all(&mut self, proc: &Path, stop: &impl Fn() -> bool) -> io::Result<()> {
        for entry in fs::read_dir(proc)? {
            let entry = entry?;
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let Some(pid) = pid.filter(|pid| *pid != std::process::id()) else { continue };
            if stop() {
                break;
            }
            let process = entry.path();
            if let Ok(name) = fs::read(process.join("comm")) {
                let name = String::from_utf8_lossy(&name).trim_end().replace(char::is_control, "?");
                self.names.insert(pid, name);
            }
            for looked in [self.descriptors(pid, &process), self.mappings(pid, &process)] {
                self.complete &= !looked.is_err_and(|error| hidden(&error));
            }
        }
        Ok(())
    }

    fn descriptors(&mut self, pid: u32, process: &Path) -> io::Result<()> {
        for entry in fs::read_dir(process.join("fd"))? {
            let link = entry?.path();
            let looked = fs::read_link(&link).and_then(|target| {
                // Sockets, pipes and the like have no path.
                let has_path = target.as_os_str().as_bytes().starts_with(b"/");
                has_path.then(|| fs::metadata(&link)).transpose()
            });
            match looked {
                Ok(Some(file)) => self.add(pid, (file.dev(), file.ino())),
                Ok(None) => {}
                Err(error) if hidden(&error) => self.complete = false,
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// A mapped file need not be open any more.
    fn mappings(&mut self, pid: u32, process: &Path) -> io::Result<()> {
        let mut last = Vec::new();
        for line in BufReader::new(fs::File::open(process.join("maps"))?).split(b'\n') {
            let line = line?;
            let Some((file, path)) = mapping(&line).filter(|(_, path)| *path != last) else { continue };
            self.add(pid, file);
            // Some file systems (overlayfs, btrfs) have another device here than `stat` says.
            let inside =
                path.strip_prefix(b"/").map(|path| process.join("root").join(std::ffi::OsStr::from_bytes(path)));
            if let Some(Ok(seen)) = inside.map(fs::metadata) {
                self.add(pid, (seen.dev(), seen.ino()));
            }
            last = path.to_owned();
        }
        Ok(())
    }

    fn locks(&mut self, locks: &str) {
        for (pid, file) in locks.lines().filter_map(lock) {
            self.add(pid, file);
        }
    }

    fn add(&mut self, pid: u32, file: File) {
        if self.files.len() < FILES_MAX {
            self.files.entry(file).or_insert(pid);
        } else {
            self.complete = false;
        }
    }
}

/// `55b0-55b2 r--p 00000000 fe:00 247278   /usr/bin/head`; none where no file is mapped.
fn mapping(line: &[u8]) -> Option<(File, &[u8])> {
    let mut words = line.splitn(6, |byte| *byte == b' ');
    let mut word = || words.next();
    let (device, inode) = (word().and(word()).and(word()).and_then(|_| word())?, word()?);
    let file = (device_of(std::str::from_utf8(device).ok()?)?, std::str::from_utf8(inode).ok()?.parse().ok()?);
    let path = word()?.trim_ascii_start();
    (file.1 != 0).then_some((file, path))
}

/// `1: POSIX  ADVISORY  WRITE 4711 fe:00:5818004 0 EOF`; one that waits for it has `->` behind the number. Who has
/// handed it on (`OFDLCK`) has no pid here, and is found by his descriptor.
fn lock(line: &str) -> Option<(u32, File)> {
    let words: Vec<_> = line.split_ascii_whitespace().filter(|word| *word != "->").collect();
    let (device, inode) = words.get(5)?.rsplit_once(':')?;
    let pid = words[4].parse().ok().filter(|pid| *pid != std::process::id())?;
    Some((pid, (device_of(device)?, inode.parse().ok()?)))
}

/// `fe:00`, major and minor in hexadecimal.
fn device_of(text: &str) -> Option<u64> {
    let (major, minor) = text.split_once(':')?;
    Some(makedev(u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        let device = makedev(0xfe, 0);
        let line = b"55b0-55b2 r--p 00000000 fe:00 247278                     /usr/my bin/head";
        assert_eq!(mapping(line), Some(((device, 247_278), &b"/usr/my bin/head"[..])));
        assert_eq!(mapping(b"7ffd-7ffe rw-p 00000000 00:00 0                          [stack]"), None);
        assert_eq!(mapping(b"7ffd-7ffe rw-p 00000000 00:00 0 "), None);
        assert_eq!(lock("1: POSIX  ADVISORY  WRITE 4711 fe:00:581 0 EOF"), Some((4711, (device, 581))));
        assert_eq!(lock("1: -> FLOCK  ADVISORY  READ 4712 fe:00:581 0 EOF"), Some((4712, (device, 581))));
        assert_eq!(lock("2: OFDLCK ADVISORY  WRITE -1 fe:00:581 0 EOF"), None);
    }

    /// What a system without privileges, or a container, is like.
    fn proc(space: &str) -> tempfile::TempDir {
        let proc = tempfile::tempdir().unwrap();
        fs::create_dir_all(proc.path().join("self/ns")).unwrap();
        std::os::unix::fs::symlink(space, proc.path().join("self/ns/pid")).unwrap();
        fs::create_dir_all(proc.path().join("1/fd")).unwrap();
        fs::write(proc.path().join("1/maps"), "").unwrap();
        fs::create_dir_all(proc.path().join("4711/fd")).unwrap();
        fs::write(proc.path().join("4711/comm"), "java\x1b\n").unwrap();
        fs::write(proc.path().join("4711/maps"), "").unwrap();
        fs::write(proc.path().join("locks"), "1: POSIX ADVISORY WRITE 4711 fe:00:581 0 EOF\n").unwrap();
        proc
    }

    #[test]
    fn nobody_is_said_only_where_every_process_can_be_looked_into() {
        let whole = proc(ALL_PROCESSES);
        assert!(Holders::look(whole.path(), || false).is_complete());
        assert!(!Holders::look(whole.path(), || true).is_complete());
        assert!(!Holders::look(proc("pid:[4026532270]").path(), || false).is_complete());
        let hidden = proc(ALL_PROCESSES);
        fs::remove_dir_all(hidden.path().join("1")).unwrap();
        assert!(!Holders::look(hidden.path(), || false).is_complete(), "processes are hidden");
        for unreadable in ["4711/fd", "4711/maps", "locks"] {
            let proc = proc(ALL_PROCESSES);
            let path = proc.path().join(unreadable);
            // A name that cannot be read as what it is fails for root as well.
            if path.is_dir() {
                fs::remove_dir(&path).unwrap();
                fs::write(&path, "").unwrap();
            } else {
                fs::remove_file(&path).unwrap();
                fs::create_dir(&path).unwrap();
            }
            assert!(!Holders::look(proc.path(), || false).is_complete(), "{unreadable}");
        }
    }

    #[test]
    fn a_process_that_has_ended_meanwhile_hides_nothing() {
        let proc = proc(ALL_PROCESSES);
        fs::remove_dir(proc.path().join("4711/fd")).unwrap();
        fs::remove_file(proc.path().join("4711/maps")).unwrap();
        assert!(Holders::look(proc.path(), || false).is_complete());
    }

    #[test]
    fn a_lock_is_seen_of_a_process_that_may_not_be_looked_into() {
        let proc = proc(ALL_PROCESSES);
        fs::remove_dir(proc.path().join("4711/fd")).unwrap();
        fs::write(proc.path().join("4711/fd"), "").unwrap();
        let holders = Holders::look(proc.path(), || false);
        assert_eq!(holders.of((makedev(0xfe, 0), 581)).as_deref(), Some("pid 4711 java?"));
    }
}

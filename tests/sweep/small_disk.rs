//! A file system in memory with little room, mounted for one run.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
};

/// Unmounted when it is dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one with room for so many bytes. Needs the right to mount.
    pub fn mount(path: &Path, bytes: u64) -> io::Result<Self> {
        // A page for the directory itself; nothing has no size of its own there ("size=0" means no limit).
        let options = format!("size={},mode=0700", bytes.max(4096));
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(path).output()?;
        match done.status.success() {
            true => Ok(Self(path.to_owned())),
            false => Err(io::Error::other(format!("mounting a small disk: {}", String::from_utf8_lossy(&done.stderr)))),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What still holds it is killed with its run; until then the place is free all the same.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

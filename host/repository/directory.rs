//! What a directory of this machine tells a repository: its names, its files, and the room below it.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::fs::OFlags;

use super::Error;

/// Names in a directory, sorted; none when it is not there yet.
pub(super) fn names_in(directory: &Path) -> Result<Vec<String>, Error> {
    let listing = || format!("listing {}", directory.display());
    let entries = match fs::read_dir(directory) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io(listing()))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(Error::io(listing()))?.file_name();
        names.extend(name.into_string().ok());
    }
    names.sort();
    Ok(names)
}

/// A regular file, opened for reading. A pipe that somebody put there is refused and never waited for.
pub(super) fn file_at(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
    }
}

/// Bytes that can still be written below a directory, which need not be there yet.
pub(super) fn room_in(directory: &Path) -> io::Result<u64> {
    let there = directory.ancestors().find(|directory| directory.is_dir()).unwrap_or(Path::new("."));
    let room = rustix::fs::statvfs(there)?;
    Ok(room.f_bavail.saturating_mul(room.f_frsize))
}

//! What a directory of this machine tells a repository: its names, and the room below it.

use std::{fs, io, path::Path};

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

/// Bytes that can still be written below a directory, which need not be there yet.
pub(super) fn room_in(directory: &Path) -> io::Result<u64> {
    let there = directory.ancestors().find(|directory| directory.is_dir()).unwrap_or(Path::new("."));
    let room = rustix::fs::statvfs(there)?;
    Ok(room.f_bavail.saturating_mul(room.f_frsize))
}

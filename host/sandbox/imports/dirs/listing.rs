//! Pages of a directory in byte order, without reading the whole directory again for each page.

use std::{collections::BinaryHeap, io, os::unix::ffi::OsStrExt};

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, FileType, Stat};

use crate::{
    name::{self, RawPath},
    sandbox::bindings::host::{dirs, types::Timestamp},
};

/// Most names that are held at once; a larger directory is read once for each so many.
const WINDOW_NAMES: usize = 100_000;

/// A window of a directory's names.
pub struct Listing {
    path: RawPath,
    dir: Dir,
    /// All names in the window come after this one.
    from: Vec<u8>,
    /// In byte order.
    names: Vec<Vec<u8>>,
    /// No name comes after the window.
    complete: bool,
}

impl Listing {
    fn read(root: &Dir, path: &RawPath, after: &[u8], window: usize) -> io::Result<Self> {
        let dir = if path.is_root() { root.try_clone()? } else { root.open_dir(path.as_path())? };
        let (mut smallest, mut complete) = (BinaryHeap::new(), true);
        for entry in dir.entries()? {
            let name = entry?.file_name().as_bytes().to_vec();
            if name.as_slice() <= after {
                continue;
            }
            smallest.push(name);
            if smallest.len() > window {
                smallest.pop();
                complete = false;
            }
        }
        Ok(Self { path: path.clone(), dir, from: after.to_vec(), names: smallest.into_sorted_vec(), complete })
    }

    /// Whether the page after `after` lies in the window.
    fn covers(&self, path: &RawPath, after: &[u8]) -> bool {
        let last = self.names.last().map(Vec::as_slice).unwrap_or_default();
        !after.is_empty() && self.path == *path && self.from.as_slice() <= after && (self.complete || after < last)
    }

    fn after(&self, after: &[u8]) -> &[Vec<u8>] {
        &self.names[self.names.partition_point(|name| name.as_slice() <= after)..]
    }
}

/// The next `count` entries after `after` (empty: from the beginning, read anew). Names that vanish meanwhile are left out.
pub fn page(
    cached: &mut Option<Listing>,
    root: &Dir,
    path: &RawPath,
    after: &[u8],
    count: usize,
) -> io::Result<Vec<dirs::Entry>> {
    let mut after = after.to_vec();
    loop {
        let listing = match cached.take().filter(|listing| listing.covers(path, &after)) {
            Some(listing) => listing,
            None => Listing::read(root, path, &after, WINDOW_NAMES)?,
        };
        let names = listing.after(&after);
        let names = &names[..count.min(names.len())];
        let entries = names.iter().filter_map(|name| entry(&listing.dir, name)).collect::<io::Result<Vec<_>>>()?;
        let last = names.last().cloned();
        *cached = Some(listing);
        match last {
            Some(last) if entries.is_empty() => after = last,
            _ => return Ok(entries),
        }
    }
}

fn entry(dir: &Dir, name: &[u8]) -> Option<io::Result<dirs::Entry>> {
    // A single name that is not followed cannot lead out of the directory.
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Some(Ok(dirs::Entry { name: name::text(name), stat: convert(&stat) })),
        Err(rustix::io::Errno::NOENT) => None,
        Err(error) => Some(Err(error.into())),
    }
}

#[allow(clippy::unnecessary_cast)] // the fields' types differ between platforms
fn convert(stat: &Stat) -> dirs::Stat {
    let kind = match FileType::from_raw_mode(stat.st_mode as _) {
        FileType::RegularFile => dirs::Kind::File,
        FileType::Directory => dirs::Kind::Directory,
        FileType::Symlink => dirs::Kind::Symlink,
        _ => dirs::Kind::Other,
    };
    dirs::Stat {
        kind,
        size: stat.st_size as u64,
        modified: Timestamp { seconds: stat.st_mtime as i64, nanoseconds: stat.st_mtime_nsec as u32 },
        mode: stat.st_mode as u32 & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(names: &[&str]) -> (tempfile::TempDir, Dir) {
        let place = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::write(place.path().join(name), name).unwrap();
        }
        let dir = Dir::open_ambient_dir(place.path(), cap_std::ambient_authority()).unwrap();
        (place, dir)
    }

    fn all(dir: &Dir, count: usize) -> Vec<String> {
        let (mut cached, mut after, mut names) = (None, Vec::new(), Vec::new());
        loop {
            let entries = page(&mut cached, dir, &RawPath::root(), &after, count).unwrap();
            let Some(last) = entries.last() else { return names };
            after = last.name.clone().into_bytes();
            names.extend(entries.into_iter().map(|entry| entry.name));
        }
    }

    #[test]
    fn pages_bring_every_name_once_in_byte_order() {
        let (_place, dir) = directory(&["b", "a", "B", "é", "a-", "z z"]);
        assert_eq!(all(&dir, 2), ["B", "a", "a-", "b", "z z", "é"]);
    }

    #[test]
    fn a_window_smaller_than_the_directory_moves_on() {
        let (_place, dir) = directory(&["a", "b", "c", "d", "e"]);
        let first = Listing::read(&dir, &RawPath::root(), b"", 2).unwrap();
        assert_eq!((first.names.len(), first.complete), (2, false));
        assert!(first.covers(&RawPath::root(), b"a") && !first.covers(&RawPath::root(), b"b"));
        let last = Listing::read(&dir, &RawPath::root(), b"c", 2).unwrap();
        assert_eq!((last.after(b"c").len(), last.complete), (2, true));
    }

    #[test]
    fn names_that_vanish_between_pages_are_left_out() {
        let (place, dir) = directory(&["a", "b", "c"]);
        let mut cached = None;
        page(&mut cached, &dir, &RawPath::root(), b"", 1).unwrap();
        std::fs::remove_file(place.path().join("b")).unwrap();
        let next = page(&mut cached, &dir, &RawPath::root(), b"a", 1).unwrap();
        assert_eq!(next[0].name, "c");
    }
}

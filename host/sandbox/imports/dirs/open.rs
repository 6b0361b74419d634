//! Opens regular files below a directory, and finds the grant that an absolute path lies in.

use std::{collections::BTreeMap, fs::File, io, os::unix::ffi::OsStrExt, path::Path};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::{FileType, OFlags};

use crate::{config::DirGrant, name::RawPath, repository::Identity};

/// Opens a regular file and tells how it looked. A FIFO or a device is refused and never waited for.
pub fn regular(dir: &Dir, path: &RawPath) -> io::Result<(File, Identity)> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlags::NONBLOCK.bits() as i32);
    let file = dir.open_with(path.as_path(), &options)?.into_std();
    let stat = rustix::fs::fstat(&file)?;
    match FileType::from_raw_mode(stat.st_mode as _) {
        FileType::RegularFile => Ok((file, identity(&stat))),
        FileType::Directory => Err(io::ErrorKind::IsADirectory.into()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a file nor a directory")),
    }
}

#[allow(clippy::unnecessary_cast)] // the fields' types differ between platforms
fn identity(stat: &rustix::fs::Stat) -> Identity {
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Identity {
        device: stat.st_dev as u64,
        inode: stat.st_ino as u64,
        size: stat.st_size as u64,
        modified_ns: nanoseconds(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
        changed_ns: nanoseconds(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
    }
}

/// The innermost grant that holds `absolute`, and where below it. Links on the way to a grant are followed, links
/// below it are not: only what lies at that name counts.
pub fn locate(grants: &BTreeMap<String, DirGrant>, absolute: &[u8]) -> Option<(String, RawPath)> {
    let wanted = below_root(absolute)?;
    let mut best: Option<(usize, String, RawPath)> = None;
    for (name, grant) in grants {
        let canonical = grant.path.canonicalize().ok();
        for root in std::iter::once(grant.path.as_path()).chain(canonical.as_deref()) {
            let Some(root) = below_root(root.as_os_str().as_bytes()) else { continue };
            let length = root.as_bytes().len();
            if let Some(path) = wanted.below(&root)
                && best.as_ref().is_none_or(|(longest, ..)| length > *longest)
            {
                best = Some((length, name.clone(), path));
            }
        }
    }
    best.map(|(_, name, path)| (name, path))
}

/// An absolute path without its leading slash, doubled slashes and `.`; none when it is relative or holds `..`.
fn below_root(absolute: &[u8]) -> Option<RawPath> {
    let path = Path::new(std::ffi::OsStr::from_bytes(absolute));
    let tail: std::path::PathBuf = path.strip_prefix("/").ok()?.components().collect();
    RawPath::from_bytes(tail.as_os_str().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Access;

    fn grants(paths: &[(&str, &str)]) -> BTreeMap<String, DirGrant> {
        let grant = |path: &str| DirGrant { path: path.into(), access: Access::Read };
        paths.iter().map(|(name, path)| ((*name).to_owned(), grant(path))).collect()
    }

    #[test]
    fn the_innermost_grant_is_found() {
        let grants = grants(&[("home", "/srv/home"), ("shared", "/srv/home/shared/")]);
        let found = |path: &str| locate(&grants, path.as_bytes()).map(|(name, path)| (name, path.to_text()));
        assert_eq!(found("/srv/home//x/./y"), Some(("home".into(), "x/y".into())));
        assert_eq!(found("/srv/home/shared"), Some(("shared".into(), "".into())));
        assert_eq!(found("/srv/homely"), None);
        assert_eq!(found("/srv/home/../etc"), None);
        assert_eq!(found("srv/home"), None);
    }

    #[test]
    fn a_fifo_is_refused_and_not_waited_for() {
        let place = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(place.path(), cap_std::ambient_authority()).unwrap();
        rustix::fs::mkfifoat(&dir, "fifo", rustix::fs::Mode::RUSR).unwrap();
        let refused = regular(&dir, &RawPath::from_text("fifo").unwrap()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_link_is_followed_inside_the_grant_and_never_out_of_it() {
        let place = tempfile::tempdir().unwrap();
        let inside = place.path().join("grant");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(place.path().join("secret"), "s").unwrap();
        std::fs::write(inside.join("file"), "f").unwrap();
        std::os::unix::fs::symlink("file", inside.join("good")).unwrap();
        std::os::unix::fs::symlink("../secret", inside.join("evil")).unwrap();
        std::os::unix::fs::symlink(place.path().join("secret"), inside.join("absolute")).unwrap();
        let dir = Dir::open_ambient_dir(&inside, cap_std::ambient_authority()).unwrap();
        let open = |name: &str| regular(&dir, &RawPath::from_text(name).unwrap());
        assert_eq!(open("good").unwrap().1.size, 1);
        assert_eq!(open("evil").unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(open("absolute").unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}

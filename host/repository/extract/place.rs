//! Makes one directory, file or link below the target, and sets what belongs to it.

use std::{
    io::{self, Read},
    path::Path,
    sync::PoisonError,
};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, File, Metadata, MetadataExt, OpenOptions, OpenOptionsExt};
use rustix::fs::{AtFlags, Gid, Mode, Timespec, Timestamps, Uid};

use super::{Restoring, holes};
use crate::{
    name::{RawPath, text},
    repository::{
        Error, Item, Kind, Meta,
        beneath::{self, LastDir},
    },
};

/// Name of a file that replaces another, until it is whole.
const UNFINISHED: &str = ".strongroom-unfinished-";

impl Restoring<'_> {
    /// Makes a file or a link.
    pub(super) fn restore(&self, item: &Item, last: &mut LastDir) -> Result<(), Error> {
        let path = self.place(&item.path);
        let parent = path.parent().unwrap_or_default();
        let dir = last.get(&parent, || self.open_parent(&parent))?;
        let there = self.check_place(&dir, &path)?;
        match &item.kind {
            Kind::Symlink(link) => self.link(&dir, &path, item, link, there),
            _ => self.file(&dir, &path, item, there),
        }
    }

    /// Makes a directory, unless it is there.
    pub(super) fn directory(&self, item: &Item) -> Result<(), Error> {
        let path = self.place(&item.path);
        self.open_or_make(&path, Some(&item.meta))?;
        self.report(|report| {
            report.directories += 1;
            report.stored += 1;
        });
        Ok(())
    }

    /// Opens a directory that something goes into; one that nothing was restored of yet is made as the archive has it.
    fn open_parent(&self, path: &RawPath) -> Result<Dir, Error> {
        match beneath::open_dir(self.target, path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => self.open_or_make(path, None),
            opened => opened.map_err(|cause| in_the_way(path, cause)),
        }
    }

    fn open_or_make(&self, path: &RawPath, meta: Option<&Meta>) -> Result<Dir, Error> {
        let _one_at_a_time = self.shared.making.lock().unwrap_or_else(PoisonError::into_inner);
        let above: Vec<RawPath> = std::iter::successors(Some(path.clone()), RawPath::parent).collect();
        let mut dir = self.target.try_clone().map_err(Error::io(format!("opening {path}")))?;
        for path in above.into_iter().rev().filter(|path| !path.is_root()) {
            dir = match dir.open_dir_nofollow(beneath::name(&path)) {
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => self.make(&dir, &path)?,
                opened => opened.map_err(|cause| in_the_way(&path, cause))?,
            };
        }
        if let Some(meta) = meta {
            let mut directories = self.shared.directories.lock().unwrap_or_else(PoisonError::into_inner);
            directories.push((path.clone(), meta.clone()));
        }
        Ok(dir)
    }

    fn make(&self, parent: &Dir, path: &RawPath) -> Result<Dir, Error> {
        (self.made)(path)?;
        let making = || Error::io(format!("making the directory {path}"));
        // Its own mode comes last: until then what is in it may need to be written.
        let mut builder = DirBuilder::new();
        parent.create_dir_with(beneath::name(path), builder.mode(0o700)).map_err(making())?;
        let meta = self.stored_meta(path)?.unwrap_or(Meta { mode: Some(0o755), ..Meta::default() });
        self.shared.directories.lock().unwrap_or_else(PoisonError::into_inner).push((path.clone(), meta));
        parent.open_dir_nofollow(beneath::name(path)).map_err(making())
    }

    /// What the archive says of a directory; none where it has none of that name.
    fn stored_meta(&self, path: &RawPath) -> Result<Option<Meta>, Error> {
        let Some(below) = path.below(self.sub) else { return Ok(None) };
        match self.archive.stat(&self.base.join(&below)) {
            Ok(item) => Ok((item.kind == Kind::Directory).then_some(item.meta)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(Error::Damaged(_)) if self.past_damage => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// Whether something is there that may be replaced.
    fn check_place(&self, dir: &Dir, path: &RawPath) -> Result<bool, Error> {
        let there = match dir.symlink_metadata(beneath::name(path)) {
            Ok(metadata) => metadata,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(cause) => return Err(Error::io(format!("looking at {path}"))(cause)),
        };
        if there.is_dir() {
            return Err(Error::Refused(format!("{path}: a directory is in the way")));
        }
        if !self.options.overwrite {
            return Err(Error::Refused(format!("{path} is there already and is not overwritten")));
        }
        Ok(true)
    }

    fn file(&self, dir: &Dir, path: &RawPath, item: &Item, there: bool) -> Result<(), Error> {
        let name = beneath::name(path);
        let unfinished = format!("{UNFINISHED}{:016x}", hash(path));
        let own = if there { Path::new(&unfinished) } else { name };
        if there {
            let _ = dir.remove_file(own);
        } else {
            (self.made)(path)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600).follow(FollowSymlinks::No);
        let mut file = dir.open_with(own, &options).map_err(Error::io(format!("making {path}")))?;
        let written = self.write(&mut file, item).and_then(|()| self.settle_file(&file, path, &item.meta));
        let ended = written.and_then(|()| match there {
            true => dir.rename(own, dir, name).map_err(Error::io(format!("replacing {path}"))),
            false => Ok(()),
        });
        if ended.is_err() {
            // Half a file is worse than none; that it could not be removed would not be news beside the error.
            let _ = dir.remove_file(own);
            return ended;
        }
        self.watch.moved(0, 1);
        self.report(|report| {
            report.files += 1;
            report.stored += 1;
            report.size += item.size;
        });
        Ok(())
    }

    fn write(&self, file: &mut File, item: &Item) -> Result<(), Error> {
        let mut content = self.archive.open(&item.path, 0)?;
        let mut buffer = vec![0; 128 << 10];
        let writing = || Error::io(format!("writing {}", item.path));
        let mut writer = holes::Writer::new(file, item.meta.is_sparse());
        loop {
            let count = content.read(&mut buffer).map_err(|why| Error::Damaged(why.to_string()))?;
            if count == 0 {
                return writer.end().map_err(writing());
            }
            if self.watch.stopped() {
                return Err(Error::Canceled);
            }
            writer.write(&buffer[..count]).map_err(writing())?;
            self.watch.moved(count as u64, 0);
        }
    }

    fn link(&self, dir: &Dir, path: &RawPath, item: &Item, link: &[u8], there: bool) -> Result<(), Error> {
        if leads_outside(path, link) && !self.options.outside_links {
            self.report(|report| report.skip(path, format!("a link to {}, outside the target", text(link))));
            return Ok(());
        }
        let name = beneath::name(path);
        if there {
            dir.remove_file(name).map_err(Error::io(format!("replacing {path}")))?;
        } else {
            (self.made)(path)?;
        }
        let target = std::os::unix::ffi::OsStrExt::from_bytes(link);
        let target: &std::ffi::OsStr = target;
        rustix::fs::symlinkat(target, dir, name)
            .map_err(|cause| Error::io(format!("making the link {path}"))(cause.into()))?;
        self.own(path, &item.meta, dir.symlink_metadata(name), |user, group| {
            rustix::fs::chownat(dir, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
        })?;
        if let Some(times) = times(&item.meta) {
            rustix::fs::utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(setting(path, "time"))?;
        }
        self.report(|report| report.stored += 1);
        Ok(())
    }

    fn settle_file(&self, file: &File, path: &RawPath, meta: &Meta) -> Result<(), Error> {
        let owned =
            self.own(path, meta, file.metadata(), |user, group| rustix::fs::fchown(file, Some(user), Some(group)))?;
        if let Some(mode) = meta.mode {
            rustix::fs::fchmod(file, allowed(mode, owned)).map_err(setting(path, "mode"))?;
        }
        if let Some(times) = times(meta) {
            rustix::fs::futimens(file, &times).map_err(setting(path, "time"))?;
        }
        Ok(())
    }

    /// Sets the owner where it differs. Whether it is right now; where it may not be set, that is reported.
    fn own(
        &self,
        path: &RawPath,
        meta: &Meta,
        now: io::Result<Metadata>,
        set: impl FnOnce(Uid, Gid) -> rustix::io::Result<()>,
    ) -> Result<bool, Error> {
        let Some((user, group)) = meta.owner else { return Ok(true) };
        let now = now.map_err(Error::io(format!("looking at {path}")))?;
        if (now.uid(), now.gid()) == (user, group) {
            return Ok(true);
        }
        // All ones means "leave it as it is" to the system, and is nobody.
        if user == u32::MAX || group == u32::MAX || set(Uid::from_raw(user), Gid::from_raw(group)).is_err() {
            self.report(|report| report.skip(path, "owner"));
            return Ok(false);
        }
        Ok(true)
    }

    /// Sets what belongs to directories, the deepest first: a mode may shut what lies below.
    pub(super) fn finish_directories(&self) -> Result<(), Error> {
        let mut directories =
            std::mem::take(&mut *self.shared.directories.lock().unwrap_or_else(PoisonError::into_inner));
        directories.sort_by(|one, other| other.0.cmp(&one.0));
        directories.dedup_by(|one, other| one.0 == other.0);
        for (path, meta) in directories {
            let dir = beneath::open_dir(self.target, &path).map_err(|cause| in_the_way(&path, cause))?;
            let owned = self.own(&path, &meta, dir.dir_metadata(), |user, group| {
                // The directory is open for its path only: its owner is set by name, through it.
                rustix::fs::chownat(&dir, ".", Some(user), Some(group), AtFlags::empty())
            })?;
            if let Some(mode) = meta.mode {
                let own = dir.open(".").map_err(Error::io(format!("opening {path}")))?;
                rustix::fs::fchmod(&own, allowed(mode, owned)).map_err(setting(&path, "mode"))?;
            }
            if let Some(times) = times(&meta) {
                rustix::fs::utimensat(&dir, ".", &times, AtFlags::empty()).map_err(setting(&path, "time"))?;
            }
        }
        Ok(())
    }
}

/// A mode; without the right owner nobody else's rights are lent.
fn allowed(mode: u32, owned: bool) -> Mode {
    Mode::from_raw_mode(if owned { mode & 0o7777 } else { mode & 0o1777 })
}

fn times(meta: &Meta) -> Option<Timestamps> {
    let (seconds, nanoseconds) = meta.modified?;
    let at = Timespec { tv_sec: seconds, tv_nsec: nanoseconds.min(999_999_999).into() };
    Some(Timestamps { last_access: at, last_modification: at })
}

fn setting(path: &RawPath, what: &str) -> impl FnOnce(rustix::io::Errno) -> Error + use<> {
    let doing = format!("setting the {what} of {path}");
    move |cause| Error::Io { doing, cause: cause.into() }
}

fn in_the_way(path: &RawPath, cause: io::Error) -> Error {
    match cause.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Error::io(format!("opening {path}"))(cause),
        _ => Error::Refused(format!("{path}: a link or a file is in the way of a directory ({cause})")),
    }
}

/// Whether a link at `path` may lead outside the target. A `..` behind a name counts as that: the name may be a link.
fn leads_outside(path: &RawPath, link: &[u8]) -> bool {
    let mut depth = path.as_bytes().iter().filter(|byte| **byte == b'/').count();
    let mut named = false;
    for name in link.split(|byte| *byte == b'/') {
        match name {
            b".." if named || depth == 0 => return true,
            b".." => depth -= 1,
            b"" | b"." => {}
            _ => named = true,
        }
    }
    link.starts_with(b"/")
}

fn hash(path: &RawPath) -> u64 {
    std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_may_lead_outside_are_known() {
        let path = RawPath::from_text("a/b/link").unwrap();
        for inside in [&b"file"[..], b"../file", b"../../file", b"./x/y", b"../.."] {
            assert!(!leads_outside(&path, inside), "{}", text(inside));
        }
        for outside in [&b"/etc"[..], b"../../../x", b"x/../../../y", b"x/..", b"../../.."] {
            assert!(leads_outside(&path, outside), "{}", text(outside));
        }
    }
}

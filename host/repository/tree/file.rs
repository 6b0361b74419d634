//! Stores one thing that a walk saw: looks at it, reads it, looks again.

use std::io::{self, Read};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{File, Metadata, OpenOptions, OpenOptionsExt};
use rustix::{fs::OFlags, io::Errno};

use super::{Storing, walk::Seen};
use crate::{
    digest::Hasher,
    name::RawPath,
    repository::{Error, Held, Identity, Kind, Meta, Pass, Stored, beneath},
};

/// How often a file that changes while it is read is read.
const TRIES: usize = 3;

impl Storing<'_> {
    /// Stores what `seen` is by now.
    pub(super) fn store(&self, seen: &Seen) -> Result<(), Error> {
        let target = self.base.join(&seen.path);
        if target.is_root() {
            return Ok(());
        }
        match self.try_store(seen, &target) {
            // Only what the source did can be tolerated.
            Err(Error::Source { cause, .. }) if !self.watch.stopped() => self.unreadable(&seen.path, cause),
            Err(Error::Source { .. }) => Err(Error::Canceled),
            Err(Error::Refused(why)) if self.options.tolerate_changes => {
                self.report(|report| report.skip(&seen.path, why));
                Ok(())
            }
            stored => stored,
        }
    }

    fn try_store(&self, seen: &Seen, target: &RawPath) -> Result<(), Error> {
        // What nobody knows is read at once: opening it tells what it is.
        if seen.is_file
            && !self.draft.has_past()
            && self.draft.pass_of(target)?.is_none()
            && self.read_file(seen, target)?
        {
            return Ok(());
        }
        let looking = || Error::source(&seen.path);
        let metadata = seen.dir.symlink_metadata(seen.name()).map_err(looking())?;
        let meta = beneath::meta(&metadata);
        if metadata.is_dir() {
            self.draft.put_plain(target, &Kind::Directory, &meta, self.pass)?;
            self.report(|report| report.directories += 1);
        } else if metadata.is_symlink() {
            let link = seen.dir.read_link_contents(seen.name()).map_err(looking())?;
            let link = std::os::unix::ffi::OsStrExt::as_bytes(link.as_os_str()).to_vec();
            self.draft.put_plain(target, &Kind::Symlink(link), &meta, self.pass)?;
        } else if metadata.is_file() {
            self.store_file(seen, target, &metadata)?;
        } else {
            self.report(|report| report.skip(&seen.path, "no file any more"));
        }
        Ok(())
    }

    fn store_file(&self, seen: &Seen, target: &RawPath, metadata: &Metadata) -> Result<(), Error> {
        let identity = beneath::identity(metadata);
        if self.pass == Pass::InStage
            && let Some(held) = self.draft.find(target)?
            && is_same(&held, &identity)
        {
            self.draft.keep(target, self.pass)?;
            self.passed(held.size);
            return Ok(());
        }
        let meta = self.meta(metadata);
        // Where its name is to be compared with what is read, that was done then: an annotation says so.
        if let Some(stored) = self.draft.put_unchanged(target, &meta, &identity, self.pass)? {
            self.watch.moved(stored.size, 0);
            self.passed(stored.size);
            return Ok(());
        }
        match self.read_file(seen, target)? {
            true => Ok(()),
            false => Err(Error::source(&seen.path)(io::Error::other("it is no file any more"))),
        }
    }

    /// Counts a file that is stored without being read.
    fn passed(&self, size: u64) {
        self.watch.moved(0, 1);
        self.report(|report| {
            report.files += 1;
            report.size += size;
        });
    }

    /// What is kept of a file's metadata.
    fn meta(&self, metadata: &Metadata) -> Meta {
        let meta = beneath::file_meta(metadata);
        match self.options.name_digest {
            Some(digest) => meta.compared_by(digest),
            None => meta,
        }
    }

    /// Stores a file's content; false where it is no file.
    fn read_file(&self, seen: &Seen, target: &RawPath) -> Result<bool, Error> {
        let Some((stored, digest)) = self.read(seen, target)? else { return Ok(false) };
        let other = digest.filter(|digest| !seen.path.file_name().eq_ignore_ascii_case(digest.as_bytes()));
        if other.is_some() {
            // Unchanged it would be taken over unseen, and nobody would be told again.
            self.draft.doubt(target)?;
        }
        self.watch.moved(0, 1);
        self.report(|report| {
            report.files += 1;
            report.size += stored.size;
            report.new_bytes += stored.new_bytes;
            if let Some(digest) = &other {
                report.skip(&seen.path, format!("its content's digest is {digest}, not its name"));
            }
        });
        Ok(true)
    }

    /// Reads until the file was the same before and after; the last try takes what tolerance allows. None where it is
    /// no file.
    fn read(&self, seen: &Seen, target: &RawPath) -> Result<Option<(Stored, Option<String>)>, Error> {
        let mut attempt = 1;
        loop {
            let last = attempt == TRIES && self.options.tolerate_changes;
            let opened = Reading::open(self, seen, last).map_err(Error::source(&seen.path))?;
            let Some(mut reading) = opened else { return Ok(None) };
            let (meta, identity) = (reading.meta.clone(), Some(reading.identity));
            let stored = self.draft.put(target, &mut reading, &meta, identity, self.pass);
            if last && stored.is_ok() {
                self.report(|report| report.skip(&seen.path, "changed while it was read; stored as it was read"));
            }
            match stored {
                Err(Error::Source { .. }) if reading.changed && attempt < TRIES => attempt += 1,
                stored => return stored.map(|stored| Some((stored, reading.digest()))),
            }
        }
    }
}

fn is_same(held: &Held, identity: &Identity) -> bool {
    held.kind == Kind::File && held.identity.as_ref() == Some(identity)
}

/// A file on its way into the draft. At its end it looks whether it is still what it was, and fails if not.
struct Reading<'a> {
    file: io::Take<File>,
    storing: &'a Storing<'a>,
    meta: Meta,
    identity: Identity,
    hasher: Option<Hasher>,
    tolerant: bool,
    changed: bool,
}

impl<'a> Reading<'a> {
    /// None where it is no file.
    fn open(storing: &'a Storing<'a>, seen: &Seen, tolerant: bool) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        // Without waiting: it may have become a pipe that nobody writes to.
        options.read(true).follow(FollowSymlinks::No).custom_flags(OFlags::NONBLOCK.bits() as i32);
        let file = match seen.dir.open_with(seen.name(), &options) {
            Err(cause) if cause.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => return Ok(None),
            file => file?,
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let identity = beneath::identity(&metadata);
        // A file that grows all the time must end, too: one byte too many is enough to know.
        let file = file.take(identity.size + u64::from(!tolerant));
        let (meta, hasher) = (storing.meta(&metadata), storing.options.name_digest.map(Hasher::new));
        Ok(Some(Self { file, storing, meta, identity, hasher, tolerant, changed: false }))
    }

    fn end(&mut self) -> io::Result<()> {
        // Of the size that it has, and not a byte more: a storage that lies about a file's end is seen here only.
        let exact = self.file.limit() == u64::from(!self.tolerant);
        self.changed = !exact || beneath::identity(&self.file.get_ref().metadata()?) != self.identity;
        if self.changed && !self.tolerant {
            return Err(io::Error::other("it changed each time it was read"));
        }
        Ok(())
    }

    fn digest(self) -> Option<String> {
        let digest = self.hasher?.finish();
        Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl Read for Reading<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.storing.watch.stopped() {
            return Err(io::Error::other("stopped"));
        }
        let count = self.file.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.end()?;
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        self.storing.watch.moved(count as u64, 0);
        Ok(count)
    }
}

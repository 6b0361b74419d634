//! Stores a whole directory in a draft: walks, reads, looks again.
//!
//! One thread lists, as many as there are cores open, read and store; nothing is handed over but names, and the walk is
//! never whole in memory: what it saw spills beside the draft. Afterwards each name is looked up in the draft, so that
//! `stored` counts what is there, not what was done.

use std::{
    io::{self, BufRead, BufReader, BufWriter, Seek, Write},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use cap_std::fs::Dir;

use super::{Draft, Error, Pass, Watch, beneath, cores, patterns::Patterns, queue, whole::Whole};
use crate::{digest::Algorithm, name::RawPath};

mod file;
mod walk;

use walk::Seen;

/// How a tree is stored or restored (`snapshot.tree-options`).
#[derive(Clone, Debug, Default)]
pub struct TreeOptions {
    /// Patterns as in `.gitignore`; none means everything.
    pub includes: Vec<String>,
    /// Patterns as in `.gitignore`.
    pub excludes: Vec<String>,
    /// Files that vanish or change while read are reported instead of failing the tree.
    pub tolerate_changes: bool,
    /// Each file's name is the digest of its content.
    pub name_digest: Option<Algorithm>,
    /// Restore: files that exist may be replaced.
    pub overwrite: bool,
    /// Restore: links that point outside the target are made all the same.
    pub outside_links: bool,
}

/// What was stored or restored (`snapshot.tree-report`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeReport {
    /// Entries that the walk saw and a second look still found.
    pub expected: u64,
    /// Entries that the draft (or the target) holds at the end.
    pub stored: u64,
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Bytes of content.
    pub size: u64,
    /// Bytes that the repository did not hold before.
    pub new_bytes: u64,
    /// Path and reason of the first [`SKIPPED_MAX`] that were left out or wrong.
    pub skipped: Vec<(String, String)>,
    /// All of them.
    pub skipped_count: u64,
}

/// How many left-out paths a report names.
pub const SKIPPED_MAX: usize = 1000;

impl TreeReport {
    /// Adds something that was left out or is wrong.
    pub(super) fn skip(&mut self, path: &RawPath, why: impl Into<String>) {
        self.skipped_count += 1;
        if self.skipped.len() < SKIPPED_MAX {
            self.skipped.push((path.to_text(), why.into()));
        }
    }
}

/// Stores what lies below `sub` in `source` under `base`; when `sub` is not empty, that directory itself too.
///
/// Over what an earlier pass stored it reads only what is new or changed (by [`super::Identity`]) and keeps the rest.
/// What is gone since then stays in the draft, because a database may refer to it, and is in neither count. A file that
/// changes while it is read is read again, three times at most.
///
/// # Errors
/// [`Error::Source`] when something cannot be read and `options` does not tolerate it.
pub fn put_tree(
    draft: &dyn Draft,
    base: &RawPath,
    source: &Dir,
    sub: &RawPath,
    options: &TreeOptions,
    pass: Pass,
    watch: &dyn Watch,
) -> Result<TreeReport, Error> {
    let patterns = Patterns::of(options)?;
    let root = beneath::open_dir(source, sub).map_err(Error::source(sub))?;
    let spill = tempfile::tempfile_in(draft.scratch());
    let spill = spill.map_err(Error::io(format!("making a file in {}", draft.scratch().display())))?;
    let storing = Storing { draft, base, root: &root, options, pass, watch, shared: Shared::default() };
    let mut seen = BufWriter::with_capacity(64 << 10, spill);
    if !sub.is_root() {
        storing.note(&RawPath::root(), &mut seen)?;
        storing.store(&Seen::root(&root, sub)?)?;
    }
    let unlisted = storing.walk(&patterns, &mut seen)?;
    let mut seen = seen.into_inner().map_err(|cause| Error::io(SPILLING)(cause.into_error()))?;
    let size = seen.stream_position().map_err(Error::io(SPILLING))?;
    seen.rewind().map_err(Error::io(SPILLING))?;
    storing.count(BufReader::with_capacity(64 << 10, Whole::new(seen, size)), &unlisted)
}

const SPILLING: &str = "noting what a walk saw";

/// Names on their way to the threads that store. Each may keep a directory open.
const QUEUE_MAX: usize = 64;

/// What the threads of one tree share.
struct Storing<'a> {
    draft: &'a dyn Draft,
    base: &'a RawPath,
    root: &'a Dir,
    options: &'a TreeOptions,
    pass: Pass,
    watch: &'a dyn Watch,
    shared: Shared,
}

#[derive(Default)]
struct Shared {
    report: Mutex<TreeReport>,
    failure: Mutex<Option<Error>>,
    failed: AtomicBool,
}

impl Storing<'_> {
    fn report<T>(&self, change: impl FnOnce(&mut TreeReport) -> T) -> T {
        change(&mut self.shared.report.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn fail(&self, why: Error) {
        self.shared.failed.store(true, Ordering::Relaxed);
        self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }

    /// Lists in this thread, stores in others. Gives back what could not be listed because it was gone by then.
    fn walk(&self, patterns: &Patterns, seen: &mut impl Write) -> Result<Vec<RawPath>, Error> {
        let mut unlisted = Vec::new();
        let list = |send: &mut dyn FnMut(Seen)| self.list(patterns, seen, &mut unlisted, send);
        if let Err(why) = queue::share(QUEUE_MAX, cores(), list, |entry| self.serve(&entry)) {
            self.fail(why);
        }
        let failure = self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(unlisted), Err)
    }

    fn list(
        &self,
        patterns: &Patterns,
        seen: &mut impl Write,
        unlisted: &mut Vec<RawPath>,
        send: &mut dyn FnMut(Seen),
    ) -> Result<(), Error> {
        walk::walk(self.root, patterns, &mut |found| match found {
            walk::Found::Entry(entry) => {
                if self.watch.stopped() {
                    return Err(Error::Canceled);
                }
                self.note(&entry.path, seen)?;
                send(entry);
                // The error of a thread that has failed is the one that counts.
                Ok(!self.shared.failed.load(Ordering::Relaxed))
            }
            walk::Found::Other(path, why) => {
                self.report(|report| report.skip(&path, why));
                Ok(true)
            }
            walk::Found::Unreadable(path, cause) if means_gone(&cause) && self.options.tolerate_changes => {
                unlisted.push(path);
                Ok(true)
            }
            // Nobody can say how much is missing then, so no count could show it.
            walk::Found::Unreadable(path, cause) => Err(Error::source(&path)(cause)),
        })
    }

    fn note(&self, path: &RawPath, seen: &mut impl Write) -> Result<(), Error> {
        let line = [path.as_bytes(), &[0]].concat();
        seen.write_all(&line).map_err(Error::io(SPILLING))
    }

    fn serve(&self, entry: &Seen) {
        // After a failure the queue is only emptied, so that nobody waits at its other end.
        if !self.shared.failed.load(Ordering::Relaxed)
            && let Err(why) = self.store(entry)
        {
            self.fail(why);
        }
    }

    /// Something cannot be read: reported where that is tolerated. What is gone is reported by the second look.
    fn unreadable(&self, path: &RawPath, cause: io::Error) -> Result<(), Error> {
        if !self.options.tolerate_changes {
            return Err(Error::source(path)(cause));
        }
        if cause.kind() != io::ErrorKind::NotFound {
            self.report(|report| report.skip(path, cause.to_string()));
        }
        Ok(())
    }

    /// Looks up in the draft whatever the walk saw, and looks again for what is not there.
    fn count(self, mut seen: impl BufRead, unlisted: &[RawPath]) -> Result<TreeReport, Error> {
        let mut line = Vec::new();
        while seen.read_until(0, &mut line).map_err(Error::io(SPILLING))? > 0 {
            line.pop();
            let path = RawPath::from_bytes(&line)?;
            line.clear();
            let held = self.draft.pass_of(&self.base.join(&path))?.is_some_and(|pass| pass >= self.pass);
            let gone = !held && is_gone(self.root, &path);
            self.report(|report| {
                report.stored += u64::from(held);
                report.expected += u64::from(!gone);
                if gone {
                    report.skip(&path, "vanished");
                }
            });
            if self.watch.stopped() {
                return Err(Error::Canceled);
            }
        }
        // Swapped for another, say: what is in it now was seen by nobody, so no count may come out even.
        for path in unlisted.iter().filter(|path| !is_gone(self.root, path)) {
            self.report(|report| {
                report.expected += 1;
                report.skip(path, "gone for a moment: what is in it was not stored");
            });
        }
        Ok(self.shared.report.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether nothing is at `path` any more, nor at a directory above it.
fn is_gone(root: &Dir, path: &RawPath) -> bool {
    beneath::look(root, path).err().is_some_and(|cause| means_gone(&cause))
}

/// Whether an error says that something, or a directory above it, is not what it was.
fn means_gone(cause: &io::Error) -> bool {
    let loops = Some(rustix::io::Errno::LOOP.raw_os_error());
    matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) || cause.raw_os_error() == loops
}

#[cfg(test)]
mod tests;

//! Brings a tree back from an archive: never outside the target, never through a link, whoever made the archive.
//!
//! One thread lists the archive and makes directories, several make files and links; modes, owners and times of
//! directories come last, the deepest first. A file appears under its name only when it is whole and its checksum held,
//! or is removed again.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
    mpsc::{Receiver, SyncSender, sync_channel},
};

use cap_std::fs::Dir;

use super::{
    Archive, Error, Item, Kind, Meta, Watch,
    beneath::LastDir,
    patterns::Patterns,
    tree::{TreeOptions, TreeReport},
    workers,
};
use crate::name::RawPath;

mod holes;
mod place;

/// Entries that are listed at a time.
const PAGE: usize = 500;

/// Told of each path, relative to the target, before something is made there that was not there before: what an
/// interrupted restore may remove again. Its error ends the restore.
pub type Made<'a> = &'a (dyn Fn(&RawPath) -> Result<(), Error> + Sync);

/// Restores what lies below `base` in the archive to `sub` in `target`.
///
/// Owners that cannot be set are listed in the report's `skipped`, with the reason `owner`; links that point outside
/// the target too, unless `options.outside_links`.
///
/// # Errors
/// [`Error::Refused`] when a link or a file is in the way; [`Error::Damaged`] when the archive is.
pub fn restore_tree(
    archive: &dyn Archive,
    base: &RawPath,
    target: &Dir,
    sub: &RawPath,
    options: &TreeOptions,
    made: Made<'_>,
    watch: &dyn Watch,
) -> Result<TreeReport, Error> {
    let patterns = Patterns::of(options)?;
    let shared = Shared::default();
    Restoring { archive, base, target, sub, options, patterns, made, watch, past_damage: false, shared }.all()
}

/// Extracts every part of a snapshot to `target`, without what strongroom added; `options.includes` choose. What is
/// damaged is left out and listed in the report's `skipped`: someone who extracts files wants what can still be had.
///
/// # Errors
/// As [`restore_tree`], but for damaged content.
pub fn extract_all(
    archive: &dyn Archive,
    target: &Dir,
    options: &TreeOptions,
    made: Made<'_>,
    watch: &dyn Watch,
) -> Result<TreeReport, Error> {
    let mut options = options.clone();
    options.excludes.extend(["/.strongroom".into(), "/SHA256SUMS".into()]);
    let (root, patterns, shared) = (&RawPath::root(), Patterns::of(&options)?, Shared::default());
    let options = &options;
    let (base, sub) = (root, root);
    Restoring { archive, base, target, sub, options, patterns, made, watch, past_damage: true, shared }.all()
}

/// What the threads of one restore share.
struct Restoring<'a> {
    archive: &'a dyn Archive,
    base: &'a RawPath,
    target: &'a Dir,
    sub: &'a RawPath,
    options: &'a TreeOptions,
    patterns: Patterns,
    made: Made<'a>,
    watch: &'a dyn Watch,
    /// Damaged content is left out instead of ending the restore.
    past_damage: bool,
    shared: Shared,
}

#[derive(Default)]
struct Shared {
    report: Mutex<TreeReport>,
    /// What is still to be set of directories.
    directories: Mutex<Vec<(RawPath, Meta)>>,
    /// Making directories, one at a time: two files may need the same one.
    making: Mutex<()>,
    failure: Mutex<Option<Error>>,
    failed: AtomicBool,
}

impl Restoring<'_> {
    fn report<T>(&self, change: impl FnOnce(&mut TreeReport) -> T) -> T {
        change(&mut self.shared.report.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn fail(&self, why: Error) {
        self.shared.failed.store(true, Ordering::Relaxed);
        self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }

    fn all(self) -> Result<TreeReport, Error> {
        self.run()?;
        self.finish_directories()?;
        Ok(self.shared.report.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn run(&self) -> Result<(), Error> {
        let (sender, receiver) = sync_channel(2 * self.archive.readers());
        let receiver = Mutex::new(receiver);
        std::thread::scope(|scope| {
            let started = workers::start_many(scope, self.archive.readers(), || self.serve(&receiver));
            if let Err(why) = started.and_then(|()| self.list(&sender)) {
                self.fail(why);
            }
            drop(sender);
        });
        let failure = self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), Err)
    }

    fn list(&self, sender: &SyncSender<Vec<Item>>) -> Result<(), Error> {
        let mut after: Option<RawPath> = None;
        loop {
            let page = self.archive.items(self.base, after.as_ref(), PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.path.clone());
            let mut batch = Vec::new();
            for item in page {
                if !self.is_meant(&item) {
                    continue;
                }
                self.report(|report| report.expected += 1);
                match item.kind {
                    Kind::Directory => self.directory(&item)?,
                    _ => batch.push(item),
                }
                // Small batches: a directory of few large files is restored by all threads, too.
                if batch.len() == 16 && !self.send(sender, std::mem::take(&mut batch))? {
                    return Ok(());
                }
            }
            if !self.send(sender, batch)? {
                return Ok(());
            }
        }
    }

    fn send(&self, sender: &SyncSender<Vec<Item>>, batch: Vec<Item>) -> Result<bool, Error> {
        if self.watch.stopped() {
            return Err(Error::Canceled);
        }
        Ok(!self.shared.failed.load(Ordering::Relaxed) && sender.send(batch).is_ok())
    }

    fn is_meant(&self, item: &Item) -> bool {
        let Some(path) = item.path.below(self.base) else { return false };
        if path.is_root() {
            // The granted directory itself stays as it is; a directory in it is restored with all that belongs to it.
            return !self.sub.is_root() && item.kind == Kind::Directory;
        }
        let is_directory = item.kind == Kind::Directory;
        !self.patterns.excludes_any(&path, is_directory) && self.patterns.includes(&path, is_directory)
    }

    fn serve(&self, queue: &Mutex<Receiver<Vec<Item>>>) {
        let mut last = LastDir::default();
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(batch) = next else { return };
            for item in batch {
                // After a failure the queue is only emptied, so that nobody waits at its other end.
                if self.shared.failed.load(Ordering::Relaxed) {
                    continue;
                }
                match self.restore(&item, &mut last) {
                    Err(Error::Damaged(why)) if self.past_damage => self.report(|report| report.skip(&item.path, why)),
                    Err(why) => self.fail(why),
                    Ok(()) => {}
                }
            }
        }
    }

    /// Where an item goes, relative to the target.
    fn place(&self, path: &RawPath) -> RawPath {
        self.sub.join(&path.below(self.base).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;

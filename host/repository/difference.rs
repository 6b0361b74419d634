//! How two snapshots differ: both are walked in byte order of their paths, side by side.

use std::{
    cmp::Ordering,
    io::{ErrorKind, Read},
};

use super::{Archive, Error, Item, Kind, Print, lines};
use crate::name::RawPath;

/// Entries of each snapshot that are in memory at once.
const PAGE: usize = 1000;
/// Bytes of each content that are in memory at once, where contents must be read.
const WINDOW: u64 = 64 << 10;

/// What has become of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only the second snapshot has it.
    Added,
    /// Only the first has it.
    Removed,
    /// It is another kind of thing.
    Type,
    /// A file's content, or where a link leads.
    Content,
    /// Only what is kept beside its content.
    Metadata,
}

/// Files and what else there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
    /// Symbolic links.
    pub others: u64,
    /// Bytes of content, before it is packed.
    pub bytes: u64,
}

impl Counts {
    fn add(&mut self, item: &Item) {
        match item.kind {
            Kind::File => self.files += 1,
            Kind::Directory => self.dirs += 1,
            Kind::Symlink(_) => self.others += 1,
        }
    }
}

/// All changes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// What only the second snapshot has; its bytes are those of changed files, too.
    pub added: Counts,
    /// What only the first has; its bytes are those that changed files had, too.
    pub removed: Counts,
    /// What has other content or another type; no bytes.
    pub changed: Counts,
    /// What has only other metadata; no bytes.
    pub metadata: Counts,
    /// Entries of either snapshot that were compared.
    pub compared: u64,
}

impl Totals {
    fn note(&mut self, change: Change, before: Option<&Item>, after: Option<&Item>) {
        let (counts, item) = match change {
            Change::Added => (&mut self.added, after),
            Change::Removed => (&mut self.removed, before),
            Change::Type | Change::Content => (&mut self.changed, after),
            Change::Metadata => (&mut self.metadata, after),
        };
        item.into_iter().for_each(|item| counts.add(item));
        if change != Change::Metadata {
            self.removed.bytes += before.map_or(0, |item| item.size);
            self.added.bytes += after.map_or(0, |item| item.size);
        }
    }
}

/// Compares what two snapshots hold at or below `prefix`; `visit` gets each change, with the entry as it is now, or as it
/// was last. What strongroom itself added is left out, unless `prefix` leads there.
///
/// # Errors
/// When one of them cannot be read, and what `visit` returns.
pub fn compare<E: From<Error>>(
    before: &dyn Archive,
    after: &dyn Archive,
    prefix: &RawPath,
    visit: &mut dyn FnMut(Change, &Item) -> Result<(), E>,
) -> Result<Totals, E> {
    let mut totals = Totals::default();
    let (mut old, mut new) = (Walk::new(before, prefix), Walk::new(after, prefix));
    loop {
        let order = match (old.peek()?, new.peek()?) {
            (None, None) => return Ok(totals),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((old, _)), Some((new, _))) => old.path.cmp(&new.path),
        };
        totals.compared += 1;
        let was = if order.is_le() { old.pages.next() } else { None };
        let is = if order.is_ge() { new.pages.next() } else { None };
        let change = match (&was, &is) {
            (Some(was), Some(is)) => changed(before, after, was, is)?,
            (Some(_), None) => Some(Change::Removed),
            _ => Some(Change::Added),
        };
        let (was, is) = (was.map(|(item, _)| item), is.map(|(item, _)| item));
        if let (Some(change), Some(item)) = (change, is.as_ref().or(was.as_ref())) {
            totals.note(change, was.as_ref(), is.as_ref());
            visit(change, item)?;
        }
    }
}

/// A snapshot's entries, page by page.
struct Walk<'a> {
    archive: &'a dyn Archive,
    prefix: &'a RawPath,
    /// Where the next page begins.
    after: Option<RawPath>,
    pages: std::iter::Peekable<std::vec::IntoIter<(Item, Print)>>,
    ended: bool,
}

impl<'a> Walk<'a> {
    fn new(archive: &'a dyn Archive, prefix: &'a RawPath) -> Self {
        Self { archive, prefix, after: None, pages: Vec::new().into_iter().peekable(), ended: false }
    }

    fn peek(&mut self) -> Result<Option<&(Item, Print)>, Error> {
        while self.pages.peek().is_none() && !self.ended {
            let mut page = self.archive.prints(self.prefix, self.after.as_ref(), PAGE)?;
            self.ended = page.is_empty();
            self.after = page.last().map(|(item, _)| item.path.clone());
            page.retain(|(item, _)| lines::is_own(self.prefix) || !lines::is_own(&item.path));
            self.pages = page.into_iter().peekable();
        }
        Ok(self.pages.peek())
    }
}

fn changed(
    before: &dyn Archive,
    after: &dyn Archive,
    was: &(Item, Print),
    is: &(Item, Print),
) -> Result<Option<Change>, Error> {
    let ((old, old_print), (new, new_print)) = (was, is);
    let same = match (&old.kind, &new.kind) {
        (Kind::Directory, Kind::Directory) => true,
        (Kind::Symlink(old), Kind::Symlink(new)) => old == new,
        (Kind::File, Kind::File) if old.size != new.size => false,
        (Kind::File, Kind::File) => match old_print.same(new_print) {
            Some(same) => same,
            None => are_equal(&mut *before.open(&old.path, 0)?, &mut *after.open(&new.path, 0)?, &new.path)?,
        },
        _ => return Ok(Some(Change::Type)),
    };
    Ok(match same {
        false => Some(Change::Content),
        true => (old.meta != new.meta).then_some(Change::Metadata),
    })
}

/// Reads both until they differ or end.
fn are_equal(one: &mut dyn Read, other: &mut dyn Read, path: &RawPath) -> Result<bool, Error> {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    loop {
        fill(one, &mut left, path)?;
        fill(other, &mut right, path)?;
        if left != right || left.is_empty() {
            return Ok(left == right);
        }
    }
}

/// The next bytes of a content: fewer than fit only at its end.
fn fill(content: &mut dyn Read, window: &mut Vec<u8>, path: &RawPath) -> Result<(), Error> {
    window.clear();
    let read = content.take(WINDOW).read_to_end(window);
    read.map(drop).map_err(|why| match why.kind() {
        ErrorKind::InvalidData => Error::Damaged(why.to_string()),
        _ => Error::io(format!("reading {path}"))(why),
    })
}

#[cfg(test)]
mod tests;

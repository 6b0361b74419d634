//! Copies the files of the embedded search engine while it is proven that nobody uses them: before, after, and by what the
//! directory holds on both sides of the copy.

use std::hash::{DefaultHasher, Hash, Hasher};

use strongroom_database::{
    embedded::{stop, used},
    located::Located,
};
use strongroom_plugin::{
    Error, Outcome, Part, Result, TreeOptions,
    dirs::{self, Dir, Kind},
    snapshot, tree,
};

use super::blobs::place;
use crate::embedded::PRODUCT;

/// How deep directories of an engine lie: `nodes/0/indices/UUID/0/translog` is six.
const DEPTH_MAX: usize = 32;

/// What lies in a directory: how many files, and a number that is another one when a name, a length or a time is.
#[derive(Debug, Default, PartialEq, Eq)]
struct Listing {
    files: u64,
    entries: u64,
    hash: u64,
}

pub(super) fn backup(part: &Part) -> Result<Outcome> {
    let at = place(part)?;
    let before = stopped(&at)?;
    let report = snapshot::put_subtree("", &dirs::get(&at.grant)?, &at.path, &TreeOptions::default())?;
    if stopped(&at)? != before {
        let message =
            format!("files in {at} changed while they were copied: {PRODUCT} ran meanwhile, {}", stop(PRODUCT));
        return Err(Error::other(message));
    }
    tree::noted(part, report.stored)?;
    Ok(tree::outcome(&report).receipt("files", before.files, report.files))
}

/// What there is, while nobody uses it.
fn stopped(at: &Located) -> Result<Listing> {
    let listing = list(&dirs::get(&at.grant)?, &at.path)?;
    match used([at.clone()])? {
        Some(who) => Err(Error::other(format!("{who}: {}", stop(PRODUCT)))),
        None => Ok(listing),
    }
}

fn list(dir: &Dir, top: &str) -> Result<Listing> {
    let mut listing = Listing::default();
    let mut open = vec![(top.to_owned(), 0)];
    while let Some((path, depth)) = open.pop() {
        if depth > DEPTH_MAX {
            return Err(Error::limit(format!("{path} lies too deep: it is none of a search engine's")));
        }
        for entry in dir.entries(&path) {
            let entry = entry?;
            let below = format!("{path}/{}", entry.name);
            listing.add(&below, &entry);
            if entry.stat.kind == Kind::Directory {
                open.push((below, depth + 1));
            }
        }
    }
    Ok(listing)
}

impl Listing {
    fn add(&mut self, path: &str, entry: &dirs::Entry) {
        let stat = &entry.stat;
        let mut hasher = DefaultHasher::new();
        (path, stat.size, stat.modified.seconds, stat.modified.nanoseconds).hash(&mut hasher);
        // A sum does not depend on the order in which directories are listed.
        self.hash = self.hash.wrapping_add(hasher.finish());
        self.entries += 1;
        self.files += u64::from(stat.kind == Kind::File);
    }
}

#[cfg(test)]
mod tests;

//! Stores a whole directory in a draft: walks, reads, looks again.

use cap_std::fs::Dir;

use super::{Draft, Error, Pass, Watch};
use crate::{digest::Algorithm, name::RawPath};

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

/// Stores what lies below `sub` in `source` under `base`.
///
/// Over what an earlier pass stored it reads only what is new or changed (by [`super::Identity`]) and keeps the rest.
///
/// # Errors
/// [`Error::Source`] when something cannot be read and `options` does not tolerate it.
pub fn put_tree(
    _draft: &dyn Draft,
    _base: &RawPath,
    _source: &Dir,
    _sub: &RawPath,
    _options: &TreeOptions,
    _pass: Pass,
    _watch: &dyn Watch,
) -> Result<TreeReport, Error> {
    Err(Error::Refused("not written yet".into()))
}

//! Brings a tree back from an archive: never outside the target, never through a link, whoever made the archive.

use cap_std::fs::Dir;

use super::{
    Archive, Error, Watch,
    tree::{TreeOptions, TreeReport},
};
use crate::name::RawPath;

/// Restores what lies below `base` in the archive to `sub` in `target`.
///
/// Owners that cannot be set are listed in the report's `skipped`, with the reason `owner`.
///
/// # Errors
/// [`Error::Refused`] when a link or a file is in the way; [`Error::Damaged`] when the archive is.
pub fn restore_tree(
    _archive: &dyn Archive,
    _base: &RawPath,
    _target: &Dir,
    _sub: &RawPath,
    _options: &TreeOptions,
    _watch: &dyn Watch,
) -> Result<TreeReport, Error> {
    Err(Error::Refused("not written yet".into()))
}

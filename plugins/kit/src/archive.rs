//! The snapshot being read: this step's parts.

pub use crate::bindings::strongroom::plugin::archive::{Item, Kind};
use crate::{
    Algorithm, Context, InputStream, Result, TreeOptions, TreeReport, dirs::Dir, host::archive as host, pages::Pages,
};

/// The names of this step's parts.
///
/// # Errors
/// `io`, `corrupt`.
pub fn parts() -> Result<Vec<String>> {
    Ok(host::parts()?)
}

/// Everything below `prefix`, in byte order, page by page.
pub fn items(part: &str, prefix: &str) -> impl Iterator<Item = Result<Item>> {
    Pages::new(move |last: Option<&Item>| Ok(host::items(part, prefix, last.map(|item| item.path.as_str()))?))
}

/// One entry.
///
/// # Errors
/// `not-found`.
pub fn stat(part: &str, path: &str) -> Result<Item> {
    Ok(host::stat(part, path)?)
}

/// Whether there is such an entry.
///
/// # Errors
/// `io`, `corrupt`.
pub fn exists(part: &str, path: &str) -> Result<bool> {
    match stat(part, path) {
        Ok(_) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

/// An entry's content. Ends in an error where the stored checksum does not match.
///
/// # Errors
/// `not-found`.
pub fn open(part: &str, path: &str) -> Result<InputStream> {
    open_at(part, path, 0)
}

/// The same from `offset` on.
///
/// # Errors
/// `not-found`.
pub fn open_at(part: &str, path: &str, offset: u64) -> Result<InputStream> {
    Ok(InputStream(host::open(part, path, offset)?))
}

/// A small entry as text.
///
/// # Errors
/// `not-found`; `limit` when it is longer than `bytes_max`, `corrupt` when it is not UTF-8.
pub fn read_to_string(part: &str, path: &str, bytes_max: usize) -> Result<String> {
    open(part, path)?.text(bytes_max).context(format!("reading {part}/{path}"))
}

/// Brings what lies below `path` of a part back into `target`.
///
/// # Errors
/// `denied` when the grant is read only, `exists` when something is in the way, `io`.
pub fn restore_tree(part: &str, path: &str, target: &Dir, options: &TreeOptions) -> Result<TreeReport> {
    restore_subtree(part, path, target, "", options)
}

/// The same into `sub_path` of `target`.
///
/// # Errors
/// As [`restore_tree`].
pub fn restore_subtree(
    part: &str,
    path: &str,
    target: &Dir,
    sub_path: &str,
    options: &TreeOptions,
) -> Result<TreeReport> {
    Ok(host::restore_tree(part, path, &target.0, sub_path, options)?)
}

/// Whether each file's name is the digest of its content, read in the host.
///
/// # Errors
/// `io`, `corrupt`.
pub fn check_names(part: &str, prefix: &str, algorithm: Algorithm) -> Result<TreeReport> {
    Ok(host::check_names(part, prefix, algorithm)?)
}

//! The snapshot being written. Paths are relative to the part.

pub use crate::bindings::strongroom::plugin::{
    context::Instant,
    snapshot::{Evidence, Meta, Stored, TreeOptions, TreeReport},
};
use crate::{
    InputStream, OutputStream, Result,
    dirs::{Dir, Stat},
    host::snapshot as host,
    streams,
};

#[expect(clippy::derivable_impls, reason = "the record is generated")]
impl Default for Meta {
    fn default() -> Self {
        Self { modified: None, mode: None, owner: None, attributes: Vec::new() }
    }
}

/// What is kept of a file that was looked at.
impl From<&Stat> for Meta {
    fn from(stat: &Stat) -> Self {
        Self {
            modified: Some(stat.modified),
            mode: Some(stat.mode),
            owner: Some((stat.uid, stat.gid)),
            ..Self::default()
        }
    }
}

#[expect(clippy::derivable_impls, reason = "the record is generated")]
impl Default for TreeOptions {
    fn default() -> Self {
        Self {
            includes: Vec::new(),
            excludes: Vec::new(),
            tolerate_changes: false,
            name_digest: None,
            attributes: Vec::new(),
        }
    }
}

impl TreeOptions {
    /// Only what these patterns name, as in `.gitignore`.
    #[must_use]
    pub fn including<S: Into<String>>(mut self, patterns: impl IntoIterator<Item = S>) -> Self {
        self.includes.extend(patterns.into_iter().map(Into::into));
        self
    }

    /// Not what these patterns name, as in `.gitignore`.
    #[must_use]
    pub fn excluding<S: Into<String>>(mut self, patterns: impl IntoIterator<Item = S>) -> Self {
        self.excludes.extend(patterns.into_iter().map(Into::into));
        self
    }

    /// Files that vanish or change while read are reported instead of failing.
    #[must_use]
    pub fn tolerant(mut self) -> Self {
        self.tolerate_changes = true;
        self
    }
}

impl TreeReport {
    /// For people: `12 files, 3 directories, 4096 bytes`.
    pub fn summary(&self) -> String {
        format!("{} files, {} directories, {} bytes", self.files, self.directories, self.size)
    }
}

/// Content on its way into the repository. If it fails the part fails, waited for or not.
pub struct Pending(host::Pending);

impl Pending {
    /// Waits until it is stored.
    ///
    /// # Errors
    /// What ended the content; `io` when the repository fails.
    pub fn wait(self) -> Result<Stored> {
        Ok(host::Pending::wait(self.0)?)
    }
}

/// Stores `content` under `path` and waits.
///
/// # Errors
/// `exists` when this pass has stored that path; what ended the content; `io` when the repository fails.
pub fn put(path: &str, content: InputStream, meta: &Meta) -> Result<Stored> {
    Ok(host::put(path, content.0, meta)?)
}

/// Stores a small file that the plugin made.
///
/// # Errors
/// As [`put`].
pub fn put_bytes(path: &str, content: &[u8]) -> Result<Stored> {
    put(path, streams::from_bytes(content)?, &Meta::default())
}

/// The same as [`put`] without waiting.
///
/// # Errors
/// `exists`, `limit`.
pub fn submit(path: &str, content: InputStream, meta: &Meta) -> Result<Pending> {
    Ok(Pending(host::submit(path, content.0, meta)?))
}

/// Stores a whole directory under `path`: walking, reading and change detection run in the host.
///
/// # Errors
/// What cannot be read, unless `options` tolerates it; `io` when the repository fails.
pub fn put_tree(path: &str, source: &Dir, options: &TreeOptions) -> Result<TreeReport> {
    put_subtree(path, source, "", options)
}

/// The same for what lies below `sub_path` of `source`.
///
/// # Errors
/// As [`put_tree`].
pub fn put_subtree(path: &str, source: &Dir, sub_path: &str, options: &TreeOptions) -> Result<TreeReport> {
    Ok(host::put_tree(path, &source.0, sub_path, options)?)
}

/// Fixes the instant that this part stands for. Stage `database` only, once a part. Implies [`settled`].
///
/// # Errors
/// `invalid` in another stage, or the second time.
pub fn fix_instant(instant: &Instant) -> Result<()> {
    Ok(host::fix_instant(instant)?)
}

/// What this part will store no longer depends on time: the next stage may start.
///
/// # Errors
/// `canceled`.
pub fn settled() -> Result<()> {
    Ok(host::settled()?)
}

/// What must be in the snapshot when it is sealed. One JSON array a line:
/// `[label, size as text or null, path, alternative path…]`.
///
/// # Errors
/// `exists` when this part has listed that subject.
pub fn expect(subject: &str, evidence: Evidence) -> Result<OutputStream> {
    Ok(OutputStream(host::expect(subject, evidence)?))
}

/// The same for the rows of a query, moved by the host unseen. Returns their bytes.
///
/// # Errors
/// As [`expect`]; what ended `rows`.
pub fn expect_rows(subject: &str, evidence: Evidence, rows: &InputStream) -> Result<u64> {
    let list = expect(subject, evidence)?;
    let bytes = list.splice_all(rows)?;
    list.finish()?;
    Ok(bytes)
}

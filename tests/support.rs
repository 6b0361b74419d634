//! What the tests stand on: the built program in a place of its own, built plugins, a real PostgreSQL, a real MariaDB, a real Kafka, a real search engine, a real SSH server, a bucket, file trees.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub mod bucket;
pub mod component;
pub mod faults;
pub mod gateway;
pub mod kafka;
pub mod mariadb;
pub mod nginx;
pub mod pipeline;
pub mod plugins;
pub mod postgres;
pub mod proxy;
pub mod scripted;
pub mod search;
pub mod service;
pub mod sshd;
pub mod strongroom;
pub mod tree;
pub mod web;
pub mod web_proxy;
pub mod zip_file;

pub use strongroom::{Done, Going, Place};

/// How long anything may take that ought to happen soon. Its expiry fails a test; nothing waits for it otherwise.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The source tree.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a directory whose names have that ending; with an empty one, all. Sorted; built things are left out.
pub fn source_files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut entries: Vec<_> =
        std::fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_symlink() || path.ends_with("target") {
            continue;
        }
        if path.is_dir() {
            all.extend(source_files(&path, ending));
        } else if ending.is_empty() || path.extension().is_some_and(|own| own == ending) {
            all.push(path);
        }
    }
    all
}

/// A directory of this build for what tests may share from run to run.
pub fn shared(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&path).unwrap_or_else(|error| panic!("making {}: {error}", path.display()));
    path
}

/// Whether the condition holds before the deadline.
pub fn soon(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + deadline;
    while !condition() {
        if Instant::now() >= until {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    true
}

/// Waits until the condition holds.
///
/// # Panics
/// When it does not within [`DEADLINE`].
pub fn wait_for(what: &str, condition: impl FnMut() -> bool) {
    assert!(soon(DEADLINE, condition), "this did not happen: {what}");
}

/// Waits until the value is there.
///
/// # Panics
/// When it is not within [`DEADLINE`].
pub fn wait_until_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let mut found = None;
    wait_for(what, || {
        found = look();
        found.is_some()
    });
    found.expect("it was waited for")
}

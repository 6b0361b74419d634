//! Stores the parts that `inspect` named.

use strongroom_database::{dump, embedded as stopped};
use strongroom_plugin::{Outcome, Part, Pass, Result, context};

use crate::{
    content::Content,
    embedded, gc,
    inspect::{part, setting},
};

mod blobs;
mod configuration;
mod mongodb;
mod search;
mod trees;

pub use mongodb::{ARCHIVE, is_archive};

/// Keys of the notes that a backup leaves for restore, verify and the steps after this one.
pub mod note {
    /// Where the directories were: a JSON object of [`crate::paths::Paths`].
    pub const PATHS: &str = "paths";
    /// Where `nuxeo.conf` was: its grant, a slash and its path.
    pub const CONF: &str = "nuxeo.conf";
    /// Nuxeo's version.
    pub const VERSION: &str = "version";
    /// What names of topics begin with.
    pub const KAFKA_PREFIX: &str = "kafka.prefix";
    /// All such beginnings, one a line, where there are several.
    pub const KAFKA_PREFIXES: &str = "kafka.prefixes";
    /// The brokers.
    pub const KAFKA_BOOTSTRAP: &str = "kafka.bootstrap";
    /// The index that holds the audit; unset where the database does.
    pub const AUDIT_INDEX: &str = "audit.index";
    /// The index that holds the sequences; unset where the database does.
    pub const UIDGEN_INDEX: &str = "uidgen.index";

    /// Where a part came from: its grant, a slash and its path.
    pub fn place(part: &str) -> String {
        format!("place {part}")
    }

    /// The blob store that a part holds.
    pub fn store(part: &str) -> String {
        format!("store {part}")
    }
}

/// Stores one part.
///
/// # Errors
/// Then the part has failed.
pub fn backup(part: &Part, pass: Pass) -> Result<Outcome> {
    if let (Some(grant), Some(path)) = (part.setting(setting::GRANT), part.setting(setting::PATH)) {
        context::set_note(&note::place(&part.name), &format!("{grant}/{path}"))?;
    }
    match part.name.as_str() {
        part::CONFIGURATION => configuration::backup(part),
        part::MONGODB => gc::paused(part, mongodb::backup),
        part::DATABASE if part.setting(setting::EMBEDDED).is_some() => stopped::backup(part, &embedded::of(part)?),
        name if part::is_database(name) => gc::paused(part, |part| dump::backup(part, &Content::of(part)?)),
        part::SEARCH => search::backup(part),
        name if part::is_blobs(name) => blobs::backup(part, pass),
        _ => trees::backup(part),
    }
}

#[cfg(test)]
mod tests;

//! Stores the parts that `inspect` named.

use strongroom_plugin::{Outcome, Part, Pass, Result};

use crate::inspect::{part, setting};

mod database;
mod embedded;
mod files;
mod secrets;

pub use database::DUMP;

/// Keys of the notes that a backup leaves for restore and verify.
pub mod note {
    /// Rows per table, as read back from the dump: a JSON object.
    pub const ROWS: &str = "rows";
    /// Where the site's directories were: a JSON object of [`crate::paths::Paths`].
    pub const PATHS: &str = "paths";
    /// Which of Confluence's own secrets must be there, separated by blanks.
    pub const SECRETS: &str = "secrets required";
    /// Where the part `secrets` holds cipher files, one a line.
    pub const CIPHER: &str = "cipher files";
    /// The files of an embedded database, one a line.
    pub const EMBEDDED: &str = "database files";
}

/// Stores one part.
///
/// # Errors
/// Then the part has failed.
pub fn backup(part: &Part, pass: Pass) -> Result<Outcome> {
    match part.name.as_str() {
        part::DATABASE if part.setting(setting::EMBEDDED).is_some() => embedded::backup(part),
        part::DATABASE => database::backup(part),
        part::ATTACHMENTS => files::attachments(part, pass),
        part::HOME => files::home(part),
        part::SECRETS => secrets::backup(part),
        part::INSTALL => files::install(part),
        _ => files::other(part),
    }
}

#[cfg(test)]
mod tests;

//! Stores the parts that `inspect` named.

use strongroom_database::{dump, embedded as stopped};
use strongroom_plugin::{Error, Outcome, Part, Pass, Result};

use crate::{
    embedded,
    inspect::{part, setting},
    site::Site,
};

mod database;
mod files;
mod index;
mod secrets;

/// Keys of the notes that a backup leaves for restore and verify.
pub mod note {
    /// Where the site's directories were: a JSON object of [`crate::paths::Paths`].
    pub const PATHS: &str = "paths";
    /// Which of Confluence's own secrets must be there, separated by blanks.
    pub const SECRETS: &str = "secrets required";
    /// Where the part `secrets` holds cipher files, one a line.
    pub const CIPHER: &str = "cipher files";
    /// Where Lucene's index was: a JSON object of [`crate::index::Places`].
    pub const PLACES: &str = "search index";
}

/// Stores one part.
///
/// # Errors
/// Then the part has failed.
pub fn backup(part: &Part, pass: Pass) -> Result<Outcome> {
    match part.name.as_str() {
        part::DATABASE if part.setting(setting::EMBEDDED).is_some() => embedded_database(part),
        part::DATABASE => dump::backup(part, &database::Confluence),
        part::ATTACHMENTS => files::attachments(part, pass),
        part::HOME => files::home(part),
        part::SECRETS => secrets::backup(part),
        part::INSTALL => files::install(part),
        part::SEARCH_INDEX => index::backup(part),
        _ => files::other(part),
    }
}

fn embedded_database(part: &Part) -> Result<Outcome> {
    let database = embedded::of(&Site::read()?)?;
    let database = database.ok_or_else(|| Error::invalid("the site has no embedded database: make a new plan"))?;
    stopped::backup(part, &database)
}

#[cfg(test)]
mod tests;

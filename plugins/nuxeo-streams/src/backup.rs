//! Stores the parts that `inspect` named.

use serde::de::DeserializeOwned;
use strongroom_plugin::{Context, Error, Outcome, Part, Result, context};

use crate::{
    broker::{self, Broker},
    describe::grant,
    inspect::part,
    schemas,
    settings::Settings,
    store,
};

mod capture;
mod fence;
mod positions;
mod records;

/// Keys of the notes that the parts of a backup leave for each other.
pub mod note {
    /// What the part `positions` stored, as JSON.
    pub const POSITIONS: &str = "positions";
    /// What the part `fence` stored, as JSON.
    pub const FENCE: &str = "fence";
    /// What Nuxeo's own step says of `kafka.topicPrefix`.
    pub const PREFIX: &str = "kafka.prefix";
    /// What it says of all prefixes, one a line.
    pub const PREFIXES: &str = "kafka.prefixes";

    /// The prefixes of such a note.
    pub fn listed(note: &str) -> impl Iterator<Item = &str> {
        note.lines().map(str::trim).filter(|prefix| !prefix.is_empty())
    }
}

/// Stores one part.
///
/// # Errors
/// Then the part has failed.
pub fn backup(part: &Part) -> Result<Outcome> {
    if part.name == part::SCHEMAS {
        return schemas::backup();
    }
    let settings = Settings::read()?;
    let mut broker = broker::connect(grant::KAFKA, &settings)?;
    with(&mut broker, part, &settings)
}

pub(crate) fn with(broker: &mut impl Broker, part: &Part, settings: &Settings) -> Result<Outcome> {
    match part.name.as_str() {
        part::POSITIONS => positions::backup(broker, settings),
        part::FENCE => fence::backup(broker, part, settings),
        _ => records::backup(broker, part, settings),
    }
}

/// What an earlier part left.
fn noted<T: DeserializeOwned>(key: &str) -> Result<T> {
    let missing = || Error::not_found(format!("the part {key} has left nothing: it must have failed"));
    store::parse(&context::note(key)?.ok_or_else(missing)?).context(format!("reading what the part {key} left"))
}

#[cfg(test)]
pub(crate) mod tests;

//! What this run is, what the operator configured, and what is kept.

use std::time::Duration;

use serde::de::DeserializeOwned;

pub use crate::bindings::strongroom::plugin::{
    context::{Fixed, Granted, Instant, InstantKind, Operation, Run},
    types::Timestamp,
};
use crate::{Error, Result, host::context as host};

/// This run: its id, the export that is being called, the step.
pub fn current() -> Run {
    host::current()
}

/// An annotation of the run (`snapshot`, `overwrite`).
pub fn attribute(key: &str) -> Option<String> {
    current().attributes.into_iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

/// Whether the operator consents to a restore over what is there.
pub fn overwrite() -> bool {
    attribute("overwrite").as_deref() == Some("yes")
}

/// The step's configuration, already checked against the plugin's JSON Schema.
///
/// # Errors
/// `invalid` when it does not fit `T`: then schema and type disagree.
///
/// ```
/// use strongroom_plugin::{context, testing::Host};
///
/// #[derive(serde::Deserialize)]
/// struct Config { #[serde(default)] excludes: Vec<String> }
///
/// let _host = Host::new().config(&serde_json::json!({ "excludes": ["*.tmp"] }));
/// let config: Config = context::config()?;
/// assert_eq!(config.excludes, ["*.tmp"]);
/// # Ok::<(), strongroom_plugin::Error>(())
/// ```
pub fn config<T: DeserializeOwned>() -> Result<T> {
    serde_json::from_str(&host::config())
        .map_err(|error| Error::from(error).context("reading the step's configuration"))
}

/// Everything that was granted.
pub fn grants() -> Grants {
    Grants(host::grants())
}

/// What was granted, by capability.
pub struct Grants(Vec<Granted>);

impl Grants {
    /// All of them.
    pub fn all(self) -> impl Iterator<Item = Granted> {
        self.0.into_iter()
    }

    fn of(self, capability: &'static str) -> impl Iterator<Item = Granted> {
        self.0.into_iter().filter(move |grant| grant.capability == capability)
    }

    /// Directories.
    pub fn dirs(self) -> impl Iterator<Item = Granted> {
        self.of("dirs")
    }

    /// Native programs.
    pub fn tools(self) -> impl Iterator<Item = Granted> {
        self.of("tools")
    }

    /// Databases.
    pub fn sql(self) -> impl Iterator<Item = Granted> {
        self.of("sql")
    }

    /// Services.
    pub fn tcp(self) -> impl Iterator<Item = Granted> {
        self.of("tcp")
    }

    /// Secrets.
    pub fn secrets(self) -> impl Iterator<Item = Granted> {
        self.of("secrets")
    }

    /// One of them, as the operator would recognise it.
    pub fn find(&self, capability: &str, name: &str) -> Option<&Granted> {
        self.0.iter().find(|grant| grant.capability == capability && grant.name == name)
    }
}

/// The instants fixed so far by this step and those named in its `after`; in a restore those of the snapshot.
pub fn instants() -> Vec<Fixed> {
    host::instants()
}

/// A fact that this step kept with the snapshot.
///
/// # Errors
/// `canceled`.
pub fn note(key: &str) -> Result<Option<String>> {
    note_of(&current().step, key)
}

/// A fact that `step` kept with the snapshot.
///
/// # Errors
/// `denied` when `step` is neither this one nor named in `after`.
pub fn note_of(step: &str, key: &str) -> Result<Option<String>> {
    Ok(host::note(step, key)?)
}

/// Keeps a fact with the snapshot, or in a restore with the restore's record.
///
/// # Errors
/// `limit` when it is too long.
pub fn set_note(key: &str, value: &str) -> Result<()> {
    Ok(host::set_note(key, value)?)
}

/// How far this part has come, on disk before it returns.
///
/// # Errors
/// `limit` when it is too long, `io`.
pub fn checkpoint(value: &[u8]) -> Result<()> {
    Ok(host::checkpoint(value)?)
}

/// What an attempt of the same part that did not end well left behind.
pub fn last_checkpoint() -> Option<Vec<u8>> {
    host::last_checkpoint()
}

/// A value that an earlier, completed run kept.
///
/// # Errors
/// `io`.
pub fn state(key: &str) -> Result<Option<Vec<u8>>> {
    Ok(host::state(key)?)
}

/// Keeps a value for later runs, if this one completes.
///
/// # Errors
/// `limit` when it is too long.
pub fn set_state(key: &str, value: &[u8]) -> Result<()> {
    Ok(host::set_state(key, value)?)
}

/// The host's clock.
pub fn now() -> Timestamp {
    host::now()
}

/// Bytes that nobody can guess.
pub fn random(length: u32) -> Vec<u8> {
    host::random(length)
}

/// True once the run is to stop; every other call then fails with `canceled`.
pub fn canceled() -> bool {
    host::canceled()
}

/// Waits.
///
/// # Errors
/// `canceled` when the run is to stop meanwhile.
pub fn sleep(time: Duration) -> Result<()> {
    Ok(host::sleep(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))?)
}

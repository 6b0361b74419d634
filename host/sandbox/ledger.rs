//! What a running call leaves behind in its run. The sandbox owns the trait, the run implements it.

use std::time::Duration;

use crate::{
    name::RawPath,
    sandbox::fault::Code,
    snapshot::record::{Evidence, Instant},
};

/// Level of a line that a plugin logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For the plugin's author.
    Debug,
    /// For whoever looks.
    Info,
    /// For the operator.
    Warn,
    /// For the operator, now.
    Error,
}

/// An instant, and who fixed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// The step.
    pub step: String,
    /// Its part.
    pub part: String,
    /// The moment.
    pub instant: Instant,
}

/// Why the run does not take something; becomes an error of the guest's call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not in this call (`unsupported`).
    #[error("{0}")]
    Unsupported(String),
    /// Against the contract (`invalid`).
    #[error("{0}")]
    Invalid(String),
    /// Not granted, or not this step's to see (`denied`).
    #[error("{0}")]
    Denied(String),
    /// More than a run keeps, or than is allowed (`limit`).
    #[error("{0}")]
    Limit(String),
    /// The host's storage failed (`io`).
    #[error("{0}")]
    Io(String),
    /// There already (`exists`).
    #[error("{0}")]
    Exists(String),
    /// Not there (`not-found`).
    #[error("{0}")]
    NotFound(String),
}

/// When a hold ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// With the call that took it.
    Part,
    /// When all parts have ended.
    Run,
}

impl Refusal {
    /// The code of the guest's error.
    pub fn code(&self) -> Code {
        match self {
            Self::Unsupported(_) => Code::Unsupported,
            Self::Invalid(_) => Code::Invalid,
            Self::Denied(_) => Code::Denied,
            Self::Limit(_) => Code::Limit,
            Self::Exists(_) => Code::Exists,
            Self::NotFound(_) => Code::NotFound,
            Self::Io(_) => Code::Io,
        }
    }
}

/// One part's side of the run. Every method returns soon.
pub trait Ledger: Send + Sync {
    /// A line for the operator; already cut, counted and masked.
    fn log(&self, level: Level, message: &str, fields: &[(String, String)]);
    /// How far along the part is, as the plugin counts.
    fn progress(&self, what: &str, done: u64, total: Option<u64>);
    /// Bytes and files that the host moved for it.
    fn moved(&self, bytes: u64, files: u64);
    /// The instants that it may see.
    fn instants(&self) -> Vec<Fixed>;
    /// Fixes this part's instant.
    fn fix_instant(&self, instant: Instant) -> Result<(), Refusal>;
    /// What it will store no longer depends on time.
    fn settled(&self) -> Result<(), Refusal>;
    /// A note of this step or of one in its `after`; in a restore the snapshot's too.
    fn note(&self, step: &str, key: &str) -> Result<Option<String>, Refusal>;
    /// Sets a note of this step.
    fn set_note(&self, key: &str, value: &str) -> Result<(), Refusal>;
    /// Keeps how far the part has come, on disk before it returns.
    fn checkpoint(&self, value: &[u8]) -> Result<(), Refusal>;
    /// What the attempt before kept.
    fn last_checkpoint(&self) -> Option<Vec<u8>>;
    /// A value of the last complete run.
    fn state(&self, key: &str) -> Result<Option<Vec<u8>>, Refusal>;
    /// A value for the next run, if this one completes.
    fn set_state(&self, key: &str, value: &[u8]) -> Result<(), Refusal>;
    /// A secret was revealed to the plugin.
    fn revealed(&self, grant: &str);
    /// A list of expectations is complete: NDJSON in that file, which the run takes over. Paths in it are `part/path`
    /// of this step.
    fn expected(&self, subject: &str, evidence: Evidence, list: &std::path::Path) -> Result<(), Refusal>;
    /// A restore is about to make `path` below the granted directory.
    fn made(&self, grant: &str, path: &RawPath) -> Result<(), Refusal>;
    /// Writes a hold to the journal, on disk before it returns. May block.
    fn take_hold(&self, name: &str, data: &[u8], time: Duration, scope: Scope) -> Result<(), Refusal>;
    /// Moves a hold's deadline to `time` from now. May block.
    fn renew_hold(&self, name: &str, time: Duration) -> Result<(), Refusal>;
    /// Takes a hold that the plugin has undone itself out of the journal. May block.
    fn drop_hold(&self, name: &str) -> Result<(), Refusal>;
}

//! The only way out of a run: one enum, read by the terminal, the JSON lines, the trace and the record.

use std::{path::PathBuf, time::SystemTime};

use serde::Serialize;

use crate::{
    diagnostic::Finding,
    plan::inspection::Stage,
    sandbox::ledger::Level,
    snapshot::{record::Record, state::State},
};

/// What is being done, and to what. All that happens in a run is one of these.
#[derive(Clone, Debug)]
pub enum Event {
    /// A run began.
    Started {
        /// `backup`, `restore`, `verify` or `copy`.
        operation: Operation,
        /// The pipeline.
        pipeline: String,
        /// The snapshot's id.
        snapshot: String,
        /// The plan's hash, for a backup.
        plan: Option<String>,
        /// `step/part` of all that will run, in order.
        parts: Vec<PartName>,
    },
    /// A stage (or the pass ahead: none) began.
    Stage {
        /// Which; none is the pass ahead.
        stage: Option<Stage>,
    },
    /// A call for a part began.
    PartStarted {
        /// Whose.
        part: PartName,
        /// True in the pass ahead.
        ahead: bool,
        /// Bytes that are expected to be moved.
        bytes_estimate: Option<u64>,
    },
    /// Bytes moved since the part began. Emitted at most every 100 ms a part.
    PartProgress {
        /// Whose.
        part: PartName,
        /// All bytes so far.
        bytes: u64,
        /// All files so far.
        files: u64,
        /// What the plugin says of itself: what, done, total.
        plugin: Option<(String, u64, Option<u64>)>,
    },
    /// The part fixed its instant.
    InstantFixed {
        /// Whose.
        part: PartName,
        /// RFC 3339, on the clock of the product.
        instant: String,
    },
    /// What the part stores no longer depends on time.
    PartSettled {
        /// Whose.
        part: PartName,
    },
    /// A call for a part ended.
    PartEnded {
        /// Whose.
        part: PartName,
        /// True in the pass ahead.
        ahead: bool,
        /// Why it failed; none: well.
        failure: Option<String>,
        /// What the plugin said.
        summary: String,
    },
    /// A line that a plugin logged.
    Log {
        /// Whose.
        part: PartName,
        /// How loud.
        level: Level,
        /// The line.
        message: String,
        /// Its fields.
        fields: Vec<(String, String)>,
    },
    /// Something the operator must know.
    Found {
        /// `step/part`, or empty for the run itself.
        part: PartName,
        /// What.
        finding: Finding,
    },
    /// Bytes of the snapshot itself were read or written (`verify`'s first reading, sealing, a copy).
    Snapshot {
        /// `reading`, `sealing`, `copying`.
        doing: &'static str,
        /// Bytes so far.
        bytes: u64,
        /// Of how many.
        total: Option<u64>,
    },
    /// The run ended.
    Ended(Box<Summary>),
}

/// `step/part`. The part is empty where a whole step is meant, both where it is the run itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct PartName {
    /// The step.
    pub step: String,
    /// Its part.
    pub part: String,
}

impl std::fmt::Display for PartName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.step.as_str(), self.part.as_str()) {
            ("", _) => f.write_str("run"),
            (step, "") => f.write_str(step),
            (step, part) => write!(f, "{step}/{part}"),
        }
    }
}

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Operation {
    Inspect,
    Backup,
    Restore,
    Verify,
    Copy,
    Release,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What it did.
    pub operation: Operation,
    /// The snapshot's id.
    pub snapshot: String,
    /// Its state; none when nothing was kept (or for a restore).
    pub state: Option<State>,
    /// The process's exit code.
    pub exit_code: u8,
    /// One sentence; empty for a sealed backup, whose record says it.
    pub message: String,
    /// The whole record (of a restore or verify: what that run did). None: a copy was made of what cannot be opened.
    pub record: Option<Record>,
    /// Where the snapshot is.
    pub path: Option<PathBuf>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// A reader of events. Must not block for long.
pub trait Observer: Send + Sync {
    /// Takes one, with the time at which it happened.
    fn event(&self, at: SystemTime, event: &Event);
}

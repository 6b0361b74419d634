//! `record.json`: what one run did, part by part. Readers accept every version ever released.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{copy::CopyState, receipts::Receipt, state::State};
use crate::{
    diagnostic::Finding,
    digest::Digest,
    plan::inspection::{Attributes, Part, Stage},
};

/// The version that this program writes.
pub const VERSION: u32 = 1;

/// The record of a backup. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// [`VERSION`].
    pub version: u32,
    /// The snapshot's id: 16 hex digits.
    pub snapshot: String,
    /// What it is worth.
    pub state: State,
    /// Every state that applies, best first.
    pub states: Vec<State>,
    /// The pipeline's name.
    pub pipeline: String,
    /// SHA-256 of `plan.json`.
    pub plan: Digest,
    /// The program that wrote it.
    pub strongroom: String,
    /// The machine that it ran on.
    pub host: String,
    /// The newest snapshot of the pipeline, by its date, that the repository held when the run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// When the run began.
    pub started: String,
    /// When it was sealed.
    pub ended: String,
    /// Names of the repositories that it was to be copied to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<String>,
    /// What had become of the copies of `parent` when this one was sealed, by the repository's name. What became of this
    /// one's the next record says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parent_copies: BTreeMap<String, CopyState>,
    /// What happened when, in order.
    pub order: Vec<OrderLine>,
    /// In the order of the pipeline.
    pub steps: Vec<StepRecord>,
    /// The host's own findings.
    pub findings: Vec<Finding>,
    /// Entries and bytes of content, without `.strongroom/` and `SHA256SUMS`.
    pub totals: Totals,
}

/// A line of the order log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    /// When.
    pub at: String,
    /// `step/part`, or empty for the run itself.
    pub part: String,
    /// `ahead-started`, `ahead-ended`, `started`, `instant`, `settled`, `ended`, `failed`, `stage`, …
    pub what: String,
}

/// What one step left.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepRecord {
    /// Its name.
    pub name: String,
    /// What the plugin calls itself.
    pub plugin: String,
    /// Its version.
    pub plugin_version: String,
    /// The component that ran.
    pub component: Digest,
    /// Steps that it came after.
    pub after: Vec<String>,
    /// What `inspect` saw.
    pub facts: Attributes,
    /// What `inspect` found.
    pub findings: Vec<Finding>,
    /// Notes that its parts left.
    pub notes: BTreeMap<String, String>,
    /// How often each granted secret was revealed to it.
    pub revealed: BTreeMap<String, u64>,
    /// Its parts.
    pub parts: Vec<PartRecord>,
}

/// What one part left.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartRecord {
    /// As planned.
    pub part: Part,
    /// When its (first) call began.
    pub started: Option<String>,
    /// When its last call ended.
    pub ended: Option<String>,
    /// The instant that it fixed.
    pub instant: Option<Instant>,
    /// What the plugin said at its end.
    pub summary: String,
    /// Why it failed.
    pub failure: Option<String>,
    /// The plugin's, and one for each list of expectations.
    pub receipts: Vec<Receipt>,
    /// What was found on the way.
    pub findings: Vec<Finding>,
    /// Facts of its outcome.
    pub facts: Attributes,
    /// Lists of what the database refers to.
    pub expected: Vec<ExpectedRecord>,
    /// Files that the snapshot holds of it.
    pub files: u64,
    /// Entries of any kind.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl PartRecord {
    /// When, within a run, it was captured.
    pub fn stage(&self) -> Stage {
        self.part.stage
    }
}

/// A list of expectations, and how it was met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedRecord {
    /// What was listed.
    pub subject: String,
    /// How the list relates to what was dumped.
    pub evidence: Evidence,
    /// Lines of the list.
    pub lines: u64,
    /// Lines that the snapshot meets.
    pub met: u64,
    /// The first that it does not: label, path and why.
    pub missing: Vec<String>,
}

/// How a list relates to what was dumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Read in the same view.
    SameView,
    /// Read before and after it.
    Bracketed,
}

/// The moment that a database dump stands for, on the named clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instant {
    /// No earlier than this: seconds and nanoseconds since 1970.
    pub not_before: (i64, u32),
    /// No later than this.
    pub not_after: (i64, u32),
    /// How it relates to the tool that fixed it.
    pub kind: InstantKind,
    /// Whose clock.
    pub clock: String,
    /// How far that clock is ahead of the host's, in milliseconds.
    pub ahead_of_host_ms: i64,
    /// Annotations.
    pub attributes: Attributes,
}

/// How an instant relates to the tool that fixed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstantKind {
    /// The tool's start.
    Start,
    /// The tool's end.
    End,
    /// A view of its own.
    Exact,
    /// The product was stopped.
    Stopped,
}

/// What a snapshot holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Of any kind.
    pub entries: u64,
    /// Regular files.
    pub files: u64,
    /// Bytes of their content.
    pub bytes: u64,
}

//! Snapshot files: restic's facts, and ours as tags, so that `restic snapshots` shows them.

use serde::{Deserialize, Serialize};

use crate::{digest::Digest, snapshot::state::State};

/// A snapshot file (<https://restic.readthedocs.io/en/stable/100_references.html#snapshots>).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SnapshotFile {
    pub time: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Digest>,
    pub tree: Digest,
    #[serde(default)]
    pub paths: Vec<String>,
    #[serde(default)]
    pub hostname: String,
    #[serde(default)]
    pub username: String,
    #[serde(default)]
    pub uid: u32,
    #[serde(default)]
    pub gid: u32,
    #[serde(default, deserialize_with = "or_empty", skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(default)]
    pub program_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Totals>,
}

/// restic's `summary`, what of it we know.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Totals {
    pub backup_start: String,
    pub backup_end: String,
    pub total_files_processed: u64,
    pub total_bytes_processed: u64,
    pub data_added_packed: u64,
}

/// What our tags say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    /// 16 hex digits.
    pub snapshot: String,
    pub pipeline: String,
    pub state: State,
    /// Of the plan that made it.
    pub plan: String,
}

impl Label {
    /// As tags.
    pub(super) fn tags(&self) -> Vec<String> {
        let Self { snapshot, pipeline, state, plan } = self;
        vec![
            "strongroom".to_owned(),
            format!("id={snapshot}"),
            format!("pipeline={pipeline}"),
            format!("state={state}"),
            format!("plan={plan}"),
        ]
    }

    /// From tags; none where they are not ours.
    pub(super) fn of(tags: &[String]) -> Option<Self> {
        let value =
            |name: &str| tags.iter().find_map(|tag| tag.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned);
        let state = value("state")?;
        Some(Self {
            snapshot: value("id")?,
            pipeline: value("pipeline")?,
            state: State::ALL.into_iter().find(|known| known.word() == state)?,
            plan: value("plan").unwrap_or_default(),
        })
    }
}

/// restic writes `null` for no tags.
fn or_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

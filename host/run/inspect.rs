//! Asks a plugin what it sees: the product before a backup, the snapshot and the target before a restore.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::{
    backup::since_1970,
    board::Board,
    event::{Observer, Operation, PartName},
    part::PartSide,
};
use crate::{
    config::{Grants, Limits},
    plan::inspection::{Attributes, Inspection, Part, Stage},
    repository::{Archive, cores},
    sandbox::{Answer, Plugin, Request, Session, fault::Fault},
};

/// One step that is to be looked at.
pub struct Look<'a> {
    /// Its name.
    pub step: &'a str,
    /// Its component.
    pub plugin: &'a Plugin,
    /// What the plugin calls itself.
    pub plugin_name: &'a str,
    /// Its configuration.
    pub config: &'a serde_json::Value,
    /// What it may reach.
    pub grants: Arc<Grants>,
    /// What it may use up.
    pub limits: &'a Limits,
    /// For restore: the snapshot.
    pub archive: Option<Arc<dyn Archive>>,
    /// For restore: the snapshot's notes, by step.
    pub notes: BTreeMap<String, BTreeMap<String, String>>,
    /// `context.run.attributes`.
    pub attributes: Attributes,
    /// Who is told what the plugin logs.
    pub observer: Arc<dyn Observer>,
    /// The signal to stop.
    pub stop: CancellationToken,
    /// A private directory for secret files.
    pub scratch: &'a Path,
}

/// Calls `inspect`: for restore when there is an archive, else for backup.
///
/// # Errors
/// Whatever made the call fail.
pub async fn inspect(look: Look<'_>) -> Result<Inspection, Fault> {
    let request = if look.archive.is_some() { Request::InspectRestore } else { Request::InspectBackup };
    let after = BTreeMap::from([(look.step.to_owned(), Vec::new())]);
    let board = Arc::new(Board::new(look.observer, BTreeMap::new(), &after, look.scratch.to_owned()));
    let side =
        PartSide::new(PartName::new(look.step, ""), no_part(), Operation::Inspect, board).reading(look.notes, None);
    let session = Session {
        run: "inspect".to_owned(),
        started: since_1970(),
        step: look.step.to_owned(),
        plugin: look.plugin_name.to_owned(),
        config: look.config.clone(),
        grants: look.grants,
        limits: look.limits.clone(),
        attributes: look.attributes,
        draft: None,
        archive: look.archive,
        ledger: Arc::new(side),
        stop: look.stop,
        scratch: look.scratch.to_owned(),
        parallel: cores(),
    };
    match look.plugin.call(session, request).await? {
        Answer::Inspection(inspection) => Ok(inspection),
        _ => Err(Fault::Host("the sandbox answered an inspection with something else".to_owned())),
    }
}

/// An inspection serves the whole step; a release, a hold.
pub(super) fn no_part() -> Part {
    Part {
        name: String::new(),
        stage: Stage::Positions,
        ahead: false,
        summary: String::new(),
        bytes_estimate: None,
        uses: Vec::new(),
        settings: Attributes::new(),
    }
}

//! What `verify` and `restore` share: a sealed snapshot, the components that read it, and one call for each part.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::{
    backup::since_1970,
    board::{Board, now},
    event::{Event, Observer, Operation, PartName},
    part::PartSide,
    telling::Telling,
};
use crate::{
    config::{Grants, Limits},
    diagnostic::Severity,
    diagnostic::causes,
    plan::inspection::Attributes,
    repository::{Archive, Proof, cores, host_name},
    sandbox::{Answer, Plugin, Request, Session, fault::Fault, ledger::Fixed},
    snapshot::{
        receipts::Outcome,
        record::{PartRecord, Record, StepRecord},
    },
};

/// A sealed snapshot and everything that reads it.
pub struct Reading {
    /// Its record.
    pub record: Record,
    /// Its content.
    pub archive: Arc<dyn Archive>,
    /// What serves its steps; a step without is read as bytes only.
    pub steps: BTreeMap<String, ReadingStep>,
    /// The operator's severities.
    pub severity: BTreeMap<String, Severity>,
    /// The pipeline file, absolute, and its text; none where there is none.
    pub pipeline: Option<(PathBuf, String)>,
    /// The state directory; its lock is held by a restore.
    pub state: PathBuf,
    /// A private directory for what spills.
    pub scratch: PathBuf,
    /// Who is told.
    pub observer: Arc<dyn Observer>,
    /// The signal to stop.
    pub stop: CancellationToken,
}

/// The component of one step, trusted, and what it may reach.
#[derive(Clone)]
pub struct ReadingStep {
    /// The component.
    pub plugin: Plugin,
    /// What it calls itself.
    pub plugin_name: String,
    /// The configuration that it gets.
    pub config: serde_json::Value,
    /// What it may reach.
    pub grants: Arc<Grants>,
    /// What it may use up.
    pub limits: Limits,
}

impl Reading {
    pub(super) fn board(&self) -> Arc<Board> {
        let after = self.record.steps.iter().map(|step| (step.name.clone(), step.after.clone())).collect();
        let (observer, severity) = (self.observer.clone(), self.severity.clone());
        let board = Board::new(observer, severity, &after, self.state.clone());
        for (step, part) in self.parts() {
            if let Some(instant) = part.instant.clone() {
                let fixed = Fixed { step: step.name.clone(), part: part.part.name.clone(), instant };
                board.add_instant(fixed);
            }
        }
        Arc::new(board)
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = (&StepRecord, &PartRecord)> {
        self.record.steps.iter().flat_map(|step| step.parts.iter().map(move |part| (step, part)))
    }

    pub(super) fn notes(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        self.record.steps.iter().map(|step| (step.name.clone(), step.notes.clone())).collect()
    }

    /// Calls the step's component for one part.
    pub(super) async fn call(
        &self,
        side: &Arc<PartSide>,
        request: Request,
        attributes: Attributes,
    ) -> Result<Outcome, Fault> {
        let step = self
            .steps
            .get(&side.name.step)
            .ok_or_else(|| Fault::Host(format!("step {} has no trusted component", side.name.step)))?;
        let session = Session {
            run: self.record.snapshot.clone(),
            started: since_1970(),
            step: side.name.step.clone(),
            plugin: step.plugin_name.clone(),
            config: step.config.clone(),
            grants: step.grants.clone(),
            limits: step.limits.clone(),
            attributes,
            draft: None,
            archive: Some(self.archive.clone()),
            ledger: side.clone(),
            stop: side.stop(&self.stop),
            scratch: self.scratch.clone(),
            parallel: cores(),
        };
        match step.plugin.call(session, request).await? {
            Answer::Outcome(outcome) => Ok(outcome),
            _ => Err(Fault::Host("the sandbox answered with something else".to_owned())),
        }
    }

    /// Reads every byte of the snapshot back. What cannot even be read is damage too.
    pub(super) async fn prove(&self) -> Proof {
        let total = self.record.totals.bytes;
        let watch = Telling::of("reading", total, self.observer.clone(), self.stop.clone());
        let archive = self.archive.clone();
        let proof = tokio::task::spawn_blocking(move || archive.prove(&watch)).await;
        let failed = |why: String| Proof { damage: vec![why], ..Proof::default() };
        match proof {
            Ok(Ok(proof)) => proof,
            Ok(Err(error)) => failed(causes(&error)),
            Err(broken) => failed(format!("reading it back broke off: {broken}")),
        }
    }

    /// What this run did, in the form of a record.
    pub(super) fn record_of(&self, board: &Board, sides: &[Arc<PartSide>], started: String) -> Record {
        let steps = self.record.steps.iter().map(|step| StepRecord {
            notes: board.notes_of(&step.name),
            parts: sides.iter().filter(|side| side.name.step == step.name).map(|side| side.record()).collect(),
            ..step.clone()
        });
        Record {
            host: host_name(),
            strongroom: env!("CARGO_PKG_VERSION").to_owned(),
            started,
            ended: now(),
            order: board.take_order(),
            steps: steps.collect(),
            findings: board.take_findings(),
            ..self.record.clone()
        }
    }

    pub(super) fn started_event(&self, operation: Operation, sides: &[Arc<PartSide>]) -> Event {
        Event::Started {
            operation,
            pipeline: self.record.pipeline.clone(),
            snapshot: self.record.snapshot.clone(),
            plan: None,
            parts: sides.iter().map(|side| side.name.clone()).collect::<Vec<PartName>>(),
        }
    }
}

/// `1 part`, `5 parts`.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

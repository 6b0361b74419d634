//! Holds plugins: loads a component, gives one call a fresh instance with its grants and limits, and tells how it ended.

use std::{path::PathBuf, sync::Arc};

use tokio_util::sync::CancellationToken;

use crate::{
    config::{Grants, Limits},
    plan::inspection::{Attributes, Description, Inspection, Part},
    repository::{Archive, Draft, Pass},
    snapshot::receipts::Outcome,
};

pub mod database;
pub mod fault;
pub mod ledger;
pub mod native;
pub mod tool;

use fault::Fault;
use ledger::Ledger;

/// What is asked of a plugin (`context.operation`, with the arguments of the export).
#[derive(Clone, Debug)]
pub enum Request {
    /// Look at the product.
    InspectBackup,
    /// Look at the snapshot and the target.
    InspectRestore,
    /// Store a part.
    Backup(Part, Pass),
    /// Bring a part back.
    Restore(Part),
    /// Check a part of a snapshot.
    Verify(Part),
    /// Ask a restored target.
    Probe(Part),
}

/// What came back.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Of an inspection.
    Inspection(Inspection),
    /// Of anything else.
    Outcome(Outcome),
}

/// Everything that one call may touch.
#[derive(Clone)]
pub struct Session {
    /// The run's id.
    pub run: String,
    /// When the run began: seconds and nanoseconds since 1970.
    pub started: (i64, u32),
    /// The step that is served.
    pub step: String,
    /// What the plugin calls itself, for messages.
    pub plugin: String,
    /// The step's configuration, already checked.
    pub config: serde_json::Value,
    /// What it may reach.
    pub grants: Arc<Grants>,
    /// What it may use up.
    pub limits: Limits,
    /// `context.run.attributes`.
    pub attributes: Attributes,
    /// The snapshot being written (backup).
    pub draft: Option<Arc<dyn Draft>>,
    /// The snapshot being read (inspect for restore, restore, verify, probe). Items of this step lie below its name.
    pub archive: Option<Arc<dyn Archive>>,
    /// The run's side.
    pub ledger: Arc<dyn Ledger>,
    /// The run is to stop.
    pub stop: CancellationToken,
    /// A private directory for what spills and for secret files; removed by whoever made it.
    pub scratch: PathBuf,
    /// How many things the host stores side by side for it.
    pub parallel: usize,
}

/// A loaded component.
pub trait Plugin: Send + Sync {
    /// Asks what it is, with no grant at all.
    fn describe(&self) -> impl Future<Output = Result<Description, Fault>> + Send;
    /// Calls it in a fresh instance.
    fn call(&self, session: Session, request: Request) -> impl Future<Output = Result<Answer, Fault>> + Send;
}

//! Undoes one hold: with the component, the configuration, the grants and the limits that it was taken with.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use super::journal::{Hold, Journal};
use crate::{
    config::{self, Step},
    diagnostic::causes,
    digest::Digest,
    plan::inspection::Attributes,
    repository::cores,
    run::{
        backup::since_1970,
        board::Board,
        event::{Observer, Operation},
        inspect::no_part,
        part::PartSide,
    },
    sandbox::{Plugin, Request, Sandbox, Session},
};

/// What every release of a run, or of a recovery, has at hand.
pub(super) struct Releaser<'a> {
    pub(super) journal: &'a Journal,
    pub(super) state: &'a Path,
    pub(super) observer: Arc<dyn Observer>,
}

impl Releaser<'_> {
    /// Calls `product.release` in a fresh instance. It is not canceled with the run: it has a time limit of its own.
    ///
    /// # Errors
    /// A sentence: why the hold still stands.
    pub(super) async fn release(&self, hold: &Hold, plugin: &Plugin) -> Result<(), String> {
        let step = self.step(hold)?;
        let scratch =
            tempfile::tempdir_in(self.state).map_err(|error| format!("making a private directory: {error}"))?;
        let mut limits = step.limits;
        limits.part_time = limits.release_time();
        let session = Session {
            run: hold.run.clone(),
            started: since_1970(),
            step: hold.step.clone(),
            plugin: hold.plugin.clone(),
            config: step.config,
            grants: Arc::new(step.grants),
            limits,
            attributes: Attributes::new(),
            draft: None,
            archive: None,
            ledger: Arc::new(self.side(hold, scratch.path())),
            stop: Default::default(),
            scratch: scratch.path().to_owned(),
            parallel: cores(),
        };
        let request = Request::Release { hold: hold.name.clone(), data: hold.data()? };
        plugin.call(session, request).await.map(drop).map_err(|fault| fault.to_string())
    }

    /// Nothing of the run is there any more, and nothing is kept: what a release needs is in its data.
    fn side(&self, hold: &Hold, scratch: &Path) -> PartSide {
        let after = BTreeMap::from([(hold.step.clone(), Vec::new())]);
        let board = Arc::new(Board::new(self.observer.clone(), BTreeMap::new(), &after, scratch.to_owned()));
        PartSide::new(hold.owner(), no_part(), Operation::Release, board)
    }

    /// The step as the pipeline had it. Where its state is kept is of no account here.
    fn step(&self, hold: &Hold) -> Result<Step, String> {
        let text = self.journal.kept(&hold.pipeline_text).map_err(|error| error.to_string())?;
        let text = String::from_utf8(text).map_err(|error| error.to_string())?;
        let config = config::parse(&hold.pipeline, &text, &|_| Some("/".to_owned()))
            .map_err(|problems| format!("the pipeline file as it was is understood no more: {problems}"))?;
        config.step(&hold.step).cloned().ok_or_else(|| format!("the pipeline had no step {}", hold.step))
    }
}

/// Components as the journal keeps them, loaded once each.
pub(super) struct Components<'a> {
    sandbox: &'a Sandbox,
    loaded: BTreeMap<Digest, Plugin>,
}

impl<'a> Components<'a> {
    pub(super) fn new(sandbox: &'a Sandbox) -> Self {
        Self { sandbox, loaded: BTreeMap::new() }
    }

    /// # Errors
    /// A sentence: why there is none.
    pub(super) async fn get(&mut self, journal: &Journal, digest: &Digest) -> Result<Plugin, String> {
        if let Some(plugin) = self.loaded.get(digest) {
            return Ok(plugin.clone());
        }
        let wasm = journal.kept(digest).map_err(|error| error.to_string())?;
        let plugin = self.sandbox.load(&wasm).map_err(|fault| causes(&fault))?;
        // What it does not announce stays out of its reach, here as in a run.
        plugin.describe().await.map_err(|fault| causes(&fault))?;
        self.loaded.insert(*digest, plugin.clone());
        Ok(plugin)
    }
}

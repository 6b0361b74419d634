//! Holds plugins: loads a component, gives one call a fresh instance with its grants and limits, and tells how it ended.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use tokio_util::sync::CancellationToken;
use wasmtime::{
    Engine,
    component::{Component, Linker},
};

use crate::{
    config::{Grants, Limits},
    digest::Digest,
    plan::inspection::{Attributes, Description, Inspection, Need, Part},
    repository::{Archive, Draft, Pass},
    snapshot::receipts::Outcome,
};

mod bindings;
mod budget;
mod call;
pub mod compile;
mod convert;
pub mod database;
pub mod endpoint;
pub mod engine;
pub mod fault;
mod holders;
mod imports;
pub mod ledger;
mod limiter;
mod mask;
pub mod native;
pub mod nobody;
mod operation;
mod progress;
mod state;
mod stream;
#[cfg(test)]
mod testing;
mod tls;
pub mod tool;
mod web;

use bindings::PluginPre;
use engine::Ticker;
use fault::Fault;
use ledger::Ledger;
use state::State;

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
    /// Undo a hold.
    Release {
        /// Its name.
        hold: String,
        /// What the plugin left for this call.
        data: Vec<u8>,
    },
}

/// What came back.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Of an inspection.
    Inspection(Inspection),
    /// Of anything else.
    Outcome(Outcome),
    /// Of a release.
    Released,
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

/// Loads components. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    linker: Linker<State>,
    _ticker: Ticker,
}

/// A loaded component. Cheap to clone; each call has an instance of its own.
#[derive(Clone)]
pub struct Plugin {
    shared: Arc<Shared>,
    loaded: Arc<Loaded>,
}

struct Loaded {
    digest: Digest,
    wasm: Box<[u8]>,
    component: Component,
    pre: PluginPre<State>,
    /// What `describe` asked for, once it was called.
    asked: OnceLock<Arc<[Need]>>,
}

impl Sandbox {
    /// A sandbox that keeps compiled code in `cache` (see [`engine::cache_directory`]).
    ///
    /// # Errors
    /// When the cache cannot be used, or this machine cannot run WebAssembly.
    pub fn new(cache: Option<PathBuf>) -> Result<Self, Fault> {
        let engine = engine::engine(cache.as_deref())?;
        let linker = engine::linker(&engine)?;
        let ticker = Ticker::start(&engine)?;
        Ok(Self { shared: Arc::new(Shared { engine, linker, _ticker: ticker }) })
    }

    /// Loads a component: from the cache, or by compiling it here and now. What nobody trusts yet goes through
    /// [`compile::in_child`] first.
    ///
    /// # Errors
    /// [`Fault::Unfit`] when it is no component for this host.
    pub fn load(&self, wasm: &[u8]) -> Result<Plugin, Fault> {
        let component = compile::compile(&self.shared.engine, wasm)?;
        let pre = fit(&self.shared.linker, &component)?;
        let (digest, wasm) = (Digest::of(wasm), wasm.into());
        let loaded = Loaded { digest, wasm, component, pre, asked: OnceLock::new() };
        Ok(Plugin { shared: self.shared.clone(), loaded: Arc::new(loaded) })
    }
}

/// Checks a component against the world, and names what does not fit.
fn fit(linker: &Linker<State>, component: &Component) -> Result<PluginPre<State>, Fault> {
    let pre = linker
        .instantiate_pre(component)
        .map_err(|error| Fault::Unfit(format!("this component imports what this host does not have: {error:#}")))?;
    PluginPre::new(pre).map_err(|error| {
        Fault::Unfit(format!("this component is for another world than strongroom:plugin/plugin: {error:#}"))
    })
}

impl Plugin {
    /// SHA-256 of the component.
    pub fn digest(&self) -> Digest {
        self.loaded.digest
    }

    /// The component itself, as it was loaded: its file may be another one by now.
    pub fn wasm(&self) -> &[u8] {
        &self.loaded.wasm
    }

    /// The interfaces that it imports, as it names them.
    pub fn imports(&self) -> Vec<String> {
        let kind = self.loaded.component.component_type();
        kind.imports(&self.shared.engine).map(|(name, _)| name.to_owned()).collect()
    }

    /// Asks what it is, with no grant at all.
    ///
    /// # Errors
    /// When it traps, reaches a limit, or uses an import.
    pub async fn describe(&self) -> Result<Description, Fault> {
        let description = call::describe(self, nobody::session()).await?;
        self.loaded.asked.get_or_init(|| description.needs.clone().into());
        Ok(description)
    }

    fn asked(&self) -> Option<Arc<[Need]>> {
        self.loaded.asked.get().cloned()
    }

    /// Calls it in a fresh instance.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn call(&self, session: Session, request: Request) -> Result<Answer, Fault> {
        call::call(self, session, request).await
    }

    fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    fn pre(&self) -> &PluginPre<State> {
        &self.loaded.pre
    }
}

#[cfg(test)]
mod tests;

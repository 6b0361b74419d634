//! What most verbs begin with: the pipeline file, its lock, and its components, loaded and trusted.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::Exit;
use crate::{
    cli::Global,
    config::{self, Config, LoadError, Step, find_plugin, lock::Lock},
    digest::Digest,
    plan::{
        inspection::Description,
        resolve::{Inspected, Resolution, check_config, resolve},
    },
    report::error::Drawn,
    run::{
        event::Observer,
        inspect::{Look, inspect},
        locks,
        scratch::Scratch,
    },
    sandbox::{Plugin, Sandbox, compile, engine},
};

/// A pipeline whose components are in its lock.
pub(super) struct Pipeline {
    pub(super) config: Config,
    pub(super) steps: Vec<Loaded>,
}

/// A step's component.
pub(super) struct Loaded {
    pub(super) step: String,
    pub(super) path: PathBuf,
    pub(super) digest: Digest,
    pub(super) plugin: Plugin,
    pub(super) description: Description,
}

/// A component as it was found, not yet trusted.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) wasm: Vec<u8>,
    pub(super) digest: Digest,
}

/// Reads the pipeline file.
pub(super) fn config(global: &Global) -> anyhow::Result<Config> {
    let path = global.config();
    config::load(&path).map_err(|error| match error {
        LoadError::Problems(problems) => {
            let drawn = Drawn { plain: problems.render(false), colored: problems.render(true) };
            anyhow::Error::from(drawn).context(summary_of(&problems))
        }
        other => anyhow::Error::from(other),
    })
}

fn summary_of(problems: &crate::diagnostic::Problems) -> String {
    match problems.problems.len() {
        1 => format!("{} has a problem", problems.file),
        count => format!("{} has {count} problems", problems.file),
    }
}

/// `strongroom.lock`, beside the pipeline file.
pub(super) fn lock_path(config: &Config) -> PathBuf {
    Lock::path(config)
}

/// Where the pipeline file is, whatever the working directory will be.
pub(super) fn absolute(config: &Config) -> PathBuf {
    std::path::absolute(&config.path).unwrap_or_else(|_| config.path.clone())
}

/// The lock; an empty one where there is none yet.
pub(super) fn lock(path: &Path) -> anyhow::Result<Lock> {
    Lock::read(path).with_context(|| format!("reading {}", path.display()))
}

/// Where the plugin's component is, and its bytes.
pub(super) fn find(reference: &str, directory: &Path) -> anyhow::Result<Found> {
    let path = find_plugin(reference, directory, &|name| std::env::var(name).ok())?;
    let wasm = compile::read(&path).with_context(|| format!("reading the component {}", path.display()))?;
    let digest = Digest::of(&wasm);
    Ok(Found { path, wasm, digest })
}

/// The sandbox, with its cache of compiled components where there may be one.
pub(super) fn sandbox() -> anyhow::Result<Sandbox> {
    Sandbox::new(engine::cache_directory()).context("starting the sandbox")
}

impl Pipeline {
    /// Reads the file, checks every component against the lock, then loads it.
    pub(super) async fn open(global: &Global) -> anyhow::Result<Self> {
        Self::of(config(global)?).await
    }

    /// The same for a file that was read already.
    pub(super) async fn of(config: Config) -> anyhow::Result<Self> {
        let (lock, sandbox) = (lock(&lock_path(&config))?, sandbox()?);
        let mut steps = Vec::new();
        for step in &config.steps {
            let found = find(&step.plugin, config.directory()).with_context(|| format!("step {}", step.name))?;
            lock.check(step, &found.digest)
                .map_err(|mismatch| Exit::refused(format!("step {}: {mismatch}", step.name)))?;
            steps.push(load(&sandbox, step, found).await?);
        }
        Ok(Self { config, steps })
    }

    /// Asks every plugin what there is to do, then decides.
    pub(super) async fn resolve(
        &self,
        observer: Arc<dyn Observer>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Resolution> {
        let scratch = Scratch::temporary().context("making a directory for secret files")?;
        let mut inspected = Vec::new();
        for (loaded, step) in self.steps.iter().zip(&self.config.steps) {
            refuse_bad_config(step, &loaded.description)?;
            let inspection = inspect(Look {
                step: &step.name,
                plugin: &loaded.plugin,
                plugin_name: &loaded.description.name,
                config: &step.config,
                grants: Arc::new(step.grants.clone()),
                limits: &step.limits,
                archive: None,
                notes: Default::default(),
                attributes: Vec::new(),
                observer: observer.clone(),
                stop: stop.clone(),
                scratch: scratch.path(),
            })
            .await
            .with_context(|| format!("inspecting step {}", step.name))?;
            inspected.push(Inspected {
                step: step.name.clone(),
                digest: loaded.digest,
                description: loaded.description.clone(),
                inspection,
            });
        }
        Ok(resolve(&self.config, &inspected))
    }
}

/// A plugin may rely on its configuration from its first call on.
fn refuse_bad_config(step: &Step, description: &Description) -> anyhow::Result<()> {
    let problems: Vec<_> = check_config(step, &description.config_schema)
        .into_iter()
        .map(|found| format!("  {}", found.message))
        .collect();
    anyhow::ensure!(
        problems.is_empty(),
        "[step.{}.config] is not what the plugin takes:\n{}",
        step.name,
        problems.join("\n")
    );
    Ok(())
}

async fn load(sandbox: &Sandbox, step: &Step, found: Found) -> anyhow::Result<Loaded> {
    let doing = || format!("step {}: loading {}", step.name, found.path.display());
    let plugin = sandbox.load(&found.wasm).with_context(doing)?;
    let description = plugin.describe().await.with_context(doing)?;
    Ok(Loaded { step: step.name.clone(), path: found.path, digest: found.digest, plugin, description })
}

/// Who asks for a pipeline's lock.
pub(super) fn holder(operation: &str) -> locks::Holder {
    locks::Holder {
        host: crate::repository::host_name(),
        pid: std::process::id(),
        started: format!("{:.0}", jiff::Timestamp::now()),
        operation: operation.to_owned(),
    }
}

//! Who may read a snapshot: the components that it was made with, when they are trusted, or one that the operator names.

use std::{collections::BTreeMap, io::Read, path::Path, sync::Arc};

use anyhow::Context;

use super::{pipeline, select::Selected};
use crate::{
    cli::{Global, TrustArgs},
    config::{Config, Place, lock::Lock},
    digest::Digest,
    name::RawPath,
    run::{event::Observer, reading::Reading, reading::ReadingStep},
    sandbox::{Sandbox, compile},
    snapshot::record::StepRecord,
};

/// Steps that have a trusted component, and why others have none.
pub(super) struct Trusted {
    pub(super) steps: BTreeMap<String, ReadingStep>,
    pub(super) untrusted: Vec<String>,
}

/// Loads what may be trusted for the steps of a snapshot.
pub(super) async fn trusted(
    selected: &Selected,
    config: Option<&Config>,
    trust: &TrustArgs,
) -> anyhow::Result<Trusted> {
    let sandbox = pipeline::sandbox()?;
    let lock = match config {
        Some(config) => pipeline::lock(&pipeline::lock_path(config))?,
        None => Lock::default(),
    };
    let mut trusted = Trusted { steps: BTreeMap::new(), untrusted: Vec::new() };
    for step in &selected.record.steps {
        match component(selected, step, &lock, trust)? {
            Some(wasm) => {
                let reading = load(&sandbox, &wasm, step, config).await?;
                trusted.steps.insert(step.name.clone(), reading);
            }
            None => trusted.untrusted.push(format!(
                "step {}: {} {} ({}) is not in strongroom.lock\nhelp: accept it with `strongroom plugin accept`, or pass \
                 --trust-plugin sha256:{}",
                step.name, step.plugin, step.plugin_version, step.component, step.component
            )),
        }
    }
    Ok(trusted)
}

/// The bytes of the component for `step`, if they are trusted.
fn component(
    selected: &Selected,
    step: &StepRecord,
    lock: &Lock,
    trust: &TrustArgs,
) -> anyhow::Result<Option<Vec<u8>>> {
    if let Some(path) = &trust.plugin {
        compile::in_child(path).with_context(|| format!("compiling {}", path.display()))?;
        return Ok(Some(compile::read(path).with_context(|| format!("reading {}", path.display()))?));
    }
    if !lock.contains_digest(&step.component) && !trust.trust_plugin.contains(&step.component) {
        return Ok(None);
    }
    let wasm = of_snapshot(selected, &step.component)?;
    if Digest::of(&wasm) != step.component {
        anyhow::bail!("the snapshot's component of step {} is damaged\nhelp: pass --plugin FILE", step.name);
    }
    Ok(Some(wasm))
}

fn of_snapshot(selected: &Selected, digest: &Digest) -> anyhow::Result<Vec<u8>> {
    let path = RawPath::from_text(&format!(".strongroom/plugins/{digest}.wasm"))?;
    let reader = selected.archive.open(&path, 0).context("reading the snapshot's component")?;
    let mut wasm = Vec::new();
    reader.take(compile::COMPONENT_BYTES_MAX).read_to_end(&mut wasm).context("reading the snapshot's component")?;
    Ok(wasm)
}

async fn load(
    sandbox: &Sandbox,
    wasm: &[u8],
    step: &StepRecord,
    config: Option<&Config>,
) -> anyhow::Result<ReadingStep> {
    let plugin = sandbox.load(wasm).with_context(|| format!("loading the component of step {}", step.name))?;
    let description = plugin.describe().await.with_context(|| format!("asking the component of step {}", step.name))?;
    let of_pipeline = config.and_then(|config| config.step(&step.name));
    Ok(ReadingStep {
        plugin,
        plugin_name: description.name,
        config: of_pipeline.map_or_else(|| serde_json::json!({}), |step| step.config.clone()),
        grants: Arc::new(of_pipeline.map(|step| step.grants.clone()).unwrap_or_default()),
        limits: of_pipeline.map(|step| step.limits.clone()).unwrap_or_default(),
    })
}

/// Everything that reads the snapshot, put together.
pub(super) fn reading(
    selected: Selected,
    steps: BTreeMap<String, ReadingStep>,
    config: Option<&Config>,
    scratch: &Path,
    observer: Arc<dyn Observer>,
    stop: tokio_util::sync::CancellationToken,
) -> Reading {
    Reading {
        record: selected.record,
        archive: selected.archive,
        steps,
        severity: config.map(|config| config.severity.clone()).unwrap_or_default(),
        pipeline: config.map(|config| (pipeline::absolute(config), config.text.clone())),
        state: config.map_or_else(|| scratch.to_owned(), |config| config.state.clone()),
        scratch: scratch.to_owned(),
        observer,
        stop,
    }
}

/// The pipeline, where there is one: with `--repo` alone none is needed.
pub(super) fn optional_config(global: &Global, repo: Option<&Place>) -> anyhow::Result<Option<Config>> {
    if repo.is_some() && global.config.is_none() && !global.config().exists() {
        return Ok(None);
    }
    pipeline::config(global).map(Some)
}

//! `plugin build | inspect | accept`: how a component comes to be, what it is, and how it comes to be trusted.

use std::{
    collections::BTreeSet,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::{
    Exit,
    pipeline::{self, Found},
};
use crate::{
    cli::Global,
    config::{
        Config, Step,
        lock::{Entry, Lock},
    },
    plan::inspection::Description,
    report::{self, exit, words::Paint},
    sandbox::{Plugin, Sandbox, compile},
};

pub mod build;

pub(super) fn build(global: &Global, dirs: &[PathBuf], out: &Path) -> anyhow::Result<u8> {
    let quiet = global.quiet || global.json;
    let mut progress = |line: &str| {
        if !quiet {
            eprintln!("{line}");
        }
    };
    let built = build::build(dirs, out, &mut progress)?;
    report::print(&report::list::built(&built, global.json))?;
    Ok(exit::DONE)
}

pub(super) async fn inspect(global: &Global, reference: &str) -> anyhow::Result<u8> {
    let directory = global.config().parent().map(Path::to_owned).unwrap_or_default();
    let found = pipeline::find(reference, &directory)?;
    let (plugin, description) = load_untrusted(&pipeline::sandbox()?, &found).await?;
    let component = report::list::Component {
        path: &found.path,
        size: found.wasm.len() as u64,
        sha256: &found.digest,
        imports: &plugin.imports(),
        description: &description,
    };
    let paint = Paint { on: report::color(&std::io::stdout()) };
    report::print(&report::list::component(&component, global.json, paint))?;
    Ok(exit::DONE)
}

/// Loads a component that nobody has accepted: it is compiled in the limited child first.
pub(super) async fn load_untrusted(sandbox: &Sandbox, found: &Found) -> anyhow::Result<(Plugin, Description)> {
    let doing = || format!("loading {}", found.path.display());
    compile::in_child(&found.path).with_context(doing)?;
    let plugin = sandbox.load(&found.wasm).with_context(doing)?;
    let description = plugin.describe().await.with_context(doing)?;
    Ok((plugin, description))
}

pub(super) async fn accept(global: &Global, names: &[String], yes: bool) -> anyhow::Result<u8> {
    let config = pipeline::config(global)?;
    let path = pipeline::lock_path(&config);
    let (mut lock, sandbox) = (pipeline::lock(&path)?, pipeline::sandbox()?);
    let mut changed = Vec::new();
    for step in chosen(&config, names)? {
        let found = pipeline::find(&step.plugin, config.directory())?;
        let (plugin, description) = load_untrusted(&sandbox, &found).await?;
        let entry = entry(step, &found, &plugin, &description);
        if lock.entry(&step.name) == Some(&entry) {
            report::print(&format!("step {}: {} {} is accepted already\n", step.name, entry.plugin, entry.version))?;
            continue;
        }
        report::print(&report::accept::change(&step.name, lock.entry(&step.name), &entry))?;
        changed.push(entry);
    }
    if changed.is_empty() {
        return Ok(exit::DONE);
    }
    if !yes {
        agree()?;
    }
    changed.into_iter().for_each(|entry| lock.accept(entry));
    lock.write(&path).with_context(|| format!("writing {}", path.display()))?;
    report::print(&format!("written: {}\n", path.display()))?;
    Ok(exit::DONE)
}

/// Steps by their own or their plugin's name; none: all.
fn chosen<'a>(config: &'a Config, names: &[String]) -> anyhow::Result<Vec<&'a Step>> {
    let fits = |step: &Step, name: &String| step.name == *name || step.plugin == *name;
    let known: BTreeSet<_> =
        config.steps.iter().flat_map(|step| names.iter().filter(|name| fits(step, name))).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        anyhow::bail!("no step of {} is called {unknown:?} or uses such a plugin", config.path.display());
    }
    Ok(config.steps.iter().filter(|step| names.is_empty() || names.iter().any(|name| fits(step, name))).collect())
}

/// What the lock will say of a step.
pub(super) fn entry(step: &Step, found: &Found, plugin: &Plugin, description: &Description) -> Entry {
    let needs = description.needs.iter().map(|need| {
        let many = if need.many { "-*" } else { "" };
        let required = if need.required { "" } else { " (optional)" };
        format!("{} {}{many}{required}", need.capability, need.name)
    });
    Entry {
        imports: plugin.imports(),
        needs: needs.collect(),
        ..Entry::new(step, (&description.name, &description.version), found.digest, found.path.clone())
    }
}

/// Asks whoever sits there; where nobody does, silence is no consent.
fn agree() -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() {
        let message = "nothing was accepted: nobody can be asked here\nhelp: look at the above, then pass --yes";
        return Err(Exit::refused(message).into());
    }
    if confirmed()? { Ok(()) } else { Err(Exit::refused("nothing was accepted").into()) }
}

fn confirmed() -> anyhow::Result<bool> {
    print!("accept? [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Pins every step of a pipeline that was just written.
pub(super) fn pin(path: &Path, entries: Vec<Entry>) -> anyhow::Result<()> {
    let mut lock: Lock = pipeline::lock(path)?;
    entries.into_iter().for_each(|entry| lock.accept(entry));
    lock.write(path).with_context(|| format!("writing {}", path.display()))
}

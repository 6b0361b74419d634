//! `restore`: looks, refuses or shows, then writes; `restore --files` extracts without any plugin.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use cap_std::{ambient_authority, fs::Dir};
use tokio_util::sync::CancellationToken;

use super::{
    Exit, pipeline, reading, recover,
    select::{only, select},
};
use crate::{
    cli::{Global, RestoreArgs},
    report::{self, exit},
    repository::{Archive, Listed, Watch, extract, tree::TreeOptions},
    run::{
        event::Observer,
        locks,
        restore::{Choice, Prepared, prepare},
        scratch::Scratch,
        stop,
    },
};

pub(super) async fn restore(global: &Global, args: &RestoreArgs) -> anyhow::Result<u8> {
    let stop = stop::on_signals()?;
    if let Some(directory) = &args.files {
        let (selected, directory, args) = (only(global, &args.snapshot)?, directory.clone(), args.clone());
        let json = global.json;
        return tokio::task::spawn_blocking(move || files(&selected, &directory, &args, json, &stop)).await?;
    }
    let config = pipeline::config(global)?;
    let retry = args.lock.retry_lock.unwrap_or(Duration::ZERO);
    let _lock = locks::acquire(&config.state, &config.name, &pipeline::holder("restore"), retry).await?;
    let observer: Arc<dyn Observer> = Arc::new(global.report().observers()?);
    if !args.dry_run {
        let found = recover::before_a_run(&config, &observer, &stop).await?;
        recover::tell(&*observer, found);
    }
    let selected = select(global, &args.snapshot)?;
    let trusted = reading::trusted(&selected, Some(&config), &args.trust).await?;
    if let Some(first) = trusted.untrusted.first() {
        return Err(Exit::refused(first.clone()).into());
    }
    let scratch = Scratch::make(&config.state).context("making a private directory in the state directory")?;
    let reading = reading::reading(selected, trusted.steps, Some(&config), scratch.path(), observer, stop);
    let prepared = prepare(reading, choice(args)).await;
    if args.dry_run {
        let text = report::preview::text(&prepared.previews, global.json);
        report::print(&text)?;
        return Ok(code(&prepared));
    }
    if !prepared.previews.refused.is_empty() {
        return Err(refusal(&prepared).into());
    }
    Ok(prepared.run().await.exit_code)
}

fn choice(args: &RestoreArgs) -> Choice {
    Choice {
        steps: args.steps.clone(),
        parts: args.parts.clone(),
        overwrite: args.overwrite,
        mix: args.mix,
        outside_links: args.outside_links,
        force_damaged: args.force_damaged,
        dry_run: args.dry_run,
    }
}

/// 5 where a policy says no, 1 where a fact does, 0 where nothing does.
fn code(prepared: &Prepared) -> u8 {
    let refused = &prepared.previews.refused;
    match (refused.is_empty(), refused.iter().any(|refused| refused.policy)) {
        (true, _) => exit::DONE,
        (_, true) => exit::REFUSED,
        _ => exit::FAILED,
    }
}

fn refusal(prepared: &Prepared) -> Exit {
    let lines: Vec<_> = prepared.previews.refused.iter().map(|refused| format!("  {}", refused.why)).collect();
    Exit::new(code(prepared), format!("nothing was restored:\n{}", lines.join("\n")))
}

/// Ends long work when the run is to stop.
struct Stop<'a>(&'a CancellationToken);

impl Watch for Stop<'_> {
    fn moved(&self, _bytes: u64, _files: u64) {}
    fn stopped(&self) -> bool {
        self.0.is_cancelled()
    }
}

fn files(
    (listed, archive): &(Listed, Box<dyn Archive>),
    directory: &Path,
    args: &RestoreArgs,
    json: bool,
    stop: &CancellationToken,
) -> anyhow::Result<u8> {
    std::fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    let empty = std::fs::read_dir(directory)?.next().is_none();
    if !empty && !args.overwrite {
        anyhow::bail!("{} is not empty\nhelp: choose an empty directory, or pass --overwrite", directory.display());
    }
    let target = Dir::open_ambient_dir(directory, ambient_authority())
        .with_context(|| format!("opening {}", directory.display()))?;
    let options = TreeOptions {
        includes: args.includes.clone(),
        overwrite: args.overwrite,
        outside_links: args.outside_links,
        ..TreeOptions::default()
    };
    let extracted = extract::extract_all(&**archive, &target, &options, &|_| Ok(()), &Stop(stop));
    if stop.is_cancelled() {
        return Ok(exit::CANCELED);
    }
    let report = extracted.with_context(|| format!("extracting snapshot {}", listed.id))?;
    report::print(&report::list::extracted(&listed.id, directory, &report, json))?;
    let lost = report.skipped.iter().any(|(_, reason)| reason != "owner");
    Ok(match (lost, report.stored) {
        (false, _) => exit::DONE,
        (true, 0) => exit::FAILED,
        _ => exit::PARTIAL,
    })
}

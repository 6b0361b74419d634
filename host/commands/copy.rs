//! `copy`: brings snapshots to the pipeline's other repositories; `backup` does the same with what it made.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::{
    Exit,
    pipeline::{self, holder},
    repository,
    select::choose,
};
use crate::{
    cli::{CopyArgs, Global},
    config::{self, Config},
    report::{self, exit},
    repository::{Listed, Repository},
    run::{backup, copy as run, locks, stop},
};

pub(super) async fn copy(global: &Global, args: &CopyArgs) -> anyhow::Result<u8> {
    let stop = stop::on_signals()?;
    let config = pipeline::config(global)?;
    let copies = chosen(&config, args)?;
    let retry = args.lock.retry_lock.unwrap_or(Duration::ZERO);
    let _lock = locks::acquire(&config.state, &config.name, &holder("copy"), retry).await?;
    let from = repository::to_read(&config, &config.repository, None)?;
    repository::exists(&*from)?;
    let (all, unreadable) = from.snapshots().context("listing the repository")?;
    let mut code = exit::DONE;
    for copy in copies {
        let to = repository::to_copy_to(&config, copy)?;
        let missing = run::missing(&*from, &*to, &config.name).context("comparing the repositories")?;
        let snapshots = select(missing, &all, &unreadable, args)?;
        if snapshots.is_empty() {
            report::print(&report::keep::nothing(&format!("nothing to do: {} lacks nothing", copy.name), global.json))?;
        }
        code = code.max(each(global, &config, copy, &from, &to, snapshots, &stop).await?);
    }
    Ok(code)
}

fn chosen<'c>(config: &'c Config, args: &CopyArgs) -> anyhow::Result<Vec<&'c config::Repository>> {
    let unknown = args.to.iter().find(|name| config.copies.iter().all(|copy| copy.name != **name));
    if let Some(name) = unknown {
        let message = format!(
            "the pipeline file has no repository {name} with copy-of = {:?}\nhelp: compare the names in [repository.NAME]",
            config.repository.name
        );
        return Err(Exit::refused(message).into());
    }
    if config.copies.is_empty() {
        let message = format!(
            "the pipeline file has no repository to copy to\nhelp: write [repository.offsite] with copy-of = {:?}",
            config.repository.name
        );
        return Err(Exit::refused(message).into());
    }
    let wanted = |copy: &&config::Repository| args.to.is_empty() || args.to.contains(&copy.name);
    Ok(config.copies.iter().filter(wanted).collect())
}

/// Of what is missing, what the operator named.
fn select(
    mut missing: Vec<Listed>,
    all: &[Listed],
    unreadable: &[String],
    args: &CopyArgs,
) -> anyhow::Result<Vec<Listed>> {
    if args.snapshots.is_empty() {
        return Ok(missing);
    }
    let ids: BTreeSet<String> = args
        .snapshots
        .iter()
        .map(|named| Ok(choose(all, unreadable, named, false)?.id.clone()))
        .collect::<anyhow::Result<_>>()?;
    missing.retain(|listed| ids.contains(&listed.id));
    Ok(missing)
}

/// Copies one after the other; one that fails does not keep the others.
async fn each(
    global: &Global,
    config: &Config,
    copy: &config::Repository,
    from: &Arc<dyn Repository>,
    to: &Arc<dyn Repository>,
    snapshots: Vec<Listed>,
    stop: &CancellationToken,
) -> anyhow::Result<u8> {
    backup::sweep(&**to, &config.name, None)
        .with_context(|| format!("clearing away what was left in {}", copy.name))?;
    let mut code = exit::DONE;
    for listed in snapshots {
        let id = listed.id.clone();
        let job = run::Copy {
            listed,
            from: from.clone(),
            to: to.clone(),
            name: copy.name.clone(),
            severity: config.severity.clone(),
            state: config.state.clone(),
            observer: Arc::new(global.report().observers()?),
            stop: stop.clone(),
        };
        let ended = run::copy(job).await.with_context(|| format!("copying snapshot {id} to {}", copy.name));
        code = code.max(match ended {
            Ok(summary) => summary.exit_code,
            Err(error) => {
                report::error::beside(global.json, &error);
                exit::FAILED
            }
        });
        if stop.is_cancelled() {
            break;
        }
    }
    Ok(code)
}

/// After a backup: brings each copy up to date. Returns the exit code; that of the backup itself is not known here.
pub(super) async fn after_backup(global: &Global, config: &Config, stop: &CancellationToken) -> u8 {
    if config.copies.is_empty() {
        return exit::DONE;
    }
    // Opened once: that takes a key, and time.
    let from = repository::to_read(config, &config.repository, None);
    let mut code = exit::DONE;
    for copy in &config.copies {
        let copied = match &from {
            Ok(from) => up_to_date(global, config, copy, from, stop).await,
            Err(why) => Err(anyhow::anyhow!("{why:#}")),
        };
        code = code.max(copied.unwrap_or_else(|error| {
            let help = "\nhelp: the snapshot itself is kept; `strongroom copy` tries again";
            let error = error.context(format!("nothing was copied to {}{help}", copy.name));
            report::error::beside(global.json, &error);
            exit::FAILED
        }));
    }
    code
}

async fn up_to_date(
    global: &Global,
    config: &Config,
    copy: &config::Repository,
    from: &Arc<dyn Repository>,
    stop: &CancellationToken,
) -> anyhow::Result<u8> {
    let to = repository::to_copy_to(config, copy)?;
    let newer = run::newer(&**from, &*to, &config.name).context("comparing the repositories")?;
    each(global, config, copy, from, &to, newer, stop).await
}

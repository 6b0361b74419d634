//! `forget`: judges the pipeline's snapshots by its rules, and removes what none keeps.

use std::time::Duration;

use anyhow::Context;
use tokio::time::Instant;

use super::{Exit, pipeline::holder, repository};
use crate::{
    cli::{ForgetArgs, Global},
    config::{Config, keep::Keep},
    report::{self, exit},
    repository::Repository,
    run::{backup, forget as run, locks},
};

/// How often a snapshot that somebody uses is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn forget(global: &Global, args: &ForgetArgs) -> anyhow::Result<u8> {
    let (config, repository) = repository::of_own(global, &args.repo)?;
    let keep = rules(&config, args)?;
    if args.dry_run {
        return judge(global, args, &config, &*repository, &keep).map(|_| exit::DONE);
    }
    let retry = args.lock.retry_lock.unwrap_or(Duration::ZERO);
    let lock = locks::acquire(&config.state, &config.name, &holder("forget"), retry).await?;
    let swept = backup::sweep(&*repository, &config.name, lock.left_by.as_ref())
        .context("clearing away what a run before left behind")?;
    warn(global, swept.iter().map(|finding| format!("{}: {}", finding.subject, finding.message)))?;
    let judged = judge(global, args, &config, &*repository, &keep)?;
    let mut removals = run::remove(&*repository, &judged);
    let until = Instant::now() + retry;
    while removals.iter().any(|removal| removal.busy) && Instant::now() < until {
        tokio::time::sleep(RETRY_EVERY).await;
        run::remove_busy(&*repository, &mut removals);
    }
    report::print(&report::forget::removals(&removals, global.json))?;
    let failed = removals.iter().any(|removal| removal.failure.is_some());
    Ok(if failed { exit::PARTIAL } else { exit::DONE })
}

/// The command line's rules where it has any, else the file's.
fn rules(config: &Config, args: &ForgetArgs) -> anyhow::Result<Keep> {
    let keep = args.keep.rules().unwrap_or_else(|| config.policy.keep.clone());
    if keep.is_nothing() && !args.unsafe_allow_remove_all {
        return Err(Exit::refused(
            "no rule says which snapshots are kept, so none is removed\n\
             help: write [policy.keep] with daily = 7 or the like, or pass --keep-daily 7",
        )
        .into());
    }
    Ok(keep)
}

/// Prints what is kept and what goes, and refuses to leave nothing.
fn judge(
    global: &Global,
    args: &ForgetArgs,
    config: &Config,
    repository: &dyn Repository,
    keep: &Keep,
) -> anyhow::Result<Vec<run::Judged>> {
    let (judged, unreadable) = run::judged(repository, &config.name, keep, args.group_by, &run::now_here())
        .context("listing the repository")?;
    let paint = report::words::Paint { on: report::color(&std::io::stdout()) };
    report::print(&report::forget::judged(&judged, keep, args.dry_run, global.json, paint))?;
    warn(global, unreadable.iter().map(|set| format!("unreadable and left alone: {set}")))?;
    warn(global, run::uncounted(&judged).iter().map(|finding| format!("{}: {}", finding.subject, finding.message)))?;
    if run::leaves_none(&judged) && !args.unsafe_allow_remove_all {
        return Err(Exit::refused(
            "the rules would remove every snapshot of the pipeline, or of a group, so none is removed\n\
             help: change the rules, or pass --unsafe-allow-remove-all",
        )
        .into());
    }
    Ok(judged)
}

fn warn(global: &Global, messages: impl Iterator<Item = String>) -> anyhow::Result<()> {
    for message in messages {
        match global.json {
            true => report::print(&report::forget::warning(&message))?,
            false => eprintln!("warning: {}", report::words::line(&message)),
        }
    }
    Ok(())
}

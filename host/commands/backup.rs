//! `backup`: lock, plan, run, report.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::{
    Exit, copy,
    pipeline::{self, Pipeline, holder},
    recover, repository,
};
use crate::{
    cli::{BackupArgs, Global},
    config::{Config, Format},
    diagnostic::{Finding, Severity},
    plan::{inspection::Attributes, resolve::Resolution, severity},
    report::{self, exit},
    repository::Repository,
    run::{
        backup::{self, Backup},
        event::Observer,
        locks, stop,
    },
};

pub(super) async fn backup(global: &Global, args: &BackupArgs) -> anyhow::Result<u8> {
    let stop = stop::on_signals()?;
    let config = pipeline::config(global)?;
    let retry = args.lock.retry_lock.unwrap_or(Duration::ZERO);
    let lock = locks::acquire(&config.state, &config.name, &holder("backup"), retry).await?;
    let observer: Arc<dyn Observer> = Arc::new(global.report().observers()?);
    // Before anything else, and whatever has become of the pipeline since: a product may wait for it.
    let recovered = recover::before_a_run(&config, &observer, &stop).await?;
    let ended = under_lock(global, args, config, lock, recovered.clone(), observer.clone(), stop).await;
    if ended.is_err() {
        // No record says it.
        recover::tell(&*observer, recovered);
    }
    ended
}

async fn under_lock(
    global: &Global,
    args: &BackupArgs,
    config: Config,
    lock: locks::Lock,
    mut found: Vec<Finding>,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
) -> anyhow::Result<u8> {
    let pipeline = Pipeline::of(config).await?;
    let config = &pipeline.config;
    let repository = repository::of_pipeline(config)?;
    if config.repository.format == Format::Restic {
        // An empty directory may be one whose file system is not mounted: nothing is made there unasked.
        repository::exists(&*repository)?;
    }
    let swept = backup::sweep(&*repository, &config.name, lock.left_by.as_ref());
    found.extend(swept.context("clearing away what a run before left behind")?);

    let resolution = pipeline.resolve(observer.clone(), &stop).await?;
    refuse(&resolution.blockers)?;
    expect_plan(args, &resolution)?;
    found.extend(room(&*repository, &resolution)?);
    found.extend(resolution.beside.findings.iter().filter(|found| found.subject == severity::SUBJECT).cloned());
    let found: Vec<_> = found.into_iter().map(|finding| severity::weighed(&config.severity, finding)).collect();
    refuse(&found)?;

    let retry = args.lock.retry_lock.unwrap_or_default();
    let summary = backup::backup(job(&pipeline, resolution, found, repository, retry, observer, stop.clone()))
        .await
        .context("beginning a snapshot")?;
    let copied = match summary.path {
        Some(_) if !stop.is_cancelled() => copy::after_backup(global, config, &stop).await,
        _ => exit::DONE,
    };
    drop(lock);
    // What the snapshot is worth weighs more than where else it is.
    Ok(if summary.exit_code == exit::DONE { copied } else { summary.exit_code })
}

/// A blocker stops before anything is written.
fn refuse(findings: &[Finding]) -> anyhow::Result<()> {
    let lines: Vec<_> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Blocker)
        .map(|finding| format!("  {} ({}): {}", finding.subject, finding.code, finding.message.trim_end()))
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    let count = report::words::counted(lines.len() as u64, "blocker", "blockers");
    Err(anyhow::anyhow!("nothing was written, because of {count}:\n{}", lines.join("\n")))
}

fn expect_plan(args: &BackupArgs, resolution: &Resolution) -> anyhow::Result<()> {
    let hash = resolution.plan.hash();
    match args.expect_plan {
        Some(expected) if expected != hash => Err(Exit::refused(format!(
            "the plan is {hash}, not {expected} as expected\nhelp: look at `strongroom plan`, then pass its hash"
        ))
        .into()),
        _ => Ok(()),
    }
}

/// Whether the set, and what is spooled beside it, will fit.
fn room(repository: &dyn Repository, resolution: &Resolution) -> anyhow::Result<Option<Finding>> {
    let estimate: u64 =
        resolution.plan.steps.iter().flat_map(|step| &step.parts).filter_map(|part| part.bytes_estimate).sum();
    let room = repository.room().context("looking how much room the repository has")?;
    let text = |what: &str| {
        let (estimate, room) = (report::words::bytes(estimate), report::words::bytes(room));
        format!("{what}: the product has about {estimate}, the repository has room for {room}")
    };
    if room < estimate {
        let what =
            "the snapshot may not fit (free some room, or set severity.no-room in [pipeline] if it compresses well)";
        return Ok(Some(Finding::new(Severity::Blocker, "no-room", "repository", text(what))));
    }
    let tight = room < estimate.saturating_mul(2);
    Ok(tight.then(|| {
        let what = "room is tight (what cannot be appended at once is spooled beside the set)";
        Finding::new(Severity::Warning, "room-tight", "repository", text(what))
    }))
}

fn job(
    opened: &Pipeline,
    resolution: Resolution,
    findings: Vec<Finding>,
    repository: Arc<dyn Repository>,
    retry_lock: Duration,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
) -> Backup {
    let config = &opened.config;
    let used: BTreeSet<_> = resolution.plan.steps.iter().map(|step| step.component).collect();
    Backup {
        plan_json: resolution.plan.canonical(),
        pipeline_toml: config.text.clone(),
        pipeline_path: pipeline::absolute(config),
        severity: config.severity.clone(),
        seen: seen(&resolution),
        plugins: opened.steps.iter().map(|step| (step.step.clone(), step.plugin.clone())).collect(),
        components: opened
            .steps
            .iter()
            .filter(|step| used.contains(&step.digest))
            .map(|step| (step.digest, step.path.clone()))
            .collect(),
        state: config.state.clone(),
        plan: resolution.plan,
        findings,
        repository,
        retry_lock,
        observer,
        stop,
    }
}

/// What `inspect` saw and found, by step: for the record.
fn seen(resolution: &Resolution) -> BTreeMap<String, (Attributes, Vec<Finding>)> {
    let of_step = |step: &str| {
        let facts = resolution.beside.facts.iter().filter(|facts| facts.step == step);
        let below = format!("{step}/");
        let findings = resolution.beside.findings.iter();
        let findings = findings.filter(|found| found.subject == step || found.subject.starts_with(&below));
        // In the record they stand below their step.
        let own = |found: &Finding| Finding {
            subject: found.subject.strip_prefix(&below).unwrap_or_default().to_owned(),
            ..found.clone()
        };
        (facts.flat_map(|facts| facts.facts.clone()).collect(), findings.map(own).collect())
    };
    resolution.plan.steps.iter().map(|step| (step.name.clone(), of_step(&step.name))).collect()
}

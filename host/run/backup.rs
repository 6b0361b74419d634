//! A backup: runs the plan's parts, proves what they left, and seals the snapshot last.

use std::{
    collections::BTreeMap,
    io::Read,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant as Clock, SystemTime},
};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    board::{Board, now},
    event::{Event, Observer, Operation, PartName, Summary},
    holds::{Holds, Origin, Watching},
    part::{PartSide, telling},
    seal, stages,
    stop::EXIT_CANCELED,
};
use crate::{
    config::{Grants, Order},
    diagnostic::{Finding, Severity},
    digest::Digest,
    plan::{Plan, inspection::Attributes},
    repository::{self, Draft, Repository, cores},
    sandbox::{Plugin, Session, fault::Fault},
};

/// Everything that a backup needs. The plan leaves it nothing to decide.
pub struct Backup {
    /// What to do.
    pub plan: Plan,
    /// The plan, exactly as its hash covers it.
    pub plan_json: Vec<u8>,
    /// The pipeline file as it was written.
    pub pipeline_toml: String,
    /// Where that file is, absolute.
    pub pipeline_path: PathBuf,
    /// The operator's severities.
    pub severity: BTreeMap<String, Severity>,
    /// What `inspect` saw and found, by step.
    pub seen: BTreeMap<String, (Attributes, Vec<Finding>)>,
    /// The components, by step.
    pub plugins: BTreeMap<String, Plugin>,
    /// Their files, by digest: they go into the snapshot.
    pub components: BTreeMap<Digest, PathBuf>,
    /// The state directory. Its lock is held.
    pub state: PathBuf,
    /// Findings that were made before the run began (what a dead run left behind).
    pub findings: Vec<Finding>,
    /// Where the snapshot goes.
    pub repository: Arc<dyn Repository>,
    /// How long to wait for those who use it alone.
    pub retry_lock: Duration,
    /// Who is told.
    pub observer: Arc<dyn Observer>,
    /// The signal to stop.
    pub stop: CancellationToken,
}

/// A backup that is going on.
pub(super) struct Running {
    pub(super) id: String,
    pub(super) started: String,
    pub(super) board: Arc<Board>,
    pub(super) sides: Vec<Arc<PartSide>>,
    pub(super) draft: Arc<dyn Draft>,
    pub(super) holds: Arc<Holds>,
    pub(super) order: Order,
    pub(super) stop: CancellationToken,
    parallel: usize,
    began: (i64, u32),
    grants: BTreeMap<String, Arc<Grants>>,
    pub(super) job: Backup,
}

/// Runs a backup to its end: whatever happens, there is a summary, and it names the exit code.
///
/// # Errors
/// When the repository cannot begin a snapshot; then nothing was done.
pub async fn backup(job: Backup) -> Result<Summary, repository::Error> {
    let clock = Clock::now();
    let first = first(&job).await?;
    let running = Arc::new(begin(job, first)?);
    let watching = Watching::begin(&running.holds, &running.sides);
    telling(&running.sides, stages::run(&running)).await;
    watching.end().await;
    let mut summary = if running.stop.is_cancelled() { canceled(&running) } else { finish(&running).await };
    summary.seconds = clock.elapsed().as_secs_f64();
    running.board.emit(&Event::Ended(Box::new(summary.clone())));
    Ok(summary)
}

/// How often a repository that somebody else uses alone is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// A snapshot that has just begun: its id, when, and what is written.
struct First {
    id: String,
    started: String,
    draft: Box<dyn Draft>,
}

/// Begins the snapshot, and waits as long as it may for those who use the repository alone.
async fn first(job: &Backup) -> Result<First, repository::Error> {
    let until = Clock::now() + job.retry_lock;
    loop {
        let (id, started) = (new_id(), now());
        match job.repository.draft(&id, &job.plan.pipeline, &started) {
            Err(repository::Error::Busy(_)) if Clock::now() < until && !job.stop.is_cancelled() => {
                tokio::select! {
                    () = tokio::time::sleep(RETRY_EVERY) => {}
                    () = job.stop.cancelled() => {}
                }
            }
            draft => return Ok(First { id, started, draft: draft? }),
        }
    }
}

fn begin(job: Backup, First { id, started, draft }: First) -> Result<Running, repository::Error> {
    let after = job.plan.steps.iter().map(|step| (step.name.clone(), step.after.clone())).collect();
    let board = Arc::new(Board::new(job.observer.clone(), job.severity.clone(), &after, job.state.clone()));
    let holds = board.hold_with(holds(&job, &id)?);
    let sides: Vec<_> = job
        .plan
        .steps
        .iter()
        .flat_map(|step| step.parts.iter().map(|part| (PartName::new(&step.name, &part.name), part.clone())))
        .map(|(name, part)| Arc::new(PartSide::new(name, part, Operation::Backup, board.clone())))
        .collect();
    board.emit(&Event::Started {
        operation: Operation::Backup,
        pipeline: job.plan.pipeline.clone(),
        snapshot: id.clone(),
        plan: Some(Digest::of(&job.plan_json).to_string()),
        parts: sides.iter().map(|side| side.name.clone()).collect(),
    });
    board.log_order(&PartName::run(), "started");
    job.findings.iter().for_each(|finding| board.find(finding.clone()));
    Ok(Running {
        id,
        started,
        board,
        sides,
        draft: Arc::from(draft),
        holds,
        order: job.plan.order,
        stop: job.stop.clone(),
        parallel: job.plan.parallel.unwrap_or_else(cores),
        began: since_1970(),
        grants: job.plan.steps.iter().map(|step| (step.name.clone(), Arc::new(step.grants.clone()))).collect(),
        job,
    })
}

fn holds(job: &Backup, id: &str) -> Result<Holds, repository::Error> {
    let of_step = |step: &crate::plan::Step| {
        let plugin = job.plugins.get(&step.name)?;
        Some((step.name.clone(), (plugin.clone(), step.plugin.clone())))
    };
    let plugins = job.plan.steps.iter().filter_map(of_step).collect();
    let origin = Origin { path: job.pipeline_path.clone(), text: job.pipeline_toml.clone() };
    Holds::new(&job.state, id, origin, plugins, job.observer.clone())
        .map_err(repository::Error::io("reading the journal of holds"))
}

impl Running {
    /// Places for parts that run side by side.
    pub(super) fn places(&self) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(self.parallel))
    }

    /// The component that serves a part, and all that one call of it may touch.
    pub(super) fn session(&self, side: &Arc<PartSide>) -> Result<(Plugin, Session), Fault> {
        let missing = || Fault::Host(format!("step {} has no component", side.name.step));
        let step = self.job.plan.steps.iter().find(|step| step.name == side.name.step).ok_or_else(missing)?;
        let plugin = self.job.plugins.get(&step.name).ok_or_else(missing)?;
        let session = Session {
            run: self.id.clone(),
            started: self.began,
            step: step.name.clone(),
            plugin: step.plugin.clone(),
            config: step.config.clone(),
            grants: self.grants.get(&step.name).cloned().unwrap_or_default(),
            limits: step.limits.clone(),
            attributes: Attributes::new(),
            draft: Some(self.draft.clone()),
            archive: None,
            ledger: side.clone(),
            stop: side.stop(&self.stop),
            scratch: self.draft.scratch().to_owned(),
            parallel: cores(),
        };
        Ok((plugin.clone(), session))
    }
}

/// Stopped by the operator: no snapshot becomes visible.
fn canceled(running: &Running) -> Summary {
    let mut summary = seal::summary(running, seal::record(running, Vec::new()));
    summary.state = None;
    summary.exit_code = EXIT_CANCELED;
    summary.message = "canceled: nothing was kept".to_owned();
    summary
}

async fn finish(running: &Arc<Running>) -> Summary {
    let sealing = running.clone();
    match tokio::task::spawn_blocking(move || seal::seal(&sealing)).await {
        Ok(summary) => summary,
        Err(broken) => {
            let mut summary = seal::summary(running, seal::record(running, Vec::new()));
            summary.state = None;
            summary.exit_code = 1;
            summary.message = format!("sealing broke off, nothing was kept: {broken} (a bug of strongroom)");
            summary
        }
    }
}

/// 16 hex digits that no other snapshot has.
fn new_id() -> String {
    let mut bytes = [0_u8; 8];
    let random = std::fs::File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut bytes));
    if random.is_err() {
        // Without it the time is unique enough under the pipeline's lock.
        bytes = u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default().to_le_bytes();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Now, on the host's clock: seconds and nanoseconds.
pub(super) fn since_1970() -> (i64, u32) {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}

/// Removes what a run that died left behind, and says so. Call it under the pipeline's lock only.
///
/// # Errors
/// When the repository cannot be read or what was left cannot be removed.
pub fn sweep(
    repository: &dyn Repository,
    pipeline: &str,
    left_by: Option<&super::locks::Holder>,
) -> Result<Vec<Finding>, repository::Error> {
    let swept = repository.sweep(pipeline)?;
    let mut findings = Vec::new();
    if let Some(holder) = left_by {
        let message = format!("the run before died without ending: {holder}");
        findings.push(Finding::new(Severity::Warning, "left-behind", pipeline, message));
    }
    for what in swept {
        let message = "a run that died left it behind; it was removed".to_owned();
        findings.push(Finding::new(Severity::Warning, "left-behind", what, message));
    }
    Ok(findings)
}

//! One part's side of a run: takes what its calls leave behind, and says when the next stage may start.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant as Clock},
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    board::{Board, NOTES_BYTES_MAX, NOTES_MAX, lock, now},
    event::{Event, Operation, PartName},
    journal::{Checkpoint, RestoreJournal, VALUE_BYTES_MAX, VALUES_BYTES_MAX, VALUES_MAX},
};
use crate::{
    diagnostic::{Finding, Severity},
    name::RawPath,
    plan::inspection::{Part, Stage},
    sandbox::{
        fault::Fault,
        ledger::{Fixed, Ledger, Level, Refusal, Scope},
    },
    snapshot::{
        receipts::Outcome,
        record::{Evidence, Instant, PartRecord},
    },
};

/// How far a part has come, as the next stage needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Progress {
    /// Anything may still change.
    Running,
    /// What it will store no longer depends on time.
    Settled,
    /// All calls ended.
    Ended,
}

/// One part of one run. Implements the sandbox's [`Ledger`] for each call made for it.
pub(crate) struct PartSide {
    pub(crate) name: PartName,
    pub(crate) part: Part,
    operation: Operation,
    board: Arc<Board>,
    progress: watch::Sender<Progress>,
    kept: Mutex<Gathered>,
    moved: Moved,
    journal: Option<Arc<RestoreJournal>>,
    /// Ends the call that is going on.
    stop: Mutex<Option<CancellationToken>>,
    /// Notes of the snapshot that is being read, by step.
    snapshot_notes: BTreeMap<String, BTreeMap<String, String>>,
}

/// What gathers while the part runs.
#[derive(Default)]
struct Gathered {
    started: Option<String>,
    ended: Option<String>,
    instant: Option<Instant>,
    summary: String,
    failure: Option<String>,
    /// Why it fails however its calls end.
    spoiled: Option<String>,
    outcome: Outcome,
    findings: Vec<Finding>,
    expected: Vec<ExpectedList>,
    revealed: BTreeMap<String, u64>,
}

/// A list of expectations that the part handed over.
#[derive(Clone, Debug)]
pub(crate) struct ExpectedList {
    pub(crate) subject: String,
    pub(crate) evidence: Evidence,
    pub(crate) list: PathBuf,
    /// Its bytes.
    pub(crate) size: u64,
}

/// Counters for the live line.
struct Moved {
    bytes: AtomicU64,
    files: AtomicU64,
    plugin: Mutex<Option<(String, u64, Option<u64>)>>,
    began: Clock,
    /// Milliseconds after `began` at which the last event went out.
    told_ms: AtomicU64,
    /// Something moved since then.
    untold: AtomicBool,
    ahead: AtomicBool,
}

/// Most lists of expectations of one part.
const LISTS_MAX: usize = 1000;
/// Progress events of one part are at least this far apart.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// How often is told what was kept back since parts move too often to tell each time.
const TELL_REST_EVERY: Duration = Duration::from_secs(1);

/// Does `work`, and meanwhile tells what the parts moved last and did not tell: of a part that hangs, too, the
/// observers know all.
pub(crate) async fn telling<T>(sides: &[Arc<PartSide>], work: impl Future<Output = T>) -> T {
    tokio::select! {
        done = work => done,
        never = tell_rest(sides) => match never {},
    }
}

async fn tell_rest(sides: &[Arc<PartSide>]) -> Infallible {
    loop {
        tokio::time::sleep(TELL_REST_EVERY).await;
        sides.iter().filter(|side| side.moved.untold.load(Ordering::Relaxed)).for_each(|side| side.tell());
    }
}

impl PartSide {
    pub(crate) fn new(name: PartName, part: Part, operation: Operation, board: Arc<Board>) -> Self {
        Self {
            name,
            part,
            operation,
            board,
            progress: watch::Sender::new(Progress::Running),
            kept: Mutex::default(),
            moved: Moved {
                bytes: AtomicU64::new(0),
                files: AtomicU64::new(0),
                plugin: Mutex::default(),
                began: Clock::now(),
                told_ms: AtomicU64::new(0),
                untold: AtomicBool::new(false),
                ahead: AtomicBool::new(false),
            },
            journal: None,
            stop: Mutex::default(),
            snapshot_notes: BTreeMap::new(),
        }
    }

    /// For a restore: what it makes is journalled first, and the snapshot's notes can be read.
    pub(crate) fn reading(
        mut self,
        notes: BTreeMap<String, BTreeMap<String, String>>,
        journal: Option<Arc<RestoreJournal>>,
    ) -> Self {
        self.snapshot_notes = notes;
        self.journal = journal;
        self
    }

    /// Tells how far the part has come, from now on.
    pub(crate) fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// A call for the part begins.
    pub(crate) fn begin(&self, ahead: bool) {
        self.moved.ahead.store(ahead, Ordering::Relaxed);
        lock(&self.kept).started.get_or_insert_with(now);
        self.board.log_order(&self.name, if ahead { "ahead-started" } else { "started" });
        self.board.emit(&Event::PartStarted {
            part: self.name.clone(),
            ahead,
            bytes_estimate: self.part.bytes_estimate,
        });
    }

    /// The pass ahead ended. Its failure is a warning: the pass in the stage stands on its own.
    pub(crate) fn end_ahead(&self, result: Result<Outcome, Fault>) {
        let failure = match result {
            Ok(outcome) => {
                self.add_findings(outcome.findings);
                None
            }
            Err(fault) => {
                let message = format!("the pass ahead failed: {fault}");
                self.find(Finding::new(Severity::Warning, "ahead-failed", self.name.to_string(), message.clone()));
                Some(message)
            }
        };
        self.board.log_order(&self.name, if failure.is_some() { "ahead-failed" } else { "ahead-ended" });
        self.ended_event(true, failure, String::new());
    }

    /// The last call ended: keeps its outcome, and lets the next stage go on.
    pub(crate) fn end(&self, result: Result<Outcome, Fault>) {
        let failure = match result {
            Ok(outcome) => self.keep_outcome(outcome),
            Err(fault) => Some(fault.to_string()),
        };
        let spoiled = lock(&self.kept).spoiled.clone();
        let failure = spoiled.or(failure).or_else(|| self.blocked());
        // A restored part's checkpoint is needed until its own journal says that it is done.
        if failure.is_none() && self.journal.is_none() {
            self.forget_checkpoint();
        }
        self.close(failure);
    }

    /// The part has ended well: nothing is left to go on with.
    pub(crate) fn forget_checkpoint(&self) {
        if let Err(error) = self.board.kept.forget_checkpoint(&self.attempt(), &self.name) {
            let message = format!("{error}; remove it, or the next attempt of this part goes on from there");
            self.find(Finding::new(Severity::Warning, "checkpoint-left", self.name.to_string(), message));
        }
    }

    /// What a checkpoint belongs to: a restore of another snapshot does not go on where this one stopped.
    fn attempt(&self) -> String {
        match &self.journal {
            Some(journal) => restoring(&journal.snapshot),
            None => self.operation_word().to_owned(),
        }
    }

    /// The part is not run at all.
    pub(crate) fn skip(&self, why: String) {
        self.close(Some(why));
    }

    fn close(&self, failure: Option<String>) {
        let summary = {
            let mut kept = lock(&self.kept);
            kept.ended = Some(now());
            kept.failure.clone_from(&failure);
            kept.summary.clone()
        };
        self.board.log_order(&self.name, if failure.is_some() { "failed" } else { "ended" });
        self.ended_event(false, failure, summary);
        self.advance(Progress::Ended);
    }

    /// Keeps what the plugin brought; some outcomes are failures all the same.
    fn keep_outcome(&self, outcome: Outcome) -> Option<String> {
        let weighed: Vec<Finding> =
            outcome.findings.into_iter().map(|finding| self.board.weigh(&self.name, finding)).collect();
        let mut failure = blocked_by(&weighed);
        let mut kept = lock(&self.kept);
        if self.operation == Operation::Backup && self.part.stage == Stage::Database && kept.instant.is_none() {
            failure.get_or_insert_with(|| "the part ended without fixing its instant".to_owned());
        }
        kept.findings.extend(weighed);
        kept.summary = outcome.summary.clone();
        kept.outcome = Outcome { findings: Vec::new(), ..outcome };
        failure
    }

    fn ended_event(&self, ahead: bool, failure: Option<String>, summary: String) {
        self.tell();
        self.board.emit(&Event::PartEnded { part: self.name.clone(), ahead, failure, summary });
    }

    fn advance(&self, to: Progress) {
        self.advance_after(to, || ());
    }

    /// Goes on to `to`, unless the part is there already; `first` happens before anyone is told.
    fn advance_after(&self, to: Progress, first: impl FnOnce()) -> bool {
        self.progress.send_if_modified(|progress| {
            let further = *progress < to;
            if further {
                first();
                *progress = to;
            }
            further
        })
    }

    pub(crate) fn find(&self, finding: Finding) {
        self.add_findings(vec![finding]);
    }

    fn add_findings(&self, findings: Vec<Finding>) {
        let weighed: Vec<_> = findings.into_iter().map(|finding| self.board.weigh(&self.name, finding)).collect();
        lock(&self.kept).findings.extend(weighed);
    }

    /// Whether a database part is lost to those who come after it: it ended before it fixed an instant.
    pub(crate) fn lost(&self) -> bool {
        let ended = *self.progress.borrow() == Progress::Ended;
        self.part.stage == Stage::Database && ended && lock(&self.kept).instant.is_none()
    }

    /// Whether it failed by itself, or by a finding of the host's that the pipeline makes a blocker.
    pub(crate) fn failed(&self) -> bool {
        let kept = lock(&self.kept);
        kept.failure.is_some() || kept.spoiled.is_some() || blocked_by(&kept.findings).is_some()
    }

    fn blocked(&self) -> Option<String> {
        blocked_by(&lock(&self.kept).findings)
    }

    /// The signal that stops the next call for the part: with the run, or by [`Self::spoil`].
    pub(crate) fn stop(&self, run: &CancellationToken) -> CancellationToken {
        lock(&self.stop).insert(run.child_token()).clone()
    }

    /// Lets the part fail, whatever its plugin says, and ends the call that is going on.
    pub(crate) fn spoil(&self, finding: Finding) {
        lock(&self.kept).spoiled.get_or_insert_with(|| finding.message.clone());
        self.log_order(format!("{} {}", finding.code, finding.subject));
        self.find(finding);
        if let Some(stop) = &*lock(&self.stop) {
            stop.cancel();
        }
    }

    /// Adds a line of this part to the order log.
    pub(crate) fn log_order(&self, what: impl Into<String>) {
        self.board.log_order(&self.name, what);
    }

    /// Notes in the restore's journal that the part ended well.
    pub(crate) fn journal_done(&self) -> std::io::Result<()> {
        self.journal.as_ref().map_or(Ok(()), |journal| journal.done(&self.name))
    }

    pub(crate) fn receipts_differ(&self) -> bool {
        !lock(&self.kept).outcome.receipts.iter().all(crate::snapshot::receipts::Receipt::holds)
    }

    pub(crate) fn expected_lists(&self) -> Vec<ExpectedList> {
        lock(&self.kept).expected.clone()
    }

    pub(crate) fn revealed_counts(&self) -> BTreeMap<String, u64> {
        lock(&self.kept).revealed.clone()
    }

    /// What the record says of it; what the snapshot holds of it is filled in by the caller.
    pub(crate) fn record(&self) -> PartRecord {
        let kept = lock(&self.kept);
        PartRecord {
            part: self.part.clone(),
            started: kept.started.clone(),
            ended: kept.ended.clone(),
            instant: kept.instant.clone(),
            summary: kept.summary.clone(),
            failure: kept.failure.clone().or_else(|| kept.spoiled.clone()),
            receipts: kept.outcome.receipts.clone(),
            findings: kept.findings.clone(),
            facts: kept.outcome.facts.clone(),
            expected: Vec::new(),
            files: self.moved.files.load(Ordering::Relaxed),
            entries: 0,
            bytes: self.moved.bytes.load(Ordering::Relaxed),
        }
    }

    fn operation_word(&self) -> &'static str {
        match self.operation {
            Operation::Inspect => "inspect",
            Operation::Backup => "backup",
            Operation::Restore => "restore",
            Operation::Verify => "verify",
            Operation::Copy => "copy",
            Operation::Release => "release",
        }
    }

    fn tell(&self) {
        self.moved.untold.store(false, Ordering::Relaxed);
        self.board.emit(&Event::PartProgress {
            part: self.name.clone(),
            bytes: self.moved.bytes.load(Ordering::Relaxed),
            files: self.moved.files.load(Ordering::Relaxed),
            plugin: lock(&self.moved.plugin).clone(),
        });
    }

    /// Tells the observers, unless they were told a moment ago.
    fn tell_sometimes(&self) {
        let now_ms = u64::try_from(self.moved.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let told_ms = self.moved.told_ms.load(Ordering::Relaxed);
        if now_ms.saturating_sub(told_ms) < TELL_EVERY.as_millis() as u64 {
            self.moved.untold.store(true, Ordering::Relaxed);
            return;
        }
        // Of the threads that see it due, one tells.
        if self.moved.told_ms.compare_exchange(told_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.tell();
        }
    }

    fn only_in_backup(&self, what: &str) -> Result<(), Refusal> {
        match self.operation {
            Operation::Backup => Ok(()),
            _ => Err(Refusal::Unsupported(format!("{what} works in backup only"))),
        }
    }
}

fn blocked_by(findings: &[Finding]) -> Option<String> {
    let blocker = findings.iter().find(|finding| finding.severity == Severity::Blocker)?;
    Some(format!("{}: {}", blocker.code, blocker.message))
}

/// The restore of one snapshot, as a checkpoint names it.
pub(crate) fn restoring(snapshot: &str) -> String {
    format!("restore-{snapshot}")
}

fn bounded(what: &str, bytes: usize) -> Result<(), Refusal> {
    if bytes <= VALUE_BYTES_MAX {
        return Ok(());
    }
    Err(Refusal::Invalid(format!("{what} has {bytes} bytes: at most {VALUE_BYTES_MAX} are kept")))
}

impl Ledger for PartSide {
    fn log(&self, level: Level, message: &str, fields: &[(String, String)]) {
        let (message, fields) = (message.to_owned(), fields.to_vec());
        self.board.emit(&Event::Log { part: self.name.clone(), level, message, fields });
    }

    fn progress(&self, what: &str, done: u64, total: Option<u64>) {
        *lock(&self.moved.plugin) = Some((what.to_owned(), done, total));
        self.tell_sometimes();
    }

    fn moved(&self, bytes: u64, files: u64) {
        self.moved.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.moved.files.fetch_add(files, Ordering::Relaxed);
        self.tell_sometimes();
    }

    fn instants(&self) -> Vec<Fixed> {
        self.board.instants_for(&self.name.step)
    }

    fn fix_instant(&self, instant: Instant) -> Result<(), Refusal> {
        self.only_in_backup("fix-instant")?;
        if self.part.stage != Stage::Database {
            return Err(Refusal::Unsupported("only a part of stage database fixes an instant".to_owned()));
        }
        let text = moment(instant.not_after);
        {
            let mut kept = lock(&self.kept);
            if kept.instant.is_some() {
                return Err(Refusal::Invalid("this part has fixed its instant already".to_owned()));
            }
            kept.instant = Some(instant.clone());
        }
        let PartName { step, part } = self.name.clone();
        self.board.add_instant(Fixed { step, part, instant });
        self.board.log_order(&self.name, "instant");
        self.board.emit(&Event::InstantFixed { part: self.name.clone(), instant: text });
        self.settled()
    }

    fn settled(&self) -> Result<(), Refusal> {
        self.only_in_backup("settled")?;
        // The log has its line before anyone who waits can see it and begin.
        let settled = self.advance_after(Progress::Settled, || self.board.log_order(&self.name, "settled"));
        if settled {
            self.board.emit(&Event::PartSettled { part: self.name.clone() });
        }
        Ok(())
    }

    fn note(&self, step: &str, key: &str) -> Result<Option<String>, Refusal> {
        if !self.board.sees(&self.name.step, step) {
            let why = format!("step {:?} does not come after step {step:?}: add it to `after`", self.name.step);
            return Err(Refusal::Denied(why));
        }
        let of_run = self.board.note(step, key);
        Ok(of_run.or_else(|| self.snapshot_notes.get(step).and_then(|notes| notes.get(key)).cloned()))
    }

    fn set_note(&self, key: &str, value: &str) -> Result<(), Refusal> {
        if self.board.set_note(&self.name.step, key, value) {
            return Ok(());
        }
        let words = format!("a step keeps at most {NOTES_MAX} notes of {NOTES_BYTES_MAX} bytes in all");
        Err(Refusal::Limit(words))
    }

    fn checkpoint(&self, value: &[u8]) -> Result<(), Refusal> {
        bounded("the checkpoint", value.len())?;
        let made = self.journal.as_ref().map_or(Ok(0), |journal| journal.length());
        let kept = made.and_then(|made| {
            let checkpoint = Checkpoint { made, value: value.to_vec() };
            self.board.kept.checkpoint(&self.attempt(), &self.name, &checkpoint)
        });
        kept.map_err(|error| Refusal::Io(format!("keeping the checkpoint of {}: {error}", self.name)))
    }

    fn last_checkpoint(&self) -> Option<Vec<u8>> {
        self.board.kept.last_checkpoint(&self.attempt(), &self.name).map(|checkpoint| checkpoint.value)
    }

    fn state(&self, key: &str) -> Result<Option<Vec<u8>>, Refusal> {
        let value = self.board.kept.value(&self.name.step, key);
        value.map_err(|error| Refusal::Io(format!("reading the value {key:?} of step {}: {error}", self.name.step)))
    }

    fn set_state(&self, key: &str, value: &[u8]) -> Result<(), Refusal> {
        self.only_in_backup("set-state")?;
        bounded("the value", value.len())?;
        if self.board.kept.set_value(&self.name.step, key, value) {
            return Ok(());
        }
        Err(Refusal::Limit(format!("a run keeps at most {VALUES_MAX} values of {VALUES_BYTES_MAX} bytes in all")))
    }

    fn revealed(&self, grant: &str) {
        *lock(&self.kept).revealed.entry(grant.to_owned()).or_default() += 1;
    }

    fn expected(&self, subject: &str, evidence: Evidence, list: &Path) -> Result<(), Refusal> {
        self.only_in_backup("expect")?;
        let mut kept = lock(&self.kept);
        if kept.expected.iter().any(|known| known.subject == subject) {
            return Err(Refusal::Invalid(format!("a list of {subject:?} was handed over already")));
        }
        if kept.expected.len() >= LISTS_MAX {
            return Err(Refusal::Limit(format!("a part hands over at most {LISTS_MAX} lists")));
        }
        let size =
            list.metadata().map_err(|error| Refusal::Io(format!("looking at the list of {subject:?}: {error}")))?;
        let (subject, list, size) = (subject.to_owned(), list.to_owned(), size.len());
        kept.expected.push(ExpectedList { subject, evidence, list, size });
        Ok(())
    }

    fn made(&self, grant: &str, path: &RawPath) -> Result<(), Refusal> {
        let Some(journal) = &self.journal else { return Ok(()) };
        journal.made(&self.name, grant, path).map_err(|error| Refusal::Io(format!("writing the journal: {error}")))
    }

    fn take_hold(&self, name: &str, data: &[u8], time: Duration, scope: Scope) -> Result<(), Refusal> {
        self.board.holds()?.take(&self.name, name, data, time, scope)?;
        self.log_order(format!("hold {name}"));
        Ok(())
    }

    fn renew_hold(&self, name: &str, time: Duration) -> Result<(), Refusal> {
        self.board.holds()?.renew(&self.name.step, name, time)
    }

    fn drop_hold(&self, name: &str) -> Result<(), Refusal> {
        self.board.holds()?.dropped(&self.name.step, name)?;
        self.log_order(format!("hold {name} dropped"));
        Ok(())
    }
}

/// Seconds and nanoseconds since 1970 as RFC 3339.
pub(crate) fn moment((seconds, nanoseconds): (i64, u32)) -> String {
    let nanoseconds = i32::try_from(nanoseconds).unwrap_or(0);
    jiff::Timestamp::new(seconds, nanoseconds).map_or_else(|_| format!("{seconds} s"), |time| format!("{time:.3}"))
}

//! What all parts of a run share: the order log, instants, notes, values kept from run to run, and the way to the observers.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::SystemTime,
};

use super::{
    event::{Event, Observer, PartName},
    holds::Holds,
    journal::Kept,
};
use crate::{
    diagnostic::{Finding, Severity},
    plan::severity::weighed,
    sandbox::ledger::{Fixed, Refusal},
    snapshot::record::OrderLine,
};

/// Most notes that a step may set: they go into the record.
pub(crate) const NOTES_MAX: usize = 1000;
/// Most bytes of them together, keys included.
pub(crate) const NOTES_BYTES_MAX: usize = 4 << 20;

/// One run's shared state. Cheap to share; every lock is held for a moment only.
pub(crate) struct Board {
    observer: Arc<dyn Observer>,
    severity: BTreeMap<String, Severity>,
    /// Of each step: itself and all steps that it comes after, directly or not.
    visible: BTreeMap<String, BTreeSet<String>>,
    order: Mutex<Vec<OrderLine>>,
    instants: Mutex<Vec<Fixed>>,
    notes: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    /// Findings of the run itself.
    findings: Mutex<Vec<Finding>>,
    /// Checkpoints and values kept from run to run.
    pub(crate) kept: Kept,
    /// Changes to products that must be undone; none where there may be none.
    holds: OnceLock<Arc<Holds>>,
}

impl Board {
    pub(crate) fn new(
        observer: Arc<dyn Observer>,
        severity: BTreeMap<String, Severity>,
        after: &BTreeMap<String, Vec<String>>,
        state: PathBuf,
    ) -> Self {
        let visible = after.keys().map(|step| (step.clone(), reachable(step, after))).collect();
        Self {
            observer,
            severity,
            visible,
            order: Mutex::default(),
            instants: Mutex::default(),
            notes: Mutex::default(),
            findings: Mutex::default(),
            kept: Kept::new(state),
            holds: OnceLock::new(),
        }
    }

    /// From now on the parts of the run may take holds.
    pub(crate) fn hold_with(&self, holds: Holds) -> Arc<Holds> {
        self.holds.get_or_init(|| Arc::new(holds)).clone()
    }

    /// The run's holds.
    pub(crate) fn holds(&self) -> Result<&Arc<Holds>, Refusal> {
        self.holds.get().ok_or_else(|| Refusal::Unsupported("holds work in backup and restore only".to_owned()))
    }

    /// Tells the observers.
    pub(crate) fn emit(&self, event: &Event) {
        self.observer.event(SystemTime::now(), event);
    }

    /// Adds a line to the order log.
    pub(crate) fn log_order(&self, part: &PartName, what: impl Into<String>) {
        let part = if part.step.is_empty() { String::new() } else { part.to_string() };
        lock(&self.order).push(OrderLine { at: now(), part, what: what.into() });
    }

    pub(crate) fn take_order(&self) -> Vec<OrderLine> {
        lock(&self.order).clone()
    }

    /// Weighs a finding as the pipeline wants it, and tells the observers.
    pub(crate) fn weigh(&self, part: &PartName, finding: Finding) -> Finding {
        let finding = weighed(&self.severity, finding);
        self.emit(&Event::Found { part: part.clone(), finding: finding.clone() });
        finding
    }

    /// A finding of the run itself.
    pub(crate) fn find(&self, finding: Finding) {
        let finding = self.weigh(&PartName::run(), finding);
        lock(&self.findings).push(finding);
    }

    pub(crate) fn take_findings(&self) -> Vec<Finding> {
        lock(&self.findings).clone()
    }

    /// Whether `step` may read what `other` left: itself, or a step that it comes after.
    pub(crate) fn sees(&self, step: &str, other: &str) -> bool {
        self.visible.get(step).is_some_and(|visible| visible.contains(other))
    }

    pub(crate) fn add_instant(&self, fixed: Fixed) {
        lock(&self.instants).push(fixed);
    }

    pub(crate) fn instants_for(&self, step: &str) -> Vec<Fixed> {
        lock(&self.instants).iter().filter(|fixed| self.sees(step, &fixed.step)).cloned().collect()
    }

    pub(crate) fn note(&self, step: &str, key: &str) -> Option<String> {
        lock(&self.notes).get(step)?.get(key).cloned()
    }

    /// Sets a note; false when the step's notes would be more than a record can hold.
    pub(crate) fn set_note(&self, step: &str, key: &str, value: &str) -> bool {
        let mut notes = lock(&self.notes);
        let notes = notes.entry(step.to_owned()).or_default();
        let others = notes.iter().filter(|(other, _)| *other != key);
        let (count, bytes) =
            others.fold((0, 0), |(count, sum), (key, value)| (count + 1, sum + key.len() + value.len()));
        let fits = count < NOTES_MAX && bytes + key.len() + value.len() <= NOTES_BYTES_MAX;
        if fits {
            notes.insert(key.to_owned(), value.to_owned());
        }
        fits
    }

    pub(crate) fn notes_of(&self, step: &str) -> BTreeMap<String, String> {
        lock(&self.notes).get(step).cloned().unwrap_or_default()
    }
}

impl PartName {
    /// A part's name.
    pub fn new(step: impl Into<String>, part: impl Into<String>) -> Self {
        Self { step: step.into(), part: part.into() }
    }

    /// The run itself.
    pub fn run() -> Self {
        Self::new("", "")
    }
}

/// `step` and everything that it comes after.
fn reachable(step: &str, after: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    let (mut seen, mut todo) = (BTreeSet::new(), vec![step.to_owned()]);
    while let Some(next) = todo.pop() {
        if seen.insert(next.clone()) {
            todo.extend(after.get(&next).into_iter().flatten().cloned());
        }
    }
    seen
}

/// A panic elsewhere must not become a second one here: what the lock guards is a plain value.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The host's time, RFC 3339 in UTC with milliseconds.
pub(crate) fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

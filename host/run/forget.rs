//! Removes what a pipeline's rules do not keep. Call it under the pipeline's lock; judging alone needs none.

use jiff::{Timestamp, Zoned, tz::TimeZone};

use crate::{
    config::keep::Keep,
    diagnostic::{Finding, Severity, causes},
    repository::{Error, Listed, Repository},
    snapshot::{
        keep::{Candidate, Verdict, judge},
        state::State,
    },
};

/// A snapshot, and what becomes of it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The snapshot.
    pub listed: Listed,
    /// What the rules say.
    pub verdict: Verdict,
}

/// How one removal went.
#[derive(Clone, Debug)]
pub struct Removal {
    /// The snapshot.
    pub listed: Listed,
    /// Why it is still there; none: it is gone.
    pub failure: Option<String>,
}

impl Judged {
    /// Whether it is to be removed.
    pub fn goes(&self) -> bool {
        matches!(self.verdict, Verdict::Remove(_))
    }
}

/// Judges what the repository holds of `pipeline`, oldest first; other pipelines' snapshots are left alone. What
/// cannot be read is named beside, and left alone too.
///
/// # Errors
/// When the repository cannot be listed.
pub fn judged(
    repository: &dyn Repository,
    pipeline: &str,
    keep: &Keep,
    now: &Zoned,
) -> Result<(Vec<Judged>, Vec<String>), Error> {
    let (mut listed, unreadable) = repository.snapshots()?;
    listed.retain(|listed| listed.pipeline == pipeline);
    let candidate = |listed: &Listed| Candidate {
        started: listed.started.parse::<Timestamp>().ok().map(|at| at.to_zoned(now.time_zone().clone())),
        complete: listed.state == State::Complete,
    };
    let candidates: Vec<_> = listed.iter().map(candidate).collect();
    let verdicts = judge(keep, &candidates, now);
    Ok((listed.into_iter().zip(verdicts).map(|(listed, verdict)| Judged { listed, verdict }).collect(), unreadable))
}

/// Now, where the operator lives: days and weeks begin there.
pub fn now_here() -> Zoned {
    Timestamp::now().to_zoned(TimeZone::system())
}

/// Whether what the rules judged would all be gone.
pub fn leaves_none(judged: &[Judged]) -> bool {
    let mut counted = judged.iter().filter(|judged| judged.verdict != Verdict::Uncounted).peekable();
    counted.peek().is_some() && counted.all(Judged::goes)
}

/// Removes what goes, oldest first; one that stays does not keep the others.
pub fn remove(repository: &dyn Repository, judged: &[Judged]) -> Vec<Removal> {
    let remove = |judged: &Judged| Removal {
        listed: judged.listed.clone(),
        failure: repository.forget(&judged.listed.id).err().map(|error| causes(&error)),
    };
    judged.iter().filter(|judged| judged.goes()).map(remove).collect()
}

/// What the operator must know of snapshots that are dated later than now.
pub fn uncounted(judged: &[Judged]) -> Vec<Finding> {
    let uncounted = judged.iter().filter(|judged| judged.verdict == Verdict::Uncounted);
    let finding = |judged: &Judged| {
        let message = format!(
            "it says that it was made at {}, which is later than now or no time: it is kept, counts for no rule, and \
             can only be removed by hand. Was a clock wrong?",
            judged.listed.started
        );
        Finding::new(Severity::Warning, "future-snapshot", &judged.listed.id, message)
    };
    uncounted.map(finding).collect()
}

/// After a complete backup: removes, and says so in findings. A failure here takes nothing from the backup.
pub(super) fn after_complete(repository: &dyn Repository, pipeline: &str, keep: &Keep) -> Vec<Finding> {
    let judged = match judged(repository, pipeline, keep, &now_here()) {
        Ok((judged, _)) => judged,
        Err(error) => {
            let message = format!("older snapshots could not be listed, none was removed: {}", causes(&error));
            return vec![Finding::new(Severity::Warning, "not-forgotten", pipeline, message)];
        }
    };
    let mut findings = uncounted(&judged);
    findings.extend(remove(repository, &judged).into_iter().map(|removal| match removal.failure {
        None => {
            let message =
                format!("removed, since no rule keeps it: {} of {}", removal.listed.state, removal.listed.started);
            Finding::new(Severity::Info, "forgotten", removal.listed.id, message)
        }
        Some(why) => {
            let message = format!("no rule keeps it, and it could not be removed: {why}; the next run tries again");
            Finding::new(Severity::Warning, "not-forgotten", removal.listed.id, message)
        }
    }));
    findings
}

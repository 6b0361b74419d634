//! Removes what a pipeline's rules do not keep. Call it under the pipeline's lock; judging alone needs none.

use std::collections::{BTreeMap, HashMap};

use jiff::{Timestamp, Zoned, tz::TimeZone};

use crate::{
    config::keep::{GroupBy, Keep},
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
    /// The machine whose snapshots it was judged with; none: they were not told apart.
    pub host: Option<String>,
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
    /// Whether that is because somebody else uses it, or the repository.
    pub busy: bool,
}

impl Judged {
    /// Whether it is to be removed.
    pub fn goes(&self) -> bool {
        matches!(self.verdict, Verdict::Remove(_))
    }

    /// Why its date cannot be right, where that is so.
    pub fn doubt(&self) -> Option<&'static str> {
        match self.verdict {
            Verdict::Uncounted(why) => Some(why),
            _ => None,
        }
    }
}

/// Judges what the repository holds of `pipeline`, group by group, each oldest first; other pipelines' snapshots are left
/// alone: they have rules and a lock of their own. What cannot be read is named beside, and left alone too.
///
/// # Errors
/// When the repository cannot be listed.
pub fn judged(
    repository: &dyn Repository,
    pipeline: &str,
    keep: &Keep,
    group_by: GroupBy,
    now: &Zoned,
) -> Result<(Vec<Judged>, Vec<String>), Error> {
    let (mut listed, unreadable) = repository.snapshots()?;
    listed.retain(|listed| listed.pipeline == pipeline);
    let dated = |at: &str| at.parse::<Timestamp>().ok().map(|at| at.to_zoned(now.time_zone().clone()));
    let dates: HashMap<_, _> = listed.iter().map(|listed| (listed.id.clone(), dated(&listed.started))).collect();
    let date = |id: &str| dates.get(id).cloned().flatten();
    let mut groups: BTreeMap<Option<String>, (Vec<Listed>, Vec<Candidate>)> = BTreeMap::new();
    for listed in listed {
        let host = group_by.host.then(|| listed.host.clone().unwrap_or_default());
        let (started, complete) = (date(&listed.id), listed.state == State::Complete);
        // Wherever that was made: the machine of the other has its own clock.
        let candidate = Candidate { started, complete, parent: listed.parent.as_deref().and_then(date) };
        let group = groups.entry(host).or_default();
        group.0.push(listed);
        group.1.push(candidate);
    }
    let judged = groups.into_iter().flat_map(|(host, (group, candidates))| {
        let verdicts = judge(keep, &candidates, now).into_iter();
        group.into_iter().zip(verdicts).map(move |(listed, verdict)| Judged { listed, host: host.clone(), verdict })
    });
    Ok((judged.collect(), unreadable))
}

/// Now, where the operator lives: days and weeks begin there.
pub fn now_here() -> Zoned {
    Timestamp::now().to_zoned(TimeZone::system())
}

/// Whether what the rules judged would all be gone, of any group.
pub fn leaves_none(judged: &[Judged]) -> bool {
    let mut groups = judged.chunk_by(|one, other| one.host == other.host);
    groups.any(|group| {
        let mut counted = group.iter().filter(|judged| judged.doubt().is_none()).peekable();
        counted.peek().is_some() && counted.all(Judged::goes)
    })
}

/// Removes what goes, oldest first; one that stays does not keep the others.
pub fn remove(repository: &dyn Repository, judged: &[Judged]) -> Vec<Removal> {
    judged.iter().filter(|judged| judged.goes()).map(|judged| remove_one(repository, judged.listed.clone())).collect()
}

/// Tries those again that somebody else kept from being removed.
pub fn remove_busy(repository: &dyn Repository, removals: &mut [Removal]) {
    for removal in removals.iter_mut().filter(|removal| removal.busy) {
        *removal = remove_one(repository, removal.listed.clone());
    }
}

fn remove_one(repository: &dyn Repository, listed: Listed) -> Removal {
    let error = repository.forget(&listed.id).err();
    let busy = matches!(error, Some(Error::Busy(_)));
    Removal { listed, failure: error.map(|error| causes(&error)), busy }
}

/// What the operator must know of snapshots whose dates cannot be right.
pub fn uncounted(judged: &[Judged]) -> Vec<Finding> {
    let finding = |judged: &Judged| {
        let (why, date) = (judged.doubt()?, &judged.listed.started);
        let message = format!(
            "{why} ({date}): it is kept, and counts for no rule as long as that cannot be right. Was a clock wrong?"
        );
        Some(Finding::new(Severity::Warning, "future-snapshot", &judged.listed.id, message))
    };
    judged.iter().filter_map(finding).collect()
}

/// After a complete backup: removes, and says so in findings. A failure here takes nothing from the backup.
pub(super) fn after_complete(repository: &dyn Repository, pipeline: &str, keep: &Keep) -> Vec<Finding> {
    let judged = match judged(repository, pipeline, keep, GroupBy::default(), &now_here()) {
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

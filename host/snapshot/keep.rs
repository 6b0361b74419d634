//! Which snapshots a pipeline's rules keep. Pure: the moments and the clock are arguments.
//!
//! The rules are those of `restic forget`, as its manual describes them
//! (<https://restic.readthedocs.io/en/stable/060_forget.html>): calendar buckets in local time that count only where
//! there is a snapshot, the newest of each bucket, `within` measured from the latest snapshot, and the oldest snapshot
//! as well while a rule has not yet found all that it would keep. Added to them: complete snapshots are judged by
//! themselves, and what is dated later than now counts for nothing.

use jiff::Zoned;

use crate::config::keep::{Count, Keep, Reach, Rule, Unit};

/// A snapshot, as far as rules are concerned.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// When its run began, in the time zone whose calendar counts; none: it says nothing that can be understood.
    pub started: Option<Zoned>,
    /// Whether it is complete.
    pub complete: bool,
}

/// What becomes of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Kept, by these rules: `last`, `daily`, `oldest weekly`, `within 30d`, `daily within 1y`.
    Keep(Vec<String>),
    /// Kept and left out of account: its date is in the future, or is none.
    Uncounted,
    /// No rule keeps it, or this does not.
    Remove(&'static str),
}

/// Why an incomplete snapshot goes although a rule would keep it.
pub const OUTLIVED: &str = "not complete, and older than all complete ones that are kept";
/// Why any other goes.
pub const NO_RULE: &str = "no rule keeps it";

/// Judges the snapshots of one pipeline, in the order in which they are given.
pub fn judge(keep: &Keep, snapshots: &[Candidate], now: &Zoned) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict::Uncounted; snapshots.len()];
    let counted = |complete: bool| {
        let mut lane: Vec<(usize, &Zoned)> = snapshots
            .iter()
            .enumerate()
            .filter(|(_, snapshot)| snapshot.complete == complete)
            .filter_map(|(index, snapshot)| Some((index, snapshot.started.as_ref().filter(|at| *at <= now)?)))
            .collect();
        lane.sort_by(|one, other| (other.1, other.0).cmp(&(one.1, one.0)));
        lane
    };
    let mut oldest_kept = None;
    for (complete, lane) in [(true, counted(true)), (false, counted(false))] {
        let moments: Vec<&Zoned> = lane.iter().map(|(_, at)| *at).collect();
        for ((index, at), reasons) in lane.iter().zip(reasons(keep, &moments)) {
            let outlived = !complete && oldest_kept.is_some_and(|oldest| *at < oldest);
            verdicts[*index] = match (reasons.is_empty(), outlived) {
                (true, _) => Verdict::Remove(NO_RULE),
                (false, true) => Verdict::Remove(OUTLIVED),
                (false, false) => Verdict::Keep(reasons),
            };
            if complete && matches!(verdicts[*index], Verdict::Keep(_)) {
                oldest_kept = Some(*at);
            }
        }
    }
    verdicts
}

/// Which rules keep each of these moments, which are given newest first.
fn reasons(keep: &Keep, moments: &[&Zoned]) -> Vec<Vec<String>> {
    let mut reasons = vec![Vec::new(); moments.len()];
    for rule in keep.rules() {
        let (mut found, mut last) = (0, None);
        for (index, at) in moments.iter().enumerate() {
            if !reaches(rule.reach, found, at, moments[0]) {
                break;
            }
            let bucket = bucket(rule.unit, at, index);
            let is_new = last.as_ref() != Some(&bucket);
            if is_new || index + 1 == moments.len() {
                reasons[index].push(reason(*rule, is_new));
            }
            found += u32::from(is_new);
            last = Some(bucket);
        }
    }
    reasons
}

/// Whether a rule that has filled `found` buckets goes on to `at`.
fn reaches(reach: Reach, found: u32, at: &Zoned, latest: &Zoned) -> bool {
    match reach {
        Reach::Buckets(Count::Of(count)) => found < count,
        Reach::Buckets(Count::Unlimited) => true,
        Reach::Within(period) => period.before(latest).is_none_or(|start| *at > start),
    }
}

/// What is equal for snapshots of one bucket. Years and weeks belong together as ISO 8601 says.
fn bucket(unit: Unit, at: &Zoned, index: usize) -> [i64; 4] {
    let (year, month, day) = (i64::from(at.year()), i64::from(at.month()), i64::from(at.day()));
    let week = at.date().iso_week_date();
    match unit {
        Unit::Last => [i64::try_from(index).unwrap_or(i64::MAX), 0, 0, 0],
        Unit::Hourly => [year, month, day, i64::from(at.hour())],
        Unit::Daily => [year, month, day, 0],
        Unit::Weekly => [i64::from(week.year()), i64::from(week.week()), 0, 0],
        Unit::Monthly => [year, month, 0, 0],
        Unit::Yearly => [year, 0, 0, 0],
    }
}

fn reason(rule: Rule, is_new: bool) -> String {
    let oldest = if is_new { "" } else { "oldest " };
    match (rule.reach, rule.unit) {
        (Reach::Buckets(_), unit) => format!("{oldest}{}", unit.word()),
        (Reach::Within(period), Unit::Last) => format!("within {period}"),
        (Reach::Within(period), unit) => format!("{oldest}{} within {period}", unit.word()),
    }
}

#[cfg(test)]
mod tests;

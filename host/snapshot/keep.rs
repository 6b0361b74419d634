//! Which snapshots a pipeline's rules keep. Pure: the moments and the clock are arguments.
//!
//! The rules are those of `restic forget`, as its manual describes them
//! (<https://restic.readthedocs.io/en/stable/060_forget.html>): calendar buckets in local time that count only where
//! there is a snapshot, the newest of each bucket, `within` measured from the latest snapshot, and the oldest snapshot
//! as well while a rule has not yet found all that it would keep. Added to them: complete snapshots are judged by
//! themselves, and what has a date that cannot be right counts for nothing and is kept.

use jiff::{SignedDuration, Zoned};

use crate::config::keep::{Count, Keep, Reach, Rule, Unit};

/// A snapshot, as far as rules are concerned.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// When its run began, in the time zone whose calendar counts; none: it says nothing that can be understood.
    pub started: Option<Zoned>,
    /// Whether it is complete.
    pub complete: bool,
    /// The date of the newest snapshot of the pipeline that was there when it began; none: it is not known.
    pub parent: Option<Zoned>,
}

/// What becomes of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Kept, by these rules: `last`, `daily`, `oldest weekly`, `within 30d`, `daily within 1y`.
    Keep(Vec<String>),
    /// Kept and left out of account, since its date cannot be right for this reason.
    Uncounted(&'static str),
    /// No rule keeps it, or this does not.
    Remove(&'static str),
}

/// Why an incomplete snapshot goes although a rule would keep it.
pub const OUTLIVED: &str = "not complete, and older than all complete ones that are kept";
/// Why any other goes.
pub const NO_RULE: &str = "no rule keeps it";

/// Why a date is not believed.
pub const UNDATED: &str = "not dated";
/// Another reason.
pub const FUTURE: &str = "dated later than now";
/// And another.
pub const BEFORE_PARENT: &str = "dated before a snapshot that was there when it began";

/// How far ahead of now a date may be: machines that share a repository have clocks of their own, and one that was set
/// while summer time began or ended is an hour off. What is dated so much too late changes buckets by an hour at most.
pub const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(1);

/// Judges the snapshots of one group, in the order in which they are given.
pub fn judge(keep: &Keep, snapshots: &[Candidate], now: &Zoned) -> Vec<Verdict> {
    let dates: Vec<_> = snapshots.iter().map(|snapshot| date(snapshot, now)).collect();
    let mut verdicts: Vec<_> = dates.iter().map(|date| Verdict::Uncounted(date.err().unwrap_or_default())).collect();
    let counted = |complete: bool| {
        let lane = dates.iter().zip(snapshots).enumerate();
        let lane = lane.filter(|(_, (_, snapshot))| snapshot.complete == complete);
        let mut lane: Vec<(usize, &Zoned)> =
            lane.filter_map(|(index, (date, _))| Some((index, (*date).ok()?))).collect();
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

/// A snapshot's date, or why it cannot be right.
fn date<'a>(snapshot: &'a Candidate, now: &Zoned) -> Result<&'a Zoned, &'static str> {
    let is_future = |at: &Zoned| at.timestamp().duration_since(now.timestamp()) > AHEAD_MAX;
    let at = snapshot.started.as_ref().ok_or(UNDATED)?;
    if is_future(at) {
        return Err(FUTURE);
    }
    // A parent whose own date is impossible proves nothing.
    let parent = snapshot.parent.as_ref().filter(|parent| !is_future(parent));
    if parent.is_some_and(|parent| parent > at) { Err(BEFORE_PARENT) } else { Ok(at) }
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

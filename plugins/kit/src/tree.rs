//! Parts that are plain trees: what `Plugin`'s defaults do, for parts that only need a word more.

use crate::{
    Error, Finding, Outcome, Part, Result, TreeOptions, TreeReport, archive, context,
    dirs::{self, Dir, Kind},
    snapshot,
};

/// How many left-out paths become findings of their own.
const FINDINGS_MAX: usize = 20;

/// The checkpoint of a restore: what is in the target came from an attempt before this one.
const BEGUN: &[u8] = b"begun";

/// Stores `source` as the whole part, with the receipt `entries`, and notes the count for [`verify`].
///
/// # Errors
/// As [`snapshot::put_tree`].
pub fn backup(part: &Part, source: &Dir, options: &TreeOptions) -> Result<Outcome> {
    let report = snapshot::put_tree("", source, options)?;
    noted(part, report.stored)?;
    Ok(outcome(&report))
}

/// Notes how many entries the part holds, for [`verify`].
///
/// # Errors
/// As [`context::set_note`].
pub fn noted(part: &Part, entries: u64) -> Result<()> {
    context::set_note(&note_key(part), &entries.to_string())
}

/// Brings the whole part back into the grant of the same name; repeated after an interruption, it goes on.
///
/// # Errors
/// `exists` when it is not empty and the operator did not consent; as [`archive::restore_tree`].
pub fn restore(part: &Part) -> Result<Outcome> {
    let target = dirs::get(&part.name)?;
    let begun_before = context::last_checkpoint().is_some();
    if !begun_before && !context::overwrite() && !target.is_empty("")? {
        return Err(Error::exists(format!("directory {:?} is not empty, restore with --overwrite", part.name)));
    }
    context::checkpoint(BEGUN)?;
    Ok(outcome(&archive::restore_tree(&part.name, "", &target, &TreeOptions::default())?))
}

/// Counts what the snapshot holds of the part and compares with what was noted when it was stored.
///
/// # Errors
/// `corrupt` when the snapshot cannot be read.
pub fn verify(part: &Part) -> Result<Outcome> {
    let actual = count(part)?;
    let outcome = Outcome::new(format!("{actual} entries"));
    match context::note(&note_key(part))?.and_then(|count| count.parse().ok()) {
        Some(expected) => Ok(outcome.receipt("entries", expected, actual)),
        None => Ok(outcome.finding(Finding::warning("no-count", &part.name, "nothing was noted to compare with"))),
    }
}

/// Looks in the restored target for each entry of the snapshot, with its size.
///
/// # Errors
/// `denied` when the target is not granted.
pub fn probe(part: &Part) -> Result<Outcome> {
    let target = dirs::get(&part.name)?;
    let (mut expected, mut actual, mut findings) = (0, 0, Vec::new());
    for item in archive::items(&part.name, "") {
        let item = item?;
        expected += 1;
        match target.find(&item.path)? {
            Some(stat) if stat.kind != Kind::File || stat.size == item.size => actual += 1,
            Some(stat) => findings.push((item.path, format!("has {} bytes instead of {}", stat.size, item.size))),
            None => findings.push((item.path, "is missing".to_owned())),
        }
        findings.truncate(FINDINGS_MAX);
    }
    let findings = findings.into_iter().map(|(path, why)| Finding::warning("differs", path, why));
    Ok(Outcome::new(format!("{actual} of {expected} entries")).receipt("entries", expected, actual).findings(findings))
}

/// An outcome that says what a report says: receipt `entries`, and what was left out as findings `skipped`.
pub fn outcome(report: &TreeReport) -> Outcome {
    let named = report.skipped.iter().take(FINDINGS_MAX);
    let mut outcome = Outcome::new(report.summary())
        .receipt("entries", report.expected, report.stored)
        .findings(named.map(|(path, why)| Finding::warning("skipped", path, why)));
    if report.skipped_count > FINDINGS_MAX as u64 {
        let more = report.skipped_count - FINDINGS_MAX as u64;
        outcome = outcome.finding(Finding::warning("skipped", "", format!("{more} more entries were left out")));
    }
    outcome
}

fn note_key(part: &Part) -> String {
    format!("entries {}", part.name)
}

fn count(part: &Part) -> Result<u64> {
    archive::items(&part.name, "").try_fold(0, |count, item| item.map(|_| count + 1))
}

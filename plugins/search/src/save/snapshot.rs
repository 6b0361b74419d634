//! The engine's own snapshot, into a repository that exists for this run only: its files are taken, then it is removed. Or
//! into one of the engine's own, where it stays.

use std::collections::BTreeMap;

use strongroom_plugin::{Error, Finding, Outcome, Part, Result, TreeOptions, TreeReport, context, dirs, snapshot};

use super::{Noted, note};
use crate::{
    client::Client,
    export,
    hash::Function,
    import,
    index::Index,
    kept::{self, FILE, FILES, Kept, Reference},
    made::Made,
    place,
    reach::Reach,
    reference,
    repository::{self, SNAPSHOT},
    size,
    store::Manifest,
};

/// What is looked at on both sides of the snapshot.
struct Before {
    index: Index,
    documents: u64,
    written: BTreeMap<String, i64>,
}

/// Stores the engine's snapshot of these indices, all in one, and removes it from the engine.
///
/// # Errors
/// When it is not whole: see [`repository::make`]; what the engine or the repository says.
pub fn backup(reach: &Reach, part: &Part, names: &[String], outcome: Outcome) -> Result<Outcome> {
    match &reach.repository {
        Some(repository) => stays(reach, part, repository, names, outcome),
        None => copied(reach, part, names, outcome),
    }
}

fn copied(reach: &Reach, part: &Part, names: &[String], outcome: Outcome) -> Result<Outcome> {
    let made = Made::repository(&context::random(8));
    let hold = made.hold(&part.name)?;
    let done = taken(reach, part, names, &made, outcome);
    // The host does it again where this fails.
    let removed = made.remove(reach);
    if removed.is_ok() {
        hold.dropped()?;
    }
    let outcome = done?;
    Ok(match removed {
        Ok(()) => outcome,
        Err(error) => {
            let message = format!("the engine's snapshot was saved, and could not be removed from it: {error}");
            outcome.finding(Finding::warning("snapshot-left", &part.name, message))
        }
    })
}

fn taken(reach: &Reach, part: &Part, names: &[String], made: &Made, outcome: Outcome) -> Result<Outcome> {
    let (client, name) = (&reach.client, made.name());
    let location = reach.location.as_deref().unwrap_or_default();
    described(reach, part, names, outcome, || {
        repository::register(client, name, &format!("{}/{name}", location.trim_end_matches('/')), false)?;
        let made = repository::make(client, name, SNAPSHOT, names)?;
        snapshot::settled()?;
        let files = dirs::get(reach.snapshots)?;
        let report = snapshot::put_subtree(FILES, &files, name, &TreeOptions::default())?;
        Ok(Saved { made, files: Some(report), reference: None })
    })
}

/// The snapshot that is not finished goes whatever becomes of the run; the finished one stays.
fn stays(reach: &Reach, part: &Part, repository: &str, names: &[String], outcome: Outcome) -> Result<Outcome> {
    let made = Made::snapshot(repository, &context::random(8));
    let hold = made.hold(&part.name)?;
    let done = described(reach, part, names, outcome, || {
        let client = &reach.client;
        let registered = repository::registered(client, repository)?;
        let registered = registered.ok_or_else(|| Error::not_found(reference::unknown(repository)))?;
        let finished = repository::make(client, repository, made.name(), names)?;
        snapshot::settled()?;
        let (repository, snapshot) = (repository.to_owned(), made.name().to_owned());
        let reference = Some(Reference { repository, kind: registered.kind, snapshot });
        Ok(Saved { made: finished, files: None, reference })
    });
    match done {
        Ok(outcome) => hold.dropped().map(|()| outcome),
        Err(error) => {
            // The host does it again where this fails.
            if made.remove(reach).is_ok() {
                hold.dropped()?;
            }
            Err(error)
        }
    }
}

/// What the engine has made, and where it is now.
struct Saved {
    made: repository::Made,
    files: Option<TreeReport>,
    reference: Option<Reference>,
}

/// Looks at each index before and after `save` has the engine make its snapshot, and stores what is known of it.
fn described(
    reach: &Reach,
    part: &Part,
    names: &[String],
    mut outcome: Outcome,
    save: impl FnOnce() -> Result<Saved>,
) -> Result<Outcome> {
    let look = |name: &String| before(&reach.client, name);
    let before: Vec<Before> = names.iter().map(look).collect::<Result<_>>()?;
    let Saved { made, files, reference } = save()?;
    outcome = outcome.receipt("shards", made.shards, made.successful);
    outcome.summary = format!("{} of {}", size::shards(made.shards), size::indices(names.len()));
    if let Some(report) = &files {
        outcome = outcome.receipt("entries", report.expected, report.stored);
        outcome.summary = format!("{}, {}", outcome.summary, report.summary());
    }
    if let Some(reference) = &reference {
        outcome.summary = format!("{}, {}", outcome.summary, reference::place(reference));
        outcome = reference::said(&part.name, outcome, reference, &made)?;
    }
    let mut indices = BTreeMap::new();
    for before in before {
        let (kept, said) = after(reach, before, outcome)?;
        outcome = said;
        indices.insert(kept.manifest.index.clone(), kept);
    }
    let version = if reference.is_some() { kept::VERSION_REFERENCE } else { kept::VERSION };
    let kept = Kept { version, made, reference, entries: files.map_or(0, |report| report.stored), indices };
    snapshot::put_bytes(FILE, &serde_json::to_vec_pretty(&kept)?)?;
    Ok(outcome)
}

fn before(client: &Client, name: &str) -> Result<Before> {
    let index = Index::read(client, name)?;
    let written = repository::written(client, name)?;
    Ok(Before { index, documents: place::count(client, name)?, written })
}

/// Where nothing was written since, what is read now is what the snapshot holds.
fn after(reach: &Reach, before: Before, outcome: Outcome) -> Result<(kept::Index, Outcome)> {
    let (client, name) = (&reach.client, &before.index.name);
    let index = Index::read(client, name)?;
    export::same(&before.index, &index)?;
    let taken = context::now().seconds.saturating_mul(1000);
    let mut manifest = Manifest::of(&index, client.engine(), taken);
    let tally = match repository::written(client, name)? == before.written {
        true => Some(import::tally(client, name, reach.pace, Function::default())?),
        false => None,
    };
    if let Some(tally) = tally.filter(|_| repository::written(client, name).is_ok_and(|now| now == before.written)) {
        (manifest.expected, manifest.documents, manifest.hash) = (before.documents, tally.documents, tally.hash());
        context::set_note(&note::index(name), &serde_json::to_string(&Noted::of(&manifest))?)?;
        let outcome = outcome
            .receipt(format!("documents {name}"), before.documents, tally.documents)
            .fact(format!("hash {name}"), tally.hash());
        return Ok((kept::Index { manifest, documents: (tally.documents, tally.documents) }, outcome));
    }
    let now = place::count(client, name)?;
    let documents = bounds(before.documents, now, changes(&before.written, &repository::written(client, name)?));
    let message = format!(
        "it was written to while the snapshot was made, which holds between {} and {} documents: their hash is not known \
         before a restore",
        documents.0, documents.1
    );
    let finding = Finding::info("index-written", name, message);
    Ok((kept::Index { manifest, documents }, outcome.finding(finding)))
}

/// How many documents were written or deleted between two looks.
fn changes(before: &BTreeMap<String, i64>, now: &BTreeMap<String, i64>) -> u64 {
    let more = |(shard, number): (&String, &i64)| number.saturating_sub(before.get(shard).copied().unwrap_or(-1));
    now.iter().map(more).filter_map(|more| u64::try_from(more).ok()).fold(0, u64::saturating_add)
}

/// The fewest and the most documents at a moment between two counts. What was added in between may have been deleted again,
/// so the counts themselves are no bounds; each change counts for one document at most.
fn bounds(before: u64, now: u64, changes: u64) -> (u64, u64) {
    let fewest = before.max(now).saturating_sub(changes);
    (fewest, before.min(now).saturating_add(changes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_and_deleted_between_two_counts_does_not_make_a_snapshot_look_damaged() {
        // An index that only grows lies between its counts.
        assert_eq!(bounds(10, 13, 3), (10, 13));
        // Two more, then three fewer.
        assert_eq!(bounds(10, 9, 5), (5, 14));
        assert_eq!(bounds(2, 0, 9), (0, 9));
    }

    #[test]
    fn every_shard_that_went_on_counts() {
        let at = |numbers: &[i64]| numbers.iter().enumerate().map(|(shard, at)| (shard.to_string(), *at)).collect();
        assert_eq!(changes(&at(&[-1, 4]), &at(&[2, 4])), 3);
        assert_eq!(changes(&at(&[4]), &at(&[4, 1])), 2);
    }
}

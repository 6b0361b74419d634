//! The engine's own snapshot, into a repository that exists for this run only: its files are taken, then it is removed.

use std::collections::BTreeMap;

use strongroom_plugin::{Finding, Outcome, Part, Result, TreeOptions, context, dirs, snapshot};

use super::{Noted, note};
use crate::{
    client::Client,
    export, import,
    index::Index,
    kept::{self, FILE, FILES, Kept},
    made::Made,
    place,
    reach::Reach,
    repository, size,
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
    let made = Made::repository(&context::random(8));
    let hold = made.hold(&part.name)?;
    let done = taken(reach, names, &made, outcome);
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

fn taken(reach: &Reach, names: &[String], made: &Made, outcome: Outcome) -> Result<Outcome> {
    let (client, name) = (&reach.client, made.name());
    let location = reach.location.as_deref().unwrap_or_default();
    let look = |name: &String| before(client, name);
    let before: Vec<Before> = names.iter().map(look).collect::<Result<_>>()?;
    repository::register(client, name, &format!("{}/{name}", location.trim_end_matches('/')), false)?;
    let engine = repository::make(client, name, names)?;
    snapshot::settled()?;
    let files = dirs::get(reach.snapshots)?;
    let report = snapshot::put_subtree(FILES, &files, name, &TreeOptions::default())?;
    let mut outcome =
        outcome.receipt("shards", engine.shards, engine.successful).receipt("entries", report.expected, report.stored);
    let mut indices = BTreeMap::new();
    for before in before {
        let (kept, said) = after(reach, before, outcome)?;
        outcome = said;
        indices.insert(kept.manifest.index.clone(), kept);
    }
    outcome.summary =
        format!("{} of {}, {}", size::shards(engine.shards), size::indices(names.len()), report.summary());
    let kept = Kept { version: kept::VERSION, made: engine, entries: report.stored, indices };
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
        true => Some(import::tally(client, name, reach.pace)?),
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

//! The engine's own snapshot, into a repository that exists for this run only: its files are taken, then it is removed.

use std::collections::BTreeMap;

use strongroom_plugin::{Finding, Outcome, Part, Result, TreeOptions, context, dirs, snapshot};
use strongroom_search::{Client, Index, import, place, repository, store::Manifest};

use crate::{
    backup::{Noted, note},
    describe::grant,
    kept::{self, FILE, FILES, Kept},
    release::Made,
    settings::Settings,
    way,
};

/// What is looked at on both sides of the snapshot.
struct Before {
    index: Index,
    documents: u64,
    written: BTreeMap<String, i64>,
}

pub(super) fn backup(
    client: &Client,
    settings: &Settings,
    part: &Part,
    names: &[String],
    outcome: Outcome,
) -> Result<Outcome> {
    let made = Made::repository(&context::random(8));
    let hold = made.hold(&part.name)?;
    let done = taken(client, settings, names, &made, outcome);
    // The host does it again where this fails.
    let removed = made.remove(client);
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

fn taken(client: &Client, settings: &Settings, names: &[String], made: &Made, outcome: Outcome) -> Result<Outcome> {
    let (name, location) = (made.name(), way::location(settings).unwrap_or_default());
    let look = |name: &String| before(client, name);
    let before: Vec<Before> = names.iter().map(look).collect::<Result<_>>()?;
    repository::register(client, name, &format!("{}/{name}", location.trim_end_matches('/')), false)?;
    let engine = repository::make(client, name, names)?;
    snapshot::settled()?;
    let files = dirs::get(grant::SNAPSHOTS)?;
    let report = snapshot::put_subtree(FILES, &files, name, &TreeOptions::default())?;
    let mut outcome =
        outcome.receipt("shards", engine.shards, engine.successful).receipt("entries", report.expected, report.stored);
    let mut indices = BTreeMap::new();
    for before in before {
        let (kept, said) = after(client, settings, before, outcome)?;
        outcome = said;
        indices.insert(kept.manifest.index.clone(), kept);
    }
    outcome.summary = format!("{} shards of {} indices, {}", engine.shards, names.len(), report.summary());
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
fn after(client: &Client, settings: &Settings, before: Before, outcome: Outcome) -> Result<(kept::Index, Outcome)> {
    let name = &before.index.name;
    let index = Index::read(client, name)?;
    strongroom_search::export::same(&before.index, &index)?;
    let taken = context::now().seconds.saturating_mul(1000);
    let mut manifest = Manifest::of(&index, client.engine(), taken);
    let tally = match repository::written(client, name)? == before.written {
        true => Some(import::tally(client, name, settings.pace())?),
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
    let documents = (before.documents.min(now), before.documents.max(now));
    let message = format!(
        "it was written to while the snapshot was made, which holds between {} and {} documents: their hash is not known \
         before a restore",
        documents.0, documents.1
    );
    let finding = Finding::info("index-written", name, message);
    Ok((kept::Index { manifest, documents }, outcome.finding(finding)))
}

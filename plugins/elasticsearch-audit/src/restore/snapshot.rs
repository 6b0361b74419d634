//! Brings indices back from the engine's own snapshot: its files are put where the engine sees them, and registered to be
//! read only.

use strongroom_plugin::{Error, Outcome, Part, Result, TreeOptions, archive, context, dirs};
use strongroom_search::{Client, import, place, repository};

use super::{Done, Proof};
use crate::{
    describe::grant,
    kept::{FILES, Index, Kept},
    release::Made,
    settings::Settings,
    way,
};

pub(super) fn restore(client: &Client, settings: &Settings, part: &Part, kept: &Kept) -> Result<Outcome> {
    let copy = Made::copy(&context::random(8));
    let hold = copy.hold(&part.name)?;
    let restored = from_copy(client, settings, part, kept, copy.name());
    let removed = copy.remove(client);
    if removed.is_ok() {
        hold.dropped()?;
    }
    let outcome = restored?;
    removed?;
    Ok(outcome)
}

fn from_copy(client: &Client, settings: &Settings, part: &Part, kept: &Kept, copy: &str) -> Result<Outcome> {
    let directory = dirs::get(grant::SNAPSHOTS)?;
    directory.create_dir(copy)?;
    let report = archive::restore_subtree(&part.name, FILES, &directory, copy, &TreeOptions::default())?;
    let location = way::location(settings).unwrap_or_default();
    repository::register(client, copy, &format!("{}/{copy}", location.trim_end_matches('/')), true)?;
    let mut outcome = Outcome::new("").receipt("entries", report.expected, report.stored);
    let mut done = Done::read();
    for (name, index) in &kept.indices {
        outcome = super::one(client, settings, &index.manifest, &mut done, outcome, |temporary| {
            repository::restore(client, copy, name, temporary)?;
            prove(client, settings, index, temporary)
        })?;
    }
    outcome.summary = format!("{} shards of {} indices", kept.made.shards, kept.indices.len());
    Ok(outcome)
}

/// Where nothing was written while the snapshot was made, its hash is known.
fn prove(client: &Client, settings: &Settings, index: &Index, temporary: &str) -> Result<Proof> {
    let counted = place::count(client, temporary)?;
    let tally = import::tally(client, temporary, settings.pace())?;
    let (hash, (least, most)) = (tally.hash(), index.documents);
    let manifest = &index.manifest;
    if index.is_exact() && (tally.documents, &hash) != (manifest.documents, &manifest.hash) {
        return Err(Error::corrupt(format!(
            "the restored index has {} documents with the hash {hash}, and the snapshot {} with {}",
            tally.documents, manifest.documents, manifest.hash
        )));
    }
    if !(least..=most).contains(&tally.documents) {
        let message =
            format!("the restored index has {} documents, and had between {least} and {most}", tally.documents);
        return Err(Error::corrupt(message));
    }
    Ok(Proof { expected: counted, actual: tally.documents, hash })
}

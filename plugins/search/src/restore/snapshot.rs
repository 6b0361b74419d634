//! Brings indices back from the engine's own snapshot: its files are put where the engine sees them, and registered to be
//! read only; or from where it has stayed.

use strongroom_plugin::{Error, Outcome, Part, Result, TreeOptions, archive, context, dirs};

use super::{Done, Proof, Wanted};
use crate::{
    hash::Function,
    import,
    kept::{FILES, Index, Kept, Reference},
    made::Made,
    place,
    reach::Reach,
    reference,
    repository::{self, SNAPSHOT},
    size,
};

pub(super) fn restore(reach: &Reach, wanted: &Wanted, part: &Part, kept: &Kept, done: &mut Done) -> Result<Outcome> {
    let copy = Made::copy(&context::random(8));
    let hold = copy.hold(&part.name)?;
    let restored = from_copy(reach, wanted, part, kept, copy.name(), done);
    let removed = copy.remove(reach);
    if removed.is_ok() {
        hold.dropped()?;
    }
    let outcome = restored?;
    removed?;
    Ok(outcome)
}

fn from_copy(reach: &Reach, wanted: &Wanted, part: &Part, kept: &Kept, copy: &str, done: &mut Done) -> Result<Outcome> {
    let directory = dirs::get(reach.snapshots)?;
    directory.create_dir(copy)?;
    let report = archive::restore_subtree(&part.name, FILES, &directory, copy, &TreeOptions::default())?;
    let (client, location) = (&reach.client, reach.location.as_deref().unwrap_or_default());
    repository::register(client, copy, &format!("{}/{copy}", location.trim_end_matches('/')), true)?;
    let outcome = Outcome::new("").receipt("entries", report.expected, report.stored);
    each(reach, wanted, kept, done, outcome, |name, temporary| {
        repository::restore(client, copy, SNAPSHOT, name, temporary)
    })
}

/// Out of the engine's own repository, where it has stayed.
pub(super) fn from_engine(
    reach: &Reach,
    wanted: &Wanted,
    kept: &Kept,
    reference: &Reference,
    done: &mut Done,
) -> Result<Outcome> {
    let client = &reach.client;
    let repository = wanted.repository.as_ref().unwrap_or(&reference.repository);
    reference::find(client, repository, reference, &kept.made)?;
    each(reach, wanted, kept, done, Outcome::new(""), |name, temporary| {
        repository::restore(client, repository, &reference.snapshot, name, temporary)
    })
}

/// Every index into its place; `fetch` brings one back under a temporary name.
fn each(
    reach: &Reach,
    wanted: &Wanted,
    kept: &Kept,
    done: &mut Done,
    mut outcome: Outcome,
    fetch: impl Fn(&str, &str) -> Result<()>,
) -> Result<Outcome> {
    let mut restored = 0;
    for (name, index) in kept.indices.iter().filter(|(name, _)| wanted.has(name)) {
        outcome = super::one(reach, wanted, &index.manifest, done, outcome, |temporary| {
            fetch(name, temporary)?;
            prove(reach, index, temporary)
        })?;
        restored += 1;
    }
    outcome.summary = format!("{} of a snapshot of {}", size::indices(restored), size::shards(kept.made.shards));
    Ok(outcome)
}

/// Where nothing was written while the snapshot was made, its hash is known.
fn prove(reach: &Reach, index: &Index, temporary: &str) -> Result<Proof> {
    let client = &reach.client;
    let counted = place::count(client, temporary)?;
    let tally = import::tally(client, temporary, reach.pace, Function::of(&index.manifest.hash))?;
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

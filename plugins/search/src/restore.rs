//! Brings indices back: under a temporary name first, proved there by count and hash, then into their places.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use strongroom_plugin::{Context, Error, Finding, Outcome, Part, Result, context, holds::Hold};

use self::done::Done;
use crate::{
    hash::Function,
    import,
    kept::Kept,
    made::Made,
    place::{self, Held, Proved, Swap},
    reach::Reach,
    save, size,
    store::{self, Manifest},
};

mod aliases;
mod done;
mod snapshot;

pub use aliases::taken;

/// Names under which indices come back, by those that they had; the same where nothing is said.
pub type Names = BTreeMap<String, String>;

/// What of a part comes back, and how.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Under other names than they had.
    pub renamed: Names,
    /// Where the engine's snapshot has stayed, if the engine knows that repository by another name now.
    pub repository: Option<String>,
    /// Only these, by the names that they had; all where nothing is said.
    pub only: Option<BTreeSet<String>>,
    /// Whether the indices are worth something only all together: then aliases come when all indices are in their places,
    /// at one moment, and are taken from others; and where one index fails, those that came before are removed.
    pub together: bool,
}

impl Wanted {
    /// Whether an index comes back.
    pub fn has(&self, index: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(index))
    }
}

/// What an index must hold, and what it holds.
struct Proof {
    expected: u64,
    actual: u64,
    hash: String,
}

/// Restores one part.
///
/// # Errors
/// Then the part is not restored; what it had made is removed.
pub fn restore(reach: &Reach, wanted: &Wanted, part: &Part) -> Result<Outcome> {
    let mut done = Done::read();
    let restored = indices(reach, wanted, part, &mut done);
    if !wanted.together {
        return restored;
    }
    let restored = restored.and_then(|outcome| aliases::give(reach, wanted, part, outcome));
    if restored.is_err() {
        done.undo(&reach.client);
    }
    restored
}

/// Every index into its place.
fn indices(reach: &Reach, wanted: &Wanted, part: &Part, done: &mut Done) -> Result<Outcome> {
    if let Some(kept) = Kept::read(&part.name)? {
        if let Some(reference) = &kept.reference {
            return snapshot::from_engine(reach, wanted, &kept, reference, done);
        }
        return snapshot::restore(reach, wanted, part, &kept, done);
    }
    let mut outcome = Outcome::new("");
    let (mut documents, mut names) = (0, store::indices(&part.name)?);
    if names.is_empty() {
        return save::had_nothing(&part.name);
    }
    names.retain(|name| wanted.has(name));
    for name in &names {
        let manifest = Manifest::read(&part.name, name)?;
        let fill = |temporary: &str| prove(reach, part, &manifest, temporary);
        outcome = one(reach, wanted, &manifest, done, outcome, fill)?;
        documents += manifest.documents;
    }
    outcome.summary = format!("{documents} documents of {}", size::indices(names.len()));
    Ok(outcome)
}

/// The name under which an index comes back.
pub fn target<'a>(renamed: &'a Names, name: &'a str) -> &'a str {
    renamed.get(name).map_or(name, String::as_str)
}

/// One index: `fill` makes it under a temporary name and proves it there, then it takes its place.
fn one(
    reach: &Reach,
    wanted: &Wanted,
    manifest: &Manifest,
    done: &mut Done,
    outcome: Outcome,
    fill: impl FnOnce(&str) -> Result<Proof>,
) -> Result<Outcome> {
    let (client, target) = (&reach.client, target(&wanted.renamed, &manifest.index));
    let doing = || format!("restoring the index {} as {target}", manifest.index);
    if done.has(client, target)? {
        let count = place::count(client, target)?;
        return Ok(outcome.receipt(format!("documents {target}"), count, count));
    }
    let held = place::held(client, target)?;
    if held != Held::Free && !context::overwrite() {
        return Err(Error::exists(format!(
            "{target} is there already, restore with --overwrite or under another name"
        )));
    }
    let made = Made::Index(import::temporary(target, &context::random(8)));
    let hold = made.hold(&format!("restore {target}"))?;
    let proof = fill(made.name()).inspect_err(|_| {
        // The host does it again where this fails.
        let _ = made.remove(reach);
    });
    let proof = proof.context(doing())?;
    let outcome = outcome
        .receipt(format!("documents {target}"), proof.expected, proof.actual)
        .fact(format!("hash {target}"), proof.hash);
    let wanted = if wanted.together { BTreeMap::new() } else { manifest.aliases.clone() };
    let (how, taken) = settle(reach, manifest, target, &held, (&made, hold), &wanted).context(doing())?;
    // Not before: what somebody else has put there meanwhile is not this restore's to remove.
    if held == Held::Free {
        done.adds(target);
    }
    done.add(client, target)?;
    Ok(outcome.fact(format!("place {target}"), how).findings(taken.iter().map(|alias| {
        let message = format!("the alias {alias} belongs to other indices, and was not given to {target}");
        Finding::warning("alias-taken", alias, message)
    })))
}

/// Puts the proved index into its place. Returns how, and the aliases that it did not get.
fn settle(
    reach: &Reach,
    manifest: &Manifest,
    target: &str,
    held: &Held,
    (made, hold): (&Made, Hold),
    wanted: &BTreeMap<String, Value>,
) -> Result<(String, Vec<String>)> {
    let client = &reach.client;
    let (aliases, taken) = place::aliases(client, wanted, target)?;
    let swap = place::swap(client, held);
    // A clone beside nothing can be made again. Else the proved index is what is left, or what stands in the place: from
    // here on nobody removes it.
    let hold = if swap == Swap::Clone && *held == Held::Free { Some(hold) } else { hold.dropped().map(|()| None)? };
    let settings = import::later(manifest);
    Proved { from: made.name(), name: target, held, settings: &settings, aliases: &aliases }.put(client)?;
    if swap == Swap::Clone {
        made.remove(reach)?;
    }
    hold.map_or(Ok(()), Hold::dropped)?;
    Ok((said(swap, made.name()), taken))
}

/// Makes and fills the index under its temporary name, and reads all of it back.
fn prove(reach: &Reach, part: &Part, manifest: &Manifest, temporary: &str) -> Result<Proof> {
    let (client, pace) = (&reach.client, reach.pace);
    import::create(client, manifest, temporary)?;
    import::load(client, &part.name, manifest, temporary)?;
    let tally = import::tally(client, temporary, pace, Function::of(&manifest.hash))?;
    let hash = tally.hash();
    if (tally.documents, &hash) == (manifest.documents, &manifest.hash) {
        return Ok(Proof { expected: manifest.documents, actual: tally.documents, hash });
    }
    let missing = import::missing(client, &part.name, manifest, temporary, pace)?;
    let named = if missing.is_empty() { String::new() } else { format!("; missing are {}", missing.join(", ")) };
    Err(Error::corrupt(format!(
        "the restored index has {} documents with the hash {hash}, and the snapshot {} with {}{named}",
        tally.documents, manifest.documents, manifest.hash
    )))
}

fn said(swap: Swap, temporary: &str) -> String {
    match swap {
        Swap::Clone => "under its own name, by a clone".into(),
        Swap::Alias => format!("behind an alias of {temporary}"),
    }
}

/// What would become of an index that is to be called `name`, for people, and what has that name already.
///
/// # Errors
/// What the engine says.
pub fn look(reach: &Reach, manifest: &Manifest, name: &str) -> Result<(String, Option<Finding>)> {
    let held = place::held(&reach.client, name)?;
    let how = match place::swap(&reach.client, &held) {
        Swap::Clone => "by a clone under its own name",
        Swap::Alias => "behind an alias",
    };
    let what = match manifest.objects {
        0 => "the snapshot".to_owned(),
        _ => format!("{} documents", manifest.documents),
    };
    let occupied = (held != Held::Free).then(|| occupied(name, &held));
    Ok((format!("{what} of {} as {name}, {how}", manifest.index), occupied))
}

fn occupied(name: &str, held: &Held) -> Finding {
    let what = match held {
        Held::ByAlias(indices) => format!("an alias of {}", indices.join(", ")),
        _ => "an index".into(),
    };
    if context::overwrite() {
        let becomes = match held {
            Held::ByAlias(_) => "it will point to the restored index, and these stay",
            _ => "it is removed when the restored one is proved",
        };
        return Finding::warning("index-exists", name, format!("{name} is {what}: {becomes}"));
    }
    let message = format!("{name} is there already, {what}: restore with --overwrite, or under another name");
    Finding::blocker("index-exists", name, message)
}

/// What the indices of a part are made of; those of an engine's snapshot first say so.
///
/// # Errors
/// When the snapshot cannot be read.
pub fn manifests(part: &str) -> Result<(bool, Vec<Manifest>)> {
    if let Some(kept) = Kept::read(part)? {
        return Ok((true, kept.indices.into_values().map(|index| index.manifest).collect()));
    }
    let read = store::indices(part)?.iter().map(|index| Manifest::read(part, index)).collect::<Result<_>>()?;
    Ok((false, read))
}

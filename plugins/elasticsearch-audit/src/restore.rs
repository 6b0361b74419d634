//! Brings indices back: under a temporary name first, proved there by count and hash, then into their places.

use strongroom_plugin::{Context, Error, Finding, Outcome, Part, Result, context, holds::Hold};
use strongroom_search::{
    Client, import,
    place::{self, Held, Swap},
    store::{self, Manifest},
};

use self::done::Done;
use crate::{describe::grant, kept::Kept, release::Made, settings::Settings};

mod done;
mod inspect;
mod snapshot;

pub use inspect::inspect;

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
pub fn restore(part: &Part) -> Result<Outcome> {
    let settings = Settings::read()?;
    let client = Client::connect(grant::ENGINE)?;
    if let Some(kept) = Kept::read(&part.name)? {
        return snapshot::restore(&client, &settings, part, &kept);
    }
    let (mut outcome, mut done) = (Outcome::new(""), Done::read());
    let (mut documents, names) = (0, store::indices(&part.name)?);
    for name in &names {
        let manifest = Manifest::read(&part.name, name)?;
        let fill = |temporary: &str| prove(&client, &settings, part, &manifest, temporary);
        outcome = one(&client, &settings, &manifest, &mut done, outcome, fill)?;
        documents += manifest.documents;
    }
    outcome.summary = format!("{documents} documents of {} indices", names.len());
    Ok(outcome)
}

/// The name under which an index comes back.
fn target<'a>(settings: &'a Settings, name: &'a str) -> &'a str {
    settings.rename.get(name).map_or(name, String::as_str)
}

/// One index: `fill` makes it under a temporary name and proves it there, then it takes its place.
fn one(
    client: &Client,
    settings: &Settings,
    manifest: &Manifest,
    done: &mut Done,
    outcome: Outcome,
    fill: impl FnOnce(&str) -> Result<Proof>,
) -> Result<Outcome> {
    let target = target(settings, &manifest.index);
    let doing = || format!("restoring the index {} as {target}", manifest.index);
    if done.has(client, target)? {
        let count = place::count(client, target)?;
        return Ok(outcome.receipt(format!("documents {target}"), count, count));
    }
    let held = place::held(client, target)?;
    if held != Held::Free && !context::overwrite() {
        return Err(Error::exists(format!("{target} is there already, restore with --overwrite or set rename")));
    }
    let made = Made::Index(import::temporary(target, &context::random(8)));
    let hold = made.hold(&format!("restore {target}"))?;
    let proof = fill(made.name()).inspect_err(|_| {
        // The host does it again where this fails.
        let _ = made.remove(client);
    });
    let proof = proof.context(doing())?;
    let outcome = outcome
        .receipt(format!("documents {target}"), proof.expected, proof.actual)
        .fact(format!("hash {target}"), proof.hash);
    let (how, taken) = settle(client, manifest, target, &held, &made, hold).context(doing())?;
    done.add(client, target)?;
    Ok(outcome.fact(format!("place {target}"), how).findings(taken.iter().map(|alias| {
        let message = format!("the alias {alias} belongs to other indices, and was not given to {target}");
        Finding::warning("alias-taken", alias, message)
    })))
}

/// Puts the proved index into its place. Returns how, and the aliases that it did not get.
fn settle(
    client: &Client,
    manifest: &Manifest,
    target: &str,
    held: &Held,
    made: &Made,
    hold: Hold,
) -> Result<(String, Vec<String>)> {
    let (aliases, taken) = place::aliases(client, &manifest.aliases, target)?;
    let swap = place::swap(client, held);
    // A clone beside nothing can be made again. Else the proved index is what is left, or what stands in the place: from
    // here on nobody removes it.
    let hold = if swap == Swap::Clone && *held == Held::Free { Some(hold) } else { hold.dropped().map(|()| None)? };
    place::put(client, made.name(), target, held, &import::later(manifest), &aliases)?;
    if swap == Swap::Clone {
        made.remove(client)?;
    }
    hold.map_or(Ok(()), Hold::dropped)?;
    Ok((said(swap, made.name()), taken))
}

/// Makes and fills the index under its temporary name, and reads all of it back.
fn prove(client: &Client, settings: &Settings, part: &Part, manifest: &Manifest, temporary: &str) -> Result<Proof> {
    import::create(client, manifest, temporary)?;
    import::load(client, &part.name, manifest, temporary)?;
    let tally = import::tally(client, temporary, settings.pace())?;
    let hash = tally.hash();
    if (tally.documents, &hash) == (manifest.documents, &manifest.hash) {
        return Ok(Proof { expected: manifest.documents, actual: tally.documents, hash });
    }
    let missing = import::missing(client, &part.name, manifest, temporary, settings.pace())?;
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

//! Brings indices back: under a temporary name first, proved there by count and hash, then into their places.

use strongroom_plugin::{Context, Error, Finding, Outcome, Part, Result, context, holds::Hold};
use strongroom_search::{
    Client, import,
    place::{self, Held, Swap},
    store::{self, Manifest},
};

use crate::{describe::grant, release::Made, settings::Settings};

mod inspect;

pub use inspect::inspect;

/// Restores one part.
///
/// # Errors
/// Then the part is not restored; what it had made is removed.
pub fn restore(part: &Part) -> Result<Outcome> {
    let settings = Settings::read()?;
    let client = Client::connect(grant::ENGINE)?;
    let mut outcome = Outcome::new("");
    let (mut documents, names) = (0, store::indices(&part.name)?);
    for name in &names {
        let manifest = Manifest::read(&part.name, name)?;
        let target = target(&settings, name);
        outcome = one(&client, &settings, part, &manifest, target, outcome)
            .context(format!("restoring the index {name} as {target}"))?;
        documents += manifest.documents;
    }
    outcome.summary = format!("{documents} documents of {} indices", names.len());
    Ok(outcome)
}

/// The name under which an index comes back.
fn target<'a>(settings: &'a Settings, name: &'a str) -> &'a str {
    settings.rename.get(name).map_or(name, String::as_str)
}

fn one(
    client: &Client,
    settings: &Settings,
    part: &Part,
    manifest: &Manifest,
    target: &str,
    outcome: Outcome,
) -> Result<Outcome> {
    let held = place::held(client, target)?;
    if held != Held::Free && !context::overwrite() {
        return Err(Error::exists(format!("{target} is there already, restore with --overwrite or set rename")));
    }
    let made = Made::Index(import::temporary(target, &context::random(8)));
    let Made::Index(temporary) = &made;
    let hold = made.hold(&format!("restore {target}"))?;
    let proved = prove(client, settings, part, manifest, temporary);
    let outcome = match proved {
        Ok(hash) => outcome
            .receipt(format!("documents {target}"), manifest.documents, manifest.documents)
            .fact(format!("hash {target}"), hash),
        Err(error) => {
            // The host does it again where this fails.
            let _ = made.remove(client);
            return Err(error);
        }
    };
    let (aliases, taken) = place::aliases(client, &manifest.aliases, target)?;
    let swap = place::swap(client, &held);
    // A clone beside nothing can be made again. Else the proved index is what is left, or what stands in the place: from
    // here on nobody removes it.
    let hold = if swap == Swap::Clone && held == Held::Free { Some(hold) } else { hold.dropped().map(|()| None)? };
    place::put(client, temporary, target, &held, &import::later(manifest), &aliases)?;
    if swap == Swap::Clone {
        made.remove(client)?;
    }
    hold.map_or(Ok(()), Hold::dropped)?;
    Ok(outcome.fact(format!("place {target}"), said(swap, temporary)).findings(taken.iter().map(|alias| {
        let message = format!("the alias {alias} belongs to other indices, and was not given to {target}");
        Finding::warning("alias-taken", alias, message)
    })))
}

/// Makes and fills the index under its temporary name, and reads all of it back. Returns its hash.
fn prove(client: &Client, settings: &Settings, part: &Part, manifest: &Manifest, temporary: &str) -> Result<String> {
    import::create(client, manifest, temporary)?;
    import::load(client, &part.name, manifest, temporary)?;
    let tally = import::tally(client, temporary, settings.pace())?;
    let hash = tally.hash();
    if (tally.documents, &hash) == (manifest.documents, &manifest.hash) {
        return Ok(hash);
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

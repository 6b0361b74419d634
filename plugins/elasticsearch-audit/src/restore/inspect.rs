//! Looks at a snapshot and at the engine, and says what a restore would do and what is in its way.

use strongroom_plugin::{ErrorCode, Finding, Inspection, Part, Result, Stage, archive, context};
use strongroom_search::{
    Client,
    place::{self, Held, Swap},
    store::{self, Manifest},
};

use super::target;
use crate::{describe::grant, settings::Settings};

/// What a restore would do.
///
/// # Errors
/// When the snapshot cannot be read, or the engine does not answer.
pub fn inspect() -> Result<Inspection> {
    let settings = Settings::read()?;
    let mut seen = Inspection::of([]);
    let client = match Client::connect(grant::ENGINE) {
        Ok(client) => client,
        // The host says which grant is missing.
        Err(error) if error.code == ErrorCode::Denied => {
            let uses = |name: &String| Part::new(name, Stage::Fence).uses(format!("http.{}", grant::ENGINE));
            return Ok(Inspection::of(archive::parts()?.iter().map(uses)));
        }
        Err(error) => return Err(error),
    };
    seen = seen.fact("engine", format!("{} ({})", client.engine(), client.engine().cluster));
    for name in archive::parts()? {
        let part = Part::new(&name, Stage::Fence).uses(format!("http.{}", grant::ENGINE));
        let mut said = Vec::new();
        for index in store::indices(&name)? {
            let manifest = Manifest::read(&name, &index)?;
            said.push(look(&client, &settings, &manifest, &mut seen)?);
        }
        seen.parts.push(part.summary(said.join("; ")));
    }
    Ok(seen)
}

fn look(client: &Client, settings: &Settings, manifest: &Manifest, seen: &mut Inspection) -> Result<String> {
    let name = target(settings, &manifest.index);
    let held = place::held(client, name)?;
    if held != Held::Free {
        seen.findings.push(occupied(name, &held));
    }
    let how = match place::swap(client, &held) {
        Swap::Clone => "by a clone under its own name",
        Swap::Alias => "behind an alias",
    };
    Ok(format!("{} documents of {} as {name}, {how}", manifest.documents, manifest.index))
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
    let message =
        format!("{name} is there already, {what}: restore with --overwrite, or under another name with rename");
    Finding::blocker("index-exists", name, message)
}

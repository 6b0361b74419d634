//! Looks at a snapshot and at the engine, and says what a restore would do and what is in its way.

use strongroom_plugin::{ErrorCode, Finding, Inspection, Part, Result, Stage, archive, context};
use strongroom_search::{
    Client,
    place::{self, Held, Swap},
    store::{self, Manifest},
};

use super::target;
use crate::{
    describe::grant,
    kept::Kept,
    settings::{Settings, Way},
    way,
};

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
        let (part, manifests) = match Kept::read(&name)? {
            Some(kept) => {
                seen.findings.extend(impossible(&settings, &client)?);
                let manifests = kept.indices.into_values().map(|index| index.manifest).collect();
                (part.uses(format!("dirs.{}", grant::SNAPSHOTS)), manifests)
            }
            None => (part, manifests(&name)?),
        };
        let mut said = Vec::new();
        for manifest in &manifests {
            said.push(look(&client, &settings, manifest, &mut seen)?);
        }
        seen.parts.push(part.summary(said.join("; ")));
    }
    Ok(seen)
}

fn manifests(part: &str) -> Result<Vec<Manifest>> {
    store::indices(part)?.iter().map(|index| Manifest::read(part, index)).collect()
}

/// What keeps the engine from reading its own files.
fn impossible(settings: &Settings, client: &Client) -> Result<Option<Finding>> {
    let asked = Settings { way: Way::Snapshot, ..settings.clone() };
    Ok(way::choose(&asked, client)?.blocker)
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
    let what = match manifest.objects {
        0 => "the snapshot".to_owned(),
        _ => format!("{} documents", manifest.documents),
    };
    Ok(format!("{what} of {} as {name}, {how}", manifest.index))
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

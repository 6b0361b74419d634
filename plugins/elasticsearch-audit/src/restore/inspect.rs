//! Looks at a snapshot and at the engine, and says what a restore would do and what is in its way.

use strongroom_plugin::{ErrorCode, Inspection, Part, Result, Stage, archive};
use strongroom_search::{
    Reach,
    kept::Kept,
    reference, restore,
    way::{self, Way},
};

use crate::{describe::grant, settings::Settings};

/// What a restore would do.
///
/// # Errors
/// When the snapshot cannot be read, or the engine does not answer.
pub fn inspect() -> Result<Inspection> {
    let settings = Settings::read()?;
    let mut seen = Inspection::of([]);
    let reach = match settings.reach() {
        Ok(reach) => reach,
        // The host says which grant is missing.
        Err(error) if error.code == ErrorCode::Denied => {
            let uses = |name: &String| Part::new(name, Stage::Fence).uses(format!("http.{}", grant::ENGINE));
            return Ok(Inspection::of(archive::parts()?.iter().map(uses)));
        }
        Err(error) => return Err(error),
    };
    seen = seen.fact("engine", format!("{} ({})", reach.client.engine(), reach.client.engine().cluster));
    for name in archive::parts()? {
        look(&reach, &settings, &name, &mut seen)?;
    }
    Ok(seen)
}

fn look(reach: &Reach, settings: &Settings, name: &str, seen: &mut Inspection) -> Result<()> {
    let mut part = Part::new(name, Stage::Fence).uses(format!("http.{}", grant::ENGINE));
    let (is_snapshot, manifests) = restore::manifests(name)?;
    let kept = Kept::read(name)?;
    if let Some((reference, made)) = kept.as_ref().and_then(|kept| Some((kept.reference.as_ref()?, &kept.made))) {
        seen.findings.extend(reference::look(&reach.client, settings.repository.as_ref(), reference, made)?);
    } else if is_snapshot {
        // What keeps the engine from reading its own files.
        seen.findings.extend(way::choose(Way::Snapshot, reach)?.blocker);
        part = part.uses(format!("dirs.{}", grant::SNAPSHOTS));
    }
    let mut said = Vec::new();
    for manifest in &manifests {
        let (what, occupied) = restore::look(reach, manifest, restore::target(&settings.rename, &manifest.index))?;
        said.push(what);
        seen.findings.extend(occupied);
    }
    let said = if said.is_empty() { "no index was saved".to_owned() } else { said.join("; ") };
    seen.parts.push(part.summary(said));
    Ok(())
}

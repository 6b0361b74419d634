//! Brings indices and aliases back into an OpenSearch: all of them, or none.

use strongroom_plugin::{ErrorCode, Finding, Inspection, Outcome, Part, Result, Stage, context};
use strongroom_search::{
    place::{self, Held},
    restore, size,
    store::Manifest,
    way::{self, Way},
};

use crate::{describe::grant, inspect::part, opensearch, settings::Settings};

/// Restores the part.
///
/// # Errors
/// Then nothing of it is left.
pub(super) fn restore(part: &Part) -> Result<Outcome> {
    let reach = opensearch::reach(&Settings::read()?)?;
    let (_, manifests) = restore::manifests(&part.name)?;
    let wanted = opensearch::wanted(&manifests);
    let left: Vec<_> = manifests.iter().map(|one| one.index.as_str()).filter(|name| !wanted.has(name)).collect();
    let outcome = restore::restore(&reach, &wanted, part)?;
    Ok(if left.is_empty() { outcome } else { outcome.fact("left over, not restored", left.join(", ")) })
}

/// Adds the part, and what is in its way.
///
/// # Errors
/// When the snapshot cannot be read, or the engine does not answer.
pub(super) fn inspect(seen: &mut Inspection) -> Result<()> {
    let part = Part::new(part::SEARCH_INDEX, Stage::Positions).uses(format!("http.{}", grant::OPENSEARCH));
    let (is_snapshot, manifests) = restore::manifests(part::SEARCH_INDEX)?;
    let part = if is_snapshot { part.uses(format!("dirs.{}", grant::SNAPSHOTS)) } else { part };
    let reach = match opensearch::reach(&Settings::read()?) {
        Ok(reach) => reach,
        Err(error) if error.code == ErrorCode::Denied => {
            // The host says which grant is missing.
            seen.parts.push(part);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    if is_snapshot {
        seen.findings.extend(way::choose(Way::Snapshot, &reach)?.blocker);
    }
    let wanted = opensearch::wanted(&manifests);
    let mut count = 0;
    for manifest in manifests.iter().filter(|one| wanted.has(&one.index)) {
        seen.findings.extend(occupied(manifest, &place::held(&reach.client, &manifest.index)?));
        count += 1;
    }
    seen.findings.extend(restore::taken(&reach, &wanted, &manifests)?);
    let engine = reach.client.engine();
    seen.parts.push(part.summary(format!(
        "{} with their aliases into {engine} ({})",
        size::indices(count),
        engine.cluster
    )));
    Ok(())
}

fn occupied(manifest: &Manifest, held: &Held) -> Option<Finding> {
    let name = &manifest.index;
    if *held == Held::Free {
        return None;
    }
    Some(match context::overwrite() {
        true => {
            let message = format!("{name} is there already: it is removed when the restored one is proved");
            Finding::warning("index-exists", name, message)
        }
        false => {
            let message =
                format!("{name} is there already: is this the engine of a site in use? Restore with --overwrite");
            Finding::blocker("index-exists", name, message)
        }
    })
}

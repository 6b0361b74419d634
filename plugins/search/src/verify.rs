//! Checks the parts of a snapshot with nothing but the snapshot: every line, every object by its list, every index by what
//! was noted of it.

use strongroom_plugin::{Finding, Outcome, Part, Result, archive, context};

use crate::{
    check::{self, Checked},
    kept::{self, Kept},
    reference,
    save::{self, Noted, note},
    size,
    store::{self, Manifest},
};

/// Checks one part.
///
/// # Errors
/// When it could not be checked.
pub fn verify(part: &Part) -> Result<Outcome> {
    if let Some(kept) = Kept::read(&part.name)? {
        return snapshot(part, &kept);
    }
    let names = store::indices(&part.name)?;
    if names.is_empty() {
        return save::had_nothing(&part.name);
    }
    let mut outcome = Outcome::new("");
    let mut documents = 0;
    for name in names {
        let manifest = Manifest::read(&part.name, &name)?;
        let checked = check::index(&part.name, &manifest)?;
        documents += checked.tally.documents;
        outcome = outcome
            .receipt(format!("documents {name}"), manifest.documents, checked.tally.documents)
            .findings(noted(&manifest)?)
            .findings(findings(&name, checked));
    }
    outcome.summary = format!("{documents} documents");
    Ok(outcome)
}

/// The files of an engine's snapshot: only an engine can read what is in them, so they are counted. Where it has stayed with
/// the engine, nobody can be asked here: that is said.
fn snapshot(part: &Part, kept: &Kept) -> Result<Outcome> {
    let mut items = archive::items(&part.name, kept::FILES);
    let entries = items.try_fold(0_u64, |count, item| item.map(|_| count + 1))?;
    let mut outcome =
        Outcome::new(format!("{} of {}", size::shards(kept.made.shards), size::indices(kept.indices.len())))
            .receipt("entries", kept.entries, entries)
            .receipt("shards", kept.made.shards, kept.made.successful);
    if let Some(reference) = &kept.reference {
        outcome = outcome.findings(reference::noted(&part.name, reference, &kept.made)?);
        outcome = outcome.finding(reference::not_self_contained(reference));
    }
    for index in kept.indices.values().filter(|index| index.is_exact()) {
        outcome = outcome.findings(noted(&index.manifest)?);
    }
    Ok(outcome)
}

/// What was noted lies beside the part, so a part that was changed to agree with itself does not agree with it.
fn noted(manifest: &Manifest) -> Result<Option<Finding>> {
    let index = &manifest.index;
    let message = match context::note(&note::index(index))? {
        None => "nothing was noted of it when it was stored".to_owned(),
        Some(text) => match store::parse::<Noted>(&text)? {
            noted if noted == Noted::of(manifest) => return Ok(None),
            noted => format!(
                "{} documents with the hash {} were stored, and index.json says {} with {}",
                noted.documents, noted.hash, manifest.documents, manifest.hash
            ),
        },
    };
    Ok(Some(Finding::blocker("index-damaged", index, message)))
}

fn findings(index: &str, checked: Checked) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    if checked.missing_count > 0 {
        let shown: Vec<_> = checked.missing.iter().map(|id| format!("{id:?}")).collect();
        let more = checked.missing_count.saturating_sub(shown.len() as u64);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message = format!("documents were stored and are not there: {}{more}", shown.join(", "));
        findings.push(Finding::blocker("documents-missing", index, message));
    }
    let damage = checked.damage.into_iter().take(check::NAMED_MAX);
    findings.extend(damage.map(|(path, message)| Finding::blocker("index-damaged", path, message)));
    findings
}

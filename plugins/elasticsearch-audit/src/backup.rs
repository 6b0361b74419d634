//! Stores the parts that `inspect` named.

use strongroom_plugin::{Error, Finding, Outcome, Part, Result};
use strongroom_search::{Client, Index, save};

use crate::{
    inspect::{self, part, setting},
    names,
    settings::Settings,
};

/// Stores one part.
///
/// # Errors
/// Then the part has failed.
pub fn backup(part: &Part) -> Result<Outcome> {
    let settings = Settings::read()?;
    let reach = settings.reach_to_save()?;
    let mut outcome = Outcome::new("");
    let own = part.setting(setting::INDEX).or(part.setting(setting::SNAPSHOT));
    let names: Vec<String> = match own.filter(|own| !own.is_empty()) {
        Some(own) => own.lines().map(str::to_owned).collect(),
        None => of_part(part, resolve(&reach.client, &settings, &mut outcome)?, &mut outcome),
    };
    if names.is_empty() {
        let why = why(&outcome.findings);
        return save::nothing(part, &why, outcome);
    }
    match part.setting(setting::SNAPSHOT) {
        Some(_) => save::snapshot(&reach, part, &names, outcome),
        None => save::export(&reach, &names, outcome),
    }
}

/// Why there is no index to save: what was said of those that Nuxeo's step names.
fn why(findings: &[Finding]) -> String {
    findings.first().map_or("Nuxeo's step names none of this kind", |finding| &finding.message).to_owned()
}

/// Those that a part saves, sequences last: their moment is behind that of all others.
fn of_part(part: &Part, indices: Vec<Index>, outcome: &mut Outcome) -> Vec<String> {
    let (sequences, others): (Vec<_>, Vec<_>) = indices.into_iter().partition(inspect::is_sequence);
    let mine = match part.name.as_str() {
        part::SNAPSHOT => others,
        part::SEQUENCES => {
            // The part before has said it.
            outcome.findings.clear();
            sequences
        }
        _ => others.into_iter().chain(sequences).collect(),
    };
    mine.into_iter().map(|index| index.name).collect()
}

/// What Nuxeo's step has named.
fn resolve(client: &Client, settings: &Settings, outcome: &mut Outcome) -> Result<Vec<Index>> {
    let names = names::all(settings)?;
    outcome.findings.extend(names.findings);
    let mut resolved: Vec<Index> = Vec::new();
    for name in names.names {
        match Index::resolve(client, &name.name) {
            Ok(indices) => {
                for index in indices {
                    outcome.findings.extend(inspect::findings(&index, client.engine()));
                    let is_new = !resolved.iter().any(|one| one.name == index.name);
                    resolved.extend(is_new.then_some(index));
                }
            }
            Err(error) if error.is_not_found() && name.required => {
                outcome.findings.push(inspect::missing(&name.name));
            }
            Err(error) if error.is_not_found() => {
                let message = format!("there is no index {}: a restored Nuxeo begins its sequences anew", name.name);
                outcome.findings.push(Finding::warning("sequences-missing", name.name, message));
            }
            Err(error) => return Err(error),
        }
    }
    if resolved.is_empty() && outcome.findings.is_empty() {
        return Err(Error::invalid(format!("the part {} has nothing to save", part::INDICES)));
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests;

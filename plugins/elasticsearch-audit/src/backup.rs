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
    let reach = settings.reach()?;
    let mut outcome = Outcome::new("");
    let own = part.setting(setting::INDEX).or(part.setting(setting::SNAPSHOT));
    let names: Vec<String> = match own.filter(|own| !own.is_empty()) {
        Some(own) => own.lines().map(str::to_owned).collect(),
        None => resolve(&reach.client, &settings, &mut outcome)?,
    };
    match part.setting(setting::SNAPSHOT) {
        Some(_) if !names.is_empty() => save::snapshot(&reach, &names, outcome),
        _ => save::export(&reach, &names, outcome),
    }
}

/// What Nuxeo's step has named, by the names of the indices themselves.
fn resolve(client: &Client, settings: &Settings, outcome: &mut Outcome) -> Result<Vec<String>> {
    let names = names::all(settings)?;
    outcome.findings.extend(names.findings);
    let mut resolved = Vec::new();
    for name in names.names {
        match Index::resolve(client, &name.name) {
            Ok(indices) => {
                for index in indices {
                    outcome.findings.extend(inspect::findings(&index, client.engine()));
                    resolved.extend((!resolved.contains(&index.name)).then_some(index.name));
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

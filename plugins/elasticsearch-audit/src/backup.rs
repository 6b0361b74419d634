//! Stores the parts that `inspect` named.

use serde::{Deserialize, Serialize};
use strongroom_plugin::{Error, Finding, Outcome, Part, Result, context, snapshot::settled};
use strongroom_search::{Client, Index, export::Export, store::Manifest};

use crate::{
    describe::grant,
    inspect::{self, part, setting},
    names,
    settings::Settings,
};

mod snapshot;

/// Keys of the notes that a backup leaves for restore and verify.
pub mod note {
    /// What an index must hold: a JSON object of [`super::Noted`].
    pub fn index(name: &str) -> String {
        format!("index {name}")
    }
}

/// What is noted of an index beside what lies in its part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Noted {
    /// Documents stored.
    pub documents: u64,
    /// The hash over all of them.
    pub hash: String,
    /// Objects stored.
    pub objects: u32,
}

impl Noted {
    /// Of that manifest.
    pub fn of(manifest: &Manifest) -> Self {
        Self { documents: manifest.documents, hash: manifest.hash.clone(), objects: manifest.objects }
    }
}

/// Stores one part.
///
/// # Errors
/// Then the part has failed.
pub fn backup(part: &Part) -> Result<Outcome> {
    let settings = Settings::read()?;
    let client = Client::connect(grant::ENGINE)?;
    let mut outcome = Outcome::new("");
    let own = part.setting(setting::INDEX).or(part.setting(setting::SNAPSHOT));
    let names: Vec<String> = match own.filter(|own| !own.is_empty()) {
        Some(own) => own.lines().map(str::to_owned).collect(),
        None => of_part(part, resolve(&client, &settings, &mut outcome)?, &mut outcome),
    };
    match part.setting(setting::SNAPSHOT) {
        Some(_) if !names.is_empty() => snapshot::backup(&client, &settings, part, &names, outcome),
        _ => export(&client, &settings, &names, outcome),
    }
}

fn export(client: &Client, settings: &Settings, names: &[String], mut outcome: Outcome) -> Result<Outcome> {
    // All moments first: what comes after this part in the run waits for them, not for the documents.
    let pace = settings.pace();
    let open = |name: &String| Export::open(client, name, pace);
    let mut exports: Vec<Export> = names.iter().map(open).collect::<Result<_>>()?;
    settled()?;
    // The engine forgets a moment that nobody asks for: short ones do not wait for long ones.
    exports.sort_by_key(Export::total);
    let (mut documents, mut bytes) = (0, 0);
    for export in exports {
        let manifest = export.store(pace)?;
        (documents, bytes) = (documents + manifest.documents, bytes + manifest.bytes);
        outcome = stored(outcome, &manifest)?;
    }
    outcome.summary = format!("{documents} documents of {} indices, {bytes} bytes", names.len());
    Ok(outcome)
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

fn stored(outcome: Outcome, manifest: &Manifest) -> Result<Outcome> {
    let noted = serde_json::to_string(&Noted::of(manifest))?;
    context::set_note(&note::index(&manifest.index), &noted)?;
    let Manifest { index, expected, documents, hash, .. } = manifest;
    let outcome = outcome
        .receipt(format!("documents {index}"), *expected, *documents)
        .fact(format!("hash {index}"), hash)
        .fact(format!("objects {index}"), manifest.objects.to_string());
    if expected == documents {
        return Ok(outcome);
    }
    let message = format!("the engine counted {expected} documents at that moment and gave {documents}");
    Ok(outcome.finding(Finding::blocker("documents-missing", index, message)))
}

#[cfg(test)]
mod tests;

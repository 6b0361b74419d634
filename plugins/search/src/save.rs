//! Stores indices: document by document, or as the engine's own snapshot of all of them.

use serde::{Deserialize, Serialize};
use strongroom_plugin::{Error, Finding, Outcome, Part, Result, context, snapshot::settled};

use crate::{export::Export, reach::Reach, size, store::Manifest};

mod snapshot;

pub use snapshot::backup as snapshot;

/// Keys of the notes that a backup leaves for restore and verify.
pub mod note {
    /// What an index must hold: a JSON object of [`super::Noted`].
    pub fn index(name: &str) -> String {
        format!("index {name}")
    }

    /// Set where a part rightly holds no index.
    pub fn nothing(part: &str) -> String {
        format!("no index {part}")
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

/// Stores that there is no index to store, and why: nobody shall take an empty part for a saved index.
///
/// # Errors
/// As [`settled`] and [`context::set_note`].
pub fn nothing(part: &Part, why: &str, mut outcome: Outcome) -> Result<Outcome> {
    settled()?;
    context::set_note(&note::nothing(&part.name), why)?;
    outcome.summary = format!("no index is saved: {why}");
    // As many as were meant: a part without a receipt proves nothing, and the set could not be complete.
    Ok(outcome.receipt("indices", 0, 0))
}

/// The same for what is read: the part must say so itself, or its indices were taken out of it.
///
/// # Errors
/// `corrupt` when it does not.
pub(crate) fn had_nothing(part: &str) -> Result<Outcome> {
    let Some(why) = context::note(&note::nothing(part))? else {
        return Err(Error::corrupt(format!(
            "the part {part} holds no index, and does not say why: use another snapshot"
        )));
    };
    Ok(Outcome::new(format!("no index was saved: {why}")).receipt("indices", 0, 0))
}

/// Stores these indices document by document, each as of a moment of its own, in their order.
///
/// # Errors
/// What the engine or the repository says.
pub fn export(reach: &Reach, names: &[String], mut outcome: Outcome) -> Result<Outcome> {
    // All moments first: what comes after this part in the run waits for them, not for the documents.
    let open = |name: &String| Export::open(&reach.client, name, reach.pace);
    let mut exports: Vec<Export> = names.iter().map(open).collect::<Result<_>>()?;
    settled()?;
    // The engine forgets a moment that nobody asks for: short ones do not wait for long ones.
    exports.sort_by_key(Export::total);
    let (mut documents, mut bytes) = (0, 0);
    for export in exports {
        let manifest = export.store(reach.pace)?;
        (documents, bytes) = (documents + manifest.documents, bytes + manifest.bytes);
        outcome = stored(outcome, &manifest)?;
    }
    outcome.summary = format!("{documents} documents of {}, {bytes} bytes", size::indices(names.len()));
    Ok(outcome)
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

//! Snapshots that stay in a repository of the engine's own: the set holds where they are and what they hold, and is worth
//! nothing without them.

use strongroom_plugin::{Error, ErrorCode, Finding, Outcome, Result, context};

use crate::{
    client::Client,
    kept::Reference,
    reach::Reach,
    repository::{self, Made},
    way::{Chosen, Way, impossible},
};

/// The key of the note that says which snapshot a part stands for.
fn note(part: &str) -> String {
    format!("reference {part}")
}

/// What is noted beside the part: whoever changes one of them is found out.
fn line(reference: &Reference, made: &Made) -> String {
    let uuid = made.uuid.as_deref().unwrap_or_default();
    format!("{}/{} {uuid} {}", reference.repository, reference.snapshot, made.indices.join(","))
}

/// Whether a snapshot can stay there.
///
/// # Errors
/// What the engine says.
pub(crate) fn choose(way: Way, reach: &Reach, name: &str) -> Result<Chosen> {
    let hindrance = match (way, repository::registered(&reach.client, name)) {
        (Way::Export, _) => {
            Some("repository is set, and way is export: only a snapshot can stay with the engine".into())
        }
        (_, Ok(Some(known))) if known.readonly => Some(format!("the repository {name} can only be read here")),
        (_, Ok(Some(_))) => None,
        (_, Ok(None)) => Some(unknown(name)),
        (_, Err(error)) if error.code == ErrorCode::Denied => {
            Some(format!("the engine does not say whether there is a repository {name}: {}", error.message))
        }
        (_, Err(error)) => return Err(error),
    };
    let why = format!("kept in the engine's own repository {name}, and only named in the set");
    Ok(Chosen { way: Way::Snapshot, why, blocker: hindrance.as_deref().map(impossible) })
}

/// A repository that there is not.
pub(crate) fn unknown(name: &str) -> String {
    format!("the engine knows no repository {name}: compare repository with GET /_snapshot")
}

/// For people.
pub fn place(reference: &Reference) -> String {
    format!("in the engine's repository {} ({}) as {}", reference.repository, reference.kind, reference.snapshot)
}

/// What a backup says of it, and notes.
pub(crate) fn said(part: &str, outcome: Outcome, reference: &Reference, made: &Made) -> Result<Outcome> {
    context::set_note(&note(part), &line(reference, made))?;
    let outcome = outcome.fact("repository", &reference.repository).fact("snapshot", &reference.snapshot);
    let outcome = outcome.fact("uuid", made.uuid.as_deref().unwrap_or("unknown"));
    Ok(outcome.finding(not_self_contained(reference)))
}

/// A set that is not enough by itself says so whenever it is looked at.
pub fn not_self_contained(reference: &Reference) -> Finding {
    let message = format!(
        "the set does not hold these indices, only where they are: {}. Keep that snapshot as long as the set; whether it is still there is seen by restore --dry-run",
        place(reference)
    );
    Finding::warning("not-self-contained", &reference.snapshot, message)
}

/// Whether the part says what was noted when it was stored.
///
/// # Errors
/// As [`context::note`].
pub(crate) fn noted(part: &str, reference: &Reference, made: &Made) -> Result<Option<Finding>> {
    let message = match context::note(&note(part))? {
        Some(noted) if noted == line(reference, made) => return Ok(None),
        Some(noted) => format!("the snapshot {noted} was made, and snapshot.json names {}", line(reference, made)),
        None => "nothing was noted of the engine's snapshot when it was made".to_owned(),
    };
    Ok(Some(Finding::blocker("index-damaged", part, message)))
}

/// Looks for it: still there, still whole, and not another one of its name.
///
/// # Errors
/// `corrupt` when it is another one; `not-found`; what the engine says.
pub fn find(client: &Client, repository: &str, reference: &Reference, made: &Made) -> Result<()> {
    let found = repository::find(client, repository, &reference.snapshot, &made.indices).map_err(|error| {
        let doing = format!("looking for the snapshot {} in the engine's repository {repository}", reference.snapshot);
        error.context(doing)
    })?;
    match found == *made {
        true => Ok(()),
        false => Err(Error::corrupt(format!(
            "the snapshot {} in the engine's repository {repository} is another one than the set stands for",
            reference.snapshot
        ))),
    }
}

/// What a plan to restore says of it.
///
/// # Errors
/// When the engine does not answer.
pub fn look(client: &Client, repository: Option<&String>, reference: &Reference, made: &Made) -> Result<Vec<Finding>> {
    let repository = repository.unwrap_or(&reference.repository);
    let lost = match find(client, repository, reference, made) {
        Ok(()) => None,
        Err(error) if matches!(error.code, ErrorCode::Unavailable | ErrorCode::Timeout | ErrorCode::Canceled) => {
            return Err(error);
        }
        Err(error) => Some(Finding::blocker("reference-lost", &reference.snapshot, error.to_string())),
    };
    Ok([Some(not_self_contained(reference)), lost].into_iter().flatten().collect())
}

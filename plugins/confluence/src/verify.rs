//! Checks the parts of a snapshot with nothing but the snapshot and the tool that reads dumps.

use strongroom_database::{dump::DUMP, embedded, trees::kept_from_ahead, verify as dump};
use strongroom_plugin::{Context, Error, Finding, Outcome, Part, Result, archive, context, tree};

use crate::{
    backup::note,
    cfg::{self, Cfg},
    describe::grant,
    grants,
    home::{self, Class},
    index::is_engine,
    inspect::part,
    site::CFG,
    triple,
};

/// Checks one part.
///
/// # Errors
/// When it could not be checked.
pub fn verify(part: &Part) -> Result<Outcome> {
    match part.name.as_str() {
        part::DATABASE if archive::exists(part::DATABASE, DUMP)? => dump::verify(part::DATABASE),
        part::DATABASE => embedded::verify(part::DATABASE, tree::verify(part)?),
        part::ATTACHMENTS => Ok(kept_from_ahead(tree::verify(part)?)),
        part::SECRETS => secrets(tree::verify(part)?),
        part::SEARCH_INDEX if is_engine()? => strongroom_search::verify::verify(part),
        name if name == part::HOME || name == part::SHARED_HOME || grants::is_one_of(name, grant::NODE) => {
            home(name, tree::verify(part)?)
        }
        _ => tree::verify(part),
    }
}

/// All that are required are in the snapshot.
fn secrets(outcome: Outcome) -> Result<Outcome> {
    let noted = context::note(note::SECRETS)?.unwrap_or_default();
    let required: Vec<&str> = noted.split_whitespace().collect();
    let mut found = 0;
    for name in &required {
        found += u64::from(is_there(name)?);
    }
    let noted = context::note(note::CIPHER)?.unwrap_or_default();
    let cipher: Vec<&str> = noted.lines().collect();
    for path in &cipher {
        found += u64::from(archive::exists(part::SECRETS, path)?);
    }
    Ok(outcome.receipt("secrets required", (required.len() + cipher.len()) as u64, found))
}

/// In one of the homes that the part holds secrets of.
fn is_there(name: &str) -> Result<bool> {
    for path in [name.to_owned(), format!("{}/{name}", home::SHARED)] {
        if archive::items(part::SECRETS, &path).next().transpose()?.is_some() {
            return Ok(true);
        }
    }
    for item in archive::items(part::SECRETS, triple::ELSEWHERE) {
        // `dirs/GRANT/NAME/…`
        if item?.path.split('/').nth(2) == Some(name) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The configuration can be read, and nothing is there that must never be restored.
fn home(part: &str, outcome: Outcome) -> Result<Outcome> {
    let doing = format!("reading {CFG} in the snapshot");
    let bytes = archive::open(part, CFG).context(&doing)?.bytes(cfg::SIZE_MAX).context(&doing)?;
    let cfg = Cfg::parse(&bytes).map_err(|bad| Error::corrupt(bad.to_string()).context(doing))?;
    let mut outcome = outcome;
    if let Some(build) = cfg.build_number {
        outcome = outcome.fact("build number", build.to_string());
    }
    for name in ["lock", "shared-home/lock"] {
        if home::class("lock") == Class::Never && archive::exists(part, name)? {
            let message = format!("{name} is in the snapshot and keeps a restored Confluence from starting");
            outcome = outcome.finding(Finding::blocker("lock-stored", part, message));
        }
    }
    Ok(outcome)
}

//! Checks the parts of a snapshot with nothing but the snapshot and the tool that reads dumps.

use strongroom_database::{dump::DUMP, embedded, located::Located, trees::kept_from_ahead, verify as dump};
use strongroom_plugin::{
    Algorithm, Context, Error, Finding, Outcome, Part, Result, archive, context, log, streams, tree,
};

use crate::{
    backup::{ARCHIVE, is_archive, note},
    conf::{
        blobs::{DATA, ENCRYPTED_MAGIC, is_encrypted},
        properties::Properties,
    },
    hex::hex,
    inspect::part,
    stored::stored_at,
    stores::{Store, is_digest},
};

/// How many wrong blobs are findings of their own.
const NAMED_MAX: usize = 20;
/// How many blobs lie between two signs of life.
const PROGRESS_BLOBS: u64 = 10_000;
/// The largest `nuxeo.conf` that is read.
const CONF_BYTES_MAX: usize = 4 << 20;

/// Checks one part.
///
/// # Errors
/// When it could not be checked.
pub fn verify(part: &Part) -> Result<Outcome> {
    let name = part.name.as_str();
    match name {
        part::MONGODB => mongo(),
        part::CONFIGURATION => configuration(tree::verify(part)?),
        _ if part::is_database(name) && archive::exists(name, DUMP)? => dump::verify(name),
        _ if part::is_database(name) => embedded::verify(name, tree::verify(part)?),
        _ if part::is_blobs(name) => blobs(name, kept_from_ahead(tree::verify(part)?)),
        _ => tree::verify(part),
    }
}

/// That it is there and begins as an archive is all that can be told.
fn mongo() -> Result<Outcome> {
    let head = archive::open(part::MONGODB, ARCHIVE)?.peek(4).context("reading the dump of MongoDB")?;
    if !is_archive(&head) {
        return Err(Error::corrupt(format!("{ARCHIVE} does not begin as an archive of mongodump")));
    }
    let message = "what MongoDB holds cannot be counted";
    Ok(Outcome::new("an archive").finding(Finding::warning("mongodb-unproven", part::MONGODB, message)))
}

/// `nuxeo.conf` is there and can be read.
fn configuration(outcome: Outcome) -> Result<Outcome> {
    let Some(noted) = context::note(note::CONF)? else {
        let message = "the snapshot has no note of where nuxeo.conf was";
        return Ok(outcome.finding(Finding::warning("no-count", part::CONFIGURATION, message)));
    };
    let path = noted.split_once('/').map(|(grant, path)| stored_at(&Located::new(grant, path)));
    let path = path.ok_or_else(|| Error::corrupt(format!("the note of where nuxeo.conf was says {noted:?}")))?;
    let doing = format!("reading {path} in the snapshot");
    let bytes = archive::open(part::CONFIGURATION, &path).context(&doing)?.bytes(CONF_BYTES_MAX).context(&doing)?;
    let read = Properties::parse(&bytes).map_err(|bad| Error::corrupt(bad.to_string()).context(doing))?;
    Ok(outcome.fact("properties in nuxeo.conf", read.assignments.len().to_string()))
}

/// Every file that is named by a digest holds what its name says.
fn blobs(name: &str, outcome: Outcome) -> Result<Outcome> {
    let Some(store) = context::note(&note::store(name))? else {
        let message = "the snapshot has no note of how its blobs are named";
        return Ok(outcome.finding(Finding::warning("no-count", name, message)));
    };
    let store: Store = serde_json::from_str(&store)
        .map_err(|error| Error::corrupt(format!("the note of how the blobs of {name} are named: {error}")))?;
    match store.digest() {
        Some((digits, Some(algorithm))) => digests(name, digits, algorithm, outcome),
        _ => Ok(outcome),
    }
}

fn digests(part: &str, digits: usize, algorithm: Algorithm, mut outcome: Outcome) -> Result<Outcome> {
    let (mut seen, mut right, mut encrypted, mut named) = (0_u64, 0_u64, 0_u64, 0);
    for item in archive::items(part, DATA) {
        let item = item?;
        let name = item.path.rsplit('/').next().unwrap_or_default();
        if !matches!(item.kind, archive::Kind::File) || !is_digest(name, digits) {
            continue;
        }
        seen += 1;
        if seen.is_multiple_of(PROGRESS_BLOBS) {
            log::progress("comparing blobs with their names", seen, None);
        }
        let content = archive::open(part, &item.path)?;
        if is_encrypted(&content.peek(ENCRYPTED_MAGIC.len() as u32)?) {
            encrypted += 1;
            right += 1;
            continue;
        }
        let (_, digest) = streams::digest(algorithm, content).context(format!("reading {part}/{}", item.path))?;
        if hex(&digest) == name {
            right += 1;
        } else if named < NAMED_MAX {
            named += 1;
            let message = format!("{} does not hold what its name says", item.path);
            outcome = outcome.finding(Finding::blocker("blob-damaged", part, message));
        }
    }
    if encrypted > 0 {
        let message = format!("{encrypted} files are encrypted: what they hold cannot be compared with their names");
        outcome = outcome.finding(Finding::info("blobs-unchecked", part, message));
    }
    Ok(outcome.receipt("blobs as named", seen, right))
}

//! Checks the parts of a snapshot with nothing but the snapshot and the tool that reads dumps.

use std::collections::BTreeMap;

use strongroom_plugin::{
    Context, Error, Finding, InputStream, Outcome, Part, Result, archive, context, tools::Tool, tree,
};

use crate::{
    backup::{DUMP, note},
    cfg::{self, Cfg},
    describe::grant,
    embedded::format::{self, Health},
    engine::Engine,
    grants,
    home::{self, Class},
    inspect::part,
    readback::Table,
    rows,
    site::CFG,
    triple,
};

/// Checks one part.
///
/// # Errors
/// When it could not be checked.
pub fn verify(part: &Part) -> Result<Outcome> {
    match part.name.as_str() {
        part::DATABASE if archive::exists(part::DATABASE, DUMP)? => database(),
        part::DATABASE => embedded(tree::verify(part)?),
        part::ATTACHMENTS => Ok(attachments(tree::verify(part)?)),
        part::SECRETS => secrets(tree::verify(part)?),
        name if name == part::HOME || name == part::SHARED_HOME || grants::is_one_of(name, grant::NODE) => {
            home(name, tree::verify(part)?)
        }
        _ => tree::verify(part),
    }
}

/// Reads the dump to its last row.
fn database() -> Result<Outcome> {
    let dump = archive::open(part::DATABASE, DUMP)?;
    let size = archive::stat(part::DATABASE, DUMP)?.size;
    let actual = match Engine::of_dump(&dump.peek(5)?) {
        Engine::Postgresql => read_by_tool(dump, size)?,
        Engine::Mysql => rows::count(Engine::Mysql, &dump, "reading the dump", Some(size))?,
    };
    let outcome = Outcome::new(format!("{} tables, {} rows", actual.len(), actual.values().sum::<u64>()));
    match context::note(note::ROWS)? {
        Some(noted) => {
            let mut outcome = outcome;
            outcome.receipts = rows::receipts(&rows::from_json(&noted)?, &actual);
            Ok(outcome)
        }
        None => {
            let message = "the snapshot has no note of rows per table: nothing to compare with";
            Ok(outcome.finding(Finding::warning("no-count", part::DATABASE, message)))
        }
    }
}

/// `pg_dump`'s archives are `pg_restore`'s to read.
fn read_by_tool(dump: InputStream, size: u64) -> Result<BTreeMap<Table, u64>> {
    let reader = Tool::new(grant::READ_DUMP).stdin(dump).spawn()?;
    let counted = rows::count(Engine::Postgresql, &reader.stdout()?, "reading the dump", Some(size));
    let exit = reader.wait();
    if let (Err(_), Ok(exit)) = (&counted, &exit) {
        exit.check(grant::READ_DUMP).context("reading the dump")?;
    }
    let actual = counted.context("reading the dump")?;
    exit?.check(grant::READ_DUMP).context("reading the dump")?;
    Ok(actual)
}

/// What the pass ahead stored and was purged before the second pass stays in the snapshot, beyond what that pass counted:
/// the database may refer to it.
fn attachments(mut outcome: Outcome) -> Outcome {
    for receipt in &mut outcome.receipts {
        let more = receipt.actual.saturating_sub(receipt.expected);
        receipt.actual -= more;
        outcome.facts.push(("kept from the pass ahead".into(), format!("{more} entries")));
    }
    outcome
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

/// The files of an embedded database are there and what their endings say, to the last one's end.
fn embedded(outcome: Outcome) -> Result<Outcome> {
    let noted = context::note(note::EMBEDDED)?.unwrap_or_default();
    let (mut expected, mut sound) = (0, 0);
    let mut outcome = outcome;
    for name in noted.lines() {
        expected += 1;
        let size = match archive::stat(part::DATABASE, name) {
            Ok(item) => item.size,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error),
        };
        match format::check(name, size, |offset| archive::open_at(part::DATABASE, name, offset))? {
            Health::Bad(why) => {
                let message = format!("{name}: {why}");
                outcome = outcome.finding(Finding::blocker("embedded-damaged", part::DATABASE, message));
            }
            Health::Closed | Health::Unclean | Health::Untold => sound += 1,
        }
    }
    Ok(outcome.receipt("sound files", expected, sound))
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

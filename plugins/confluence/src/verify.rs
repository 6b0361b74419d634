//! Checks the parts of a snapshot with nothing but the snapshot and the tool that reads dumps.

use std::collections::BTreeMap;

use strongroom_plugin::{
    Context, Error, Finding, InputStream, Outcome, Part, Result, archive, context, tools::Tool, tree,
};

use crate::{
    backup::{DUMP, note},
    cfg::{self, Cfg},
    describe::grant,
    engine::Engine,
    home::{self, Class},
    inspect::part,
    readback::Table,
    rows,
    site::CFG,
};

/// Checks one part.
///
/// # Errors
/// When it could not be checked.
pub fn verify(part: &Part) -> Result<Outcome> {
    match part.name.as_str() {
        part::DATABASE => database(),
        part::ATTACHMENTS => Ok(attachments(tree::verify(part)?)),
        part::SECRETS => secrets(tree::verify(part)?),
        part::HOME => home(tree::verify(part)?),
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
        let base = [name.to_string(), format!("{}/{name}", home::SHARED)];
        for path in &base {
            if archive::items(part::SECRETS, path).next().transpose()?.is_some() {
                found += 1;
                break;
            }
        }
    }
    Ok(outcome.receipt("secrets required", required.len() as u64, found))
}

/// The configuration can be read, and nothing is there that must never be restored.
fn home(outcome: Outcome) -> Result<Outcome> {
    let doing = format!("reading {CFG} in the snapshot");
    let bytes = archive::open(part::HOME, CFG).context(&doing)?.bytes(cfg::SIZE_MAX).context(&doing)?;
    let cfg = Cfg::parse(&bytes).map_err(|bad| Error::corrupt(bad.to_string()).context(doing))?;
    let mut outcome = outcome;
    if let Some(build) = cfg.build_number {
        outcome = outcome.fact("build number", build.to_string());
    }
    for name in ["lock", "shared-home/lock"] {
        if home::class("lock") == Class::Never && archive::exists(part::HOME, name)? {
            let message = format!("{name} is in the snapshot and keeps a restored Confluence from starting");
            outcome = outcome.finding(Finding::blocker("lock-stored", part::HOME, message));
        }
    }
    Ok(outcome)
}

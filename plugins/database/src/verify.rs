//! Checks a stored dump with nothing but the snapshot and the tool that reads dumps.

use std::collections::BTreeMap;

use strongroom_plugin::{Context, Finding, InputStream, Outcome, Result, archive, context, tools::Tool};

use crate::{dump::DUMP, engine::Engine, needs::READ_DUMP, readback::Table, rows};

/// Reads a part's dump to its last row, and compares with what was noted when it was stored.
///
/// # Errors
/// When it cannot be read to its end.
pub fn verify(part: &str) -> Result<Outcome> {
    let dump = archive::open(part, DUMP)?;
    let size = archive::stat(part, DUMP)?.size;
    let actual = match Engine::of_dump(&dump.peek(5)?) {
        Engine::Postgresql => read_by_tool(dump, size)?,
        Engine::Mysql => rows::count(Engine::Mysql, &dump, "reading the dump", Some(size))?,
    };
    compared(part, &actual)
}

/// What became of rows that were counted, beside what the backup noted.
///
/// # Errors
/// `corrupt` when the note is not one.
pub(crate) fn compared<T: ToString>(part: &str, actual: &BTreeMap<T, u64>) -> Result<Outcome> {
    let mut outcome = Outcome::new(format!("{} tables, {} rows", actual.len(), actual.values().sum::<u64>()));
    match context::note(&rows::note(part))? {
        Some(noted) => outcome.receipts.extend(rows::receipts(&rows::from_json(&noted)?, actual)),
        None => {
            let message = "the snapshot has no note of rows per table: nothing to compare with";
            outcome = outcome.finding(Finding::warning("no-count", part, message));
        }
    }
    Ok(outcome)
}

/// `pg_dump`'s archives are `pg_restore`'s to read.
fn read_by_tool(dump: InputStream, size: u64) -> Result<BTreeMap<Table, u64>> {
    let reader = Tool::new(READ_DUMP).stdin(dump).spawn()?;
    let counted = rows::count(Engine::Postgresql, &reader.stdout()?, "reading the dump", Some(size));
    let exit = reader.wait();
    if let (Err(_), Ok(exit)) = (&counted, &exit) {
        exit.check(READ_DUMP).context("reading the dump")?;
    }
    let actual = counted.context("reading the dump")?;
    exit?.check(READ_DUMP).context("reading the dump")?;
    Ok(actual)
}

//! Rows per table: counted in SQL that a tool writes, noted as JSON, compared as receipts.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_plugin::{Error, InputStream, Receipt, Result, log};

use crate::{
    engine::Engine,
    needs::DATABASE,
    readback::{self, Count, Table},
};

/// The key of the note that holds the rows per table of a part's dump.
pub fn note(part: &str) -> String {
    if part == DATABASE { "rows".to_owned() } else { format!("rows {part}") }
}

/// How many bytes lie between two signs of life.
const PROGRESS_BYTES: u64 = 32 << 20;

/// Counts the rows of a dump's SQL, to its end: as `pg_restore` or as `mysqldump` writes it.
///
/// # Errors
/// What ended the stream early; `corrupt` when the SQL stops inside a table.
pub fn count(engine: Engine, sql: &InputStream, what: &str, estimate: Option<u64>) -> Result<BTreeMap<Table, u64>> {
    match engine {
        Engine::Postgresql => counted(readback::Counter::default(), sql, what, estimate),
        Engine::Mysql => counted(readback::mysql::Counter::default(), sql, what, estimate),
    }
}

fn counted(
    mut counter: impl Count,
    sql: &InputStream,
    what: &str,
    estimate: Option<u64>,
) -> Result<BTreeMap<Table, u64>> {
    let (mut done, mut said) = (0, 0);
    loop {
        let chunk = sql.read_chunk(1 << 20)?;
        if chunk.is_empty() {
            return counter.finish().map_err(|cut| Error::corrupt(cut.to_string()));
        }
        counter.feed(&chunk);
        done += chunk.len() as u64;
        if done - said >= PROGRESS_BYTES {
            said = done;
            log::progress(what, done, estimate);
        }
    }
}

/// For a note.
pub fn to_json(rows: &BTreeMap<Table, u64>) -> String {
    let named: BTreeMap<String, u64> = rows.iter().map(|(table, rows)| (table.to_string(), *rows)).collect();
    serde_json::json!(named).to_string()
}

/// From a note.
///
/// # Errors
/// `corrupt` when it is no such note.
pub fn from_json(note: &str) -> Result<BTreeMap<String, u64>> {
    serde_json::from_str(note).map_err(|error| Error::corrupt(format!("the note of rows per table: {error}")))
}

/// One receipt a table; a table that only one side has counts as empty on the other.
pub fn receipts<E: ToString, A: ToString>(expected: &BTreeMap<E, u64>, actual: &BTreeMap<A, u64>) -> Vec<Receipt> {
    let named = |name: String, rows: &u64| (name, *rows);
    let expected: BTreeMap<String, u64> = expected.iter().map(|(table, rows)| named(table.to_string(), rows)).collect();
    let actual: BTreeMap<String, u64> = actual.iter().map(|(table, rows)| named(table.to_string(), rows)).collect();
    let tables: BTreeSet<&String> = expected.keys().chain(actual.keys()).collect();
    let of = |rows: &BTreeMap<String, u64>, table: &str| rows.get(table).copied().unwrap_or(0);
    let receipt = |table: &String| Receipt {
        subject: format!("rows {table}"),
        expected: of(&expected, table),
        actual: of(&actual, table),
    };
    tables.into_iter().map(receipt).collect()
}

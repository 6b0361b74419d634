//! Loads a dump into an empty database and counts what is there afterwards.

use std::collections::BTreeMap;

use strongroom_plugin::{
    Context, Error, InputStream, Outcome, Result, archive, context,
    sql::{self, Database},
    tools::Tool,
};

use crate::{catalogue, dump::DUMP, engine::Engine, needs::Names, verify::compared};

mod inspect;

pub use inspect::{inspect, into_directories};

/// Loads the dump of a part into the database whose grants are called like it.
///
/// # Errors
/// `exists` when that holds tables and the operator did not consent, `invalid` for another vendor's; when the tool fails.
pub fn restore(part: &str) -> Result<Outcome> {
    let names = Names::of(part);
    let target = sql::get(&names.database)?;
    let dump = archive::open(part, DUMP)?;
    refuse_unfit(&target, Engine::of_dump(&dump.peek(5)?))?;
    let doing = format!("loading the dump into {}", target.location());
    load(&names.restore, dump, &doing)?;
    compare(part)
}

/// Hands a dump to the tool that loads it, and waits for its end.
///
/// # Errors
/// When the tool fails; then `doing` says at what.
pub fn load(tool: &str, dump: InputStream, doing: &str) -> Result<()> {
    let running = Tool::new(tool).stdin(dump).spawn()?;
    let said = running.stdout()?.drain();
    match running.wait() {
        Ok(exit) => exit.check(tool).context(doing)?,
        Err(error) => return Err(said.err().unwrap_or(error).context(doing)),
    }
    said.map(drop).context(doing)
}

/// Rows per table of the restored database, against what the backup noted.
///
/// # Errors
/// When it does not answer.
pub fn compare(part: &str) -> Result<Outcome> {
    let view = sql::get(&Names::of(part).database)?.begin().context("counting the restored rows")?;
    let tables = catalogue::tables(&view)?;
    let actual: BTreeMap<String, u64> =
        catalogue::count(&view, &tables)?.into_iter().map(|(table, rows)| (table.to_string(), rows)).collect();
    view.end()?;
    compared(part, &actual)
}

/// Another vendor's server, or one that is in use.
fn refuse_unfit(target: &Database, dumped: Engine) -> Result<()> {
    let view = target.begin().context(format!("looking at the database {}", target.location()))?;
    if Engine::of(&view) != dumped {
        let message = format!("the snapshot holds a dump of another vendor's database than {}", target.location());
        return Err(Error::invalid(format!("{message} ({}): grant one of the same kind", target.engine())));
    }
    let tables = catalogue::tables(&view)?.len();
    view.end()?;
    if tables == 0 || context::overwrite() {
        return Ok(());
    }
    let message = format!("the database {} holds {tables} tables: make an empty one", target.location());
    Err(Error::exists(message))
}

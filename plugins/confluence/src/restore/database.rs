//! Loads the dump into an empty database and counts what is there afterwards.

use std::collections::BTreeMap;

use strongroom_plugin::{
    Context, Error, Finding, Outcome, Result, archive, context,
    sql::{self, Database},
    tools::Tool,
};

use super::target::archived_cfg;
use crate::{
    backup::{DUMP, note},
    catalogue,
    describe::grant,
    engine::Engine,
    inspect::part,
    rows,
};

pub(super) fn restore() -> Result<Outcome> {
    let target = sql::get(grant::DATABASE)?;
    let dump = archive::open(part::DATABASE, DUMP)?;
    refuse_unfit(&target, Engine::of_dump(&dump.peek(5)?))?;
    let doing = format!("loading the dump into {}", target.location());
    let tool = Tool::new(grant::RESTORE).stdin(dump).spawn()?;
    let said = tool.stdout()?.drain();
    match tool.wait() {
        Ok(exit) => exit.check(grant::RESTORE).context(&doing)?,
        Err(error) => return Err(said.err().unwrap_or(error).context(doing)),
    }
    said.context(doing)?;
    compare(&target)
}

/// Whether a restored database still is what the snapshot promised.
///
/// # Errors
/// When it does not answer.
pub fn probe() -> Result<Outcome> {
    compare(&sql::get(grant::DATABASE)?)
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

/// Rows per table and build number, against what the backup noted.
fn compare(target: &Database) -> Result<Outcome> {
    let view = target.begin().context("counting the restored rows")?;
    let tables = catalogue::tables(&view)?;
    let actual: BTreeMap<String, u64> =
        catalogue::count(&view, &tables)?.into_iter().map(|(table, rows)| (table.to_string(), rows)).collect();
    let build = if catalogue::holds(&tables, "confversion") { catalogue::build_number(&view)? } else { None };
    view.end()?;
    let total: u64 = actual.values().sum();
    let mut outcome = Outcome::new(format!("{} tables, {total} rows", actual.len()));
    match context::note(note::ROWS)? {
        Some(noted) => outcome.receipts.extend(rows::receipts(&rows::from_json(&noted)?, &actual)),
        None => {
            let message = "the snapshot has no note of rows per table: nothing to compare with";
            outcome = outcome.finding(Finding::warning("no-count", part::DATABASE, message));
        }
    }
    Ok(outcome.findings(builds(build)?))
}

fn builds(database: Option<u64>) -> Result<Option<Finding>> {
    let home = archived_cfg()?.and_then(|cfg| cfg.build_number);
    let message = match (home, database) {
        (Some(home), Some(database)) if home != database => format!(
            "the database has build {database}, the snapshot's confluence.cfg.xml has {home}: Confluence will not start with both"
        ),
        (Some(_), None) => "the restored database names no build number".to_owned(),
        _ => return Ok(None),
    };
    Ok(Some(Finding::warning("build-contradiction", part::DATABASE, message)))
}

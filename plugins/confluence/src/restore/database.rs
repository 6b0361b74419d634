//! Loads the dump, and looks whether database and home are of one build.

use strongroom_database::{catalogue, restore as dump};
use strongroom_plugin::{Context, Finding, Outcome, Result, sql};

use super::target::archived_cfg;
use crate::{build, describe::grant, inspect::part};

pub(super) fn restore() -> Result<Outcome> {
    with_builds(dump::restore(part::DATABASE)?)
}

/// Whether a restored database still is what the snapshot promised.
///
/// # Errors
/// When it does not answer.
pub fn probe() -> Result<Outcome> {
    with_builds(dump::compare(part::DATABASE)?)
}

fn with_builds(outcome: Outcome) -> Result<Outcome> {
    let view = sql::get(grant::DATABASE)?.begin().context("asking the restored database for its build number")?;
    let held = catalogue::holds(&catalogue::tables(&view)?, "confversion");
    let build = if held { build::number(&view)? } else { None };
    view.end()?;
    Ok(outcome.findings(contradiction(build)?))
}

fn contradiction(database: Option<u64>) -> Result<Option<Finding>> {
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

//! The build of Confluence that wrote a database.

use strongroom_database::engine::spelled;
use strongroom_plugin::{Context, Result, sql::Transaction};

/// The newest build number in `confversion`.
///
/// # Errors
/// As [`Transaction::value`].
pub fn number(view: &Transaction) -> Result<Option<u64>> {
    let statement = format!("SELECT max(buildnumber) FROM {}", spelled(view, "confversion")?);
    let number = view.value(&statement, &[]).context("reading the table confversion")?;
    Ok(number.and_then(|number| number.parse().ok()))
}

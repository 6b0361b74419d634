//! Brings a site back into an empty target, and makes its configuration name the target.

use strongroom_database::trees::sum;
use strongroom_plugin::{Outcome, Part, Result, dirs, tree};

use crate::{describe::grant, grants, inspect::part};

mod configuration;
mod database;
mod inspect;
mod installation;
mod modes;
mod target;

pub use database::probe;
pub use inspect::inspect;

/// Restores one part.
///
/// # Errors
/// Then the part is not restored.
pub fn restore(part: &Part) -> Result<Outcome> {
    if part.name == part::DATABASE && !target::is_embedded()? {
        return database::restore();
    }
    let targets = target::all(&part.name)?;
    let mut reports = Vec::new();
    for target in &targets {
        reports.push(target.restore(&part.name, &target::options(target))?);
    }
    let outcome = tree::outcome(&sum(reports));
    match part.name.as_str() {
        part::INSTALL => installation::rewrite(&dirs::get(grant::INSTALL)?, outcome),
        part::SECRETS => modes::tighten(&targets, outcome),
        name if name == part::HOME || name == part::SHARED_HOME || grants::is_one_of(name, grant::NODE) => {
            configuration::rewrite(name, &dirs::get(name)?, outcome)
        }
        _ => Ok(outcome),
    }
}

#[cfg(test)]
mod tests;

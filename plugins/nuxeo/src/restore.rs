//! Brings an instance back into an empty target, and makes its configuration name the target.

use strongroom_database::{restore as dump, trees::sum};
use strongroom_plugin::{Outcome, Part, Result, archive, tree};

use crate::{backup::ARCHIVE, describe::grant, inspect::part};

mod appended;
mod configuration;
mod inspect;
mod target;

pub use inspect::inspect;

/// Restores one part.
///
/// # Errors
/// Then the part is not restored.
pub fn restore(part: &Part) -> Result<Outcome> {
    let name = part.name.as_str();
    if name == part::MONGODB {
        return mongodb();
    }
    if part::is_database(name) && target::is_dump(name)? {
        return dump::restore(name);
    }
    let mut reports = Vec::new();
    for target in target::all(name)? {
        reports.push(target.restore(name, &Default::default())?);
    }
    let outcome = tree::outcome(&sum(reports));
    if name == part::CONFIGURATION { configuration::rewrite(outcome) } else { Ok(outcome) }
}

/// Asks a restored database whether it still is what the snapshot promised.
///
/// # Errors
/// When it does not answer.
pub fn probe(part: &Part) -> Result<Outcome> {
    if part::is_database(&part.name) && target::is_dump(&part.name)? {
        return dump::compare(&part.name);
    }
    Ok(Outcome::new("nothing to ask: this part is files"))
}

/// The tool itself refuses what does not fit; nothing can be counted here.
fn mongodb() -> Result<Outcome> {
    dump::load(grant::MONGORESTORE, archive::open(part::MONGODB, ARCHIVE)?, "loading the dump of MongoDB")?;
    let message = "what was loaded into MongoDB is not counted";
    let finding = strongroom_plugin::Finding::warning("mongodb-unproven", part::MONGODB, message);
    Ok(Outcome::new("loaded").finding(finding))
}

#[cfg(test)]
mod tests;

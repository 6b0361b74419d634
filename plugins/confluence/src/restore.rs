//! Brings a site back into an empty target, and makes its configuration name the target.

use strongroom_plugin::{
    ErrorCode, Outcome, Part, Result, TreeReport, archive,
    dirs::{self, Dir},
    tree,
};

use self::target::Target;
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
    let targets = Target::all(&part.name)?;
    let mut reports = Vec::new();
    for target in &targets {
        let dir = dirs::get(&target.to.grant)?;
        make_directories(&dir, &target.to.path)?;
        reports.push(archive::restore_subtree(&part.name, &target.from, &dir, &target.to.path, &target.options())?);
    }
    let outcome = tree::outcome(&reports.into_iter().reduce(sum).unwrap_or_else(nothing));
    match part.name.as_str() {
        part::INSTALL => installation::rewrite(&dirs::get(grant::INSTALL)?, outcome),
        part::SECRETS => modes::tighten(&targets, outcome),
        name if name == part::HOME || name == part::SHARED_HOME || grants::is_one_of(name, grant::NODE) => {
            configuration::rewrite(name, &dirs::get(name)?, outcome)
        }
        _ => Ok(outcome),
    }
}

fn nothing() -> TreeReport {
    TreeReport {
        expected: 0,
        stored: 0,
        files: 0,
        directories: 0,
        size: 0,
        new_bytes: 0,
        skipped: Vec::new(),
        skipped_count: 0,
    }
}

fn sum(mut one: TreeReport, other: TreeReport) -> TreeReport {
    one.expected += other.expected;
    one.stored += other.stored;
    one.files += other.files;
    one.directories += other.directories;
    one.size += other.size;
    one.new_bytes += other.new_bytes;
    one.skipped.extend(other.skipped);
    one.skipped_count += other.skipped_count;
    one
}

fn make_directories(dir: &Dir, path: &str) -> Result<()> {
    let mut made = String::new();
    for name in path.split('/').filter(|name| !name.is_empty()) {
        made = if made.is_empty() { name.to_owned() } else { format!("{made}/{name}") };
        match dir.create_dir(&made) {
            Err(error) if error.code != ErrorCode::Exists => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

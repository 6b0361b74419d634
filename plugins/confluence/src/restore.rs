//! Brings a site back into an empty target, and makes its configuration name the target.

use strongroom_plugin::{
    ErrorCode, Outcome, Part, Result, TreeOptions, archive,
    dirs::{self, Dir},
    tree,
};

use self::target::Target;
use crate::{describe::grant, inspect::part};

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
    if part.name == part::DATABASE {
        return database::restore();
    }
    let target = Target::of(&part.name)?;
    let dir = dirs::get(&target.grant)?;
    make_directories(&dir, &target.path)?;
    let report = archive::restore_subtree(&part.name, "", &dir, &target.path, &TreeOptions::default())?;
    let outcome = tree::outcome(&report);
    match part.name.as_str() {
        part::HOME => configuration::rewrite(&dir, outcome),
        part::INSTALL => installation::rewrite(&dir, outcome),
        part::SECRETS => modes::tighten(&dir, outcome),
        _ => Ok(outcome),
    }
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

/// Whether a grant lets its directory be changed, as far as the host shows it.
fn writable(display: &str) -> bool {
    !display.ends_with(", read")
}

/// Whether a part lies in the home directory together with others.
fn shares_home(name: &str) -> bool {
    matches!(name, part::HOME | part::SECRETS | part::ATTACHMENTS) || name == grant::HOME
}

#[cfg(test)]
mod tests;

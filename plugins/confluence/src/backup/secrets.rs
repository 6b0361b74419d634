//! Stores Confluence's own secrets as one unit: all that are required, or the part fails.

use strongroom_plugin::{
    Error, Meta, Outcome, Part, Result, TreeOptions, context,
    dirs::{self, Dir, Kind},
    snapshot, tree,
};

use super::note;
use crate::{
    describe::grant,
    inspect::{self, setting},
    site,
};

pub(super) fn backup(part: &Part) -> Result<Outcome> {
    let home = dirs::get(grant::HOME)?;
    let present = site::present_secrets(&home)?;
    let required: Vec<&str> = part.setting(setting::REQUIRED).unwrap_or_default().split_whitespace().collect();
    let missing = inspect::missing(&required, &present);
    if !missing.is_empty() {
        let message = format!(
            "{} must be there for this version and configuration, and are in neither the home nor its shared-home",
            missing.join(", ")
        );
        return Err(Error::not_found(message));
    }
    let (mut expected, mut stored) = (0, 0);
    for path in &present {
        let (seen, kept) = store(&home, path)?;
        expected += seen;
        stored += kept;
    }
    context::set_note(note::SECRETS, &required.join(" "))?;
    tree::noted(part, stored)?;
    let found = required.len() - missing.len();
    let outcome = Outcome::new(present.join(", ")).receipt("entries", expected, stored).holding_secrets();
    Ok(outcome.receipt("secrets required", required.len() as u64, found as u64))
}

/// Entries seen and entries stored. Keys do not change while Confluence runs: if one does, the part fails.
fn store(home: &Dir, path: &str) -> Result<(u64, u64)> {
    let stat = home.stat(path)?;
    if stat.kind == Kind::Directory {
        let report = snapshot::put_subtree(path, home, path, &TreeOptions::default())?;
        return Ok((report.expected, report.stored));
    }
    snapshot::put(path, home.open(path)?, &Meta::from(&stat))?;
    Ok((1, 1))
}

//! Stores the parts that are directories without a law of their own.

use strongroom_plugin::{Outcome, Part, Result, TreeOptions, dirs, dirs::Kind, snapshot, tree};

use super::blobs::place;
use crate::inspect::{part, setting};

/// Nuxeo writes there while it is read: what changes meanwhile is stored as it was read, and named.
pub(super) fn backup(part: &Part) -> Result<Outcome> {
    let at = place(part)?;
    let dir = dirs::get(&at.grant)?;
    if !at.path.is_empty() && dir.find(&at.path)?.is_none_or(|stat| stat.kind != Kind::Directory) {
        tree::noted(part, 0)?;
        return Ok(Outcome::new("no such directory").receipt("entries", 0, 0));
    }
    let options = TreeOptions::default()
        .including(lines(part, setting::INCLUDE))
        .excluding(lines(part, setting::EXCLUDE))
        .tolerant();
    let report = snapshot::put_subtree("", &dir, &at.path, &options)?;
    if part.name == part::POSITIONS {
        snapshot::settled()?;
    }
    tree::noted(part, report.stored)?;
    Ok(tree::outcome(&report))
}

fn lines(part: &Part, key: &str) -> Vec<String> {
    part.setting(key).unwrap_or_default().lines().map(str::to_owned).collect()
}

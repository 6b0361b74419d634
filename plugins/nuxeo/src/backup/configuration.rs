//! Stores the configuration, and notes what it says for those that come after.
//!
//! The part also has a pass ahead of all stages, so that the steps after this one find its notes from their first stage on.

use strongroom_database::{located::Located, trees::sum};
use strongroom_plugin::{
    Error, Meta, Outcome, Part, Result, TreeOptions, TreeReport, context,
    dirs::{self, Kind},
    snapshot, tree,
};

use crate::{inspect::setting, stored::stored_at};

pub(super) fn backup(part: &Part) -> Result<Outcome> {
    for (key, value) in &part.settings {
        if let Some(key) = key.strip_prefix(setting::NOTE) {
            context::set_note(key, value)?;
        }
    }
    let mut reports = Vec::new();
    for line in part.expect_setting(setting::ITEMS)?.lines() {
        let (grant, path) =
            line.split_once('/').ok_or_else(|| Error::invalid(format!("{line:?} is no place: make a new plan")))?;
        reports.extend(store(&Located::new(grant, path))?);
    }
    let report = sum(reports);
    tree::noted(part, report.stored)?;
    // `nuxeo.conf` holds passwords, and its neighbours keys.
    Ok(tree::outcome(&report).holding_secrets())
}

/// What is not there any more is left out: it was there when the plan was made, so a receipt differs.
fn store(located: &Located) -> Result<Option<TreeReport>> {
    let dir = dirs::get(&located.grant)?;
    let target = stored_at(located);
    let missing = TreeReport { expected: 1, ..sum([]) };
    let Some(stat) = dir.find(&located.path)? else { return Ok(Some(missing)) };
    match stat.kind {
        Kind::Directory => {
            let options = TreeOptions::default().excluding(["*.tmp", "*.log"]).tolerant();
            snapshot::put_subtree(&target, &dir, &located.path, &options).map(Some)
        }
        Kind::File => {
            let stored = snapshot::put(&target, dir.open(&located.path)?, &Meta::from(&stat))?;
            let (size, new_bytes) = (stored.size, stored.new_bytes);
            Ok(Some(TreeReport { expected: 1, stored: 1, files: 1, size, new_bytes, ..sum([]) }))
        }
        _ => Ok(None),
    }
}

//! `diff`: what has changed between two snapshots.

use anyhow::Context;

use super::select::opened;
use crate::{
    cli::{DiffArgs, Global},
    name::RawPath,
    report::{self, diff as words, exit},
    repository::difference::{Change, compare},
};

/// Bytes of lines that are printed at once.
const PRINTED: usize = 64 << 10;

pub(super) fn diff(global: &Global, args: &DiffArgs) -> anyhow::Result<u8> {
    let [before, after] = opened(global, &args.repo, [&args.before, &args.after], args.any_state)?;
    let prefix = RawPath::from_text(args.path.as_deref().unwrap_or_default().trim_end_matches('/'))?;
    let ids = [before.0.id.as_str(), after.0.id.as_str()];
    if !global.quiet {
        report::print(&words::begin(ids, global.json))?;
    }
    let mut text = String::new();
    let totals = compare(&*before.1, &*after.1, &prefix, &mut |change, item| {
        if global.quiet || (change == Change::Metadata && !args.metadata) {
            return Ok(());
        }
        text.push_str(&words::line(change, item, global.json));
        if text.len() >= PRINTED {
            report::print(&std::mem::take(&mut text))?;
        }
        anyhow::Ok(())
    });
    report::print(&text)?;
    let totals = totals.with_context(|| format!("comparing the snapshots {} and {}", ids[0], ids[1]))?;
    if totals.compared == 0 && !prefix.is_root() {
        anyhow::bail!(
            "neither snapshot {} nor {} holds anything at {prefix}\nhelp: `strongroom ls` lists what they hold",
            ids[0],
            ids[1]
        );
    }
    report::print(&words::summary(ids, &totals, global.json))?;
    Ok(exit::DONE)
}

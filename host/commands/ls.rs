//! `ls`: what a snapshot holds, in byte order of the paths.

use anyhow::Context;

use super::select::only;
use crate::{
    cli::{Global, LsArgs},
    name::RawPath,
    report::{self, exit},
};

/// Entries that are listed at once.
const PAGE: usize = 1000;

pub(super) fn ls(global: &Global, args: &LsArgs) -> anyhow::Result<u8> {
    let (listed, archive) = only(global, &args.snapshot)?;
    let prefix = RawPath::from_text(args.path.as_deref().unwrap_or_default().trim_end_matches('/'))?;
    let mut after = None;
    let mut any = false;
    loop {
        let items = archive.items(&prefix, after.as_ref(), PAGE).context("listing the snapshot")?;
        let Some(last) = items.last() else { break };
        after = Some(last.path.clone());
        any = true;
        report::print(&report::list::items(&items, global.json))?;
    }
    if !any {
        anyhow::bail!("snapshot {} holds nothing at {prefix}", listed.id);
    }
    Ok(exit::DONE)
}

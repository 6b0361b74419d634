//! `snapshots`: what the repository holds.

use super::select;
use crate::{
    cli::{Global, SnapshotsArgs},
    report::{self, exit},
};

pub(super) fn snapshots(global: &Global, args: &SnapshotsArgs) -> anyhow::Result<u8> {
    let (listed, unreadable) = select::repository(global, &args.repo)?.snapshots()?;
    let paint = report::words::Paint { on: report::color(&std::io::stdout()) };
    report::print(&report::list::snapshots(&listed, &unreadable, global.json, paint))?;
    Ok(if unreadable.is_empty() { exit::DONE } else { exit::FAILED })
}

//! `snapshots`: what the repository holds.

use super::{pipeline, repository};
use crate::{
    cli::{Global, SnapshotsArgs},
    report::{self, exit},
    run::holds,
};

pub(super) fn snapshots(global: &Global, args: &SnapshotsArgs) -> anyhow::Result<u8> {
    let (listed, unreadable) = repository::named(global, &args.repo)?.snapshots()?;
    // With --repo there may be no pipeline file, or one that is of no interest here.
    let standing = pipeline::config(global).ok().map(|config| holds::standing(&config.state)).transpose()?;
    let standing = standing.unwrap_or_default();
    let paint = report::words::Paint { on: report::color(&std::io::stdout()) };
    report::print(&report::list::snapshots(&listed, &unreadable, global.json, paint))?;
    report::print(&report::holds::warnings(&standing, global.json, paint))?;
    Ok(if unreadable.is_empty() { exit::DONE } else { exit::FAILED })
}

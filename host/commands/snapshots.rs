//! `snapshots`: what the repository holds.

use anyhow::Context;

use super::{pipeline, repository};
use crate::{
    cli::{Global, SnapshotsArgs},
    report::{self, exit},
    run::{copies, holds},
};

pub(super) fn snapshots(global: &Global, args: &SnapshotsArgs) -> anyhow::Result<u8> {
    let (listed, unreadable) = repository::named(global, &args.repo)?.snapshots()?;
    // With --repo there may be no pipeline file, or one that is of no interest here.
    let config = pipeline::config(global).ok();
    let standing = config.as_ref().map(|config| holds::standing(&config.state)).transpose()?.unwrap_or_default();
    let copies = match &config {
        Some(config) if args.repo.repo.is_none() && !config.copies.is_empty() => {
            Some(copies::read(&config.state).context("reading what became of copies")?)
        }
        _ => None,
    };
    let paint = report::words::Paint { on: report::color(&std::io::stdout()) };
    report::print(&report::list::snapshots(&listed, &unreadable, copies.as_ref(), global.json, paint))?;
    report::print(&report::holds::warnings(&standing, global.json, paint))?;
    Ok(if unreadable.is_empty() { exit::DONE } else { exit::FAILED })
}

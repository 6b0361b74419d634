//! `dump`: the content of one file of a snapshot on standard output, and nothing else there.

use std::io::{self, Write};

use anyhow::Context;

use super::{Exit, select::only};
use crate::{
    cli::{DumpArgs, Global, SnapshotArgs},
    name::{self, RawPath},
    report::{exit, words},
    repository::{Item, Kind},
};

pub(super) fn dump(global: &Global, args: &DumpArgs) -> anyhow::Result<u8> {
    if global.json {
        return Err(Exit::new(exit::USAGE, "dump writes raw bytes to standard output: leave out --json").into());
    }
    let snapshot = SnapshotArgs { snapshot: args.snapshot.clone(), any_state: args.any_state, repo: args.repo.clone() };
    let (listed, archive) = only(global, &snapshot)?;
    let path = RawPath::from_text(&args.path)?;
    let found = archive.items(&path, None, 1).context("listing the snapshot")?;
    refuse_other_than_file(&listed.id, &path, found.first())?;
    let mut content = archive.open(&path, 0).with_context(|| format!("reading {path}"))?;
    let mut stdout = io::stdout().lock();
    // Which of the two failed stands in the error: damage names the entry, standard output itself.
    let copied = io::copy(&mut content, &mut stdout).and_then(|bytes| stdout.flush().map(|()| bytes));
    copied.with_context(|| format!("{path} was not written whole: do not use what was written of it"))?;
    Ok(exit::DONE)
}

/// `found` is the first thing at `path` or below it.
fn refuse_other_than_file(snapshot: &str, path: &RawPath, found: Option<&Item>) -> anyhow::Result<()> {
    match found.map(|item| (&item.path == path, &item.kind)) {
        Some((true, Kind::File)) => Ok(()),
        Some((true, Kind::Symlink(target))) => {
            anyhow::bail!("{path} is a symbolic link to {}", words::line(&name::text(target)))
        }
        Some(_) => anyhow::bail!(
            "{path} is a directory\nhelp: `strongroom ls` lists it, `strongroom restore --files DIR --include '{path}/**'` \
             extracts it"
        ),
        None => anyhow::bail!("snapshot {snapshot} holds nothing at {path}\nhelp: `strongroom ls` lists what it holds"),
    }
}

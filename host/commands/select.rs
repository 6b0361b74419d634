//! Which snapshot the operator means.

use std::sync::Arc;

use anyhow::Context;

use super::{Exit, repository};
use crate::{
    cli::{Global, SnapshotArgs},
    report::exit,
    repository::{Archive, Listed},
    snapshot::{
        record::{self, Record},
        state::State,
    },
};

/// A snapshot that the operator named.
pub(super) struct Selected {
    pub(super) listed: Listed,
    pub(super) archive: Arc<dyn Archive>,
    pub(super) record: Record,
}

/// Finds and opens the snapshot.
pub(super) fn select(global: &Global, args: &SnapshotArgs) -> anyhow::Result<Selected> {
    let repository = repository::named(global, &args.repo)?;
    let (listed, unreadable) = repository.snapshots().context("listing the repository")?;
    if !global.json {
        unreadable.iter().for_each(|set| eprintln!("warning: unreadable and left out of account: {set}"));
    }
    let listed = choose(listed, &unreadable, args)?;
    let archive = repository.open(&listed.id).with_context(|| format!("opening snapshot {}", listed.id))?;
    let record = archive.record().with_context(|| format!("reading the record of snapshot {}", listed.id))?;
    let record: Record = serde_json::from_slice(&record)
        .with_context(|| format!("understanding the record of snapshot {}", listed.id))?;
    anyhow::ensure!(
        record.version <= record::VERSION,
        "snapshot {} has a record of version {}, and this strongroom reads up to {}\nhelp: use a newer strongroom",
        listed.id,
        record.version,
        record::VERSION
    );
    Ok(Selected { listed, archive: Arc::from(archive), record })
}

fn choose(mut listed: Vec<Listed>, unreadable: &[String], args: &SnapshotArgs) -> anyhow::Result<Listed> {
    // Where sets cannot be read, what is asked for may be among them: that is damage, not absence.
    let (code, note) = match unreadable {
        [] => (exit::MISSING, String::new()),
        [only] => (exit::FAILED, format!("\nhelp: a set cannot be read: {only}")),
        [first, ..] => (exit::FAILED, format!("\nhelp: {} sets cannot be read, {first} first", unreadable.len())),
    };
    let missing = |message: String| anyhow::Error::from(Exit::new(code, message));
    if args.snapshot == "latest" {
        let fits = |listed: &Listed| args.any_state || listed.state == State::Complete;
        let help = if listed.is_empty() { "" } else { "; --any-state takes the latest of any state" };
        return listed
            .into_iter()
            .rev()
            .find(fits)
            .ok_or_else(|| missing(format!("the repository holds no complete snapshot{help}{note}")));
    }
    listed.retain(|listed| listed.id.starts_with(&args.snapshot));
    match listed.len() {
        1 => Ok(listed.remove(0)),
        0 => Err(missing(format!("there is no snapshot {}{note}", args.snapshot))),
        count => Err(missing(format!("{count} snapshots begin with {}: give more digits", args.snapshot))),
    }
}

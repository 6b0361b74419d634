//! Which repository, and which snapshot in it, the operator means.

use std::{path::Path, sync::Arc};

use anyhow::Context;

use super::{Exit, pipeline};
use crate::{
    cli::{Global, RepoArgs, SnapshotArgs},
    report::exit,
    repository::{Archive, Listed, Repository, zip::ZipRepository},
    secret::Source,
    snapshot::{
        record::{self, Record},
        state::State,
    },
};

/// The repository: `--repo`, else the pipeline's.
pub(super) fn repository(global: &Global, args: &RepoArgs) -> anyhow::Result<Arc<dyn Repository>> {
    let (repository, directory, of_file) = match &args.repo {
        Some(directory) => (ZipRepository::new(directory), directory.clone(), None),
        None => {
            let config = pipeline::config(global)?;
            (pipeline::zip(&config), config.repository.url, config.repository.identity)
        }
    };
    exists(&directory)?;
    let Some(source) = args.identity.clone().map(Source::File).or(of_file) else { return Ok(Arc::new(repository)) };
    let secret = source.resolve().context("reading the identity that opens encrypted snapshots")?;
    let opened = repository.opened_by(&secret).with_context(|| format!("using the identity from {source}"))?;
    Ok(Arc::new(opened))
}

/// Refuses a repository that is not there.
pub(super) fn exists(directory: &Path) -> anyhow::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let message = format!(
        "there is no repository at {}\nhelp: the first `strongroom backup` makes it, or correct the path",
        directory.display()
    );
    Err(Exit::new(exit::MISSING, message).into())
}

/// A snapshot that the operator named.
pub(super) struct Selected {
    pub(super) listed: Listed,
    pub(super) archive: Arc<dyn Archive>,
    pub(super) record: Record,
}

/// Finds and opens the snapshot.
pub(super) fn select(global: &Global, args: &SnapshotArgs) -> anyhow::Result<Selected> {
    let repository = repository(global, &args.repo)?;
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

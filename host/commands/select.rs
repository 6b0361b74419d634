//! Which snapshot the operator means.

use std::sync::Arc;

use anyhow::Context;

use super::{Exit, repository};
use crate::{
    cli::{Global, RepoArgs, SnapshotArgs},
    report::exit,
    repository::{Archive, Error, Listed},
    snapshot::{
        record::{self, Record},
        state::State,
    },
};

/// A snapshot that the operator named.
pub(super) struct Selected {
    pub(super) archive: Arc<dyn Archive>,
    pub(super) record: Record,
}

/// Finds and opens the snapshot.
pub(super) fn select(global: &Global, args: &SnapshotArgs) -> anyhow::Result<Selected> {
    let [(listed, archive)] = opened(global, &args.repo, [&args.snapshot], args.any_state)?;
    let record = archive.record().map_err(|why| without_record(&listed.id, why))?;
    let record: Record = serde_json::from_slice(&record)
        .with_context(|| format!("understanding the record of snapshot {}", listed.id))?;
    anyhow::ensure!(
        record.version <= record::VERSION,
        "snapshot {} has a record of version {}, and this strongroom reads up to {}\nhelp: use a newer strongroom",
        listed.id,
        record.version,
        record::VERSION
    );
    Ok(Selected { archive: Arc::from(archive), record })
}

fn without_record(id: &str, why: Error) -> anyhow::Error {
    match why {
        Error::NotFound(_) => Exit::refused(format!(
            "snapshot {id} has no record of steps and parts: another program made it, or it is damaged\n\
             help: `strongroom ls` and `diff` show it, `dump` and `restore --files DIR` bring it back, `check --read-data` reads it"
        ))
        .into(),
        why => anyhow::Error::new(why).context(format!("reading the record of snapshot {id}")),
    }
}

/// Finds and opens a snapshot of which no record is needed, as [`opened`].
pub(super) fn only(global: &Global, args: &SnapshotArgs) -> anyhow::Result<(Listed, Box<dyn Archive>)> {
    let [only] = opened(global, &args.repo, [&args.snapshot], args.any_state)?;
    Ok(only)
}

/// Finds and opens snapshots of one repository. Those of other programs, which have no record, are opened, too.
pub(super) fn opened<const COUNT: usize>(
    global: &Global,
    repo: &RepoArgs,
    names: [&str; COUNT],
    any_state: bool,
) -> anyhow::Result<[(Listed, Box<dyn Archive>); COUNT]> {
    let repository = repository::named(global, repo)?;
    let (listed, unreadable) = repository.snapshots().context("listing the repository")?;
    if !global.json {
        unreadable.iter().for_each(|set| eprintln!("warning: unreadable and left out of account: {set}"));
    }
    let mut opened = Vec::with_capacity(COUNT);
    for name in names {
        let listed = choose(&listed, &unreadable, name, any_state)?.clone();
        let archive = repository.open(&listed.id).with_context(|| format!("opening snapshot {}", listed.id))?;
        opened.push((listed, archive));
    }
    opened.try_into().map_err(|_| anyhow::anyhow!("as many snapshots as were named"))
}

/// How many snapshots before the latest one `latest` and `latest~3` mean; none: it is no such word.
fn back(name: &str) -> Option<usize> {
    let rest = name.strip_prefix("latest")?;
    if rest.is_empty() { Some(0) } else { rest.strip_prefix('~')?.parse().ok() }
}

/// The one that `name` means among `listed`, oldest first; `unreadable` sets may be it.
pub(super) fn choose<'a>(
    listed: &'a [Listed],
    unreadable: &[String],
    name: &str,
    any_state: bool,
) -> anyhow::Result<&'a Listed> {
    // Where sets cannot be read, what is asked for may be among them: that is damage, not absence.
    let (code, note) = match unreadable {
        [] => (exit::MISSING, String::new()),
        [only] => (exit::FAILED, format!("\nhelp: a set cannot be read: {only}")),
        [first, ..] => (exit::FAILED, format!("\nhelp: {} sets cannot be read, {first} first", unreadable.len())),
    };
    let missing = |message: String| anyhow::Error::from(Exit::new(code, message));
    if let Some(back) = back(name) {
        let fitting = || listed.iter().rev().filter(|listed| any_state || listed.state == State::Complete);
        let help = if listed.len() <= back { "" } else { "; --any-state takes the latest of any state" };
        return fitting().nth(back).ok_or_else(|| match fitting().count() {
            0 => missing(format!("the repository holds no complete snapshot{help}{note}")),
            count => missing(format!("there is no {name}: the repository holds {count} such snapshots{help}{note}")),
        });
    }
    let mut named = listed.iter().filter(|listed| listed.id.starts_with(name));
    match (named.next(), named.count()) {
        (Some(only), 0) => Ok(only),
        (None, _) => Err(missing(format!("there is no snapshot {name}{note}"))),
        (_, more) => Err(missing(format!("{} snapshots begin with {name}: give more digits", more + 1))),
    }
}

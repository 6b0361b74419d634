//! `check`, `prune`, `key` and `unlock`: what keeps a repository of format restic in order.

use std::path::Path;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::{
    Exit,
    repository::{self, Meant},
};
use crate::{
    cli::{CheckArgs, Global, KeyNewArgs, KeyVerb, PruneArgs, UnlockArgs},
    report::{self, exit, keep},
    repository::{Error, Watch, restic::ResticRepository},
    run::stop,
    secret::{Secret, Source},
};

/// Ends long work when the process is to stop.
struct Stop(CancellationToken);

impl Watch for Stop {
    fn moved(&self, _bytes: u64, _files: u64) {}
    fn stopped(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// Does long work on a thread that may wait; one that was ended by a signal has its own code.
async fn at_length<T: Send + 'static>(
    work: impl FnOnce(&Stop) -> Result<T, Error> + Send + 'static,
) -> anyhow::Result<T> {
    let stop = Stop(stop::on_signals()?);
    match tokio::task::spawn_blocking(move || work(&stop)).await? {
        Err(Error::Canceled) => Err(Exit::new(exit::CANCELED, "canceled").into()),
        done => Ok(done?),
    }
}

pub(super) async fn check(global: &Global, args: &CheckArgs) -> anyhow::Result<u8> {
    let Meant::Restic(repository) = repository::meant(global, &args.repo)? else {
        let message = "a repository of format zip is checked set by set\nhelp: `strongroom verify` reads one back";
        return Err(Exit::refused(message).into());
    };
    let reading = args.reading();
    let checked = at_length(move |stop| repository.check(reading, stop)).await.context("checking the repository")?;
    let paint = report::words::Paint { on: report::color(&std::io::stdout()) };
    report::print(&keep::checked(&checked, global.json, paint))?;
    Ok(if checked.errors.is_empty() { exit::DONE } else { exit::FAILED })
}

pub(super) async fn prune(global: &Global, args: &PruneArgs) -> anyhow::Result<u8> {
    let Meant::Restic(repository) = repository::meant(global, &args.repo)? else {
        let message = "nothing to do: `forget` removes the sets of a repository of format zip with all that is in them";
        report::print(&keep::nothing(message, global.json))?;
        return Ok(exit::DONE);
    };
    let (max_unused, dry_run) = (args.max_unused, args.dry_run);
    let pruned = at_length(move |stop| repository.prune(max_unused, dry_run, stop)).await;
    report::print(&keep::pruned(&pruned.context("pruning the repository")?, dry_run, global.json))?;
    Ok(exit::DONE)
}

pub(super) fn unlock(global: &Global, args: &UnlockArgs) -> anyhow::Result<u8> {
    let Meant::Restic(repository) = repository::meant(global, &args.repo)? else {
        let message = "nothing to do: a repository of format zip holds no locks";
        report::print(&keep::nothing(message, global.json))?;
        return Ok(exit::DONE);
    };
    let removed = repository.unlock(args.remove_all).context("removing locks")?;
    report::print(&keep::unlocked(removed, global.json))?;
    Ok(exit::DONE)
}

pub(super) fn key(global: &Global, verb: &KeyVerb) -> anyhow::Result<u8> {
    match verb {
        KeyVerb::List(args) => {
            let (keys, unreadable) = keyed(repository::meant(global, &args.repo)?)?.keys()?;
            report::print(&keep::keys(&keys, &unreadable, global.json))?;
        }
        KeyVerb::Add(args) => {
            let (repository, password) = with_new(global, args)?;
            let id = repository.add_key(&password).map_err(refusal).context("adding a password")?;
            report::print(&keep::key("added", &id, global.json))?;
        }
        KeyVerb::Remove(args) => {
            let repository = keyed(repository::meant(global, &args.repo)?)?;
            let id = repository.remove_key(&args.key).map_err(refusal).context("removing a password")?;
            report::print(&keep::key("removed", &id, global.json))?;
        }
        KeyVerb::Passwd(args) => {
            let (repository, password) = with_new(global, args)?;
            let id = repository.change_password(&password).map_err(refusal).context("changing the password")?;
            report::print(&keep::key("changed", &id, global.json))?;
        }
    }
    Ok(exit::DONE)
}

fn keyed(meant: Meant) -> anyhow::Result<ResticRepository> {
    let message =
        "a repository of format zip has no passwords\nhelp: [repository] recipients say who can open its sets";
    match meant {
        Meant::Restic(repository) => Ok(repository),
        Meant::Zip => Err(Exit::refused(message).into()),
    }
}

fn with_new(global: &Global, args: &KeyNewArgs) -> anyhow::Result<(ResticRepository, Secret)> {
    let repository = keyed(repository::meant(global, &args.repo)?)?;
    Ok((repository, new_password(&args.new_password_file)?))
}

fn new_password(file: &Path) -> anyhow::Result<Secret> {
    Source::File(file.to_owned()).resolve().context("reading the new password")
}

/// What the repository says no to has the exit code of a refusal, and a key that is not there that of what is missing.
fn refusal(error: Error) -> anyhow::Error {
    match error {
        Error::Refused(why) => Exit::refused(why).into(),
        Error::NotFound(what) => Exit::new(exit::MISSING, format!("{what} is not there")).into(),
        error => error.into(),
    }
}

//! `check`, `prune`, `key` and `unlock`: what keeps a repository of format restic in order.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::time::Instant;

use super::{
    Exit,
    repository::{self, Meant},
};
use crate::{
    cli::{CheckArgs, Global, KeyNewArgs, KeyVerb, PruneArgs, UnlockArgs},
    report::{self, exit, keep},
    repository::{Error, restic::ResticRepository},
    run::{event::Observer, stop, telling::Telling},
    secret::{Secret, Source},
};

/// How often a repository that others use is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// Does long work on a thread that may wait, and tells how far it is; one that was ended by a signal has its own code.
/// While others use the repository it is tried again, for `retry` at most.
async fn at_length<T: Send + 'static>(
    global: &Global,
    retry: Option<Duration>,
    work: impl Fn(&Telling) -> Result<T, Error> + Send + Sync + 'static,
) -> anyhow::Result<T> {
    let stop = stop::on_signals()?;
    let (observer, work): (Arc<dyn Observer>, _) = (Arc::new(global.report().observers()?), Arc::new(work));
    let until = Instant::now() + retry.unwrap_or_default();
    loop {
        let (telling, trial) = (Telling::new(observer.clone(), stop.clone()), Arc::clone(&work));
        match tokio::task::spawn_blocking(move || trial(&telling)).await? {
            Err(Error::Canceled) => return Err(Exit::new(exit::CANCELED, "canceled").into()),
            Err(Error::Busy(_)) if Instant::now() < until => tokio::select! {
                () = tokio::time::sleep(RETRY_EVERY) => {}
                () = stop.cancelled() => return Err(Exit::new(exit::CANCELED, "canceled").into()),
            },
            done => return Ok(done?),
        }
    }
}

pub(super) async fn check(global: &Global, args: &CheckArgs) -> anyhow::Result<u8> {
    let Meant::Restic(repository) = repository::meant(global, &args.repo)? else {
        let message = "a repository of format zip is checked set by set\nhelp: `strongroom verify` reads one back";
        return Err(Exit::refused(message).into());
    };
    let reading = args.reading();
    let checked = at_length(global, args.others.retry_lock, move |watch| repository.check(reading, watch))
        .await
        .context("checking the repository")?;
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
    let pruned =
        at_length(global, args.others.retry_lock, move |watch| repository.prune(max_unused, dry_run, watch)).await;
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

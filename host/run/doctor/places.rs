//! Places of strongroom's own: the state directory with its lock, the repository with its room, the compiled cache.

use std::{path::Path, sync::Arc};

use super::{Check, answered, may_write};
use crate::{
    config::{self, Config, Place},
    diagnostic::causes,
    repository::Repository,
    run::{
        journal,
        locks::{self, Standing},
    },
    sandbox::engine::{self, CachePlace},
};

pub(super) async fn checks(config: &Config, repository: Arc<dyn Repository>) -> Vec<Check> {
    let config = config.clone();
    let looked = answered(move || {
        let (lock, is_held) = lock(&config.state);
        let mut checks = vec![lock];
        checks.extend(left_in_state(&config.state, is_held));
        checks.extend(sets("repository", &*repository, &config.repository.url));
        checks.extend(drafts(&*repository, &config.name, is_held));
        checks.push(cache());
        checks
    });
    looked.await.unwrap_or_else(|why| vec![Check::problem("state, repository and cache", why)])
}

/// Of a repository that snapshots are copied to.
pub(super) async fn copy(copy: &config::Repository, repository: Arc<dyn Repository>) -> Vec<Check> {
    let (about, place) = (format!("copy {}", copy.name), copy.url.clone());
    let looked = answered({
        let about = about.clone();
        move || sets(&about, &*repository, &place)
    });
    looked.await.unwrap_or_else(|why| vec![Check::problem(about, why)])
}

/// The lock, and whether a run holds it: then what lies about belongs to that run.
fn lock(state: &Path) -> (Check, bool) {
    let about = "lock";
    match locks::look(state) {
        Ok(Standing::Free) => (Check::ok(about, format!("free, in {}", state.display())), false),
        Ok(Standing::Held(holder)) => (Check::ok(about, format!("held by {holder}")), true),
        Ok(Standing::Left(holder)) => {
            let message = format!("a run died and left it: {holder}; the next run clears away what is left");
            (Check::warning(about, message), false)
        }
        Err(error) => (Check::problem(about, causes(&error)), false),
    }
}

fn left_in_state(state: &Path, is_held: bool) -> Option<Check> {
    let about = "unfinished work";
    match journal::left(state) {
        Ok(left) if left.is_empty() || is_held => None,
        Ok(left) => {
            let message = format!("{}; the same command goes on from there", left.join(", "));
            Some(Check::warning(about, message))
        }
        Err(error) => Some(Check::problem(about, format!("looking into {}: {error}", state.display()))),
    }
}

fn sets(about: &str, repository: &dyn Repository, place: &Place) -> Vec<Check> {
    if let Some(directory) = place.directory() {
        let there = directory.ancestors().find(|directory| directory.is_dir()).unwrap_or(Path::new("/"));
        if let Err(error) = may_write(there) {
            return vec![Check::problem(about, format!("{place}: {} cannot be written to: {error}", there.display()))];
        }
    }
    let (sets, unreadable, room) = match repository.snapshots().and_then(|found| Ok((found, repository.room()?))) {
        Ok(((sets, unreadable), room)) => (sets, unreadable, room),
        Err(error) => return vec![Check::problem(about, causes(&error))],
    };
    let mut checks: Vec<_> = unreadable.iter().map(|set| Check::problem(about, format!("unreadable: {set}"))).collect();
    // Where nobody knows, there is as much as anybody can count.
    let free = match room {
        u64::MAX => "as much as the server allows".to_owned(),
        room => bytesize::ByteSize(room).display().iec().to_string(),
    };
    let Some(last) = sets.last() else {
        checks.push(Check::ok(about, format!("{place}: no snapshot yet, room for {free}")));
        return checks;
    };
    let size = bytesize::ByteSize(last.stored_bytes).display().iec();
    let message = format!("{place}: room for {free}, the last set has {size}");
    checks.push(match room {
        _ if room < last.stored_bytes => Check::problem(about, format!("{message}: the next one may not fit")),
        _ if room < last.stored_bytes.saturating_mul(2) => {
            Check::warning(about, format!("{message}: tight, for what cannot be appended at once is spooled beside it"))
        }
        _ => Check::ok(about, message),
    });
    checks
}

fn drafts(repository: &dyn Repository, pipeline: &str, is_held: bool) -> Option<Check> {
    let about = "drafts";
    match repository.remains(pipeline) {
        Ok(left) if left.is_empty() || is_held => None,
        Ok(left) => {
            let names: Vec<_> = left.iter().map(|path| path.display().to_string()).collect();
            let message = format!("a run that died left {}; the next run removes it", names.join(", "));
            Some(Check::warning(about, message))
        }
        Err(error) => Some(Check::problem(about, causes(&error))),
    }
}

fn cache() -> Check {
    let about = "compiled plugins";
    match engine::cache_place() {
        CachePlace::Private(directory) => Check::ok(about, format!("kept in {}", directory.display())),
        CachePlace::NotThere(directory) => Check::ok(about, format!("will be kept in {}", directory.display())),
        CachePlace::Unsafe(directory) => {
            let message = "not used, so each run compiles anew: it must belong to this user, and nobody else may write \
                           there (chmod 0700)";
            Check::warning(about, format!("{}: {message}", directory.display()))
        }
        CachePlace::None => Check::warning(about, "no place to keep them, so each run compiles anew: set HOME"),
    }
}

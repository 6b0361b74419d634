//! restic's locks: whoever uses a repository says so in it, and renews what he says every five minutes
//! (<https://restic.readthedocs.io/en/stable/100_references.html#locks>). One who removes anything uses it alone.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    storage::{Kind, Name},
    vault::Vault,
};
use crate::repository::{Error, host_name};

/// How often a lock is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(5 * 60);
/// A lock that was not renewed for so long is nobody's any more.
const STALE_AFTER: SignedDuration = SignedDuration::from_mins(30);
/// Ahead of that, whoever could not renew his gives up: restic's five minutes.
const TRUSTED_FOR: Duration = Duration::from_secs(25 * 60);
/// How long others get to see a new lock before it counts.
const SETTLE: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 200 });

/// A lock file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LockFile {
    pub time: String,
    pub exclusive: bool,
    #[serde(default)]
    pub hostname: String,
    #[serde(default)]
    pub username: String,
    #[serde(default)]
    pub pid: u32,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
    /// Where `pid` means that process: this start of the machine, this namespace. Ours; others pass over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    processes: Option<String>,
}

impl LockFile {
    fn new(exclusive: bool) -> Self {
        Self {
            time: Timestamp::now().to_string(),
            exclusive,
            hostname: host_name(),
            username: std::env::var("USER").unwrap_or_default(),
            pid: std::process::id(),
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            processes: processes(),
        }
    }

    /// Whether its owner is gone for certain, or has not been heard of for so long that he counts as gone.
    pub(super) fn is_stale(&self) -> bool {
        let time: Option<Timestamp> = self.time.parse().ok();
        time.is_none_or(|time| Timestamp::now().duration_since(time) > STALE_AFTER) || self.owner_died()
    }

    /// Whether it was taken by a process that could be seen from here, and is no more. A host name proves nothing:
    /// containers share it.
    fn owner_died(&self) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
        let asked = pid.map(rustix::process::test_kill_process);
        self.processes.is_some()
            && self.processes == processes()
            && matches!(asked, None | Some(Err(rustix::io::Errno::SRCH)))
    }

    fn owner(&self) -> String {
        let Self { username, hostname, pid, time, .. } = self;
        format!("{username}@{hostname}, process {pid}, since {time}")
    }
}

/// Which processes this one sees; none where the system does not tell.
fn processes() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), space.display()))
}

/// A lock that is held, and renewed by a thread of its own until it is dropped.
pub(super) struct Lock {
    shared: Arc<Shared>,
    renewing: Option<JoinHandle<()>>,
}

struct Shared {
    vault: Vault,
    exclusive: bool,
    state: Mutex<State>,
    ended: Condvar,
}

struct State {
    name: Name,
    renewed: Instant,
    over: bool,
}

impl Lock {
    /// Takes one.
    ///
    /// # Errors
    /// [`Error::Busy`] when somebody has one that does not go with it.
    pub(super) fn take(vault: &Vault, exclusive: bool) -> Result<Self, Error> {
        check(vault, exclusive, None)?;
        let name = write(vault, exclusive)?;
        // Somebody may have looked at the same moment: whoever sees the other one's lock gives way.
        std::thread::sleep(if exclusive { SETTLE } else { Duration::ZERO });
        if let Err(why) = check(vault, exclusive, Some(&name)) {
            // What cannot be removed now is stale soon.
            let _ = vault.remove(&name);
            return Err(why);
        }
        let state = Mutex::new(State { name, renewed: Instant::now(), over: false });
        let shared = Arc::new(Shared { vault: vault.clone(), exclusive, state, ended: Condvar::new() });
        let renewing = Arc::clone(&shared);
        let renewing =
            std::thread::Builder::new().spawn(move || renewing.renew()).map_err(Error::io("starting a thread"));
        match renewing {
            Ok(renewing) => Ok(Self { shared, renewing: Some(renewing) }),
            Err(why) => {
                drop(Self { shared, renewing: None });
                Err(why)
            }
        }
    }

    /// The same for one who only reads: a repository that cannot be written to is read without a lock. Nobody else can
    /// remove anything there, either, unless room is made on a full disk; then what was removed is missed, and told.
    pub(super) fn take_to_read(vault: &Vault) -> Result<Option<Self>, Error> {
        match Self::take(vault, false) {
            Ok(lock) => Ok(Some(lock)),
            Err(Error::Io { cause, .. }) if is_unwritable(&cause) => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// Whether others still believe in it.
    ///
    /// # Errors
    /// When it could not be renewed for so long that somebody may have removed what was just stored.
    pub(super) fn check(&self) -> Result<(), Error> {
        let renewed = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).renewed;
        match renewed.elapsed() < TRUSTED_FOR {
            true => Ok(()),
            false => Err(Error::Busy(format!(
                "the lock of {} could not be renewed for {} minutes: what was stored may have been removed since",
                self.shared.vault.storage.place().display(),
                renewed.elapsed().as_secs() / 60
            ))),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).over = true;
        self.shared.ended.notify_all();
        if let Some(renewing) = self.renewing.take() {
            // It does not panic; and if it did, there is nothing left to renew.
            let _ = renewing.join();
        }
        let name = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).name.clone();
        // What cannot be removed now is stale soon.
        let _ = self.shared.vault.remove(&name);
    }
}

impl Shared {
    fn renew(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !state.over {
            state = self.ended.wait_timeout(state, RENEW_EVERY).unwrap_or_else(PoisonError::into_inner).0;
            if state.over || state.renewed.elapsed() < RENEW_EVERY {
                continue;
            }
            // The new one is there before the old one goes. A failure is tried again, and `check` tells in the end.
            if let Ok(name) = write(&self.vault, self.exclusive) {
                let old = std::mem::replace(&mut state.name, name);
                state.renewed = Instant::now();
                let _ = self.vault.remove(&old);
            }
        }
    }
}

fn is_unwritable(cause: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(cause.kind(), ReadOnlyFilesystem | PermissionDenied | StorageFull | QuotaExceeded)
}

fn write(vault: &Vault, exclusive: bool) -> Result<Name, Error> {
    Ok(Name::new(Kind::Lock, vault.save(Kind::Lock, &LockFile::new(exclusive))?))
}

/// Refuses where another lock that is not stale does not go with the one that is wanted. Removes those of processes that
/// died here.
fn check(vault: &Vault, exclusive: bool, own: Option<&Name>) -> Result<(), Error> {
    for (name, lock) in all(vault)? {
        if lock.owner_died() {
            // Nobody else would: restic takes it for somebody's until it is told to unlock.
            vault.remove(&name)?;
        } else if Some(&name) != own && (exclusive || lock.exclusive) && !lock.is_stale() {
            let how = if lock.exclusive { "alone" } else { "now" };
            return Err(Error::Busy(format!(
                "{} is used {how} by {}\nhelp: wait for it, or `strongroom unlock` where you know that it is gone",
                vault.storage.place().display(),
                lock.owner()
            )));
        }
    }
    Ok(())
}

/// Every lock that can be read.
pub(super) fn all(vault: &Vault) -> Result<Vec<(Name, LockFile)>, Error> {
    let mut locks = Vec::new();
    for found in vault.list(Kind::Lock)? {
        match vault.load(Kind::Lock, &found.name) {
            Ok(lock) => locks.push((Name::new(Kind::Lock, found.name), lock)),
            // Ended since it was listed.
            Err(Error::NotFound(_)) => {}
            Err(why) => return Err(why),
        }
    }
    Ok(locks)
}

/// Removes stale locks, or all; returns how many.
pub(super) fn unlock(vault: &Vault, all_of_them: bool) -> Result<usize, Error> {
    let mut removed = 0;
    for (name, lock) in all(vault)? {
        if all_of_them || lock.is_stale() {
            vault.remove(&name)?;
            removed += 1;
        }
    }
    Ok(removed)
}

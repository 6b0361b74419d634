//! One run per pipeline at a time: an `flock` in the state directory, which dies with its process.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::journal::sweep;

/// Who holds a lock, or held it when it died.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// When its run began (RFC 3339).
    pub started: String,
    /// What it does.
    pub operation: String,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}, pid {}, since {}", self.operation, self.host, self.pid, self.started)
    }
}

/// A held lock. Dropping it (or dying) gives it back; dropping says that the run ended as it should.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// Who held it before and died without giving it back.
    pub left_by: Option<Holder>,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another run is going on.
    #[error("pipeline {pipeline} is locked by another run: {holder}")]
    Busy {
        /// Whose lock.
        pipeline: String,
        /// Who holds it.
        holder: String,
    },
    /// The state directory cannot be used.
    #[error("using the state directory {path}")]
    State {
        /// The directory or the file in it.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

/// Makes the state directory, with mode 0700, where it is not there.
///
/// # Errors
/// When it cannot be made.
pub fn state_directory(path: &Path) -> Result<(), Error> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|cause| state_error(path, cause))
}

fn state_error(path: &Path, cause: io::Error) -> Error {
    Error::State { path: path.to_owned(), cause }
}

/// How often a busy lock is tried again.
const RETRY_EVERY: Duration = Duration::from_millis(250);

/// Takes the pipeline's lock, for `retry` at most when it is busy. What a process that died had begun to write into the
/// state directory is removed.
///
/// # Errors
/// [`Error::Busy`] when another run holds it; [`Error::State`] when the state directory cannot be used.
pub async fn acquire(state: &Path, pipeline: &str, holder: &Holder, retry: Duration) -> Result<Lock, Error> {
    state_directory(state)?;
    super::scratch::sweep(state);
    let until = Instant::now() + retry;
    loop {
        match try_acquire(state, pipeline, holder) {
            Err(Error::Busy { .. }) if Instant::now() < until => tokio::time::sleep(RETRY_EVERY).await,
            other => return other,
        }
    }
}

fn try_acquire(state: &Path, pipeline: &str, holder: &Holder) -> Result<Lock, Error> {
    let path = state.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|cause| state_error(&path, cause))?;
    let before = read_holder(&mut file).map_err(|cause| state_error(&path, cause))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let holder = before.map_or("a run that has just begun".to_owned(), |holder| holder.to_string());
            return Err(Error::Busy { pipeline: pipeline.to_owned(), holder });
        }
        Err(errno) => return Err(state_error(&path, errno.into())),
    }
    // Read again: the first reading may have met another run's last moment.
    let left_by = read_holder(&mut file).map_err(|cause| state_error(&path, cause))?;
    write_holder(&mut file, Some(holder)).map_err(|cause| state_error(&path, cause))?;
    sweep(state).map_err(|cause| state_error(state, cause))?;
    Ok(Lock { file, left_by })
}

/// How a pipeline's lock stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody holds it, and the last run ended as it should.
    Free,
    /// A run goes on.
    Held(Holder),
    /// A run died with it.
    Left(Holder),
}

/// How the lock stands, without taking it: a run that begins in this moment must not find it held.
///
/// # Errors
/// When the state directory cannot be read. That there is none is no error.
pub fn look(state: &Path) -> Result<Standing, Error> {
    let path = state.join("lock");
    let mut file = match File::open(&path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Standing::Free),
        file => file.map_err(|cause| state_error(&path, cause))?,
    };
    let Some(holder) = read_holder(&mut file).map_err(|cause| state_error(&path, cause))? else {
        return Ok(Standing::Free);
    };
    let held = is_held(&file, holder.pid).map_err(|cause| state_error(&path, cause))?;
    Ok(if held { Standing::Held(holder) } else { Standing::Left(holder) })
}

/// Whether the process holds a lock on the file, as the kernel lists them: `1: FLOCK ADVISORY WRITE PID DEV:INODE 0 EOF`
/// (proc(5), `/proc/locks`). Devices are left out of account: some file systems show another one there.
fn is_held(file: &File, pid: u32) -> io::Result<bool> {
    let (inode, pid) = (format!(":{}", file.metadata()?.ino()), pid.to_string());
    let locks = std::fs::read_to_string("/proc/locks")?;
    Ok(locks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).any(|words| {
        let at = words.iter().position(|word| *word == pid);
        at.and_then(|at| words.get(at + 1)).is_some_and(|place| place.ends_with(&inode))
    }))
}

/// Who holds the lock of a state directory, as far as can be seen without touching it.
pub fn going(state: &Path) -> Option<Holder> {
    match look(state) {
        Ok(Standing::Held(holder)) => Some(holder),
        _ => None,
    }
}

fn read_holder(file: &mut File) -> io::Result<Option<Holder>> {
    let mut text = String::new();
    file.rewind()?;
    file.take(64 << 10).read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text).ok())
}

fn write_holder(file: &mut File, holder: Option<&Holder>) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    if let Some(holder) = holder {
        file.write_all(&serde_json::to_vec(holder)?)?;
    }
    file.sync_data()
}

impl Drop for Lock {
    fn drop(&mut self) {
        // An empty file says that nothing was left behind; should this fail, the next run sweeps once more.
        let _ = write_holder(&mut self.file, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(pid: u32) -> Holder {
        Holder { host: "here".into(), pid, started: "2026-01-01T00:00:00Z".into(), operation: "backup".into() }
    }

    #[tokio::test]
    async fn the_second_run_is_told_who_holds_the_lock() {
        let state = tempfile::tempdir().unwrap();
        let first = acquire(state.path(), "wiki", &holder(1), Duration::ZERO).await.unwrap();
        assert_eq!(first.left_by, None);
        let second = acquire(state.path(), "wiki", &holder(2), Duration::ZERO).await.unwrap_err();
        assert_eq!(
            second.to_string(),
            "pipeline wiki is locked by another run: backup on here, pid 1, since 2026-01-01T00:00:00Z"
        );
        drop(first);
        let third = acquire(state.path(), "wiki", &holder(3), Duration::ZERO).await.unwrap();
        assert_eq!(third.left_by, None, "a run that ended leaves nothing behind");
    }

    #[tokio::test]
    async fn what_died_with_the_lock_is_known_to_the_next() {
        let state = tempfile::tempdir().unwrap();
        std::fs::write(state.path().join("lock"), serde_json::to_vec(&holder(7)).unwrap()).unwrap();
        let next = acquire(state.path(), "wiki", &holder(8), Duration::ZERO).await.unwrap();
        assert_eq!(next.left_by, Some(holder(7)));
    }

    #[tokio::test]
    async fn a_look_at_a_lock_tells_held_from_left_and_takes_nothing() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(look(state.path()).unwrap(), Standing::Free);
        let own = holder(std::process::id());
        let held = acquire(state.path(), "wiki", &own, Duration::ZERO).await.unwrap();
        assert_eq!(look(state.path()).unwrap(), Standing::Held(own.clone()));
        drop(held);
        assert_eq!(look(state.path()).unwrap(), Standing::Free);
        std::fs::write(state.path().join("lock"), serde_json::to_vec(&own).unwrap()).unwrap();
        assert_eq!(look(state.path()).unwrap(), Standing::Left(own.clone()));
        assert!(acquire(state.path(), "wiki", &own, Duration::ZERO).await.is_ok());
    }

    #[tokio::test]
    async fn retry_waits_for_the_other_run() {
        let state = tempfile::tempdir().unwrap();
        let first = acquire(state.path(), "wiki", &holder(1), Duration::ZERO).await.unwrap();
        let path = state.path().to_owned();
        let waiting =
            tokio::spawn(async move { acquire(&path, "wiki", &holder(2), Duration::from_secs(60)).await.is_ok() });
        tokio::task::yield_now().await;
        drop(first);
        assert!(waiting.await.unwrap());
    }
}

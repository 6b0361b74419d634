//! Looks whether a pipeline could run: what it is granted, secrets, tools, clocks, room, the lock, what dead runs left.
//! Changes nothing, and takes no lock.

use std::{path::Path, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    config::{self, Config},
    repository::Repository,
};

mod dirs;
mod places;
mod secrets;
mod servers;
mod tools;

/// What was looked at, and how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// How it is.
    pub health: Health,
    /// What it is: `wiki/dirs.home`, `lock`.
    pub about: String,
    /// One line: what was seen, and what to do about it. Never a secret.
    pub message: String,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// As it should be.
    Ok,
    /// A run is possible; someone should look at it.
    Warning,
    /// A run would fail, or prove less than it should.
    Problem,
}

impl Health {
    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

impl Check {
    /// A check that ended well.
    pub fn ok(about: impl Into<String>, message: impl Into<String>) -> Self {
        Self { health: Health::Ok, about: about.into(), message: message.into() }
    }

    /// Something to look at.
    pub fn warning(about: impl Into<String>, message: impl Into<String>) -> Self {
        Self { health: Health::Warning, about: about.into(), message: message.into() }
    }

    /// Something that keeps a run from its end.
    pub fn problem(about: impl Into<String>, message: impl Into<String>) -> Self {
        Self { health: Health::Problem, about: about.into(), message: message.into() }
    }
}

/// How long a directory, a file or a secret may take to answer.
const ANSWER: Duration = Duration::from_secs(30);

/// Looks at everything, step by step, then at what all steps share. A kind of grant is one line here and a file beside.
pub async fn examine(config: &Config, repository: Arc<dyn Repository>, stop: &CancellationToken) -> Vec<Check> {
    let mut checks = Vec::new();
    for step in &config.steps {
        checks.extend(dirs::checks(step).await);
        let servers = servers::asked(step, stop).await;
        checks.extend(tools::checks(step, &servers.known).await);
        checks.extend(servers.checks);
    }
    checks.extend(secrets::checks(config).await);
    checks.extend(places::checks(config, repository).await);
    checks
}

/// Looks at a repository that snapshots are copied to.
pub async fn examine_copy(copy: &config::Repository, repository: Arc<dyn Repository>) -> Vec<Check> {
    places::copy(copy, repository).await
}

/// Does what may block, such as on a network file system that is gone, for [`ANSWER`] at most.
///
/// # Errors
/// When there is no answer by then; the thread is left behind.
async fn answered<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    match tokio::time::timeout(ANSWER, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(broken)) => Err(format!("it could not be looked at: {broken}")),
        Err(_) => Err(format!("no answer within {} s", ANSWER.as_secs())),
    }
}

/// Whether this process may make things in a directory.
fn may_write(directory: &Path) -> std::io::Result<()> {
    use rustix::fs::Access;
    rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK).map_err(Into::into)
}

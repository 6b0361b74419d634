//! Runs a granted native program: its arguments filled in, its output a stream that fails when it does.
//!
//! Nothing that a failed program wrote is ever taken for whole: [`Process::stdout`] ends in an error unless the exit
//! status is one that the grant accepts, and a program whose input broke is killed before that input is closed.

use std::{
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustix::process::Signal;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Child,
    sync::watch,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{fault::Code, native::Error};
use crate::config::{Grants, Piece, Template, ToolGrant};

mod child;
mod fill;
mod pipes;
mod supervise;
#[cfg(test)]
mod tests;

use child::{Group, Started};
use fill::Filled;
use pipes::{Stdout, Tail};
use supervise::{Ended, Supervisor};

/// How long a program has between SIGTERM and SIGKILL when the run is stopped.
const GRACE: Duration = Duration::from_secs(2);

/// What a program is started with.
pub struct Start<'a> {
    /// The grant's name.
    pub name: &'a str,
    /// The program, its templates, its environment.
    pub grant: &'a ToolGrant,
    /// What the templates may refer to.
    pub grants: &'a Grants,
    /// Exactly the parameters of the templates.
    pub parameters: &'a [(String, String)],
    /// What it is fed; none: it reads nothing.
    pub stdin: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Its working directory, and where secret files lie while it runs.
    pub scratch: &'a Path,
    /// When it must have ended, whatever the grant says.
    pub deadline: Instant,
    /// The run is to stop.
    pub stop: CancellationToken,
    /// Raised by each byte read from its output and written to its input.
    pub moved: Arc<AtomicU64>,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// The end of what it said on standard error: at most 4 KiB, its secrets replaced by `[secret]`.
    pub stderr_tail: String,
}

/// A program that was started. Dropping this kills its whole process group.
pub struct Process {
    label: Arc<str>,
    stdout: Option<Stdout>,
    group: Arc<Group>,
    killed: CancellationToken,
    ended: watch::Receiver<Option<Ended>>,
}

/// What ends every wait.
#[derive(Clone)]
struct Bounds {
    label: Arc<str>,
    deadline: Instant,
    stop: CancellationToken,
}

impl Bounds {
    /// Returns why there is no more time, once there is none.
    async fn reached(&self) -> Error {
        tokio::select! {
            () = self.stop.cancelled() => Error::new(Code::Canceled, format!("{}: the run was stopped", self.label)),
            error = self.expired() => error,
        }
    }

    /// The same for the part's time alone.
    async fn expired(&self) -> Error {
        tokio::time::sleep_until(self.deadline).await;
        Error::new(
            Code::Timeout,
            format!("{} had not ended when the part's time (limits.part-time) was over", self.label),
        )
    }
}

/// Starts a granted program.
///
/// # Errors
/// `invalid` for parameters that do not fit the template, `denied` for a path that leaves its grant or a program that may
/// not be run, `not-found` for a program or directory that is not there, `unavailable` for a secret that cannot be read,
/// `canceled` and `timeout`.
pub async fn spawn(start: Start<'_>) -> Result<Process, Error> {
    let program = start.grant.argv.first().map(literal).unwrap_or_default();
    let label: Arc<str> =
        Path::new(&program).file_name().map_or(program.as_str().into(), |name| name.to_string_lossy().into());
    let bounds = Bounds { label, deadline: start.deadline, stop: start.stop.clone() };
    let filled = tokio::select! {
        filled = filled(&start) => filled?,
        error = bounds.reached() => return Err(error),
    };
    let started = tokio::select! {
        started = child::start(&filled, start.scratch, start.stdin.is_some()) => started,
        error = bounds.reached() => return Err(error),
    };
    let started = started.map_err(|cause| not_started(start.name, &filled.program, &cause))?;
    attend(start, bounds, filled, started)
}

/// A template's literal pieces: of a program's path, all of it.
fn literal(template: &Template) -> String {
    let text = |piece: &Piece| match piece {
        Piece::Literal(text) => text.clone(),
        _ => String::new(),
    };
    template.0.iter().map(text).collect()
}

/// Holds nothing of `start`, whose input may be shared with no other thread.
fn filled(start: &Start<'_>) -> impl Future<Output = Result<Filled, Error>> + Send + use<> {
    let (name, grant, grants) = (start.name.to_owned(), start.grant.clone(), start.grants.clone());
    let (parameters, scratch) = (start.parameters.to_vec(), start.scratch.to_owned());
    let doing = format!("filling the template of {name:?}");
    async move {
        tokio::task::spawn_blocking(move || fill::fill(&name, &grant, &grants, &parameters, &scratch))
            .await
            .map_err(|cause| Error::new(Code::Internal, format!("{doing}: {cause}")))?
    }
}

fn not_started(name: &str, program: &Path, cause: &std::io::Error) -> Error {
    let correct = format!("or correct argv in grant.tools.{name}");
    let program_shown = program.display();
    match cause.kind() {
        std::io::ErrorKind::NotFound if program.exists() => {
            let what = "the interpreter that its first line names is not there, or the scratch directory is gone";
            Error::new(Code::NotFound, format!("{program_shown} cannot be started: {what}"))
        }
        std::io::ErrorKind::NotFound => {
            Error::new(Code::NotFound, format!("{program_shown} is not there: install it, {correct}"))
        }
        std::io::ErrorKind::PermissionDenied => Error::new(
            Code::Denied,
            format!("{program_shown} may not be run by this user: make it executable, {correct}"),
        ),
        _ => Error::new(Code::Io, format!("starting {program_shown}: {cause}")),
    }
}

/// Connects a child's pipes and sets somebody to watch over it.
fn attend(start: Start<'_>, bounds: Bounds, filled: Filled, started: Started) -> Result<Process, Error> {
    let Started { mut child, group } = started;
    let (killed, quiet) = (CancellationToken::new(), CancellationToken::new());
    let (tell, ended) = watch::channel(None);
    let (stdout, stderr) = pipes_of(&mut child, &bounds.label)?;
    let spoiled = Arc::new(OnceLock::new());
    if let (Some(source), Some(stdin)) = (start.stdin, child.stdin.take()) {
        let feed = pipes::Feed { source, stdin, moved: start.moved.clone(), label: bounds.label.clone() };
        tokio::spawn(feed.run(group.clone(), spoiled.clone(), killed.clone(), ended.clone()));
    }
    let supervisor = Supervisor {
        child,
        group: group.clone(),
        tail: Tail::collect(stderr, filled.secrets),
        files: filled.files,
        ok_exit: start.grant.ok_exit.clone(),
        timeout: start.grant.timeout,
        bounds: bounds.clone(),
        quiet: quiet.clone(),
        killed: killed.clone(),
        spoiled,
    };
    tokio::spawn(supervisor.run(tell));
    let label = bounds.label.clone();
    let stdout = Stdout::new(stdout, start.moved, quiet, bounds, ended.clone());
    Ok(Process { label, stdout: Some(stdout), group, killed, ended })
}

fn pipes_of(
    child: &mut Child,
    label: &str,
) -> Result<(tokio::process::ChildStdout, tokio::process::ChildStderr), Error> {
    child
        .stdout
        .take()
        .zip(child.stderr.take())
        .ok_or_else(|| Error::new(Code::Internal, format!("{label} was started without pipes")))
}

impl Process {
    /// Its standard output, once. It ends in an error that carries an [`Error`] unless the program ended with an
    /// accepted exit code. Dropped before its end, the program gets SIGPIPE.
    ///
    /// # Errors
    /// `invalid` when it was taken before, or [`Self::wait`] was called.
    pub fn stdout(&mut self) -> Result<Box<dyn AsyncRead + Send + Unpin>, Error> {
        match self.stdout.take() {
            Some(stdout) => Ok(Box::new(stdout)),
            None => {
                let what = "was already taken, or discarded by waiting for the exit";
                Err(Error::new(Code::Invalid, format!("the output of {} {what}", self.label)))
            }
        }
    }

    /// Waits for its end. Output that was not taken is discarded; output that was taken must be read by somebody, or the
    /// program may never end before its deadline.
    ///
    /// # Errors
    /// `other` for an exit status that the grant does not accept (the message has the last lines of standard error),
    /// `timeout` and `canceled`; what its input's source said, when that broke.
    pub async fn wait(&mut self) -> Result<Exit, Error> {
        if let Some(mut stdout) = self.stdout.take() {
            // Its own task, so that a caller who stops waiting does not stop the program.
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 << 10];
                while matches!(stdout.read(&mut buffer).await, Ok(1..)) {}
            });
        }
        supervise::end_of(&mut self.ended, &self.label).await.exit()
    }

    /// Kills its process group. [`Self::wait`] then has no code, and its output ends in an error.
    pub fn kill(&mut self) {
        self.killed.cancel();
        self.group.signal(Signal::KILL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn bump(moved: &AtomicU64, bytes: usize) {
    moved.fetch_add(bytes as u64, Ordering::Relaxed);
}

//! Watches over one child until it has ended, and says how that is to be judged.

use std::{
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustix::process::Signal;
use tempfile::NamedTempFile;
use tokio::{process::Child, sync::watch, time};
use tokio_util::sync::CancellationToken;

use super::{Bounds, Exit, GRACE, child::Group, pipes::Tail};
use crate::sandbox::{fault::Code, native::Error};

/// How long a killed child may take to be gone: one that the kernel holds (a dead network file system) is left behind.
const REAP: Duration = Duration::from_secs(10);

/// How much of standard error a message quotes, in bytes.
const QUOTE_BYTES_MAX: usize = 1000;

/// And in lines.
const QUOTE_LINES_MAX: usize = 5;

/// How a program ended.
#[derive(Clone, Debug)]
pub struct Ended {
    pub(super) exit: Exit,
    /// Why what it wrote must not be taken for whole.
    fault: Option<Error>,
    /// Its plugin killed it, and knows.
    asked: bool,
}

impl Ended {
    /// For a reader of its output.
    pub fn accepted(self) -> Result<(), Error> {
        self.fault.map_or(Ok(()), Err)
    }

    /// For the one who waited.
    pub fn exit(self) -> Result<Exit, Error> {
        match self.fault {
            Some(fault) if !self.asked => Err(fault),
            _ => Ok(self.exit),
        }
    }
}

/// Waits until it is known how a program ended.
pub async fn end_of(ended: &mut watch::Receiver<Option<Ended>>, label: &str) -> Ended {
    let known = ended.wait_for(Option::is_some).await.ok().and_then(|known| known.clone());
    known.unwrap_or_else(|| {
        let exit = Exit { code: None, stderr_tail: String::new() };
        let message = format!("{label}: nobody watches over it any more");
        Ended { exit, fault: Some(Error::new(Code::Internal, message)), asked: false }
    })
}

/// Everything that one child holds while it runs.
pub struct Supervisor {
    pub child: Child,
    pub group: Arc<Group>,
    pub tail: Tail,
    /// Secret files, removed when the child is gone.
    pub files: Vec<NamedTempFile>,
    pub ok_exit: Vec<i32>,
    pub timeout: Option<Duration>,
    pub bounds: Bounds,
    /// Its output has ended.
    pub quiet: CancellationToken,
    /// It was killed, by its plugin or because its input broke.
    pub killed: CancellationToken,
    /// What its input's source said when it broke.
    pub spoiled: Arc<OnceLock<Error>>,
}

impl Supervisor {
    /// Runs until the child is gone, then tells.
    pub async fn run(mut self, tell: watch::Sender<Option<Ended>>) {
        let label = self.bounds.label.clone();
        let (status, cut) = self.watch().await;
        if cut.is_some() || self.killed.is_cancelled() {
            self.group.signal(Signal::KILL);
        }
        if status.is_some() {
            self.group.reaped();
        }
        let stderr_tail = self.tail.finish().await;
        drop(self.files);
        let code = status.and_then(|status| status.code());
        let accepted = code.is_some_and(|code| self.ok_exit.contains(&code));
        let asked = self.killed.is_cancelled() && self.spoiled.get().is_none() && cut.is_none();
        let fault = self.spoiled.get().cloned().or(cut).or_else(|| {
            (!accepted).then(|| Error::new(Code::Other, format!("{label} {}", sentence(status, asked, &stderr_tail))))
        });
        tell.send_replace(Some(Ended { exit: Exit { code, stderr_tail }, fault, asked }));
    }

    /// Its status, none when it could not be had, and why it was ended by the host.
    async fn watch(&mut self) -> (Option<ExitStatus>, Option<Error>) {
        let cut = tokio::select! {
            status = self.child.wait() => return (status.ok(), None),
            () = self.killed.cancelled() => None,
            () = self.bounds.stop.cancelled() => {
                self.group.signal(Signal::TERM);
                let error = Error::new(Code::Canceled, format!("{} was stopped with the run", self.bounds.label));
                if let Ok(status) = time::timeout(GRACE, self.child.wait()).await {
                    return (status.ok(), Some(error));
                }
                Some(error)
            }
            error = late(&self.bounds, &self.quiet, self.timeout) => Some(error),
        };
        self.group.signal(Signal::KILL);
        let status = time::timeout(REAP, self.child.wait()).await;
        (status.ok().and_then(Result::ok), cut)
    }
}

/// Returns when the part's time is over, or the grant's since the output ended.
async fn late(bounds: &Bounds, quiet: &CancellationToken, timeout: Option<Duration>) -> Error {
    let lingers = async {
        quiet.cancelled().await;
        match timeout {
            Some(timeout) => time::sleep(timeout).await,
            None => std::future::pending().await,
        }
        let seconds = timeout.unwrap_or_default().as_secs_f64();
        let message = format!("{} had not exited {seconds} s after the end of its output", bounds.label);
        Error::new(Code::Timeout, format!("{message}: raise timeout in its grant if it needs longer"))
    };
    tokio::select! {
        error = bounds.expired() => error,
        error = lingers => error,
    }
}

fn sentence(status: Option<ExitStatus>, asked: bool, stderr: &str) -> String {
    let how = match status {
        _ if asked => return "was killed by its plugin".to_owned(),
        None => "is gone, and its exit status is not known".to_owned(),
        Some(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("ended with exit status {code}"),
            (None, Some(signal)) => format!("was killed by signal {signal}"),
            (None, None) => format!("ended with {status}"),
        },
    };
    match quote(stderr) {
        said if said.is_empty() => how,
        said => format!("{how}: {said}"),
    }
}

/// The last lines that fit, on one line.
fn quote(stderr: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    let mut room = QUOTE_BYTES_MAX;
    for line in stderr.lines().rev().map(str::trim).filter(|line| !line.is_empty()).take(QUOTE_LINES_MAX) {
        if line.len() > room && !lines.is_empty() {
            break;
        }
        let cut = line.floor_char_boundary(line.len().min(room));
        lines.push(&line[..cut]);
        room -= cut;
    }
    lines.reverse();
    lines.join("; ")
}

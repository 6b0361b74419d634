//! Starts children so that none outlives the host, and ends whole process groups.

use std::{
    io,
    process::Stdio,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        mpsc::{Sender, channel},
    },
};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::oneshot,
};

use super::fill::Filled;

/// A child's process group: it has the child's own number. Killed when nobody holds this any more.
#[derive(Debug)]
pub struct Group(Mutex<Option<Pid>>);

impl Group {
    /// Sends a signal to everything in the group. Nothing happens when the group is gone.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = *self.pid() {
            // It may have ended by itself in this moment.
            let _ = kill_process_group(pid, signal);
        }
    }

    /// The child was waited for. Its number may be given to somebody else as soon as the group is empty.
    pub fn reaped(&self) {
        let mut pid = self.pid();
        *pid = pid.filter(|pid| test_kill_process_group(*pid).is_ok());
    }

    fn pid(&self) -> std::sync::MutexGuard<'_, Option<Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// A child that runs.
pub struct Started {
    /// Itself.
    pub child: Child,
    /// It and what it starts.
    pub group: Arc<Group>,
}

/// Starts a program in a new process group in `scratch`, with `stdin` a pipe or nothing.
///
/// # Errors
/// As the system says.
pub async fn start(filled: &Filled, scratch: &std::path::Path, fed: bool) -> io::Result<Started> {
    let mut command = Command::new(&filled.program);
    command
        .args(&filled.arguments)
        .env_clear()
        .envs(filled.env.iter().map(|(name, value)| (name, value)))
        .current_dir(scratch)
        .stdin(if fed { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    bind_to_host(&mut command);
    let (answer, answered) = oneshot::channel();
    let runtime = Handle::current();
    let job: Job = Box::new(move || {
        let _runtime = runtime.enter();
        // Nobody waits any more: `Started` is dropped here, which kills what was just started.
        let _ = answer.send(command.spawn().map(started));
    });
    nursery().send(job).map_err(|_| io::Error::other("the thread that starts programs is gone"))?;
    answered.await.map_err(|_| io::Error::other("the thread that starts programs is gone"))?
}

fn started(child: Child) -> Started {
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    Started { child, group: Arc::new(Group(Mutex::new(pid))) }
}

type Job = Box<dyn FnOnce() + Send>;

/// The one thread that starts children. Linux sends a child its parent-death signal when the *thread* that
/// started it ends (prctl(2), `PR_SET_PDEATHSIG`), and tokio's threads come and go: this one stays.
fn nursery() -> &'static Sender<Job> {
    static NURSERY: OnceLock<Sender<Job>> = OnceLock::new();
    NURSERY.get_or_init(|| {
        let (jobs, waiting) = channel::<Job>();
        let thread = std::thread::Builder::new().name("tools".to_owned());
        // Without the thread the receiving end is gone, and `start` says so.
        let _ = thread.spawn(move || waiting.into_iter().for_each(|job| job()));
        jobs
    })
}

/// Makes the child die with the host, even when that is killed with SIGKILL, and closes what the host itself had
/// inherited (all that Rust opens closes itself on exec).
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn bind_to_host(command: &mut Command) {
    use rustix::process::{getpid, getppid, set_parent_process_death_signal};
    let host = getpid();
    let bind = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // The host may have died before that line: then the signal never comes.
        if getppid() != Some(host) {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        // SAFETY: a system call on numbers, without memory. It only sets a flag: nothing is closed before exec.
        // Kernels before 5.11 refuse it, and nothing is lost but this second line of defence.
        unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
        Ok(())
    };
    // SAFETY: between fork and exec `bind` makes only raw system calls; it neither allocates nor locks.
    unsafe { command.pre_exec(bind) };
}

/// Other systems have no such signal; there a killed host leaves its children to end by their closed pipes.
#[cfg(not(target_os = "linux"))]
fn bind_to_host(_command: &mut Command) {}

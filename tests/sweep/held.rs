//! Holds a process and all its children at chosen system calls, and answers each of them: let it go on, fail it, or kill.
//!
//! By seccomp's user notification (seccomp_unotify(2)): the kernel hands over one call at a time, of every thread and
//! child in the order in which they come, so that "the n-th write" is one count for the whole run.

use std::{
    collections::{BTreeSet, HashMap},
    fs::{self, File},
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{
            fs::FileExt,
            process::{CommandExt, ExitStatusExt},
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, Signal};

/// The word that makes this program hold itself and become another one.
pub const WORD: &str = "--held";

/// A call that waits for its answer.
pub struct Call {
    /// The thread that makes it.
    pub thread: u32,
    /// Its number.
    pub number: i64,
    /// Its arguments.
    pub arguments: [u64; 6],
    /// Whether it is made by the program itself, and not by a child of it.
    pub host: bool,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Go,
    /// It fails with this number, and is not made.
    Fail(i32),
    /// It returns this, and is not made.
    Return(i64),
    /// The program is killed before it is made.
    Kill,
}

/// How a held run ended.
pub struct Ended {
    pub status: ExitStatus,
    /// Processes that were there when nothing should have been: names of programs.
    pub left: Vec<String>,
    /// It did not end in time and was killed.
    pub hung: bool,
}

impl Ended {
    /// Its exit code; a signal's number, negative.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| -self.status.signal().unwrap_or(0))
    }
}

/// A run of the program, and the notifications of its calls.
pub struct Held {
    child: Child,
    listener: OwnedFd,
    threads: HashMap<u32, bool>,
    seen: BTreeSet<u32>,
}

/// How long a run may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long children may take to end when the program has.
const GRACE: Duration = Duration::from_secs(10);

impl Held {
    /// Starts `command`, held at these calls, on one processor. Its standard input is empty.
    pub fn start(command: &Command, calls: &[i64], processor: usize) -> io::Result<Self> {
        let list: Vec<_> = calls.iter().map(i64::to_string).collect();
        let mut held = Command::new(std::env::current_exe()?);
        held.arg(WORD).arg(processor.to_string()).arg(list.join(",")).arg(command.get_program());
        held.args(command.get_args()).env_clear().stdin(Stdio::piped()).process_group(0);
        for (name, value) in command.get_envs() {
            held.env(name, value.unwrap_or_default());
        }
        if let Some(directory) = command.get_current_dir() {
            held.current_dir(directory);
        }
        held.stdout(File::create(output(command, "out"))?).stderr(File::create(output(command, "err"))?);
        let mut child = held.spawn()?;
        let listener = listener_of(child.id())?;
        // Now that its calls are answered, it may go on.
        drop(child.stdin.take());
        Ok(Self { child, listener, threads: HashMap::new(), seen: BTreeSet::new() })
    }

    /// Answers its calls until it and all its children are gone.
    pub fn answer(mut self, mut decide: impl FnMut(&Call) -> Answer) -> io::Result<Ended> {
        let (began, mut gone, mut hung) = (Instant::now(), None, false);
        let mut status = None;
        let mut left = Vec::new();
        loop {
            match system::wait(&self.listener, 20)? {
                system::Event::Call(notification) => self.one(&notification, &mut decide)?,
                system::Event::Nothing => {}
                system::Event::Gone => break,
            }
            if status.is_none() {
                status = self.child.try_wait()?;
                gone = status.map(|_| Instant::now());
            }
            hung |= status.is_none() && began.elapsed() > DEADLINE;
            if hung || gone.is_some_and(|gone| gone.elapsed() > GRACE) {
                left = self.end_all();
                break;
            }
        }
        let status = match status {
            Some(status) => status,
            None => self.child.wait()?,
        };
        Ok(Ended { status, left, hung })
    }

    fn one(&mut self, notification: &system::Notification, decide: &mut impl FnMut(&Call) -> Answer) -> io::Result<()> {
        let main = self.child.id();
        let thread = notification.thread;
        let host =
            *self.threads.entry(thread).or_insert_with(|| Path::new(&format!("/proc/{main}/task/{thread}")).exists());
        self.seen.insert(thread);
        let call = Call { thread, number: notification.number, arguments: notification.arguments, host };
        let answer = decide(&call);
        if answer == Answer::Kill {
            kill(main);
        }
        system::answer(&self.listener, notification, answer)
    }

    /// Kills whatever is still there, and names it.
    fn end_all(&mut self) -> Vec<String> {
        let _ = self.child.kill();
        let alive = |id: &&u32| fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
        let name = |id: &u32| fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default().trim().to_owned();
        let left: Vec<_> = self.seen.iter().filter(alive).map(|id| (*id, name(id))).collect();
        left.iter().for_each(|(id, _)| kill(*id));
        left.into_iter().map(|(_, name)| name).collect()
    }
}

fn kill(id: u32) {
    if let Some(id) = Pid::from_raw(id.cast_signed()) {
        // It may have ended by itself in this moment.
        let _ = rustix::process::kill_process(id, Signal::KILL);
    }
}

/// Where a run's standard output and standard error go.
pub fn output(command: &Command, name: &str) -> PathBuf {
    command.get_current_dir().unwrap_or(Path::new("/tmp")).join(name)
}

impl Call {
    /// What a descriptor of the calling thread is: a path, or something like `pipe:[1]`.
    pub fn descriptor(&self, number: u64) -> Option<PathBuf> {
        // Descriptors are int: the upper half of the register means nothing.
        let number = number as u32 as i32;
        let name = match number {
            libc::AT_FDCWD => format!("/proc/{}/cwd", self.thread),
            0.. => format!("/proc/{}/fd/{number}", self.thread),
            _ => return None,
        };
        fs::read_link(name).ok()
    }

    /// Bytes of the calling thread's memory.
    pub fn memory(&self, address: u64, count: usize) -> Option<Vec<u8>> {
        let memory = File::open(format!("/proc/{}/mem", self.thread)).ok()?;
        let mut bytes = vec![0; count];
        let read = memory.read_at(&mut bytes, address).ok()?;
        bytes.truncate(read);
        Some(bytes)
    }

    /// A path in the calling thread's memory, from where it begins.
    pub fn path(&self, directory: Option<u64>, address: u64) -> Option<PathBuf> {
        // Not beyond the page, which may be the last one.
        let count = (4096 - address % 4096).max(256) as usize;
        let mut bytes = self.memory(address, count)?;
        bytes.truncate(bytes.iter().position(|byte| *byte == 0)?);
        let path = PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes));
        let from = directory.unwrap_or(libc::AT_FDCWD as u32 as u64);
        Some(if path.is_absolute() { path } else { self.descriptor(from)?.join(path) })
    }
}

/// The other side: installs the filter, waits until its listener was taken, and becomes the program.
pub fn become_held(arguments: &[String]) -> io::Error {
    let [processor, calls, program, rest @ ..] = arguments else { return io::Error::other("not enough arguments") };
    let calls: Vec<u32> = calls.split(',').filter_map(|number| number.parse().ok()).collect();
    let mut processors = rustix::thread::CpuSet::new();
    processors.set(processor.parse().unwrap_or(0));
    // One processor makes fewer threads and fewer orders of their calls; where it cannot be had, it goes without.
    let _ = rustix::thread::sched_setaffinity(None, &processors);
    if let Err(error) = system::hold(&calls).and_then(|()| system::wait_for_end_of_input()) {
        return error;
    }
    Command::new(program).args(rest).exec()
}

/// Takes the listener out of the process that made it.
fn listener_of(id: u32) -> io::Result<OwnedFd> {
    let until = Instant::now() + GRACE;
    let number = loop {
        if let Some(number) = find_listener(id) {
            break number;
        }
        if Instant::now() > until {
            return Err(io::Error::other("the held process made no listener (see seccomp(2), Linux 5.9 or later)"));
        }
        std::thread::yield_now();
    };
    let pid = Pid::from_raw(id.cast_signed()).ok_or_else(|| io::Error::other("no process id"))?;
    let process = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    Ok(rustix::process::pidfd_getfd(process, number, PidfdGetfdFlags::empty())?)
}

fn find_listener(id: u32) -> Option<i32> {
    let is =
        |entry: &fs::DirEntry| fs::read_link(entry.path()).is_ok_and(|to| to.ends_with("anon_inode:seccomp notify"));
    let entry = fs::read_dir(format!("/proc/{id}/fd")).ok()?.filter_map(Result::ok).find(is)?;
    entry.file_name().to_str()?.parse().ok()
}

/// The kernel's side of it. Nothing of this has a safe interface in the packages that strongroom uses.
#[allow(unsafe_code)]
mod system {
    use super::{Answer, AsRawFd, OwnedFd, io};

    /// A call as the kernel tells it.
    pub struct Notification {
        pub id: u64,
        pub thread: u32,
        pub number: i64,
        pub arguments: [u64; 6],
    }

    pub enum Event {
        Call(Notification),
        /// Nothing came in time.
        Nothing,
        /// Nobody is held any more.
        Gone,
    }

    fn instruction(code: u16, jump_true: u8, jump_false: u8, value: u32) -> libc::sock_filter {
        libc::sock_filter { code, jt: jump_true, jf: jump_false, k: value }
    }

    /// Holds this process at these calls from now on. The listener is left open, to be taken by the parent.
    pub fn hold(calls: &[u32]) -> io::Result<()> {
        let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
        let equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
        let end = (libc::BPF_RET | libc::BPF_K) as u16;
        let mut filter = vec![instruction(load, 0, 0, 0)];
        for (index, call) in calls.iter().enumerate() {
            filter.push(instruction(equal, (calls.len() - index) as u8, 0, *call));
        }
        filter.push(instruction(end, 0, 0, libc::SECCOMP_RET_ALLOW));
        filter.push(instruction(end, 0, 0, libc::SECCOMP_RET_USER_NOTIF));
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
        // SAFETY: both calls take plain numbers and, the second, a pointer to a filter that outlives it.
        let made = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
        };
        if made < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Waits until the parent has closed the pipe on standard input.
    pub fn wait_for_end_of_input() -> io::Result<()> {
        let mut input = libc::pollfd { fd: 0, events: 0, revents: 0 };
        // SAFETY: the pointer is to one entry, as the count says.
        match unsafe { libc::poll(&raw mut input, 1, 30_000) } {
            1 => Ok(()),
            _ => Err(io::Error::other("nobody took the listener")),
        }
    }

    /// Waits for the next call.
    pub fn wait(listener: &OwnedFd, milliseconds: i32) -> io::Result<Event> {
        let mut ready = libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the pointer is to one entry, as the count says.
        let count = unsafe { libc::poll(&raw mut ready, 1, milliseconds) };
        if count <= 0 {
            return Ok(Event::Nothing);
        }
        if ready.revents & libc::POLLIN == 0 {
            return Ok(Event::Gone);
        }
        // SAFETY: all zeros is a value of this plain structure, and the kernel wants it cleared.
        let mut told: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the request takes a pointer to such a structure, of the size that the kernel's headers give it.
        if unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut told) } < 0 {
            // The caller died before it was told of.
            return Ok(Event::Nothing);
        }
        let number = i64::from(told.data.nr);
        Ok(Event::Call(Notification { id: told.id, thread: told.pid, number, arguments: told.data.args }))
    }

    /// Answers a call.
    pub fn answer(listener: &OwnedFd, to: &Notification, answer: Answer) -> io::Result<()> {
        let mut response = libc::seccomp_notif_resp { id: to.id, val: 0, error: 0, flags: 0 };
        match answer {
            Answer::Go | Answer::Kill => response.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
            Answer::Fail(number) => response.error = -number,
            Answer::Return(value) => response.val = value,
        }
        // SAFETY: the request takes a pointer to such a structure, of the size that the kernel's headers give it.
        if unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response) } < 0 {
            let error = io::Error::last_os_error();
            // It was killed meanwhile.
            return if error.raw_os_error() == Some(libc::ENOENT) { Ok(()) } else { Err(error) };
        }
        Ok(())
    }
}

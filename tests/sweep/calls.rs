//! The system calls that are held, what each of them does, and to what.

use std::path::{Path, PathBuf};

use super::held::Call;

/// What a call does, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deed {
    Write,
    Copy,
    Sync,
    Rename,
    Read,
    Open,
    Create,
    Look,
    List,
    Make,
    Remove,
    Link,
    Truncate,
    Lock,
    Attribute,
    Spawn,
    Thread,
    Execute,
    Pipe,
    Socket,
    Connect,
    Send,
    Receive,
}

/// The name of each deed in a fault's name.
const DEEDS: &[(Deed, &str)] = &[
    (Deed::Write, "write"),
    (Deed::Copy, "copy"),
    (Deed::Sync, "sync"),
    (Deed::Rename, "rename"),
    (Deed::Read, "read"),
    (Deed::Open, "open"),
    (Deed::Create, "create"),
    (Deed::Look, "look"),
    (Deed::List, "list"),
    (Deed::Make, "make"),
    (Deed::Remove, "remove"),
    (Deed::Link, "link"),
    (Deed::Truncate, "truncate"),
    (Deed::Lock, "lock"),
    (Deed::Attribute, "attribute"),
    (Deed::Spawn, "spawn"),
    (Deed::Thread, "thread"),
    (Deed::Execute, "execute"),
    (Deed::Pipe, "pipe"),
    (Deed::Socket, "socket"),
    (Deed::Connect, "connect"),
    (Deed::Send, "send"),
    (Deed::Receive, "receive"),
];

/// The deed of that name.
pub fn deed(word: &str) -> Option<Deed> {
    DEEDS.iter().find(|(_, own)| *own == word).map(|(deed, _)| *deed)
}

impl Deed {
    pub fn word(self) -> &'static str {
        DEEDS.iter().find(|(deed, _)| *deed == self).map_or("", |(_, word)| word)
    }
}

/// Where a call says what it is about.
#[derive(Clone, Copy)]
enum About {
    /// A descriptor, in that argument.
    Descriptor(usize),
    /// A path, from the current directory.
    Path(usize),
    /// A directory's descriptor, and a path.
    At(usize, usize),
    Nothing,
}

use About::{At, Descriptor, Nothing, Path as Named};

/// Calls that every architecture has.
const CALLS: &[(i64, Deed, About)] = &[
    (libc::SYS_write, Deed::Write, Descriptor(0)),
    (libc::SYS_writev, Deed::Write, Descriptor(0)),
    (libc::SYS_pwrite64, Deed::Write, Descriptor(0)),
    (libc::SYS_copy_file_range, Deed::Copy, Descriptor(2)),
    (libc::SYS_fsync, Deed::Sync, Descriptor(0)),
    (libc::SYS_fdatasync, Deed::Sync, Descriptor(0)),
    (libc::SYS_renameat, Deed::Rename, At(2, 3)),
    (libc::SYS_renameat2, Deed::Rename, At(2, 3)),
    (libc::SYS_read, Deed::Read, Descriptor(0)),
    (libc::SYS_readv, Deed::Read, Descriptor(0)),
    (libc::SYS_pread64, Deed::Read, Descriptor(0)),
    (libc::SYS_openat, Deed::Open, At(0, 1)),
    (libc::SYS_openat2, Deed::Open, At(0, 1)),
    (libc::SYS_newfstatat, Deed::Look, At(0, 1)),
    (libc::SYS_statx, Deed::Look, At(0, 1)),
    (libc::SYS_fstat, Deed::Look, Descriptor(0)),
    (libc::SYS_readlinkat, Deed::Look, At(0, 1)),
    (libc::SYS_getdents64, Deed::List, Descriptor(0)),
    (libc::SYS_mkdirat, Deed::Make, At(0, 1)),
    (libc::SYS_unlinkat, Deed::Remove, At(0, 1)),
    (libc::SYS_linkat, Deed::Link, At(2, 3)),
    (libc::SYS_symlinkat, Deed::Link, At(1, 2)),
    (libc::SYS_ftruncate, Deed::Truncate, Descriptor(0)),
    (libc::SYS_flock, Deed::Lock, Descriptor(0)),
    (libc::SYS_fchmod, Deed::Attribute, Descriptor(0)),
    (libc::SYS_fchown, Deed::Attribute, Descriptor(0)),
    (libc::SYS_fchmodat, Deed::Attribute, At(0, 1)),
    (libc::SYS_fchownat, Deed::Attribute, At(0, 1)),
    (libc::SYS_utimensat, Deed::Attribute, At(0, 1)),
    (libc::SYS_clone, Deed::Spawn, Nothing),
    (libc::SYS_clone3, Deed::Spawn, Nothing),
    (libc::SYS_execve, Deed::Execute, Named(0)),
    (libc::SYS_pipe2, Deed::Pipe, Nothing),
    (libc::SYS_socket, Deed::Socket, Nothing),
    (libc::SYS_connect, Deed::Connect, Descriptor(0)),
    (libc::SYS_sendto, Deed::Send, Descriptor(0)),
    (libc::SYS_sendmsg, Deed::Send, Descriptor(0)),
    (libc::SYS_recvfrom, Deed::Receive, Descriptor(0)),
    (libc::SYS_recvmsg, Deed::Receive, Descriptor(0)),
];

/// Older ones that only this architecture has.
#[cfg(target_arch = "x86_64")]
const OLDER: &[(i64, Deed, About)] = &[
    (libc::SYS_open, Deed::Open, Named(0)),
    (libc::SYS_rename, Deed::Rename, Named(1)),
    (libc::SYS_mkdir, Deed::Make, Named(0)),
    (libc::SYS_unlink, Deed::Remove, Named(0)),
    (libc::SYS_rmdir, Deed::Remove, Named(0)),
    (libc::SYS_stat, Deed::Look, Named(0)),
    (libc::SYS_lstat, Deed::Look, Named(0)),
    (libc::SYS_readlink, Deed::Look, Named(0)),
    (libc::SYS_link, Deed::Link, Named(1)),
    (libc::SYS_symlink, Deed::Link, Named(1)),
    (libc::SYS_chmod, Deed::Attribute, Named(0)),
    (libc::SYS_chown, Deed::Attribute, Named(0)),
    (libc::SYS_fork, Deed::Spawn, Nothing),
    (libc::SYS_vfork, Deed::Spawn, Nothing),
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[(i64, Deed, About)] = &[];

/// The numbers of all calls that are held.
pub fn numbers() -> Vec<i64> {
    CALLS.iter().chain(OLDER).map(|(number, _, _)| *number).collect()
}

/// What a call does and where; none for what no fault is wanted in.
pub fn place(call: &Call, root: &Path) -> Option<(Deed, &'static str)> {
    let (number, deed, about) = CALLS.iter().chain(OLDER).find(|(number, _, _)| *number == call.number)?;
    let argument = |index: usize| call.arguments[index];
    let path = match *about {
        Nothing => None,
        Descriptor(index) => Some(call.descriptor(argument(index))?),
        Named(index) => Some(call.path(None, argument(index))?),
        At(directory, name) => Some(at(call, argument(directory), argument(name))?),
    };
    let deed = narrowed(call, *number, *deed);
    if call.host && deed == Deed::Execute {
        // That is how the program itself begins.
        return None;
    }
    if !call.host {
        let piped = path.as_deref().is_some_and(|path| path.to_string_lossy().starts_with("pipe:"));
        let what = if piped { "tool-pipe" } else { "tool" };
        return (!path.as_deref().is_some_and(machinery)).then_some((deed, what));
    }
    Some((deed, path.map_or(Some("itself"), |path| role(&path, root, call))?))
}

/// An empty name means the descriptor itself.
fn at(call: &Call, directory: u64, name: u64) -> Option<PathBuf> {
    match call.memory(name, 1)?.first() {
        Some(0) => call.descriptor(directory),
        _ => call.path(Some(directory), name),
    }
}

/// Opening that may create is another thing than opening; so is a thread than a process.
fn narrowed(call: &Call, number: i64, deed: Deed) -> Deed {
    let word = |address: u64| Some(u64::from_ne_bytes(call.memory(address, 8)?.try_into().ok()?));
    let flags = match number {
        libc::SYS_openat | libc::SYS_clone3 | libc::SYS_openat2 => match number {
            libc::SYS_openat => call.arguments[2],
            libc::SYS_openat2 => word(call.arguments[2]).unwrap_or(0),
            _ => word(call.arguments[0]).unwrap_or(0),
        },
        _ if deed == Deed::Spawn => call.arguments[0],
        _ => 0,
    };
    match deed {
        Deed::Open if flags & (libc::O_CREAT | libc::O_TMPFILE & !libc::O_DIRECTORY) as u64 != 0 => Deed::Create,
        Deed::Spawn if flags & libc::CLONE_THREAD as u64 != 0 => Deed::Thread,
        _ => deed,
    }
}

/// What starts any program, before it is one.
fn machinery(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.contains(".so") || text.starts_with("anon_inode:") || text.starts_with("/usr/share/locale")
}

/// Whether a socket is one of TCP: others are how the program speaks with itself.
fn connection(socket: &str, call: &Call) -> bool {
    let number = socket.trim_start_matches("socket:[").trim_end_matches(']');
    let table = std::fs::read_to_string(format!("/proc/{}/net/tcp", call.thread)).unwrap_or_default();
    // One that is not connected yet has no line, and is about to be.
    call.number == libc::SYS_connect || table.lines().any(|line| line.split_whitespace().nth(9) == Some(number))
}

/// What a path is in the run: `set`, `source`, `state`, …
fn role(path: &Path, root: &Path, call: &Call) -> Option<&'static str> {
    if machinery(path) {
        return None;
    }
    let Ok(below) = path.strip_prefix(root) else {
        let text = path.to_string_lossy();
        return match &*text {
            _ if text.starts_with("pipe:") => Some("pipe"),
            _ if text.starts_with("socket:") => connection(&text, call).then_some("socket"),
            _ if text.ends_with(".wasm") => Some("component"),
            _ => Some("system"),
        };
    };
    let text = below.to_string_lossy();
    let role = match text.split('/').next().unwrap_or_default() {
        "repository" if text.contains(".scratch") => "scratch",
        "repository" if text.contains(".zip") => "set",
        "out" | "err" if call.arguments[0] > 2 => return None,
        "out" | "err" => "output",
        first => {
            let known = ["repository", "files", "state", "tmp", "cache", "restored", "plugins"];
            known.into_iter().find(|known| *known == first).unwrap_or("pipeline")
        }
    };
    Some(role)
}

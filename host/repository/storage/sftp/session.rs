//! One connection: the system's ssh as a child, and the protocol over its input and output.
//!
//! So whatever logs this user in by hand works here: known hosts, keys, agents, jump hosts. ssh never asks: it is told
//! so, and has no terminal. <https://datatracker.ietf.org/doc/html/draft-ietf-secsh-filexfer-02>, OpenSSH's `PROTOCOL`

use std::{
    fmt, io,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use russh_sftp::{
    client::{Config, RawSftpSession, error::Error},
    protocol::{FileAttributes, OpenFlags, Packet, StatusCode},
};
use tokio::{
    io::{AsyncReadExt, join},
    process::{Child, ChildStderr, Command},
    sync::watch,
    time,
};

use super::super::{
    FOUND_MAX,
    wire::{Pulse, Speeds, Wire},
};
use crate::config::{Remote, place};

/// Longest answer, in bytes: pages of a directory can be long.
const PACKET_MAX: u32 = 1 << 20;
/// For one request; what a standstill may take is counted by [`Pulse`].
const REQUEST_SECONDS_MAX: u64 = 3600;
/// Bytes of ssh's last words that are kept.
const WORDS_MAX: usize = 4 << 10;
/// How long ssh may take to end after its output did.
const LAST_WORDS_TIME: Duration = Duration::from_secs(2);
/// Nothing of a directory may be read by others.
const DIRECTORY_MODE: u32 = 0o700;
/// Nothing in a repository is ever changed.
const FILE_MODE: u32 = 0o400;

/// See the module.
pub(super) struct Connection {
    session: RawSftpSession,
    pub(super) pulse: Arc<Pulse>,
    can_sync: bool,
    can_replace: bool,
    can_tell_room: bool,
    ssh: Ssh,
}

/// The child, killed when this is dropped.
struct Ssh {
    host: String,
    by_hand: String,
    said: Arc<Mutex<Vec<u8>>>,
    ended: watch::Receiver<bool>,
    _child: Child,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.ssh.host)
    }
}

/// Whether no further call can be made on the connection.
pub(super) fn is_end(cause: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, InvalidData, TimedOut};
    matches!(cause.kind(), BrokenPipe | ConnectionAborted | InvalidData | TimedOut)
}

/// What a refusal means.
fn failure(error: Error) -> io::Error {
    use io::ErrorKind;
    let Error::Status(status) = error else {
        return io::Error::new(ErrorKind::ConnectionAborted, "the connection ended");
    };
    let kind = match status.status_code {
        StatusCode::NoSuchFile => ErrorKind::NotFound,
        StatusCode::PermissionDenied => ErrorKind::PermissionDenied,
        StatusCode::OpUnsupported => ErrorKind::Unsupported,
        StatusCode::Eof => ErrorKind::UnexpectedEof,
        StatusCode::NoConnection | StatusCode::ConnectionLost => ErrorKind::ConnectionAborted,
        StatusCode::BadMessage => ErrorKind::InvalidData,
        StatusCode::Ok | StatusCode::Failure => ErrorKind::Other,
    };
    let words = printable(&status.error_message, 200);
    let words = if words.is_empty() { status.status_code.to_string() } else { words };
    io::Error::new(kind, format!("the SFTP server says: {words}"))
}

fn printable(text: &str, max: usize) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(max)
        .collect::<String>()
        .trim()
        .into()
}

impl Connection {
    /// Starts ssh and shakes hands, within the timeout.
    pub(super) async fn open(place: &place::Sftp, remote: &Remote, speeds: &Arc<Speeds>) -> io::Result<Self> {
        let mut child = command(place, remote).spawn().map_err(|cause| {
            // Not as if a file were not there.
            let message = format!("starting ssh: {cause}\nhelp: install OpenSSH's client");
            io::Error::new(io::ErrorKind::Unsupported, message)
        })?;
        let (Some(input), Some(output), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::Error::other("ssh has no pipes"));
        };
        let pulse = Pulse::new(remote.timeout);
        let wire = Wire::new(join(output, input), Arc::clone(&pulse), Arc::clone(speeds));
        let config =
            Config { max_packet_len: PACKET_MAX, request_timeout_secs: REQUEST_SECONDS_MAX, ..Config::default() };
        let (said, ended) = listen(stderr);
        let ssh = Ssh { host: place.host.clone(), by_hand: by_hand(place, remote), said, ended, _child: child };
        let session = RawSftpSession::new_with_config(wire, config);
        match pulse.within(async { session.init().await.map_err(failure) }).await {
            Ok(version) => {
                let has = |extension: &str| version.extensions.contains_key(extension);
                let (can_sync, can_replace) = (has("fsync@openssh.com"), has("posix-rename@openssh.com"));
                let can_tell_room = has("statvfs@openssh.com");
                Ok(Self { session, pulse, can_sync, can_replace, can_tell_room, ssh })
            }
            Err(cause) => Err(ssh.explain(cause).await),
        }
    }

    /// Why the connection ended, in ssh's words.
    pub(super) async fn explain(&self, cause: io::Error) -> io::Error {
        self.ssh.explain(cause).await
    }

    /// Opens a file that is there, for reading.
    pub(super) async fn open_file(&self, path: &str) -> io::Result<String> {
        let opened = self.session.open(path, OpenFlags::READ, FileAttributes::empty()).await;
        Ok(opened.map_err(failure)?.handle)
    }

    /// Makes a file that is not there yet.
    pub(super) async fn create_file(&self, path: &str) -> io::Result<String> {
        let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUDE;
        let attributes = FileAttributes { permissions: Some(FILE_MODE), ..FileAttributes::empty() };
        Ok(self.session.open(path, flags, attributes).await.map_err(failure)?.handle)
    }

    pub(super) async fn close(&self, handle: &str) -> io::Result<()> {
        self.session.close(handle).await.map_err(failure).map(drop)
    }

    /// What is there from `offset` on, at most `length` bytes; empty at the end.
    pub(super) async fn piece(&self, handle: &str, offset: u64, length: u32) -> io::Result<Vec<u8>> {
        match self.session.read(handle, offset, length).await.map_err(failure) {
            Ok(data) if data.data.len() > length as usize => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the SFTP server sent more than was asked for"))
            }
            Ok(data) => Ok(data.data),
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => Ok(Vec::new()),
            Err(cause) => Err(cause),
        }
    }

    pub(super) async fn put_piece(&self, handle: &str, offset: u64, piece: Vec<u8>) -> io::Result<()> {
        self.session.write(handle, offset, piece).await.map_err(failure).map(drop)
    }

    /// Bytes of an open file.
    pub(super) async fn open_size(&self, handle: &str) -> io::Result<u64> {
        let size = self.session.fstat(handle).await.map_err(failure)?.attrs.size;
        size.ok_or_else(|| {
            io::Error::new(io::ErrorKind::Unsupported, "the SFTP server does not say how long files are")
        })
    }

    /// Bytes of a file.
    pub(super) async fn size(&self, path: &str) -> io::Result<u64> {
        let size = self.session.stat(path).await.map_err(failure)?.attrs.size;
        size.ok_or_else(|| {
            io::Error::new(io::ErrorKind::Unsupported, "the SFTP server does not say how long files are")
        })
    }

    pub(super) async fn is_directory(&self, path: &str) -> io::Result<bool> {
        Ok(self.session.stat(path).await.map_err(failure)?.attrs.is_dir())
    }

    /// Has the server's disk hold what was written, where the server can.
    pub(super) async fn sync(&self, handle: &str) -> io::Result<()> {
        match self.can_sync {
            true => self.session.fsync(handle).await.map_err(failure).map(drop),
            false => Ok(()),
        }
    }

    /// Puts a file in the place of another or of none.
    pub(super) async fn replace(&self, from: &str, to: &str) -> io::Result<()> {
        if !self.can_replace {
            return self.session.rename(from, to).await.map_err(failure).map(drop);
        }
        let data = [from, to].iter().flat_map(|path| [&length(path)[..], path.as_bytes()].concat()).collect();
        match self.session.extended("posix-rename@openssh.com", data).await.map_err(failure)? {
            Packet::Status(status) if status.status_code == StatusCode::Ok => Ok(()),
            Packet::Status(status) => Err(failure(Error::Status(status))),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the SFTP server answers another question")),
        }
    }

    pub(super) async fn make(&self, directory: &str) -> io::Result<()> {
        let attributes = FileAttributes { permissions: Some(DIRECTORY_MODE), ..FileAttributes::empty() };
        self.session.mkdir(directory, attributes).await.map_err(failure).map(drop)
    }

    pub(super) async fn remove(&self, path: &str) -> io::Result<()> {
        self.session.remove(path).await.map_err(failure).map(drop)
    }

    /// What is in a directory, with what the server says of it.
    pub(super) async fn list(&self, directory: &str) -> io::Result<Vec<Listed>> {
        let handle = self.session.opendir(directory).await.map_err(failure)?.handle;
        let mut found = Vec::new();
        loop {
            match self.session.readdir(&handle).await.map_err(failure) {
                Ok(page) => found.extend(page.files.into_iter().map(|file| Listed {
                    name: file.filename,
                    size: file.attrs.size,
                    modified: file.attrs.mtime,
                })),
                Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(cause) => return Err(cause),
            }
            if found.len() > FOUND_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{directory} holds too many files")));
            }
        }
        self.close(&handle).await?;
        Ok(found)
    }

    /// Bytes that can still be written, where the server says so.
    pub(super) async fn room(&self, path: &str) -> io::Result<Option<u64>> {
        if !self.can_tell_room {
            return Ok(None);
        }
        let told = self.session.statvfs(path).await.map_err(failure)?;
        Ok(Some(told.blocks_avail.saturating_mul(told.fragment_size)))
    }
}

/// A name in a directory.
pub(super) struct Listed {
    pub name: String,
    /// Bytes.
    pub size: Option<u64>,
    /// Seconds since 1970.
    pub modified: Option<u32>,
}

fn length(path: &str) -> [u8; 4] {
    u32::try_from(path.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// What is common to ssh and to what people try by hand.
fn target(place: &place::Sftp, remote: &Remote) -> Vec<String> {
    let mut arguments = Vec::new();
    if let Some(file) = &remote.ssh_config {
        arguments.extend(["-F".to_owned(), file.display().to_string()]);
    }
    if let Some(port) = place.port {
        arguments.extend(["-p".to_owned(), port.to_string()]);
    }
    if let Some(user) = &place.user {
        arguments.extend(["-l".to_owned(), user.clone()]);
    }
    arguments
}

fn by_hand(place: &place::Sftp, remote: &Remote) -> String {
    format!("ssh {} -s {} sftp", target(place, remote).join(" "), place.host).replace("  ", " ")
}

fn command(place: &place::Sftp, remote: &Remote) -> Command {
    let mut command = Command::new("ssh");
    let connect_timeout = format!("ConnectTimeout={}", remote.timeout.as_secs().clamp(1, 60));
    let options =
        ["BatchMode=yes", &connect_timeout, "ServerAliveInterval=15", "ServerAliveCountMax=4", "ControlMaster=no"];
    command.args(target(place, remote));
    for option in options {
        command.args(["-o", option]);
    }
    command.args(["-T", "-a", "-x", "-s", "--"]).arg(&place.host).arg("sftp");
    // Its words are looked at, and Ctrl-C must not end it before the run has ended.
    command.env("LC_ALL", "C").process_group(0).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Keeps the end of what ssh says, and notes when that is all.
fn listen(mut stderr: ChildStderr) -> (Arc<Mutex<Vec<u8>>>, watch::Receiver<bool>) {
    let (said, (end, ended)) = (Arc::<Mutex<Vec<u8>>>::default(), watch::channel(false));
    let kept = Arc::clone(&said);
    tokio::spawn(async move {
        let mut piece = [0; 1024];
        while let Ok(count @ 1..) = stderr.read(&mut piece).await {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend(&piece[..count]);
            let surplus = kept.len().saturating_sub(WORDS_MAX);
            kept.drain(..surplus);
        }
        // Whoever would listen is gone with the connection.
        let _ = end.send(true);
    });
    (said, ended)
}

impl Ssh {
    async fn explain(&self, cause: io::Error) -> io::Error {
        if cause.kind() == io::ErrorKind::TimedOut {
            let message = format!("{}: {cause}{}\nhelp: {}", self.host, self.last_words(), self.help());
            return io::Error::new(io::ErrorKind::TimedOut, message);
        }
        let mut ended = self.ended.clone();
        // What has been said until then must do.
        let _ = time::timeout(LAST_WORDS_TIME, ended.wait_for(|ended| *ended)).await;
        let (said, help) = (self.last_words(), self.help());
        let (kind, what, help) = judge(&said, cause.kind(), &help);
        io::Error::new(kind, format!("{}: {}{said}\nhelp: {help}", self.host, what.unwrap_or(&cause.to_string())))
    }

    /// The last lines, behind a colon.
    fn last_words(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&said).into_owned();
        let lines: Vec<_> = text.lines().map(|line| printable(line, 300)).filter(|line| !line.is_empty()).collect();
        match lines.len() {
            0 => String::new(),
            count => format!(": {}", lines[count.saturating_sub(3)..].join("; ")),
        }
    }

    fn help(&self) -> String {
        format!("as the same user, try `{}`", self.by_hand)
    }
}

/// What ssh's words mean: whether time will mend it, and what to do.
fn judge(said: &str, kind: io::ErrorKind, help: &str) -> (io::ErrorKind, Option<&'static str>, String) {
    use io::ErrorKind::{PermissionDenied, Unsupported};
    let known = "add it to the known hosts of the user who runs this, once somebody has compared its fingerprint";
    if said.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") || said.contains("Host key verification failed") {
        return (PermissionDenied, Some("ssh does not trust the server's host key"), known.to_owned());
    }
    if said.contains("Permission denied (") || said.contains("Too many authentication failures") {
        let help = format!("the key must be in ssh's configuration or an agent, without a passphrase; {help}");
        return (PermissionDenied, Some("the server lets nobody in with the keys that ssh has"), help);
    }
    if said.contains("subsystem request failed") {
        return (Unsupported, Some("the server shows no files"), "it needs `Subsystem sftp internal-sftp`".to_owned());
    }
    (kind, None, help.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> place::Sftp {
        match place::Place::typed(text.into()).unwrap() {
            place::Place::Sftp(sftp) => sftp,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn ssh_is_told_never_to_ask_and_can_take_nothing_for_an_option() {
        let remote = Remote { ssh_config: Some("/etc/strongroom/ssh".into()), ..Remote::default() };
        let command = command(&place("sftp://backup@nas:2222//srv"), &remote);
        let arguments: Vec<_> = command.as_std().get_args().map(|one| one.to_str().unwrap()).collect();
        assert_eq!(
            arguments.join(" "),
            "-F /etc/strongroom/ssh -p 2222 -l backup -o BatchMode=yes -o ConnectTimeout=60 -o ServerAliveInterval=15 \
             -o ServerAliveCountMax=4 -o ControlMaster=no -T -a -x -s -- nas sftp"
        );
        assert_eq!(by_hand(&place("sftp:nas:/srv"), &Remote::default()), "ssh -s nas sftp");
    }

    #[test]
    fn what_time_does_not_mend_is_told_from_what_it_does() {
        let kind = |said: &str| judge(said, io::ErrorKind::ConnectionAborted, "").0;
        assert_eq!(kind(": Host key verification failed."), io::ErrorKind::PermissionDenied);
        assert_eq!(kind(": u@nas: Permission denied (publickey)."), io::ErrorKind::PermissionDenied);
        assert_eq!(kind(": subsystem request failed on channel 0"), io::ErrorKind::Unsupported);
        for passing in ["connect to host nas port 22: Connection refused", "Could not resolve hostname nas", ""] {
            assert_eq!(kind(passing), io::ErrorKind::ConnectionAborted, "{passing}");
        }
    }
}

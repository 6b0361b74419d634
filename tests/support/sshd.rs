//! A real SSH server: OpenSSH's sshd on a free port below a temporary directory, which shows that directory's files.
//!
//! A guard process ends it when the test process is gone, whatever ended that.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::wait_for;

/// A running server.
pub struct Sshd {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    user: String,
    directory: PathBuf,
    /// Ends the server when its standard input does.
    guard: Child,
}

impl Sshd {
    /// Starts one.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub fn start() -> Self {
        assert!(Path::new("/usr/sbin/sshd").exists(), "sshd is installed: tests/run.sh --install");
        let directory = tempfile::Builder::new().prefix("strongroom-ssh-").tempdir().unwrap().keep();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        for key in ["host", "client", "other"] {
            let path = directory.join(key);
            succeed(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path));
        }
        fs::copy(directory.join("client.pub"), directory.join("authorized")).unwrap();
        fs::create_dir(directory.join("files")).unwrap();
        let user = match rustix::process::geteuid().is_root() {
            true => "nobody".to_owned(),
            false => succeed(Command::new("id").arg("-un")).trim().to_owned(),
        };
        if rustix::process::geteuid().is_root() {
            let own = ["host", "authorized", "files", ""].map(|name| directory.join(name));
            succeed(Command::new("chown").arg("nobody").args(own));
        }
        let mut server = Self { port: 0, user, guard: Command::new("true").spawn().unwrap(), directory };
        server.start_again();
        server
    }

    /// Starts it where it was ended, on a port of its own.
    pub fn start_again(&mut self) {
        for _ in 0..5 {
            self.stop();
            self.port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
            self.configure();
            self.guard = guard(&self.directory);
            let (port, guard) = (self.port, &mut self.guard);
            let mut up = false;
            wait_for("sshd answers or ends", || {
                up = TcpStream::connect(("127.0.0.1", port)).is_ok();
                up || guard.try_wait().unwrap().is_some()
            });
            // A free port may be taken before the server has it: then another is tried.
            if up {
                return;
            }
        }
        panic!("sshd does not start: {}", self.log());
    }

    /// Ends it with all its sessions.
    pub fn stop(&mut self) {
        self.kill_sessions();
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }

    fn configure(&self) {
        let at = self.directory.display();
        let (user, port) = (&self.user, self.port);
        let server = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host\nPidFile {at}/pid\n\
             AuthorizedKeysFile {at}/authorized\nUsePAM yes\nStrictModes no\nAllowUsers {user}\nDisableForwarding yes\n\
             Subsystem sftp internal-sftp\nForceCommand internal-sftp -d {at}/files\nLogLevel VERBOSE\n"
        );
        fs::write(self.path("sshd_config"), server).unwrap();
        let key = fs::read_to_string(self.path("host.pub")).unwrap();
        fs::write(self.path("known"), format!("[127.0.0.1]:{port} {key}")).unwrap();
        let client = format!(
            "Host *\n  User {user}\n  Port {port}\n  IdentityFile {at}/client\n  IdentitiesOnly yes\n  IdentityAgent none\n  \
             UserKnownHostsFile {at}/known\n  GlobalKnownHostsFile /dev/null\n"
        );
        fs::write(self.path("ssh_config"), client).unwrap();
    }

    /// A path in its directory: `ssh_config`, `host.pub`; `files` is what it shows.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Kills the processes that serve connections; the server goes on. Returns how many there were.
    pub fn kill_sessions(&self) -> usize {
        let listener = fs::read_to_string(self.path("pid")).unwrap_or_default();
        let Ok(listener) = listener.trim().parse::<i32>() else { return 0 };
        let sessions = descendants(listener);
        for session in &sessions {
            // It may have ended by itself in this moment.
            let pid = rustix::process::Pid::from_raw(*session).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        sessions.len()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// All that it has started: whoever serves a connection is a child of one that watches over it.
fn descendants(ancestor: i32) -> Vec<i32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|process| process.file_name().to_str()?.parse::<i32>().ok());
    let parents: Vec<_> = numbers.filter_map(|number| Some((number, parent(number)?))).collect();
    let mut found = vec![ancestor];
    let mut next = 0;
    while next < found.len() {
        let of = found[next];
        found.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(number, _)| *number));
        next += 1;
    }
    found.split_off(1)
}

/// `man 5 proc`: the fourth field, behind a name in brackets.
fn parent(process: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Runs sshd until its own standard input ends, whose other end this process holds, or until sshd ends.
fn guard(directory: &Path) -> Child {
    let mut server = Command::new("env");
    if rustix::process::geteuid().is_root() {
        server = Command::new("setpriv");
        server.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--inh-caps=-all"]);
    }
    server.args(["/usr/sbin/sshd", "-D", "-e", "-f"]).arg(directory.join("sshd_config"));
    let script = r#"log=$1; shift; "$@" 2>>"$log" </dev/null & n=$!
        (cat >/dev/null; kill "$n") <&3 & c=$!
        wait "$n"; kill "$c" 2>/dev/null; exit 0"#;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("exec 3<&0; {script}"), "guard"]).arg(directory.join("log"));
    command.arg(server.get_program()).args(server.get_args());
    // Not in the group that Ctrl-C reaches.
    command.process_group(0).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

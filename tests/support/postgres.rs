//! A real PostgreSQL: one private cluster a test process, a database a test.
//!
//! A guard process stops the cluster and removes it when the test process is gone, whatever ended it.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use std::os::unix::{fs::PermissionsExt, process::CommandExt};

/// Who owns everything, and needs no password.
pub const ROLE: &str = "test";

/// Roles other than [`ROLE`] need the password that they were made with.
const ACCESS: &str =
    "local all test trust\nhost all test 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// A running cluster.
pub struct Cluster {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    directory: PathBuf,
    /// Ends the cluster when its standard input does.
    guard: Child,
}

/// A database of a cluster; dropped with it.
pub struct Database {
    /// Its name.
    pub name: String,
    /// Its cluster's port.
    pub port: u16,
}

/// The cluster that all tests share. The first call starts it.
///
/// # Panics
/// When PostgreSQL is not installed or does not start.
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start)
}

/// A new, empty database in the shared cluster.
pub fn database() -> Database {
    shared().database()
}

/// A program of the newest installed PostgreSQL: `psql`, `pg_dump`, …
///
/// # Panics
/// When there is none.
pub fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed: tests/run.sh --install");
    let mut versions: Vec<_> = versions.map(|entry| entry.unwrap().path().join("bin").join(name)).collect();
    versions.retain(|path| path.is_file());
    versions.sort();
    versions.pop().unwrap_or_else(|| panic!("no {name} below /usr/lib/postgresql"))
}

impl Cluster {
    /// Starts one for a test that must stop or break it; others share [`shared`].
    pub fn start() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("strongroom-pg-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .unwrap()
            .keep();
        if rustix::process::geteuid().is_root() {
            run(Command::new("chown").arg("nobody").arg(&directory));
        }
        let data = directory.join("data");
        run(server(&directory, "initdb").arg("-D").arg(&data).args(["-U", ROLE, "-A", "trust", "-E", "UTF8"]).args([
            "--locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
        ]));
        fs::write(data.join("pg_hba.conf"), ACCESS).unwrap();
        let guard = guard(&directory);
        let port = start(&directory);
        Self { port, directory, guard }
    }

    /// A new, empty database.
    pub fn database(&self) -> Database {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("database_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let maintenance = Database { name: "postgres".to_owned(), port: self.port };
        maintenance.sql(&format!("CREATE DATABASE {name} TEMPLATE template0"));
        Database { name, port: self.port }
    }

    /// Stops the server at once, as a crash would.
    pub fn crash(&self) {
        let data = self.directory.join("data");
        run(server(&self.directory, "pg_ctl").arg("-D").arg(data).args(["-s", "-m", "immediate", "-w", "stop"]));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A free port may be taken before the server has it: then another one is tried.
fn start(directory: &Path) -> u16 {
    for _ in 0..5 {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off -c max_connections=60"
        );
        let started = server(directory, "pg_ctl")
            .arg("-D")
            .arg(directory.join("data"))
            .args(["-s", "-w", "-t", "60", "-o", &options, "-l"])
            .arg(directory.join("log"))
            .arg("start")
            .status()
            .unwrap();
        if started.success() {
            return port;
        }
    }
    panic!("PostgreSQL does not start: {}", fs::read_to_string(directory.join("log")).unwrap_or_default());
}

/// A server's program. The server refuses root.
fn server(directory: &Path, name: &str) -> Command {
    let mut command = Command::new("/usr/bin/env");
    if rustix::process::geteuid().is_root() {
        command = Command::new("setpriv");
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--inh-caps=-all", "env"]);
    }
    command.arg(format!("HOME={}", directory.display())).arg(program(name));
    command.current_dir(directory).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Waits for the end of its standard input, whose other end this process holds; then stops and removes the cluster.
fn guard(directory: &Path) -> Child {
    let stop = server(directory, "pg_ctl");
    let script = r#"cat; d=$1; shift; "$@" -D "$d/data" -s -m immediate -w stop; rm -rf "$d""#;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, "guard"]).arg(directory).arg(stop.get_program()).args(stop.get_args());
    // Not in the group that Ctrl-C reaches.
    command.process_group(0).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("starting {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Database {
    /// For a `sql` grant, as a role.
    pub fn url(&self, role: &str) -> String {
        format!("postgresql://{role}@127.0.0.1:{}/{}", self.port, self.name)
    }

    /// Runs SQL as [`ROLE`], all of it or nothing, and returns what it prints: unaligned, without headers.
    ///
    /// # Panics
    /// When a statement fails.
    pub fn sql(&self, text: &str) -> String {
        let output = Command::new(program("psql"))
            .args(["-XAtqw", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", ROLE, "-p"])
            .arg(self.port.to_string())
            .args(["-d", &self.name, "-c", text])
            .output()
            .unwrap();
        assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }
}

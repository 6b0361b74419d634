//! A real MariaDB: a private server for the test that starts it, with a user who owns everything.
//!
//! A guard process ends the server and removes it when the test process is gone, whatever ended it.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::wait_for;

/// The user of [`Server::sql`].
pub const USER: &str = "test";

/// The password of every user.
pub const PASSWORD: &str = "hunter2";

/// Little memory, and no share of the machine's few places for asynchronous reads: tests start several at once.
const MODEST: [&str; 2] = ["--innodb-buffer-pool-size=32M", "--innodb-use-native-aio=0"];

/// A running server.
pub struct Server {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    directory: PathBuf,
    /// Ends the server when its standard input does.
    guard: Child,
}

impl Server {
    /// Starts one.
    ///
    /// # Panics
    /// When MariaDB is not installed or does not start.
    pub fn start() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("strongroom-my-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .unwrap()
            .keep();
        if rustix::process::geteuid().is_root() {
            succeed(Command::new("chown").arg("nobody").arg(&directory));
        }
        let data = format!("--datadir={}", directory.join("data").display());
        let install = ["--no-defaults", &data, "--auth-root-authentication-method=normal", "--skip-test-db"];
        // A server that starts removes the temporary tables that it finds, those of others too.
        let install_db = &mut as_nobody("mariadb-install-db");
        succeed(install_db.args(install).args(MODEST).env("TMPDIR", &directory).current_dir(&directory));
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let guard = guard(&directory, &data, port);
        let server = Self { port, directory, guard };
        let socket = format!("--socket={}", server.directory.join("socket").display());
        let root = |statement: &str| {
            let mut client = Command::new("mariadb");
            client.args(["--no-defaults", "-u", "root", &socket, "-e", statement]).output().unwrap().status.success()
        };
        wait_for("MariaDB answers", || root("SELECT 1"));
        let user = format!(
            "CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO {USER}@'%' WITH GRANT OPTION"
        );
        assert!(root(&user));
        server
    }

    /// For a `sql` grant.
    pub fn url(&self, user: &str, database: &str) -> String {
        format!("mariadb://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL as [`USER`], and returns what it prints: without headers, columns by tabs.
    ///
    /// # Panics
    /// When a statement fails.
    pub fn sql(&self, statements: &str) -> String {
        let mut client = Command::new("mariadb");
        client.args(["--no-defaults", "-BN", "--default-character-set=utf8mb4", "--protocol=tcp", "-h", "127.0.0.1"]);
        client.env("MYSQL_PWD", PASSWORD).args([&format!("--port={}", self.port), "-u", USER, "-e", statements]);
        succeed(&mut client)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// The server refuses root.
fn as_nobody(program: &str) -> Command {
    let mut command = Command::new("/usr/bin/env");
    if rustix::process::geteuid().is_root() {
        command = Command::new("setpriv");
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--inh-caps=-all", "env"]);
    }
    command.arg("PATH=/usr/bin:/usr/sbin:/bin").arg(program);
    command.stdin(Stdio::null());
    command
}

/// Starts the server, waits for the end of its standard input, whose other end this process holds; then ends the server
/// and removes it.
fn guard(directory: &Path, data: &str, port: u16) -> Child {
    let server = as_nobody("mariadbd");
    let script = r#"d=$1; shift; "$@" </dev/null >"$d/log" 2>&1 & cat; kill -9 $!; wait $!; rm -rf "$d""#;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, "guard"]).arg(directory).arg(server.get_program()).args(server.get_args());
    command.args(["--no-defaults", data, "--bind-address=127.0.0.1"]).args(MODEST);
    command.arg(format!("--port={port}")).arg(format!("--socket={}", directory.join("socket").display()));
    command.arg(format!("--pid-file={}", directory.join("pid").display()));
    command.env("TMPDIR", directory);
    // Not in the group that Ctrl-C reaches.
    command.process_group(0).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn succeed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("starting {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

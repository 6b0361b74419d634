//! Starts a private MariaDB for tests: below a temporary directory, with passwords, and TLS when asked for.

use std::{
    fs,
    net::TcpListener,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    config::{Engine, SqlGrant, SslMode},
    secret::Source,
};

/// The server refuses root: this is "nobody".
const NOBODY: u32 = 65534;

/// The password of the users `test`, who may do everything, `weak`, who may read one table, and `locked`, who must
/// encrypt.
pub(super) const PASSWORD: &str = "hunter2 of test";

const USERS: &str = "CREATE DATABASE test;
    CREATE USER test@'%' IDENTIFIED BY 'hunter2 of test'; GRANT ALL ON *.* TO test@'%' WITH GRANT OPTION;
    CREATE USER weak@'%' IDENTIFIED BY 'hunter2 of test';
    CREATE TABLE test.readable (n int); GRANT SELECT ON test.readable TO weak@'%';
    CREATE USER locked@'%' IDENTIFIED BY 'hunter2 of test' REQUIRE SSL; GRANT SELECT ON test.* TO locked@'%';";

/// Little memory, and no share of the machine's few places for asynchronous reads: tests start several at once.
const MODEST: [&str; 2] = ["--innodb-buffer-pool-size=32M", "--innodb-use-native-aio=0"];

/// A server that is stopped when dropped.
pub(super) struct Server {
    /// Its directory, with `data`, `log`, its socket and certificates.
    directory: TempDir,
    /// Where it listens, on 127.0.0.1 and through its socket.
    pub(super) port: u16,
    process: Mutex<Child>,
}

impl Server {
    /// One with TLS that tests share while they run at the same time.
    pub(super) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let started = Arc::new(Self::start(true));
            *shared = Arc::downgrade(&started);
            started
        })
    }

    /// One of its own.
    pub(super) fn start(tls: bool) -> Self {
        let directory = tempfile::Builder::new().prefix("my").tempdir_in("/tmp").unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("password"), PASSWORD).unwrap();
        if tls {
            certificates(directory.path());
        }
        own(directory.path());
        let data = format!("--datadir={}", path("data").display());
        let install = ["--no-defaults", &data, "--auth-root-authentication-method=normal", "--skip-test-db"];
        // A server that starts removes the temporary tables that it finds, those of others too.
        let temporary = directory.path();
        succeed(
            as_nobody("mariadb-install-db").args(install).args(MODEST).env("TMPDIR", temporary).current_dir(&directory),
        );
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = as_nobody("mariadbd");
        command.env("TMPDIR", temporary);
        command.arg("--no-defaults").arg(data).arg(format!("--socket={}", path("socket").display()));
        command.args([
            "--bind-address=127.0.0.1",
            "--innodb-buffer-pool-size=32M",
            "--innodb-flush-log-at-trx-commit=0",
        ]);
        command.args([format!("--port={port}"), format!("--pid-file={}", path("pid").display())]);
        if tls {
            command.args(["cert", "key"].map(|kind| {
                let file = path(if kind == "cert" { "server.crt" } else { "server.key" });
                format!("--ssl-{kind}={}", file.display())
            }));
        }
        let log = fs::File::create(path("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        let server = Self { process: Mutex::new(command.spawn().unwrap()), directory, port };
        server.await_answer();
        server.sql_as_root(USERS);
        server
    }

    fn await_answer(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        while !self.client("root").args(["-e", "SELECT 1"]).output().unwrap().status.success() {
            let ended = self.process.lock().unwrap().try_wait().unwrap();
            let log = || fs::read_to_string(self.path("log")).unwrap();
            assert!(ended.is_none() && Instant::now() < until, "MariaDB does not start: {}", log());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// A file in its directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// How it is granted, over TCP to `host`.
    pub(super) fn grant(&self, host: &str, sslmode: SslMode) -> SqlGrant {
        SqlGrant {
            engine: Engine::Mysql,
            host: host.to_owned(),
            port: self.port,
            database: "test".to_owned(),
            user: "test".to_owned(),
            password: Some(Source::File(self.path("password"))),
            sslmode,
            ca: None,
            timeout: None,
        }
    }

    /// How it is granted through its socket.
    pub(super) fn local(&self) -> SqlGrant {
        self.grant(self.path("socket").to_str().unwrap(), SslMode::Prefer)
    }

    /// The vendor's client, through the socket.
    fn client(&self, user: &str) -> Command {
        let mut command = Command::new("mariadb");
        // Semicolons are the server's to read: bodies of routines have them.
        command.args(["--no-defaults", "-BN", "--default-character-set=utf8mb4", "--delimiter=//", "-u", user]);
        command.arg(format!("--socket={}", self.path("socket").display()));
        command
    }

    fn sql_as_root(&self, statements: &str) -> String {
        succeed(self.client("root").args(["-e", statements]))
    }

    /// What the vendor's client prints for statements of the user `test`.
    pub(super) fn sql(&self, statements: &str) -> String {
        succeed(&mut self.writer(statements))
    }

    /// That client, not yet started.
    pub(super) fn writer(&self, statements: &str) -> Command {
        let mut command = self.client("test");
        command.env("MYSQL_PWD", PASSWORD).args(["test", "-e", statements]);
        command
    }

    /// The vendor's dump of the database `test`, not yet started.
    pub(super) fn dump(&self) -> Command {
        let mut command = Command::new("mariadb-dump");
        command.args(["--no-defaults", "-u", "test", "--single-transaction", "--skip-extended-insert", "test"]);
        command.env("MYSQL_PWD", PASSWORD).arg(format!("--socket={}", self.path("socket").display()));
        command
    }

    /// Ends it at once, as a crash would.
    pub(super) fn crash(&self) {
        let mut process = self.process.lock().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// `ca.crt`, `server.crt` for the name localhost made by it, and `other.crt`, which made nothing.
fn certificates(directory: &Path) {
    let key = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    let openssl = |arguments: &[&str]| {
        succeed(Command::new("openssl").args(key).args(arguments).current_dir(directory));
    };
    for name in ["ca", "other"] {
        let (subject, keyout, out) = (format!("/CN={name}"), format!("{name}.key"), format!("{name}.crt"));
        openssl(&["-subj", &subject, "-keyout", &keyout, "-out", &out]);
    }
    let made =
        ["-CA", "ca.crt", "-CAkey", "ca.key", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    let files = ["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "server.key", "-out", "server.crt"];
    openssl(&[&made[..], &files[..]].concat());
    fs::set_permissions(directory.join("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
}

/// A program that refuses root.
fn as_nobody(program: &str) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    let nobody = NOBODY.to_string();
    command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups", program]);
    command
}

fn own(directory: &Path) {
    if rustix::process::geteuid().is_root() {
        chown(directory, Some(NOBODY), Some(NOBODY)).unwrap();
        for entry in fs::read_dir(directory).unwrap() {
            chown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
}

fn succeed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = [&output.stderr[..], &output.stdout[..]].map(String::from_utf8_lossy).concat();
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

//! Starts a private PostgreSQL for tests: below a temporary directory, with a password, and TLS when asked for.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tempfile::TempDir;

use crate::{
    config::{Engine, SqlGrant, SslMode},
    secret::Source,
};

/// Where Debian and its relatives keep one directory a version.
const INSTALLED: &str = "/usr/lib/postgresql";

/// The server refuses root: this is "nobody".
const NOBODY: u32 = 65534;

/// The password of the role `test`, a superuser.
pub(crate) const PASSWORD: &str = "hunter2 of test";

/// A server that is stopped when dropped.
pub(crate) struct Cluster {
    /// Its directory, with `data`, `log`, its socket and certificates.
    pub(crate) directory: TempDir,
    /// Where it listens, on 127.0.0.1 and through its socket.
    pub(crate) port: u16,
}

impl Cluster {
    /// One with TLS that tests share while they run at the same time.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let started = Arc::new(Self::start(true));
            *shared = Arc::downgrade(&started);
            started
        })
    }

    /// One of its own.
    pub(crate) fn start(tls: bool) -> Self {
        let directory = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cluster = Self { directory, port };
        fs::write(cluster.path("password"), PASSWORD).unwrap();
        if tls {
            cluster.certificates();
        }
        own(cluster.directory.path());
        let data = cluster.path("data");
        let data = data.to_str().unwrap();
        let initdb = ["-D", data, "-U", "test", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--auth-local=trust"];
        let password = format!("--pwfile={}", cluster.path("password").display());
        cluster.server("initdb", &[&initdb[..], &["--auth-host=scram-sha-256", &password]].concat());
        cluster.server(
            "pg_ctl",
            &["-D", data, "-w", "-t", "60", "-l", &cluster.log(), "-o", &cluster.options(tls), "start"],
        );
        cluster
    }

    fn options(&self, tls: bool) -> String {
        let (port, directory) = (self.port, self.directory.path().display());
        let plain =
            format!("-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={directory} -c fsync=off");
        match tls {
            false => plain,
            true => format!(
                "{plain} -c ssl=on -c ssl_cert_file={directory}/server.crt -c ssl_key_file={directory}/server.key"
            ),
        }
    }

    /// `ca.crt`, `server.crt` for the name localhost made by it, and `other.crt`, which made nothing.
    fn certificates(&self) {
        let key = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
        for name in ["ca", "other"] {
            let (subject, keyout, out) = (format!("/CN={name}"), format!("{name}.key"), format!("{name}.crt"));
            self.openssl(&[&key[..], &["-subj", &subject, "-keyout", &keyout, "-out", &out]].concat());
        }
        let made =
            ["-CA", "ca.crt", "-CAkey", "ca.key", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
        let files = ["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "server.key", "-out", "server.crt"];
        self.openssl(&[&key[..], &made[..], &files[..]].concat());
        fs::set_permissions(self.path("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("/usr/bin/openssl");
        succeed(command.args(arguments).current_dir(self.directory.path()));
    }

    fn server(&self, program: &str, arguments: &[&str]) {
        let program = installed(program);
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("/usr/bin/setpriv");
            let nobody = NOBODY.to_string();
            command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups", &program]);
            command
        } else {
            Command::new(program)
        };
        succeed(command.args(arguments).current_dir(self.directory.path()));
    }

    fn log(&self) -> String {
        self.path("log").display().to_string()
    }

    /// A file in its directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// How it is granted, over TCP to `host`.
    pub(crate) fn grant(&self, host: &str, sslmode: SslMode) -> SqlGrant {
        SqlGrant {
            engine: Engine::Postgresql,
            host: host.to_owned(),
            port: self.port,
            database: "postgres".to_owned(),
            user: "test".to_owned(),
            password: Some(Source::File(self.path("password"))),
            sslmode,
            ca: None,
            timeout: None,
        }
    }

    /// How it is granted through its socket.
    pub(crate) fn local(&self) -> SqlGrant {
        SqlGrant { password: None, ..self.grant(self.directory.path().to_str().unwrap(), SslMode::Prefer) }
    }

    /// What psql prints for a statement.
    pub(crate) fn psql(&self, statement: &str) -> String {
        let (directory, port) = (self.directory.path().to_str().unwrap(), self.port.to_string());
        let place = ["-h", directory, "-p", &port, "-U", "test", "-d", "postgres"];
        let mut command = Command::new(installed("psql"));
        succeed(command.args(place).args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement]))
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn crash(&self) {
        self.server("pg_ctl", &["-D", self.path("data").to_str().unwrap(), "-m", "immediate", "-w", "stop"]);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.path("data/postmaster.pid").exists() {
            self.crash();
        }
    }
}

/// A program of the newest version that is installed.
fn installed(program: &str) -> String {
    let version = |entry: std::io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse::<u32>().ok();
    let newest = fs::read_dir(INSTALLED).unwrap().filter_map(version).max().expect("PostgreSQL is installed");
    format!("{INSTALLED}/{newest}/bin/{program}")
}

fn own(directory: &Path) {
    if rustix::process::geteuid().is_root() {
        chown(directory, Some(NOBODY), Some(NOBODY)).unwrap();
        for entry in fs::read_dir(directory).unwrap() {
            chown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
}

/// Its output. What starts the server gets no pipes: the server would hold them open.
fn succeed(command: &mut Command) -> String {
    let starts = command.get_args().any(|argument| argument == "start");
    let output = command
        .stdin(Stdio::null())
        .stdout(if starts { Stdio::null() } else { Stdio::piped() })
        .stderr(if starts { Stdio::null() } else { Stdio::piped() })
        .output()
        .unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

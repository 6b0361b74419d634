//! A real web server: nginx on a free port below a temporary directory, with certificates of its own.
//!
//! Stopped when it is dropped; a guard process stops it when the test process is gone, whatever ended it.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::wait_for;

/// A running server.
pub struct Nginx {
    /// Speaks plain HTTP, on 127.0.0.1.
    pub port: u16,
    /// Speaks TLS, as `localhost`.
    pub tls: u16,
    /// Speaks TLS with those who show a certificate of the same authority.
    pub mutual: u16,
    directory: tempfile::TempDir,
    /// Ends the server when its standard input does.
    guard: Child,
}

impl Nginx {
    /// Starts one whose servers all have these locations; `$ROOT` stands for the directory of its files.
    ///
    /// # Panics
    /// When nginx is not installed or does not start.
    pub fn start(locations: &str) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("strongroom-nginx-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        fs::create_dir(directory.path().join("files")).unwrap();
        certificates(directory.path());
        for _ in 0..5 {
            let ports @ [port, tls, mutual] = free_ports();
            let text = configuration(directory.path(), ports, locations);
            fs::write(directory.path().join("nginx.conf"), text).unwrap();
            let mut guard = guard(directory.path());
            if answers(&ports, &mut guard) {
                return Self { port, tls, mutual, directory, guard };
            }
            // A free port may be taken before the server has it: then others are tried.
        }
        panic!("nginx does not start: {}", fs::read_to_string(directory.path().join("log")).unwrap_or_default());
    }

    /// A path among its files or certificates: `files/a.txt`, `ca.crt`, `client.crt`, `client.key`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What it has answered, a line a request.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("access")).unwrap_or_default()
    }
}

fn answers(ports: &[u16], guard: &mut Child) -> bool {
    let mut up = false;
    wait_for("nginx answers or ends", || {
        up = ports.iter().all(|&port| TcpStream::connect(("127.0.0.1", port)).is_ok());
        up || guard.try_wait().unwrap().is_some()
    });
    up && guard.try_wait().unwrap().is_none()
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

fn free_ports() -> [u16; 3] {
    let held = [(); 3].map(|()| TcpListener::bind(("127.0.0.1", 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

fn configuration(directory: &Path, [port, tls, mutual]: [u16; 3], locations: &str) -> String {
    let at = directory.display();
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("  {name}_temp_path {at}/temporary-{name};\n"))
        .concat();
    let locations = locations.replace("$ROOT", &format!("{at}/files"));
    let server = |listen: String, more: &str| {
        format!("  server {{\n    {listen}\n    {more}\n    root {at}/files;\n{locations}\n  }}\n")
    };
    let certificate = format!("ssl_certificate {at}/server.crt; ssl_certificate_key {at}/server.key;");
    let verify = format!("{certificate} ssl_verify_client on; ssl_client_certificate {at}/ca.crt;");
    format!(
        "{user}daemon off;\nmaster_process off;\npid {at}/pid;\nerror_log {at}/log;\nevents {{ worker_connections 256; }}\n\
         http {{\n  access_log {at}/access;\n  client_max_body_size 0;\n  sendfile on;\n{temporary}{}{}{}}}\n",
        server(format!("listen 127.0.0.1:{port};"), ""),
        server(format!("listen 127.0.0.1:{tls} ssl;"), &certificate),
        server(format!("listen 127.0.0.1:{mutual} ssl;"), &verify),
    )
}

/// `ca.crt`, `server.crt` for the name localhost and `client.crt` made by it, and `other.crt`, which made nothing.
fn certificates(directory: &Path) {
    let key = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
    for name in ["ca", "other"] {
        openssl(directory, &format!("{key} -subj /CN={name} -keyout {name}.key -out {name}.crt"));
    }
    for name in ["server", "client"] {
        let own = "-CA ca.crt -CAkey ca.key -subj /CN=localhost -addext subjectAltName=DNS:localhost";
        let end = "-addext basicConstraints=critical,CA:FALSE";
        openssl(directory, &format!("{key} {own} {end} -keyout {name}.key -out {name}.crt"));
    }
}

fn openssl(directory: &Path, line: &str) {
    let output =
        Command::new("openssl").args(line.split(' ')).current_dir(directory).output().expect("openssl is there");
    assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs nginx until its own standard input ends, whose other end this process holds, or until nginx ends.
fn guard(directory: &Path) -> Child {
    assert!(Path::new("/usr/sbin/nginx").exists(), "nginx is installed: tests/run.sh --install");
    let script = r#"/usr/sbin/nginx -p "$1" -c nginx.conf 2>>"$1/log" & n=$!
        (cat >/dev/null; kill "$n") <&3 & c=$!
        wait "$n"; kill "$c" 2>/dev/null; exit 0"#;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("exec 3<&0; {script}"), "guard"]).arg(directory);
    // Not in the group that Ctrl-C reaches.
    command.process_group(0).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

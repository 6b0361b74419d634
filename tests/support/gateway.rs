//! A real server that speaks S3: versitygw, which keeps a bucket `wiki` in a temporary directory.
//!
//! A guard process ends it when the test process is gone, whatever ended that.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use super::wait_for;

/// Who may do everything there.
pub const KEY: &str = "testkey";
/// The secret of that.
pub const SECRET: &str = "hunter2secret";

/// A running server.
pub struct Gateway {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    _directory: tempfile::TempDir,
    /// Ends the server when its standard input does.
    guard: Child,
}

impl Gateway {
    /// Starts the program.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(program: &str) -> Self {
        // It needs a file system with extended attributes.
        let directory =
            tempfile::Builder::new().prefix("strongroom-s3-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for name in ["data/wiki", "iam"] {
            fs::create_dir_all(directory.path().join(name)).unwrap();
        }
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let script = r#""$@" </dev/null >log 2>&1 & cat; kill $!; wait $!; exit 0"#;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, "guard", program, "-a", KEY, "-s", SECRET, "-q"]);
        command
            .args(["--port", &format!("127.0.0.1:{port}"), "--iam-dir"])
            .arg(directory.path().join("iam"))
            .arg("posix")
            .arg(directory.path().join("data"));
        // Not in the group that Ctrl-C reaches.
        command.process_group(0).current_dir(directory.path());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self { port, guard: command.spawn().unwrap(), _directory: directory };
        wait_for("versitygw answers", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        server
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

//! A server that a script of `tests/services` starts in a directory of its own.
//!
//! A guard process stops it and removes the directory when the test process is gone, whatever ended it.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{root, soon};

/// The scripts' own limits are less, and say more.
const START_DEADLINE: Duration = Duration::from_secs(200);

/// A running server; stopped when it is dropped.
pub struct Service {
    script: &'static str,
    directory: PathBuf,
    /// Ends the server when its standard input does.
    guard: Child,
}

fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("below the target directory")
}

fn command(script: &str) -> Command {
    let mut command = Command::new("bash");
    command.arg(root().join("tests/services").join(script)).env("CARGO_TARGET_DIR", target()).stdin(Stdio::null());
    command
}

impl Service {
    /// Starts what the script (below `tests/services`) calls `kind`, with options of the script.
    ///
    /// # Panics
    /// When Java or Maven are not installed, or it does not start.
    pub fn start(script: &'static str, kind: &str, options: &[&str]) -> Self {
        // Brought first: that may take minutes, once.
        let fetched = command(script).args(["fetch", kind]).output().unwrap();
        assert!(fetched.status.success(), "{script} fetch: {}", String::from_utf8_lossy(&fetched.stderr));
        let directory = tempfile::Builder::new().prefix("strongroom-service-").tempdir().unwrap().keep();
        let service = Self { script, guard: guard(script, &directory, kind, options), directory };
        let read = |name: &str| fs::read_to_string(service.path(name)).unwrap_or_default();
        assert!(soon(START_DEADLINE, || read("started").ends_with('\n')), "{script} does not return");
        assert_eq!(read("started").trim(), "0", "{script} start:\n{}", read("start.log"));
        service
    }

    /// A path in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The script, told to start this server where it was ended.
    pub fn start_again(&self, kind: &str) -> Command {
        let mut command = command(self.script);
        command.args(["start", kind]).arg(&self.directory);
        command
    }

    /// The script, told to do that with this server.
    pub fn script(&self, verb: &str) -> Command {
        let mut command = command(self.script);
        command.arg(verb).arg(&self.directory);
        command
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Starts the server, waits for the end of its standard input, whose other end this process holds; then stops it and
/// removes all that it left. So a test that is killed while it starts leaves none either.
fn guard(script: &str, directory: &Path, kind: &str, options: &[&str]) -> Child {
    let tell = r#"d=$1; kind=$2; shell=$3; script=$4; shift 4
"$shell" "$script" start "$kind" "$d" "$@" </dev/null >"$d/start.log" 2>&1; echo $? >"$d/started"
cat; "$shell" "$script" stop "$d"; rm -rf "$d""#;
    let start = command(script);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", tell, "guard"]).arg(directory).arg(kind).arg(start.get_program()).args(start.get_args());
    command.args(options).env("CARGO_TARGET_DIR", target());
    // Not in the group that Ctrl-C reaches.
    command.process_group(0).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

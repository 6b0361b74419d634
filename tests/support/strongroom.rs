//! The built program, run in a place of its own: a temporary directory, and an environment that knows nothing else.

use std::{
    fs,
    io::Read,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{pipeline, plugins, shared, soon, tree::Tree, wait_for};

/// How long one run of the program may take: a component that was never compiled on this machine takes its time.
const RUN_DEADLINE: Duration = Duration::from_secs(180);

/// A directory in which a test is alone; removed with everything in it.
pub struct Place(tempfile::TempDir);

impl Place {
    /// An empty one.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let place = Self(tempfile::Builder::new().prefix("strongroom-test-").tempdir().unwrap());
        ["home", "tmp"].iter().for_each(|name| fs::create_dir(place.join(name)).unwrap());
        place
    }

    /// One with `strongroom.toml`, in which `$DIR` stands for it; its plugins are accepted.
    pub fn with_pipeline(toml: &str) -> Self {
        let place = Self::new();
        place.write("strongroom.toml", toml);
        place.accept();
        place
    }

    /// One with a pipeline of the plugin `files`, for the directory `files` with one file; `rest` follows in it.
    pub fn letters(rest: &str) -> Self {
        let place = Self::with_pipeline(&(pipeline::files("letters", "files", "read") + rest));
        Tree::at(place.join("files")).file("a.txt", "text");
        place
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A path in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a text in which `$DIR` stands for the place.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(path.parent().expect("in the place")).unwrap();
        fs::write(&path, text.replace("$DIR", &self.path().display().to_string())).unwrap();
        path
    }

    /// An executable shell script, for tool grants; `$DIR` stands for the place.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.write(name, &format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// The program, with built plugins and nothing of the tester's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare_command(arguments);
        command.env("STRONGROOM_PLUGINS", plugins::built());
        command
    }

    /// The program without any plugins: for tests that need none, and do not wait for them to be built.
    pub fn bare_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8").env("TZ", "UTC");
        for (variable, directory) in [("HOME", "home"), ("TMPDIR", "tmp"), ("STATE_DIRECTORY", "state")] {
            command.env(variable, self.join(directory));
        }
        // Compiling a component takes longer than most tests do, so the cache is shared.
        command.env("CACHE_DIRECTORY", shared("compiled")).env("XDG_CACHE_HOME", shared("compiled"));
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Done {
        Going::start(self.command(arguments)).finish()
    }

    /// The same with more in its environment.
    pub fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Done {
        let mut command = self.command(arguments);
        command.envs(environment.iter().copied());
        Going::start(command).finish()
    }

    /// Starts the program.
    pub fn start(&self, arguments: &[&str]) -> Going {
        Going::start(self.command(arguments))
    }

    /// Accepts the plugins and grants of `strongroom.toml`.
    pub fn accept(&self) -> Done {
        self.run(&["plugin", "accept", "--yes"]).exits(0)
    }

    /// The visible sets in `repository/`, oldest first.
    pub fn sets(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.join("repository")) else { return Vec::new() };
        let mut sets: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        sets.retain(|path| is_set(&path.to_string_lossy()));
        // Their names tell the second only.
        sets.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
        sets
    }

    /// The one set.
    ///
    /// # Panics
    /// When there is none, or more than one.
    pub fn set(&self) -> PathBuf {
        match &self.sets()[..] {
            [set] => set.clone(),
            sets => panic!("one set was expected: {sets:?}"),
        }
    }

    /// `record.json` of the latest set, as `unzip` reads it.
    pub fn record(&self) -> Value {
        let set = self.sets().pop().expect("there is a set");
        serde_json::from_slice(&unzip(&set, ".strongroom/record.json")).unwrap()
    }

    /// Asserts that nothing is left of runs that are over: no process, no half-written set, no scratch.
    pub fn assert_left_nothing(&self) {
        wait_for("the processes of a run that is over are gone", || self.processes().is_empty());
        let files = super::tree::listing(&self.join("tmp"));
        assert!(files.is_empty(), "left in the temporary directory: {files:?}");
        let Ok(entries) = fs::read_dir(self.join("repository")) else { return };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<_> = names.filter(|name| name.starts_with('.') || !is_set(name)).collect();
        assert!(left.is_empty(), "left in the repository: {left:?}");
    }

    /// Processes that have to do with this place: their environment, arguments or directory names it.
    pub fn processes(&self) -> Vec<String> {
        let place = self.path().display().to_string();
        let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok).map(|entry| entry.path());
        entries.filter_map(|process| named_by(&process, &place)).collect()
    }

    /// Asserts that a secret is in nothing that was printed, logged, kept or stored.
    pub fn assert_hides(&self, secret: &str, runs: &[&Done]) {
        for done in runs {
            assert!(!done.out.contains(secret) && !done.err.contains(secret), "the secret was printed:\n{done}");
        }
        let mut files = Vec::new();
        ["state", "tmp", "home", "logs"].iter().for_each(|name| files_below(&self.join(name), &mut files));
        files.extend(self.sets());
        let written = ["strongroom.lock", "run.log", "run.jsonl"].map(|name| self.join(name));
        files.extend(written.into_iter().filter(|path| path.exists()));
        for file in files {
            assert!(!holds(&fs::read(&file).unwrap(), secret), "the secret is in {}", file.display());
        }
        for set in self.sets() {
            assert!(!holds(&unzip(&set, "*"), secret), "the secret is in an entry of {}", set.display());
        }
    }
}

/// Whether a file's name is that of a set, encrypted or not.
fn is_set(name: &str) -> bool {
    name.ends_with(".zip") || name.ends_with(".zip.age")
}

/// What `unzip -p` prints of a set: the content of the entries that the pattern names.
pub fn unzip(set: &Path, pattern: &str) -> Vec<u8> {
    let output = Command::new("unzip").arg("-p").arg(set).arg(pattern).output().expect("unzip is installed");
    assert!(output.status.success(), "unzip -p {} {pattern}: {}", set.display(), output.status);
    output.stdout
}

fn named_by(process: &Path, place: &str) -> Option<String> {
    process.file_name()?.to_str()?.parse::<u32>().ok()?;
    let line = fs::read(process.join("cmdline")).ok()?;
    let environment = fs::read(process.join("environ")).unwrap_or_default();
    let directory = fs::read_link(process.join("cwd")).unwrap_or_default();
    let about = holds(&line, place) || holds(&environment, place) || directory.starts_with(place);
    about.then(|| format!("{} {}", process.display(), String::from_utf8_lossy(&line).replace('\0', " ")))
}

fn files_below(path: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(path).into_iter().flatten().map(Result::unwrap) {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => files_below(&entry.path(), files),
            kind if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// The program, or one that a test runs beside it, while it runs. Killed when it is dropped.
pub struct Going {
    child: Child,
    out: Gathered,
    err: Gathered,
}

/// What a stream has brought so far.
struct Gathered {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Gathered {
    fn from(mut stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let gathering = bytes.clone();
        let reader = std::thread::spawn(move || {
            let mut block = [0; 8192];
            while let Ok(count @ 1..) = stream.read(&mut block) {
                gathering.lock().unwrap().extend_from_slice(&block[..count]);
            }
        });
        Self { bytes, reader: Some(reader) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    fn ended(&self) -> bool {
        self.reader.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// All of it. The stream ends with the last process that holds it: one that leaks fails the test here.
    fn end(&mut self) -> String {
        let reader = self.reader.take().expect("it ends once");
        wait_for("the program's output ends (does a child still hold it?)", || reader.is_finished());
        self.text()
    }
}

impl Going {
    /// Starts a command.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = Gathered::from(child.stdout.take().expect("piped"));
        let err = Gathered::from(child.stderr.take().expect("piped"));
        Self { child, out, err }
    }

    /// Its standard input, of a command for which that is a pipe; it ends when this is dropped.
    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("a pipe, and taken once")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has printed this, on either stream.
    ///
    /// # Panics
    /// When it ends before.
    pub fn wait_for_words(&mut self, words: &str) {
        wait_for(&format!("it prints {words:?}"), || {
            // Looked at in this order, nothing that it prints last is missed.
            let ended = self.child.try_wait().unwrap().is_some() && self.out.ended() && self.err.ended();
            let said = self.out.text().contains(words) || self.err.text().contains(words);
            assert!(said || !ended, "it ended before it printed {words:?}:\n{}{}", self.out.text(), self.err.text());
            said
        });
    }

    /// Whether it is over.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it has printed so far, on standard output and standard error.
    pub fn said(&self) -> (String, String) {
        (self.out.text(), self.err.text())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).expect("a process id")).expect("a process id");
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not come within [`RUN_DEADLINE`].
    pub fn finish(self) -> Done {
        self.finish_within(RUN_DEADLINE)
    }

    /// The same for what takes longer.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn finish_within(mut self, deadline: Duration) -> Done {
        let (mut status, mut peak_kib) = (None, 0);
        let ended = soon(deadline, || {
            peak_kib = peak_kib.max(peak_kib_of(self.pid()));
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        assert!(ended, "the program does not end; it has printed:\n{}{}", self.out.text(), self.err.text());
        Done {
            code: code(status.expect("it ended")),
            out: self.out.end(),
            err: self.err.end(),
            peak_mib: peak_kib >> 10,
        }
    }
}

/// The most that a process has had in memory; nothing once it is gone.
fn peak_kib_of(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| -status.signal().unwrap_or(0))
}

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How the program ended.
#[derive(Clone, Debug)]
pub struct Done {
    /// Its exit code; a signal's number, negative, when one ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// The most that it had in memory, as far as was seen.
    pub peak_mib: u64,
}

impl Done {
    /// Asserts its exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "the exit code; it printed:\n{self}");
        self
    }

    /// Asserts that it printed this, on either stream.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.out.contains(words) || self.err.contains(words), "it does not say {words:?}:\n{self}");
        self
    }

    /// Asserts that it did not print this.
    #[track_caller]
    pub fn never_says(self, words: &str) -> Self {
        assert!(!self.out.contains(words) && !self.err.contains(words), "it says {words:?}:\n{self}");
        self
    }

    /// Standard output as JSON lines.
    ///
    /// # Panics
    /// When a line is not JSON.
    pub fn json(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"));
        self.out.lines().map(parse).collect()
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "-- out --\n{}-- err --\n{}-- exit code {} --", self.out, self.err, self.code)
    }
}

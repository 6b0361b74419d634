//! A scripted host for native tests: what is granted is said beforehand, what the plugin did is asked afterwards.
//!
//! Directories are real ones; tools, databases, services and the snapshot being read are what the script says. A [`Host`] holds
//! for the thread that made it, until it is dropped.

use std::{cell::RefCell, collections::BTreeMap, fs, path::PathBuf, rc::Rc};

use serde_json::Value;

use crate::{
    Evidence, Instant, Level, Receipt, Timestamp,
    bindings::strongroom::plugin::{
        context::Fixed,
        types::{Error as Raw, ErrorCode},
    },
    context::Operation,
    dirs::Usage,
};

pub(crate) mod imports;
mod io;
mod trees;

thread_local! {
    static CURRENT: RefCell<Option<Rc<RefCell<State>>>> = const { RefCell::new(None) };
}

/// What a plugin asked of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// The grant's name.
    pub tool: String,
    /// The parameters that it filled in.
    pub parameters: Vec<(String, String)>,
    /// What the tool was given to read.
    pub stdin: Vec<u8>,
}

impl ToolCall {
    /// One of the parameters.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What a scripted tool does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolRun {
    /// What it writes.
    pub stdout: Vec<u8>,
    /// Its exit status.
    pub code: i32,
    /// Its last words.
    pub stderr: String,
}

/// What a plugin asked of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebCall {
    /// The grant's name.
    pub service: String,
    /// `GET` and the like.
    pub method: String,
    /// With the query.
    pub path: String,
    /// As the plugin set them.
    pub headers: Vec<(String, String)>,
    /// What it sent.
    pub body: Vec<u8>,
}

/// What a scripted service answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// 200 and the like.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// What follows.
    pub body: Vec<u8>,
}

/// A logged line.
pub type Line = (Level, String);

type Answer = Rc<dyn Fn(&ToolCall) -> ToolRun>;
type WebAnswer = Rc<dyn Fn(&WebCall) -> Option<Answered>>;

/// Who answers at an endpoint.
#[derive(Clone)]
pub(crate) enum Peer {
    /// What the script says to what it has heard.
    Scripted(Rc<dyn Fn(&mut Vec<u8>) -> Vec<u8>>),
    /// A real server.
    Live,
}
/// A scripted service: its endpoints.
pub(crate) type Service = Vec<(String, Peer)>;

/// An entry of the scripted snapshot, in either direction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Held {
    File(Vec<u8>, crate::Meta),
    Directory(crate::Meta),
    Symlink(String),
}

/// A granted directory.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    pub(crate) path: PathBuf,
    pub(crate) write: bool,
}

/// Everything that was scripted and everything that was done.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) config: Option<String>,
    pub(crate) operation: Option<Operation>,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) displays: BTreeMap<(String, String), String>,
    pub(crate) dirs: BTreeMap<String, Root>,
    pub(crate) usages: BTreeMap<PathBuf, Usage>,
    pub(crate) tools: BTreeMap<String, Answer>,
    pub(crate) databases: BTreeMap<String, Database>,
    pub(crate) web: BTreeMap<String, Vec<WebAnswer>>,
    pub(crate) services: BTreeMap<String, Service>,
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) notes: BTreeMap<(String, String), String>,
    pub(crate) instants: Vec<Fixed>,
    pub(crate) kept: BTreeMap<String, Vec<u8>>,
    pub(crate) checkpoint: Option<Vec<u8>>,
    pub(crate) archive: BTreeMap<(String, String), Held>,
    pub(crate) canceled: bool,
    pub(crate) holds: Vec<(String, Vec<u8>)>,
    pub(crate) stored: BTreeMap<String, Held>,
    pub(crate) submitted: Vec<(String, imports::snapshot::Pending)>,
    pub(crate) expected: Vec<(String, Evidence, Vec<u8>)>,
    pub(crate) fixed: Vec<Instant>,
    pub(crate) settled: bool,
    pub(crate) calls: Vec<ToolCall>,
    pub(crate) asked: Vec<String>,
    pub(crate) requests: Vec<WebCall>,
    pub(crate) log: Vec<Line>,
    made: Vec<tempfile::TempDir>,
}

/// A scripted database: answers by a piece of the statement.
#[derive(Clone, Default)]
pub(crate) struct Database {
    pub(crate) answers: Vec<(String, Vec<u8>)>,
    pub(crate) location: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) engine: Option<String>,
    pub(crate) never_frozen: bool,
}

/// The host that a test scripts. Name its parts with the methods that return it, then run the plugin, then ask.
///
/// ```
/// use strongroom_plugin::{log, testing::Host};
///
/// let host = Host::new();
/// log::info("looking");
/// assert_eq!(host.log(), [(strongroom_plugin::Level::Info, "looking".to_owned())]);
/// ```
#[must_use = "it holds until it is dropped"]
pub struct Host(Rc<RefCell<State>>);

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(Option::take);
    }
}

/// What is scripted beforehand.
impl Host {
    /// A host that grants nothing, in the step `step`. It replaces the one before it on this thread.
    pub fn new() -> Self {
        let state = Rc::new(RefCell::new(State::default()));
        CURRENT.with_borrow_mut(|current| *current = Some(state.clone()));
        Self(state)
    }

    fn with(self, change: impl FnOnce(&mut State)) -> Self {
        change(&mut self.0.borrow_mut());
        self
    }

    /// The step's configuration; `{}` where none is given.
    pub fn config(self, config: &Value) -> Self {
        self.with(|state| state.config = Some(config.to_string()))
    }

    /// The export that is being called; `backup` where none is given.
    pub fn operation(self, operation: Operation) -> Self {
        self.with(|state| state.operation = Some(operation))
    }

    /// An annotation of the run, such as `overwrite`.
    pub fn attribute(self, key: &str, value: &str) -> Self {
        self.with(|state| state.attributes.push((key.into(), value.into())))
    }

    /// How a grant reads to the operator, instead of the scripted host's own words.
    pub fn display(self, capability: &str, name: &str, display: &str) -> Self {
        self.with(|state| drop(state.displays.insert((capability.into(), name.into()), display.into())))
    }

    /// Grants a directory to read.
    pub fn dir(self, name: &str, path: impl Into<PathBuf>) -> Self {
        self.with(|state| drop(state.dirs.insert(name.into(), Root { path: path.into(), write: false })))
    }

    /// Grants a directory to write.
    pub fn writable_dir(self, name: &str, path: impl Into<PathBuf>) -> Self {
        self.with(|state| drop(state.dirs.insert(name.into(), Root { path: path.into(), write: true })))
    }

    /// Makes a directory with these files, gone with the host, and grants it to read.
    ///
    /// # Panics
    /// When the files cannot be made.
    pub fn files(self, name: &str, files: &[(&str, &str)]) -> Self {
        let path = self.make(files);
        self.dir(name, path)
    }

    /// The same to write: a restore's target, empty without files.
    ///
    /// # Panics
    /// When the files cannot be made.
    pub fn target(self, name: &str, files: &[(&str, &str)]) -> Self {
        let path = self.make(files);
        self.writable_dir(name, path)
    }

    /// Who uses what is at a path of a granted directory, and below it; `unknown` where nothing is said, as a host
    /// that may not look answers.
    ///
    /// # Panics
    /// When there is no such grant.
    pub fn in_use(self, dir: &str, path: &str, usage: Usage) -> Self {
        let path = self.path(dir).join(path);
        self.with(|state| drop(state.usages.insert(path, usage)))
    }

    fn make(&self, files: &[(&str, &str)]) -> PathBuf {
        let made = tempfile::tempdir().expect("a temporary directory");
        let root = made.path().to_owned();
        for (path, content) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a file in a directory")).expect("its directory");
            fs::write(&path, content).expect("the file");
        }
        self.0.borrow_mut().made.push(made);
        root
    }

    /// Grants a tool that writes `stdout` and ends with 0.
    pub fn tool(self, name: &str, stdout: impl Into<Vec<u8>>) -> Self {
        let run = ToolRun { stdout: stdout.into(), ..ToolRun::default() };
        self.tool_with(name, move |_| run.clone())
    }

    /// Grants a tool that does what `answer` says. It runs when its output or its end is asked for.
    pub fn tool_with(self, name: &str, answer: impl Fn(&ToolCall) -> ToolRun + 'static) -> Self {
        self.with(|state| drop(state.tools.insert(name.into(), Rc::new(answer))))
    }

    /// Grants a database, and answers a statement that contains `part` (case does not matter) with these rows. Of
    /// several that fit, the one scripted first answers; a statement that nothing fits is refused.
    pub fn rows(self, database: &str, part: &str, rows: &[&[Option<&str>]]) -> Self {
        let lines: String = rows.iter().map(|row| serde_json::json!(row).to_string() + "\n").collect();
        self.with(|state| {
            let database = state.databases.entry(database.into()).or_default();
            database.answers.push((part.to_lowercase(), lines.into_bytes()));
        })
    }

    /// Where a database is: `localhost:5432/NAME` where nothing is said.
    pub fn location(self, database: &str, location: &str) -> Self {
        self.with(|state| state.databases.entry(database.into()).or_default().location = Some(location.into()))
    }

    /// The role that a database's grant logs in as: `backup` where nothing is said.
    pub fn database_user(self, database: &str, user: &str) -> Self {
        self.with(|state| state.databases.entry(database.into()).or_default().user = Some(user.into()))
    }

    /// Grants a service, and answers requests with this method whose path, with its query, begins like this.
    pub fn answer(self, service: &str, method: &str, path: &str, status: u16, body: impl Into<Vec<u8>>) -> Self {
        let (method, path) = (method.to_owned(), path.to_owned());
        let answered = Answered { status, headers: Vec::new(), body: body.into() };
        self.answer_with(service, move |call| {
            (call.method == method && call.path.starts_with(&path)).then(|| answered.clone())
        })
    }

    /// Grants a service that answers what `answer` says; none: what is scripted after it may. A request that nothing
    /// answers is refused.
    pub fn answer_with(self, service: &str, answer: impl Fn(&WebCall) -> Option<Answered> + 'static) -> Self {
        self.with(|state| state.web.entry(service.into()).or_default().push(Rc::new(answer)))
    }

    /// Grants a service with this endpoint, or one more endpoint of it. `answer` is given what the plugin wrote and the
    /// service has not yet taken out of it, each time that all it said has been read; saying nothing is the end.
    pub fn service(self, name: &str, endpoint: &str, answer: impl Fn(&mut Vec<u8>) -> Vec<u8> + 'static) -> Self {
        self.peer(name, endpoint, Peer::Scripted(Rc::new(answer)))
    }

    /// Grants a service with this endpoint, or one more endpoint of it, where a real server listens: to try a plugin's
    /// conversation by hand. What is written is sent when an answer is read.
    pub fn live_service(self, name: &str, endpoint: &str) -> Self {
        self.peer(name, endpoint, Peer::Live)
    }

    fn peer(self, name: &str, endpoint: &str, peer: Peer) -> Self {
        self.with(|state| state.services.entry(name.into()).or_default().push((endpoint.into(), peer)))
    }

    /// The kind of a database: `postgresql` where nothing is said. One of `mysql` and `mariadb` shares no view, and can be
    /// frozen.
    pub fn engine(self, database: &str, engine: &str) -> Self {
        self.with(|state| state.databases.entry(database.into()).or_default().engine = Some(engine.into()))
    }

    /// The role of a database may not freeze it.
    pub fn never_frozen(self, database: &str) -> Self {
        self.with(|state| state.databases.entry(database.into()).or_default().never_frozen = true)
    }

    /// Grants a secret.
    pub fn secret(self, name: &str, value: &str) -> Self {
        self.with(|state| drop(state.secrets.insert(name.into(), value.into())))
    }

    /// A file in the snapshot being read.
    pub fn archived(self, part: &str, path: &str, content: impl Into<Vec<u8>>) -> Self {
        let held = Held::File(content.into(), crate::Meta::default());
        self.with(|state| drop(state.archive.insert((part.into(), path.into()), held)))
    }

    /// A note of this step, as an earlier call or the snapshot's run left it.
    pub fn note(self, key: &str, value: &str) -> Self {
        self.with(|state| drop(state.notes.insert((STEP.into(), key.into()), value.into())))
    }

    /// A value that an earlier run kept.
    pub fn kept(self, key: &str, value: impl Into<Vec<u8>>) -> Self {
        self.with(|state| drop(state.kept.insert(key.into(), value.into())))
    }

    /// An instant that was fixed before.
    pub fn instant(self, step: &str, part: &str, instant: Instant) -> Self {
        self.with(|state| state.instants.push(Fixed { step: step.into(), part: part.into(), instant }))
    }

    /// A hold that stands already.
    pub fn hold(self, name: &str, data: impl Into<Vec<u8>>) -> Self {
        self.with(|state| state.holds.push((name.into(), data.into())))
    }

    /// The run is to stop.
    pub fn canceled(self) -> Self {
        self.with(|state| state.canceled = true)
    }

    /// Turns what was stored into the part `part` of a snapshot being read: backup, then restore.
    pub fn stored_as_archive(self, part: &str) -> Self {
        self.finish_submitted();
        self.with(|state| {
            let stored = std::mem::take(&mut state.stored);
            state.archive.extend(stored.into_iter().map(|(path, held)| ((part.to_owned(), path), held)));
        })
    }
}

/// What is asked afterwards.
impl Host {
    fn finish_submitted(&self) {
        let submitted = std::mem::take(&mut self.0.borrow_mut().submitted);
        for (path, pending) in submitted {
            if let Err(error) = pending.run() {
                self.0.borrow_mut().log.push((Level::Error, format!("{path}: {}", error.message)));
            }
        }
    }

    /// The content of a stored file.
    pub fn stored(&self, path: &str) -> Option<Vec<u8>> {
        self.finish_submitted();
        match self.0.borrow().stored.get(path) {
            Some(Held::File(content, _)) => Some(content.clone()),
            _ => None,
        }
    }

    /// The path of everything that was stored: files, links and directories.
    pub fn stored_paths(&self) -> Vec<String> {
        self.finish_submitted();
        self.0.borrow().stored.keys().cloned().collect()
    }

    /// The lines of an expectations list.
    pub fn expected(&self, subject: &str) -> Option<String> {
        let state = self.0.borrow();
        let list = state.expected.iter().find(|(name, ..)| name == subject)?;
        Some(String::from_utf8_lossy(&list.2).into_owned())
    }

    /// How it was listed.
    pub fn evidence(&self, subject: &str) -> Option<Evidence> {
        self.0.borrow().expected.iter().find(|(name, ..)| name == subject).map(|(_, evidence, _)| *evidence)
    }

    /// The instant that the part fixed.
    pub fn fixed_instant(&self) -> Option<Instant> {
        self.0.borrow().fixed.first().cloned()
    }

    /// Whether the part said that it has settled.
    pub fn has_settled(&self) -> bool {
        self.0.borrow().settled
    }

    /// Every tool that ran, in order.
    pub fn tool_calls(&self) -> Vec<ToolCall> {
        self.0.borrow().calls.clone()
    }

    /// Every statement, in order.
    pub fn statements(&self) -> Vec<String> {
        self.0.borrow().asked.clone()
    }

    /// Every request, in order.
    pub fn requests(&self) -> Vec<WebCall> {
        self.0.borrow().requests.clone()
    }

    /// What was logged.
    pub fn log(&self) -> Vec<Line> {
        self.0.borrow().log.clone()
    }

    /// A note of this step.
    pub fn noted(&self, key: &str) -> Option<String> {
        self.0.borrow().notes.get(&(STEP.to_owned(), key.to_owned())).cloned()
    }

    /// A value kept for later runs.
    pub fn kept_value(&self, key: &str) -> Option<Vec<u8>> {
        self.0.borrow().kept.get(key).cloned()
    }

    /// The holds that stand, in the order of taking, each with what its release will get: the scripted host releases
    /// none, so that a test can call `Plugin::release` itself.
    pub fn holds(&self) -> Vec<(String, Vec<u8>)> {
        self.0.borrow().holds.clone()
    }

    /// Where a granted directory is.
    ///
    /// # Panics
    /// When there is no such grant.
    pub fn path(&self, dir: &str) -> PathBuf {
        self.0.borrow().dirs[dir].path.clone()
    }

    /// A file below a granted directory, as it is now.
    pub fn file(&self, dir: &str, path: &str) -> Option<String> {
        fs::read_to_string(self.path(dir).join(path)).ok()
    }
}

/// The step that scripted runs serve.
pub const STEP: &str = "step";

/// Whether every receipt agrees: what most tests want to know of an outcome.
pub fn proven(receipts: &[Receipt]) -> bool {
    !receipts.is_empty() && receipts.iter().all(|receipt| receipt.expected == receipt.actual)
}

/// A timestamp for tests.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanoseconds: 0 }
}

/// Uses this thread's host.
///
/// # Panics
/// Where a test made none.
pub(crate) fn state<T>(using: impl FnOnce(&mut State) -> T) -> T {
    let current = CURRENT.with_borrow(Clone::clone);
    let current = current.expect("no scripted host on this thread: begin the test with `let host = Host::new()`");
    let mut state = current.borrow_mut();
    using(&mut state)
}

pub(crate) fn fail(code: ErrorCode, message: impl Into<String>) -> Raw {
    Raw { code, message: message.into(), retryable: false }
}

/// The host's answer to what is not granted.
pub(crate) fn denied(capability: &str, name: &str) -> Raw {
    fail(ErrorCode::Denied, format!("{capability}.{name} is not granted"))
}

#[cfg(test)]
mod tests;

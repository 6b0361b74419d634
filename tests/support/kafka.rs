//! A real Kafka: a broker that all tests of the process share, and Kafka's own Java client to ask it.
//!
//! `STRONGROOM_TEST_KAFKA` chooses `3` (3.9.2) or `4` (4.3.1, unless it is set). A guard process stops the broker and removes
//! it when the test process is gone, whatever ended it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use serde_json::{Value, json};

use super::{DEADLINE, root, soon};

/// The script's own limit is less, and says more.
const START_DEADLINE: Duration = Duration::from_secs(200);

/// Running brokers.
pub struct Kafka {
    directory: PathBuf,
    /// Ends the brokers when its standard input does.
    guard: Child,
    /// Starts with the first question.
    client: Mutex<Option<Client>>,
}

/// The broker that all tests share, without passwords or TLS. The first call starts it.
///
/// # Panics
/// When Java or Maven are not installed, or it does not start.
pub fn shared() -> &'static Kafka {
    static SHARED: OnceLock<Kafka> = OnceLock::new();
    SHARED.get_or_init(|| Kafka::start(&[]))
}

/// A prefix for the topics and groups of one test.
pub fn prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("t{}-", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("below the target directory")
}

fn script() -> Command {
    let mut command = Command::new("bash");
    command.arg(root().join("tests/services/kafka/kafka.sh")).env("CARGO_TARGET_DIR", target()).stdin(Stdio::null());
    command
}

impl Kafka {
    /// Starts brokers with options of `tests/services/kafka/kafka.sh`.
    ///
    /// # Panics
    /// As [`shared`].
    pub fn start(options: &[&str]) -> Self {
        let version = std::env::var("STRONGROOM_TEST_KAFKA").unwrap_or_else(|_| "4".to_owned());
        // Brought first: that may take minutes, once.
        let fetched = script().args(["fetch", &version]).output().unwrap();
        assert!(fetched.status.success(), "fetching Kafka: {}", String::from_utf8_lossy(&fetched.stderr));
        let directory = tempfile::Builder::new().prefix("strongroom-kafka-").tempdir().unwrap().keep();
        let kafka = Self { guard: guard(&directory, &version, options), directory, client: Mutex::default() };
        let read = |name: &str| fs::read_to_string(kafka.directory.join(name)).unwrap_or_default();
        assert!(soon(START_DEADLINE, || read("started").ends_with('\n')), "Kafka does not start");
        assert_eq!(read("started").trim(), "0", "Kafka does not start:\n{}", read("start.log"));
        kafka
    }

    /// The port of its first broker's listener: `plain`, `sasl`, `tls` or `sasl-tls`.
    pub fn port(&self, kind: &str) -> u16 {
        let ports = fs::read_to_string(self.directory.join("ports")).unwrap();
        let line = ports.lines().find_map(|line| line.strip_prefix(&format!("{kind} 1 ")));
        line.unwrap_or_else(|| panic!("no listener {kind}: {ports}")).parse().unwrap()
    }

    /// The ports of all its brokers' listeners of that kind.
    pub fn ports(&self, kind: &str) -> Vec<u16> {
        let ports = fs::read_to_string(self.directory.join("ports")).unwrap();
        let lines = ports.lines().filter_map(|line| line.strip_prefix(kind)?.split_whitespace().nth(1));
        lines.map(|port| port.parse().unwrap()).collect()
    }

    /// Stops one of several brokers; others have to lead then.
    pub fn stop_broker(&self, number: u32) {
        let stopped = script().arg("stop-broker").arg(&self.directory).arg(number.to_string()).status().unwrap();
        assert!(stopped.success(), "broker {number} does not stop");
    }

    /// The certificate that vouches for its TLS listeners.
    pub fn authority(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// Asks Kafka's own client, see `tests/services/kafka/Client.java`.
    ///
    /// # Panics
    /// When the answer is an error, or does not come.
    pub fn ask(&self, question: &Value) -> Value {
        let mut client = self.client.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let answer = client.get_or_insert_with(|| Client::start(&self.directory)).ask(question);
        drop(client);
        assert!(answer.get("error").is_none(), "{question}: {answer}");
        answer
    }

    /// A new topic with that many partitions.
    pub fn topic(&self, name: &str, partitions: i32) {
        self.ask(&json!({ "do": "create", "topic": name, "partitions": partitions }));
    }

    /// Produces records to one partition, as one batch, and returns their offsets.
    pub fn produce(&self, topic: &str, partition: i32, codec: &str, records: &[Record]) -> Vec<i64> {
        let records: Vec<_> = records.iter().map(|record| record.json(partition)).collect();
        let answer = self.ask(&json!({ "do": "produce", "topic": topic, "codec": codec, "records": records }));
        answer["records"].as_array().unwrap().iter().map(|one| one["offset"].as_i64().unwrap()).collect()
    }

    /// All that a topic holds, as it is read by a consumer that sees what was committed only.
    pub fn read(&self, topic: &str) -> Vec<Value> {
        self.ask(&json!({ "do": "read", "topic": topic }))["records"].as_array().unwrap().clone()
    }

    /// Names of topics with that prefix.
    pub fn topics(&self, prefix: &str) -> Vec<String> {
        let answer = self.ask(&json!({ "do": "topics" }));
        let names = answer["topics"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
        let mut names: Vec<_> = names.filter(|name| name.starts_with(prefix)).collect();
        names.sort();
        names
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Starts the brokers, waits for the end of its standard input, whose other end this process holds; then stops them and
/// removes all that they left. So a test that is killed while they start leaves none either.
fn guard(directory: &Path, version: &str, options: &[&str]) -> Child {
    let tell = r#"d=$1; version=$2; shell=$3; script=$4; shift 4
"$shell" "$script" start "$version" "$d" "$@" </dev/null >"$d/start.log" 2>&1; echo $? >"$d/started"
cat; "$shell" "$script" stop "$d"; rm -rf "$d""#;
    let start = script();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", tell, "guard"]).arg(directory).arg(version).arg(start.get_program()).args(start.get_args());
    command.args(options).env("CARGO_TARGET_DIR", target());
    // Not in the group that Ctrl-C reaches.
    command.process_group(0).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// A record to produce.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Its time, in milliseconds since 1970.
    pub time: i64,
    /// Nothing is another key than an empty one.
    pub key: Option<String>,
    /// A record without a value says in a compacted topic that its key is gone.
    pub value: Option<String>,
    /// In order; a name may be there twice.
    pub headers: Vec<(String, Option<String>)>,
}

impl Record {
    /// One with key and value.
    pub fn new(time: i64, key: &str, value: &str) -> Self {
        Self { time, key: Some(key.to_owned()), value: Some(value.to_owned()), headers: Vec::new() }
    }

    fn json(&self, partition: i32) -> Value {
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| json!([name, base64(value.as_deref())])).collect();
        json!({
            "partition": partition, "ts": self.time, "key": base64(self.key.as_deref()), "value": base64(self.value.as_deref()),
            "headers": headers,
        })
    }
}

/// As the client writes bytes.
pub fn base64(text: Option<&str>) -> Value {
    use base64::{Engine, engine::general_purpose::STANDARD};
    text.map_or(Value::Null, |text| Value::String(STANDARD.encode(text)))
}

/// Kafka's own client, kept open. It ends with its standard input.
struct Client {
    questions: ChildStdin,
    answers: Receiver<String>,
}

impl Client {
    fn start(directory: &Path) -> Self {
        let mut command = script();
        let log = fs::File::create(directory.join("client.log")).unwrap();
        command.arg("client").arg(directory).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let (questions, out) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let (send, answers) = channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(out).lines().map_while(Result::ok);
            let _ = lines.map(|line| send.send(line)).find(Result::is_err);
            let _ = child.wait();
        });
        Self { questions, answers }
    }

    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.questions, "{question}").expect("Kafka's client is there");
        let answer = self.answers.recv_timeout(DEADLINE).unwrap_or_else(|why| panic!("{question}: {why}"));
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{question}: {error} in {answer:?}"))
    }
}

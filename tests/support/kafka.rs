//! A real Kafka: a broker that all tests of the process share, and Kafka's own Java client to ask it.
//!
//! `STRONGROOM_TEST_KAFKA` chooses `3` (3.9.2) or `4` (4.3.1, unless it is set).

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{ChildStdin, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, channel},
    },
};

use serde_json::{Value, json};

use super::{DEADLINE, service::Service};

/// Running brokers.
pub struct Kafka {
    service: Service,
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

impl Kafka {
    /// Starts brokers with options of `tests/services/kafka/kafka.sh`.
    ///
    /// # Panics
    /// As [`shared`].
    pub fn start(options: &[&str]) -> Self {
        let version = std::env::var("STRONGROOM_TEST_KAFKA").unwrap_or_else(|_| "4".to_owned());
        Self { service: Service::start("kafka/kafka.sh", &version, options), client: Mutex::default() }
    }

    /// The port of its first broker's listener: `plain`, `sasl`, `tls` or `sasl-tls`.
    pub fn port(&self, kind: &str) -> u16 {
        let ports = fs::read_to_string(self.service.path("ports")).unwrap();
        let line = ports.lines().find_map(|line| line.strip_prefix(&format!("{kind} 1 ")));
        line.unwrap_or_else(|| panic!("no listener {kind}: {ports}")).parse().unwrap()
    }

    /// The ports of all its brokers' listeners of that kind.
    pub fn ports(&self, kind: &str) -> Vec<u16> {
        let ports = fs::read_to_string(self.service.path("ports")).unwrap();
        let lines = ports.lines().filter_map(|line| line.strip_prefix(kind)?.split_whitespace().nth(1));
        lines.map(|port| port.parse().unwrap()).collect()
    }

    /// Stops one of several brokers; others have to lead then.
    pub fn stop_broker(&self, number: u32) {
        let stopped = self.service.script("stop-broker").arg(number.to_string()).status().unwrap();
        assert!(stopped.success(), "broker {number} does not stop");
    }

    /// The certificate that vouches for its TLS listeners.
    pub fn authority(&self) -> PathBuf {
        self.service.path("ca.pem")
    }

    /// Asks Kafka's own client, see `tests/services/kafka/Client.java`.
    ///
    /// # Panics
    /// When the answer is an error, or does not come.
    pub fn ask(&self, question: &Value) -> Value {
        let mut client = self.client.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let answer = client.get_or_insert_with(|| Client::start(&self.service)).ask(question);
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
    fn start(service: &Service) -> Self {
        let log = fs::File::create(service.path("client.log")).unwrap();
        let mut command = service.script("client");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
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

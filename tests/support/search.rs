//! A real search engine that all tests of the process share.
//!
//! `STRONGROOM_TEST_SEARCH` chooses `os` (OpenSearch 2.19, unless it is set) or `es` (Elasticsearch 7.17).

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use serde_json::{Value, json};

use super::{service::Service, web};

/// A running engine.
pub struct Search {
    service: Service,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
}

/// The engine that all tests share. The first call starts it.
///
/// # Panics
/// When Java or Maven are not installed, or it does not start.
pub fn shared() -> &'static Search {
    static SHARED: OnceLock<Search> = OnceLock::new();
    SHARED.get_or_init(Search::alone)
}

/// A prefix for the indices of one test.
pub fn prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("t{}-", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Search {
    /// An engine that no other test uses.
    ///
    /// # Panics
    /// As [`shared`].
    pub fn alone() -> Self {
        let service = Service::start("search/search.sh", &kind(), &[]);
        let port = fs::read_to_string(service.path("port")).unwrap().trim().parse().unwrap();
        Self { service, port }
    }

    /// Kills it, and starts it again with its data, on its port.
    ///
    /// # Panics
    /// When it does not end or start.
    pub fn restart(&self) {
        for mut command in [self.service.script("kill"), self.service.start_again(&kind())] {
            let done = command.output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
    }

    /// The directory that it may write snapshots below.
    pub fn repositories(&self) -> PathBuf {
        self.service.path("repositories")
    }

    /// Asks it for something.
    ///
    /// # Panics
    /// When it says no.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.tell(method, path, &body)
    }

    fn tell(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, answer) = web::ask(self.port, method, path, body);
        let told = String::from_utf8_lossy(&answer);
        assert!(status < 300, "{method} {path}: {status} {told}");
        serde_json::from_slice(&answer).unwrap_or_else(|error| panic!("{method} {path}: {error} in {told}"))
    }

    /// Indexes documents (id, routing and source) as one request, with no version asked for.
    pub fn bulk(&self, index: &str, documents: &[(String, Option<String>, Value)]) {
        let mut lines = String::new();
        for (id, routing, source) in documents {
            let mut action = json!({ "index": { "_id": id } });
            if let Some(routing) = routing {
                action["index"]["routing"] = json!(routing);
            }
            lines += &format!("{action}\n{source}\n");
        }
        let answer = self.tell("POST", &format!("/{index}/_bulk?refresh=true"), &lines);
        assert_eq!(answer["errors"], false, "{answer}");
    }

    /// All documents of a small index: version, routing and source, by id.
    pub fn documents(&self, index: &str) -> BTreeMap<String, (i64, Value, Value)> {
        self.ask("POST", &format!("/{index}/_refresh"), &Value::Null);
        let asked = json!({ "size": 10_000, "version": true, "track_total_hits": true });
        let answer = self.ask("POST", &format!("/{index}/_search"), &asked);
        let hits = answer["hits"]["hits"].as_array().unwrap();
        assert_eq!(answer["hits"]["total"]["value"], hits.len(), "{index} is too large for this");
        let read = |hit: &Value| (hit["_version"].as_i64().unwrap(), hit["_routing"].clone(), hit["_source"].clone());
        hits.iter().map(|hit| (hit["_id"].as_str().unwrap().to_owned(), read(hit))).collect()
    }

    /// Names of indices that end so, in order.
    pub fn indices(&self, ending: &str) -> Vec<String> {
        let found = self.ask("GET", &format!("/*{ending}/_settings"), &Value::Null);
        found.as_object().unwrap().keys().cloned().collect()
    }

    /// How an index is defined: settings, mapping and aliases, as far as somebody chose them.
    pub fn definition(&self, index: &str) -> Value {
        let mut found = self.ask("GET", &format!("/{index}"), &Value::Null)[index].take();
        let own = found["settings"]["index"].as_object_mut().unwrap();
        for name in ["uuid", "creation_date", "provided_name", "version", "resize", "routing", "replication", "history"]
        {
            own.remove(name);
        }
        // What is null is the default, and a clone has one default written out.
        own.retain(|name, value| !is_nothing(value) && (name != "routing_partition_size" || value != "1"));
        found
    }
}

fn kind() -> String {
    std::env::var("STRONGROOM_TEST_SEARCH").unwrap_or_else(|_| "os".to_owned())
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(|inner| inner.values().all(is_nothing))
}

//! A snapshot that stays in a repository of the engine's own: the set says where it is, and that it is not enough.

use std::{cell::RefCell, rc::Rc};

use serde_json::Value;
use strongroom_plugin::{ErrorCode, Finding, Inspection, Outcome};

use super::*;

/// The engine's own repository, and what it says of the snapshots in it.
#[derive(Clone)]
struct Own {
    engine: Engine,
    settings: Value,
    snapshot: Rc<RefCell<Value>>,
}

impl Own {
    fn new() -> Self {
        let engine = Engine::default();
        engine.index("i", 1, [("a", "{}"), ("b", "{}")]);
        let shards = json!({ "total": 1, "failed": 0, "successful": 1 });
        let snapshot = json!({ "uuid": "u1", "state": "SUCCESS", "indices": ["i"], "failures": [], "shards": shards });
        Self { engine, settings: json!({}), snapshot: Rc::new(RefCell::new(snapshot)) }
    }

    fn says(&self, key: &str, value: Value) {
        self.snapshot.borrow_mut()[key] = value;
    }

    fn answer(&self, call: &WebCall) -> Option<Answered> {
        let path = call.path.split('?').next().unwrap_or_default();
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let mut status = 200;
        let body = match (call.method.as_str(), segments.as_slice()) {
            ("GET", [index, "_stats"]) if call.path.contains("level=shards") => {
                let shard = json!([{ "routing": { "primary": true }, "seq_no": { "max_seq_no": 7 } }]);
                json!({ "indices": { *index: { "shards": { "0": shard } } } })
            }
            ("GET", ["_snapshot", "backups"]) => json!({ "backups": { "type": "s3", "settings": self.settings } }),
            ("GET", ["_snapshot", "backups" | "moved", _]) if self.snapshot.borrow().is_object() => {
                json!({ "snapshots": [*self.snapshot.borrow()] })
            }
            ("POST", ["_snapshot", _, _, "_restore"]) => {
                let asked: Value = serde_json::from_slice(&call.body).unwrap();
                let indices = &mut self.engine.0.borrow_mut().indices;
                let index = indices["i"].clone();
                indices.insert(asked["rename_replacement"].as_str().unwrap().into(), index);
                json!({})
            }
            ("GET", ["_snapshot", ..]) => {
                status = 404;
                json!({ "error": { "type": "missing" } })
            }
            (_, ["_snapshot", ..]) => json!({}),
            _ => return None,
        };
        Some(Answered { status, headers: Vec::new(), body: body.to_string().into() })
    }

    fn host(&self, config: &Value) -> Host {
        let own = self.clone();
        let host = Host::new().config(config).answer_with("engine", move |call| own.answer(call));
        self.engine.granted(host, "2.19.5")
    }

    fn stays(&self) -> Host {
        self.host(&json!({ "indices": ["i"], "repository": "backups" }))
    }

    /// A backup, and then its part as a set holds it.
    fn saved(&self) -> Host {
        let host = self.stays();
        backup().unwrap();
        host.stored_as_archive("snapshot")
    }
}

fn part() -> Part {
    Part::new("snapshot", Stage::Fence)
}

fn codes(findings: &[Finding], severity: Severity) -> Vec<&str> {
    findings.iter().filter(|one| one.severity == severity).map(|one| one.code.as_str()).collect()
}

fn look(purpose: Purpose) -> Inspection {
    ElasticsearchAudit.inspect(purpose).unwrap()
}

fn told(host: &Host, method: &str) -> Vec<String> {
    host.requests().into_iter().filter(|call| call.method == method).map(|call| call.path).collect()
}

fn verified() -> Outcome {
    ElasticsearchAudit.verify(&part()).unwrap()
}

#[test]
fn the_snapshot_stays_and_the_set_says_where_it_is_and_that_it_is_not_enough() {
    let own = Own::new();
    let host = own.stays();
    let seen = look(Purpose::Backup);
    let way = &seen.facts.iter().find(|(key, _)| key == "way").unwrap().1;
    assert!(way.contains("own repository backups") && codes(&seen.findings, Severity::Blocker).is_empty(), "{way}");
    assert!(seen.parts[0].uses.iter().all(|uses| !uses.starts_with("dirs.")), "{:?}", seen.parts[0].uses);
    let outcome = backup().unwrap();
    let subjects: Vec<&str> = outcome.receipts.iter().map(|receipt| receipt.subject.as_str()).collect();
    assert!(proven(&outcome.receipts) && subjects == ["shards", "documents i"], "{outcome:?}");
    assert_eq!(codes(&outcome.findings, Severity::Warning), ["not-self-contained"]);
    assert!(outcome.facts.contains(&("uuid".into(), "u1".into())));
    assert_eq!(host.stored_paths(), ["snapshot.json"]);
    assert!(host.has_settled() && host.holds().is_empty());
    assert!(told(&host, "DELETE").iter().all(|path| !path.starts_with("/_snapshot")));
    let made = told(&host, "PUT");
    assert!(made.len() == 1 && made[0].starts_with("/_snapshot/backups/strongroom-"), "{made:?}");
    let _host = host.stored_as_archive("snapshot").operation(Operation::Verify);
    let outcome = verified();
    assert!(proven(&outcome.receipts) && codes(&outcome.findings, Severity::Warning) == ["not-self-contained"]);
}

#[test]
fn one_that_is_not_whole_does_not_stay() {
    let own = Own::new();
    let host = own.stays();
    own.says("state", json!("PARTIAL"));
    assert!(backup().unwrap_err().message.contains("not whole"));
    let removed = told(&host, "DELETE");
    assert!(removed.len() == 1 && removed[0].starts_with("/_snapshot/backups/strongroom-"), "{removed:?}");
    assert!(host.holds().is_empty() && host.stored_paths().is_empty());
}

#[test]
fn a_plan_says_why_a_snapshot_cannot_stay() {
    for (config, settings, why) in [
        (json!({ "indices": ["i"], "repository": "other" }), json!({}), "knows no repository other"),
        (json!({ "indices": ["i"], "repository": "backups" }), json!({ "readonly": "true" }), "can only be read"),
        (json!({ "indices": ["i"], "repository": "backups", "way": "export" }), json!({}), "way is export"),
    ] {
        let _host = Own { settings, ..Own::new() }.host(&config);
        let seen = look(Purpose::Backup);
        let blocker = seen.findings.iter().find(|one| one.code == "snapshot-impossible").unwrap();
        assert!(blocker.message.contains(why) && blocker.severity == Severity::Blocker, "{blocker:?}");
    }
}

#[test]
fn a_reference_that_was_changed_in_the_set_is_called_out() {
    let own = Own::new();
    let mut host = own.saved();
    let kept = Kept::read("snapshot").unwrap().unwrap();
    let text = serde_json::to_string(&kept).unwrap();
    for (from, to) in [("backups", "other"), ("strongroom-", "strongroom-f"), ("\"u1\"", "\"u2\"")] {
        assert!(text.contains(from), "{text}");
        host = host.archived("snapshot", "snapshot.json", text.replacen(from, to, 1));
        assert_eq!(codes(&verified().findings, Severity::Blocker), ["index-damaged"], "{from}");
    }
    for (from, to) in [("\"version\":2", "\"version\":1"), ("\"reference\"", "\"other\"")] {
        assert!(text.contains(from), "{text}");
        host = host.archived("snapshot", "snapshot.json", text.replacen(from, to, 1));
        assert_eq!(ElasticsearchAudit.verify(&part()).unwrap_err().code, ErrorCode::Corrupt, "{from}");
    }
}

#[test]
fn it_comes_back_from_where_it_has_stayed_also_under_another_name_of_the_repository() {
    for (config, from) in [(json!({}), "backups"), (json!({ "repository": "moved" }), "moved")] {
        let own = Own::new();
        let config = json!({ "rename": { "i": "j" } })
            .as_object()
            .unwrap()
            .clone()
            .into_iter()
            .chain(config.as_object().unwrap().clone());
        let config = Value::Object(config.collect());
        let host = own.saved().config(&config).operation(Operation::Restore);
        let seen = look(Purpose::Restore);
        assert_eq!(codes(&seen.findings, Severity::Warning), ["not-self-contained"]);
        assert!(codes(&seen.findings, Severity::Blocker).is_empty(), "{:?}", seen.findings);
        let outcome = ElasticsearchAudit.restore(&part()).unwrap();
        assert!(proven(&outcome.receipts), "{outcome:?}");
        assert_eq!(own.engine.0.borrow().indices["j"].docs.len(), 2);
        let asked = told(&host, "POST").into_iter().find(|path| path.contains("_restore")).unwrap();
        assert!(asked.starts_with(&format!("/_snapshot/{from}/strongroom-")), "{asked}");
        assert!(told(&host, "DELETE").iter().all(|path| !path.starts_with("/_snapshot")));
    }
}

#[test]
fn one_that_is_gone_or_is_another_is_not_restored() {
    for (key, value) in
        [("", Value::Null), ("uuid", json!("u2")), ("state", json!("PARTIAL")), ("indices", json!(["x"]))]
    {
        let own = Own::new();
        let host = own.saved().config(&json!({ "rename": { "i": "j" } })).operation(Operation::Restore);
        match key {
            "" => drop(own.snapshot.replace(Value::Null)),
            key => own.says(key, value),
        }
        assert_eq!(codes(&look(Purpose::Restore).findings, Severity::Blocker), ["reference-lost"], "{key}");
        assert!(ElasticsearchAudit.restore(&part()).is_err(), "{key}");
        assert!(told(&host, "POST").iter().all(|path| !path.contains("_restore")));
    }
}

#[test]
fn what_a_dead_run_began_is_removed_and_nothing_else_of_that_repository() {
    let own = Own::new();
    let host = own.stays();
    ElasticsearchAudit.release("h", br#"{"snapshot":["backups","strongroom-0a"]}"#).unwrap();
    assert_eq!(told(&host, "DELETE"), ["/_snapshot/backups/strongroom-0a"]);
    for data in [r#"{"snapshot":["backups","nightly"]}"#, r#"{"snapshot":["backups","strongroom-0a/.."]}"#] {
        assert!(ElasticsearchAudit.release("h", data.as_bytes()).is_err(), "{data}");
    }
    assert_eq!(told(&host, "DELETE").len(), 1);
}

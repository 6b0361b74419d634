//! The engine's own snapshot: taken whole or not at all, and nothing of it is left on the engine.

use std::{cell::Cell, fs, path::PathBuf};

use serde_json::json;
use strongroom_plugin::{
    Part, Pass, Plugin, Purpose, Severity, Stage,
    context::Operation,
    testing::{Answered, Host, STEP, WebCall, proven},
};
use strongroom_search::{kept::Kept, testing::Engine};

use crate::{
    ElasticsearchAudit,
    inspect::{part, setting},
    names::note,
};

mod reference;

/// What the engine does with repositories: one file in each, and a snapshot of that state.
fn repositories(root: PathBuf, state: &'static str, written: bool) -> impl Fn(&WebCall) -> Option<Answered> {
    let asked = Cell::new(0);
    move |call| {
        let path = call.path.split('?').next().unwrap_or_default();
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let body = match (call.method.as_str(), segments.as_slice()) {
            ("GET", ["_nodes", "_local", "settings"]) => {
                json!({ "nodes": { "x": { "settings": { "path.repo": ["/snap"] } } } })
            }
            ("GET", [index, "_stats"]) if call.path.contains("level=shards") => {
                asked.set(asked.get() + u64::from(written));
                let shard = json!([{ "routing": { "primary": true }, "seq_no": { "max_seq_no": asked.get() } }]);
                json!({ "indices": { *index: { "shards": { "0": shard } } } })
            }
            ("PUT", ["_snapshot", name]) => {
                fs::create_dir(root.join(name)).unwrap();
                fs::write(root.join(name).join("index-0"), "files").unwrap();
                json!({})
            }
            ("GET", ["_snapshot", _, "snapshot"]) => {
                let shards = json!({ "total": 1, "failed": 0, "successful": 1 });
                json!({ "snapshots": [{ "state": state, "indices": ["i"], "failures": [], "shards": shards }] })
            }
            (_, ["_snapshot", ..]) => json!({}),
            _ => return None,
        };
        Some(Answered { status: 200, headers: Vec::new(), body: body.to_string().into() })
    }
}

fn host(state: &'static str, written: bool) -> Host {
    let engine = Engine::default();
    engine.index("i", 1, [("a", "{}"), ("b", "{}")]);
    let host = Host::new().config(&json!({ "indices": ["i"], "way": "snapshot" })).target("snapshots", &[]);
    let root = host.path("snapshots");
    let host =
        host.display("dirs", "snapshots", "/snap, write").answer_with("engine", repositories(root, state, written));
    engine.granted(host, "2.19.5")
}

fn backup() -> strongroom_plugin::Result<strongroom_plugin::Outcome> {
    let seen = ElasticsearchAudit.inspect(Purpose::Backup)?;
    assert_eq!(seen.parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>(), ["snapshot"]);
    ElasticsearchAudit.backup(&seen.parts[0], Pass::InStage)
}

fn is_empty(host: &Host) -> bool {
    fs::read_dir(host.path("snapshots")).unwrap().next().is_none() && host.holds().is_empty()
}

#[test]
fn a_whole_snapshot_is_taken_and_removed_from_the_engine() {
    let host = host("SUCCESS", false);
    let outcome = backup().unwrap();
    assert!(proven(&outcome.receipts) && host.has_settled() && is_empty(&host), "{outcome:?}");
    let subjects: Vec<&str> = outcome.receipts.iter().map(|receipt| receipt.subject.as_str()).collect();
    assert_eq!(subjects, ["shards", "entries", "documents i"]);
    assert_eq!(host.stored("repository/index-0").as_deref(), Some(b"files".as_slice()));
    let _host = host.stored_as_archive("snapshot").operation(Operation::Verify);
    let kept = Kept::read("snapshot").unwrap().unwrap();
    assert!(kept.indices["i"].is_exact() && kept.indices["i"].documents == (2, 2));
    let part = Part::new("snapshot", Stage::Fence);
    let outcome = ElasticsearchAudit.verify(&part).unwrap();
    assert!(proven(&outcome.receipts) && outcome.findings.is_empty(), "{outcome:?}");
}

#[test]
fn a_snapshot_that_is_not_whole_is_not_taken_and_is_removed_all_the_same() {
    for state in ["PARTIAL", "FAILED"] {
        let host = host(state, false);
        assert!(backup().unwrap_err().message.contains("not whole"), "{state}");
        assert!(is_empty(&host) && !host.has_settled() && host.stored_paths().is_empty(), "{state}");
        let told: Vec<_> =
            host.requests().into_iter().filter(|call| call.method == "DELETE").map(|call| call.path).collect();
        assert_eq!(told.len(), 2, "the snapshot, then the repository: {told:?}");
    }
}

#[test]
fn an_index_that_is_written_to_meanwhile_is_not_said_to_have_a_hash() {
    let host = host("SUCCESS", true);
    let outcome = backup().unwrap();
    let infos: Vec<_> = outcome.findings.iter().filter(|one| one.severity == Severity::Info).collect();
    assert_eq!(infos[0].code, "index-written");
    assert!(outcome.facts.is_empty() && host.noted("index i").is_none());
    let _host = host.stored_as_archive("snapshot");
    assert!(!Kept::read("snapshot").unwrap().unwrap().indices["i"].is_exact());
}

#[test]
fn an_audit_that_is_in_the_database_is_said_to_be_there_and_no_index_to_be_saved() {
    let config = json!({ "nuxeo-step": STEP });
    let host = Host::new().config(&config).note(note::CONF, "nuxeo.conf").note(note::VERSION, "2021.45");
    let host = Engine::default().granted(host, "2.19.5");
    let part = Part::new(part::INDICES, Stage::Fence);
    let outcome = ElasticsearchAudit.backup(&part, Pass::InStage).unwrap();
    assert!(outcome.summary.starts_with("no index is saved: ") && outcome.summary.contains("in its database"));
    assert_eq!(outcome.findings.iter().map(|one| one.code.as_str()).collect::<Vec<_>>(), ["audit-elsewhere"]);
    assert!(proven(&outcome.receipts) && host.has_settled() && host.stored_paths().is_empty());
    let sequences = Part::new(part::SEQUENCES, Stage::Records).set(setting::SNAPSHOT, "");
    let outcome = ElasticsearchAudit.backup(&sequences, Pass::InStage).unwrap();
    assert!(outcome.summary.starts_with("no index is saved: ") && outcome.findings.is_empty());
    for done in [ElasticsearchAudit.verify(&part), ElasticsearchAudit.restore(&part)] {
        let outcome = done.unwrap();
        assert!(proven(&outcome.receipts) && outcome.summary.starts_with("no index was saved: "), "{outcome:?}");
    }
    // Whatever took the indices out of another part did not say so before.
    let emptied = Part::new("index-a", Stage::Fence);
    for done in [ElasticsearchAudit.verify(&emptied), ElasticsearchAudit.restore(&emptied)] {
        assert!(done.unwrap_err().message.contains("does not say why"));
    }
}

//! The sample audit, from the plan to the restored index.

use std::fs;

use serde_json::{Value, json};
use strongroom_plugin::{
    Outcome, Pass, Plugin, Purpose, Severity,
    context::Operation,
    testing::{Answered, Host, WebCall, proven},
};
use strongroom_search::testing::Engine;

use super::*;
use crate::ElasticsearchAudit;

const OPENSEARCH: &str = "2.19.5";

/// The sample audit and its sequences.
fn sample() -> Engine {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/audit-index.json")).unwrap();
    let fixture: Value = serde_json::from_str(&text).unwrap();
    let engine = Engine::default();
    let docs = fixture["docs"].as_array().unwrap();
    let docs: Vec<_> = docs.iter().map(|doc| (doc["_id"].as_str().unwrap(), doc["_source"].to_string())).collect();
    engine.index("dam-audit", 5, docs.iter().map(|(id, source)| (*id, source.as_str())));
    let sequences = fixture["uidgen"]["docs"].as_array().unwrap();
    engine.index("dam-uidgen", 1, sequences.iter().map(|doc| (doc["_id"].as_str().unwrap(), "{}")));
    let shelves = &mut *engine.0.borrow_mut();
    let uidgen = shelves.indices.get_mut("dam-uidgen").unwrap();
    uidgen.mappings = json!({ "_source": { "enabled": false } });
    for doc in sequences {
        uidgen.docs.get_mut(doc["_id"].as_str().unwrap()).unwrap().version = doc["_version"].as_u64().unwrap();
    }
    Engine(engine.0.clone())
}

fn host(config: &Value) -> Host {
    let nodes = r#"{"nodes":{"x":{"settings":{}}}}"#;
    Host::new().config(config).answer("engine", "GET", "/_nodes/_local/settings", 200, nodes)
}

fn both() -> Value {
    json!({ "indices": ["dam-audit", "dam-uidgen"] })
}

fn codes(seen: &Inspection, severity: Severity) -> Vec<&str> {
    seen.findings.iter().filter(|one| one.severity == severity).map(|one| one.code.as_str()).collect()
}

fn fact<'a>(seen: &'a Inspection, key: &str) -> &'a str {
    seen.facts.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
}

fn backup(seen: &Inspection, name: &str) -> strongroom_plugin::Result<Outcome> {
    let part = seen.parts.iter().find(|part| part.name == name).unwrap_or_else(|| panic!("no part {name}"));
    ElasticsearchAudit.backup(part, Pass::InStage)
}

#[test]
fn a_plan_says_what_becomes_a_part_and_which_way_is_taken_and_why() {
    let engine = sample();
    let _host = engine.granted(host(&both()), OPENSEARCH);
    let seen = ElasticsearchAudit.inspect(Purpose::Backup).unwrap();
    let names: Vec<_> = seen.parts.iter().map(|part| (part.name.as_str(), part.stage)).collect();
    assert_eq!(names, [("index-dam-audit", Stage::Fence), ("index-dam-uidgen", Stage::Records)]);
    assert_eq!(fact(&seen, "engine"), "OpenSearch 2.19.5 (c)");
    assert_eq!(fact(&seen, "way"), "document by document: no directory is granted as dirs.snapshots");
    assert_eq!(codes(&seen, Severity::Info), ["source-none"]);
    assert!(codes(&seen, Severity::Blocker).is_empty());
}

#[test]
fn a_snapshot_of_sequences_is_made_behind_that_of_the_entries() {
    let index = |name: &str, mappings: Value| {
        let (settings, aliases) = (serde_json::Map::new(), Default::default());
        Index { name: name.into(), uuid: "u".into(), shards: 1, settings, mappings, aliases }
    };
    let (entries, counts) = (json!({ "properties": {} }), json!({ "_source": { "enabled": false } }));
    let seen = snapshots(None, vec![index("b", counts.clone()), index("a", entries.clone()), index("c", entries)]);
    let seen: Vec<_> =
        seen.iter().map(|part| (part.name.as_str(), part.stage, part.setting(setting::SNAPSHOT).unwrap())).collect();
    assert_eq!(seen, [("snapshot", Stage::Fence, "a\nc"), ("snapshot-sequences", Stage::Records, "b")]);
    assert_eq!(snapshots(None, vec![index("b", counts)]).len(), 1);
}

#[test]
fn an_alias_is_resolved_to_its_indices_and_the_plan_says_so() {
    let engine = sample();
    engine.0.borrow_mut().indices.get_mut("dam-audit").unwrap().aliases.insert("audit".into(), json!({}));
    let _host = engine.granted(host(&json!({ "indices": ["audit", "dam-audit"] })), OPENSEARCH);
    let seen = ElasticsearchAudit.inspect(Purpose::Backup).unwrap();
    assert_eq!((seen.parts.len(), fact(&seen, "alias audit")), (1, "dam-audit"));
}

#[test]
fn an_index_that_is_not_there_and_a_step_without_indices_are_blockers() {
    let _host = sample().granted(host(&json!({ "indices": ["dam-audit", "nothing"] })), OPENSEARCH);
    assert_eq!(codes(&ElasticsearchAudit.inspect(Purpose::Backup).unwrap(), Severity::Blocker), ["index-missing"]);
    let _host = sample().granted(host(&json!({})), OPENSEARCH);
    assert_eq!(codes(&ElasticsearchAudit.inspect(Purpose::Backup).unwrap(), Severity::Blocker), ["indices-unset"]);
}

#[test]
fn an_index_of_several_types_is_refused() {
    let engine = sample();
    let mappings = json!({ "entry": { "_source": { "excludes": ["a"] } }, "other": {} });
    engine.0.borrow_mut().indices.get_mut("dam-audit").unwrap().mappings = mappings;
    let _host = engine.granted(host(&json!({ "indices": ["dam-audit"] })), "6.8.23");
    let seen = ElasticsearchAudit.inspect(Purpose::Backup).unwrap();
    assert_eq!(
        (codes(&seen, Severity::Blocker), codes(&seen, Severity::Warning)),
        (vec!["types-several"], vec!["source-narrowed"])
    );
}

#[test]
fn audit_and_sequences_are_saved_checked_and_restored_with_ids_and_versions() {
    let engine = sample();
    let mut host = engine.granted(host(&both()), OPENSEARCH);
    let seen = ElasticsearchAudit.inspect(Purpose::Backup).unwrap();
    for name in ["index-dam-audit", "index-dam-uidgen"] {
        let outcome = backup(&seen, name).unwrap();
        assert!(proven(&outcome.receipts) && host.has_settled(), "{outcome:?}");
        host = host.stored_as_archive(name);
        let part = Part::new(name, Stage::Fence);
        let outcome = ElasticsearchAudit.verify(&part).unwrap();
        assert!(proven(&outcome.receipts) && outcome.findings.is_empty(), "{outcome:?}");
    }
    let before = engine.0.borrow().indices.clone();
    let host = host.operation(Operation::Restore);
    let seen = ElasticsearchAudit.inspect(Purpose::Restore).unwrap();
    assert_eq!(codes(&seen, Severity::Blocker), ["index-exists", "index-exists"]);
    assert!(ElasticsearchAudit.restore(&seen.parts[0]).unwrap_err().message.contains("is there already"));
    assert_eq!(engine.0.borrow().indices.len(), 2, "nothing was made");
    engine.0.borrow_mut().indices.clear();
    for part in &ElasticsearchAudit.inspect(Purpose::Restore).unwrap().parts {
        assert!(proven(&ElasticsearchAudit.restore(part).unwrap().receipts));
    }
    let shelves = engine.0.borrow();
    assert_eq!(shelves.indices.keys().collect::<Vec<_>>(), ["dam-audit", "dam-uidgen"]);
    for (name, shelf) in before {
        assert_eq!(shelves.indices[&name].docs, shelf.docs, "{name}");
    }
    assert!(host.holds().is_empty());
}

#[test]
fn with_consent_the_old_index_goes_when_the_new_one_is_proved_and_not_before() {
    let engine = sample();
    let host = engine.granted(host(&json!({ "indices": ["dam-audit"] })), OPENSEARCH);
    let seen = ElasticsearchAudit.inspect(Purpose::Backup).unwrap();
    backup(&seen, "index-dam-audit").unwrap();
    let host = host.stored_as_archive("index-dam-audit").attribute("overwrite", "yes").operation(Operation::Restore);
    let seen = ElasticsearchAudit.inspect(Purpose::Restore).unwrap();
    assert_eq!(codes(&seen, Severity::Warning), ["index-exists"]);
    let whole = strongroom_plugin::archive::read_to_string("index-dam-audit", "dam-audit/000001.ndjson", 9999).unwrap();
    let host = host.archived("index-dam-audit", "dam-audit/000001.ndjson", whole.replace("d-1", "d-9"));
    let error = ElasticsearchAudit.restore(&seen.parts[0]).unwrap_err();
    assert!(error.message.contains("with the hash"), "{error}");
    assert_eq!(engine.0.borrow().indices.keys().collect::<Vec<_>>(), ["dam-audit", "dam-uidgen"]);
    assert_eq!(engine.0.borrow().indices["dam-audit"].uuid, "uuid-1", "the old one stays");
    let (hold, data) = host.holds().pop().unwrap();
    ElasticsearchAudit.release(&hold, &data).unwrap();
    let host = host.archived("index-dam-audit", "dam-audit/000001.ndjson", whole);
    strongroom_plugin::holds::dropped(&hold).unwrap();
    assert!(proven(&ElasticsearchAudit.restore(&seen.parts[0]).unwrap().receipts));
    assert_ne!(engine.0.borrow().indices["dam-audit"].uuid, "uuid-1");
    assert_eq!((engine.0.borrow().indices.len(), host.holds().len()), (2, 0));
}

#[test]
fn a_document_that_the_engine_counts_and_does_not_give_is_called_out() {
    let without = |call: &WebCall, answered: Answered| {
        let body = String::from_utf8(answered.body).unwrap();
        let lies = call.path.starts_with("/_search?") && body.contains("\"2\"");
        let end = if lies { body.find("\"hits\":[{").map(|at| at + 8) } else { None };
        let body = end.map_or(body.clone(), |end| format!("{}]}}}}", &body[..end]));
        Answered { body: body.into(), ..answered }
    };
    let engine = sample();
    let _host = engine.twisted(host(&json!({ "indices": ["dam-audit"] })), OPENSEARCH, without);
    let seen = ElasticsearchAudit.inspect(Purpose::Backup).unwrap();
    let outcome = backup(&seen, "index-dam-audit").unwrap();
    assert_eq!((outcome.receipts[0].expected, outcome.receipts[0].actual), (2, 1));
    assert_eq!(outcome.findings[0].code, "documents-missing");
}

#[test]
fn a_set_without_one_document_is_called_out_by_its_id() {
    let host = sample().granted(host(&json!({ "indices": ["dam-audit"] })), OPENSEARCH);
    let seen = ElasticsearchAudit.inspect(Purpose::Backup).unwrap();
    backup(&seen, "index-dam-audit").unwrap();
    let host = host.stored_as_archive("index-dam-audit");
    let part = Part::new("index-dam-audit", Stage::Fence);
    let whole = strongroom_plugin::archive::read_to_string(&part.name, "dam-audit/000001.ndjson", 9999).unwrap();
    let fewer: String = whole.lines().skip(2).map(|line| format!("{line}\n")).collect();
    let _host = host.archived(&part.name, "dam-audit/000001.ndjson", fewer);
    let outcome = ElasticsearchAudit.verify(&part).unwrap();
    assert!(!proven(&outcome.receipts));
    let missing = outcome.findings.iter().find(|one| one.code == "documents-missing").unwrap();
    assert!(missing.message.ends_with("are not there: \"1\""), "{}", missing.message);
}

#[test]
fn a_part_that_was_changed_to_agree_with_itself_does_not_agree_with_what_was_noted() {
    let host = sample().granted(host(&json!({ "indices": ["dam-uidgen"] })), OPENSEARCH);
    let seen = ElasticsearchAudit.inspect(Purpose::Backup).unwrap();
    backup(&seen, "index-dam-uidgen").unwrap();
    let noted = host.noted("index dam-uidgen").unwrap();
    let host = host.stored_as_archive("index-dam-uidgen").note("index dam-uidgen", &noted.replace(":2,", ":3,"));
    let part = Part::new("index-dam-uidgen", Stage::Fence);
    assert_eq!(ElasticsearchAudit.verify(&part).unwrap().findings[0].code, "index-damaged");
    drop(host);
}

#[test]
fn what_the_step_of_nuxeo_names_is_saved_in_one_part() {
    use crate::names::note;
    let config = json!({ "nuxeo-step": strongroom_plugin::testing::STEP });
    let host = sample().granted(host(&config), OPENSEARCH);
    let seen = ElasticsearchAudit.inspect(Purpose::Backup).unwrap();
    assert_eq!(seen.parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>(), ["indices"]);
    let host = host.note(note::CONF, "c").note(note::AUDIT, "dam-audit").note(note::SEQUENCES, "gone");
    let outcome = backup(&seen, "indices").unwrap();
    assert_eq!(outcome.receipts.len(), 1);
    assert_eq!(outcome.findings[0].code, "sequences-missing");
    let host = host.stored_as_archive("indices");
    assert!(proven(&ElasticsearchAudit.verify(&seen.parts[0]).unwrap().receipts));
    let host = host.note(note::AUDIT, "lost");
    let outcome = backup(&seen, "indices").unwrap();
    assert_eq!(outcome.findings[0].code, "index-missing");
    assert_eq!(outcome.findings[0].severity, Severity::Blocker);
    drop(host);
}

#[test]
fn a_long_name_gives_a_part_of_its_own() {
    let (long, other) = ("a".repeat(200), format!("{}b", "a".repeat(199)));
    assert_ne!(index_part(&long), index_part(&other));
    assert!(index_part(&long).len() < 60 && index_part("x") == "index-x");
}

#[test]
fn a_restore_that_was_interrupted_goes_on_behind_what_is_in_its_place() {
    use crate::names::note;
    let engine = sample();
    let config = json!({ "nuxeo-step": strongroom_plugin::testing::STEP });
    let refused = std::rc::Rc::new(std::cell::Cell::new(false));
    let refusing = refused.clone();
    let twist =
        move |call: &WebCall, answered: Answered| match refusing.get() && call.path.contains("-dam-uidgen/_bulk") {
            true => Answered { body: answered.body.clone(), status: 400, ..answered },
            false => answered,
        };
    let host = engine.twisted(host(&config), OPENSEARCH, twist);
    let host = host.note(note::CONF, "c").note(note::AUDIT, "dam-audit").note(note::SEQUENCES, "dam-uidgen");
    backup(&ElasticsearchAudit.inspect(Purpose::Backup).unwrap(), "indices").unwrap();
    let host = host.stored_as_archive("indices").operation(Operation::Restore);
    engine.0.borrow_mut().indices.clear();
    refused.set(true);
    let part = Part::new("indices", Stage::Fence);
    ElasticsearchAudit.restore(&part).unwrap_err();
    assert_eq!(engine.0.borrow().indices.keys().collect::<Vec<_>>(), ["dam-audit"], "what was begun is removed");
    let (hold, data) = host.holds().pop().unwrap();
    ElasticsearchAudit.release(&hold, &data).unwrap();
    strongroom_plugin::holds::dropped(&hold).unwrap();
    let first = engine.0.borrow().indices["dam-audit"].uuid.clone();
    refused.set(false);
    assert!(proven(&ElasticsearchAudit.restore(&part).unwrap().receipts));
    assert_eq!(engine.0.borrow().indices["dam-audit"].uuid, first, "it is not made again");
    assert_eq!(engine.0.borrow().indices.len(), 2);
}

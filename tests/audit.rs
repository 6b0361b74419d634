//! Indices of a real search engine are saved, proven and restored.

/// Sets that somebody has changed: what is missing is named.
mod damage;
/// Engines that cut, refuse, answer in part or lie.
mod faults;
/// Nodes that end and begin again.
mod restart;
/// Restores that fail half way, and what they leave.
mod restores;
/// Engines without points in time.
mod scroll;
/// The engine's own snapshots.
mod snapshots;

use serde_json::{Value, json};

use crate::support::{
    Done, Place, pipeline,
    search::{self, Search},
};

/// So many documents are more pages than one.
const DOCUMENTS: usize = 240;

const STEP: &str = r#"
[step.audit]
plugin = "elasticsearch-audit"

[step.audit.config]
$CONFIG

[step.audit.grant.http.engine]
url = "http://127.0.0.1:$PORT"
methods = ["GET", "POST", "PUT", "DELETE"]
timeout = "30s"
"#;

/// A pipeline file for an engine behind that port.
fn pipeline(place: &Place, name: &str, port: u16, config: &str) {
    let head = pipeline::head("audit", &format!("state = \"$DIR/state-{name}\""));
    let step = STEP.replace("$CONFIG", config).replace("$PORT", &port.to_string());
    place.write(&format!("{name}.toml"), &(head + &step));
}

/// A place whose `strongroom.toml` saves that index, page by page, from an engine behind that port.
fn place(index: &str, port: u16) -> Place {
    let place = Place::new();
    pipeline(&place, "strongroom", port, &format!("indices = [\"{index}\"]\nway = \"export\"\npage = 50"));
    place.accept();
    place
}

/// Restores the latest set under another name, straight to the engine.
fn restore(place: &Place, engine: &Search, index: &str, target: &str) -> Done {
    write_target(place, engine.port, index, target);
    place.run(&RESTORE)
}

const RESTORE: [&str; 4] = ["-c", "target.toml", "restore", "latest"];

fn write_target(place: &Place, port: u16, index: &str, target: &str) {
    pipeline(place, "target", port, &format!("rename = {{ {index} = \"{target}\" }}"));
}

/// A new index with documents of many kinds: its name.
fn filled(engine: &Search) -> String {
    let index = format!("{}log", search::prefix());
    engine.ask("PUT", &format!("/{index}"), &definition());
    let documents: Vec<_> = (0..DOCUMENTS).map(document).collect();
    engine.bulk(&index, &documents);
    // Second versions, and documents that are gone.
    engine.bulk(&index, &documents[..20]);
    for (id, _, _) in &documents[30..35] {
        engine.ask("DELETE", &format!("/{index}/_doc/{id}?refresh=true"), &Value::Null);
    }
    index
}

/// A name for what is restored.
fn target() -> String {
    format!("{}back", search::prefix())
}

fn definition() -> Value {
    json!({
        "settings": { "index": { "number_of_shards": "2", "number_of_replicas": "1", "refresh_interval": "9s" } },
        "mappings": { "properties": {
            "id": { "type": "long" },
            "text": { "type": "keyword" },
            "changes": { "type": "nested", "properties": { "field": { "type": "keyword" } } },
        } },
    })
}

fn document(number: usize) -> (String, Option<String>, Value) {
    let id = if number % 40 == 7 { format!("{number}/ü \"quoted\" 🗄️") } else { number.to_string() };
    let routing = (number % 10 == 3).then(|| format!("way {}", number % 7));
    let changes: Vec<_> = (0..number % 3).map(|place| json!({ "field": format!("dc:{place}") })).collect();
    (id, routing, json!({ "id": number, "text": "документ ".repeat(number % 9), "changes": changes }))
}

/// Both indices hold the same documents, and are defined alike.
fn assert_same(engine: &Search, source: &str, restored: &str) {
    let (was, now) = (engine.documents(source), engine.documents(restored));
    assert_eq!(was.len(), now.len(), "{source} and {restored} have other numbers of documents");
    assert!(was == now, "{source} and {restored} differ");
    assert_eq!(engine.definition(source), engine.definition(restored));
}

#[test]
fn documents_come_back_with_their_ids_versions_routing_and_definition() {
    let engine = search::shared();
    let (index, target) = (filled(engine), target());
    let place = place(&index, engine.port);
    place.run(&["backup"]).exits(0);
    assert_eq!(place.record()["state"], "complete", "{:#}", place.record());
    place.run(&["verify"]).exits(0);
    restore(&place, engine, &index, &target).exits(0);
    assert_same(engine, &index, &target);
    assert_eq!(engine.indices(&target), [target]);
    place.assert_left_nothing();
}

//! What programs read: JSON lines on standard output, and log files.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::support::Place;

fn place() -> Place {
    Place::letters("")
}

fn message_type(line: &Value) -> &str {
    line["message_type"].as_str().expect("every line has a message_type")
}

#[test]
fn with_json_standard_output_holds_json_lines_and_nothing_else() {
    let place = place();
    let lines = place.run(&["backup", "--json"]).exits(0).json();
    assert!(lines.iter().all(|line| line["schema_version"] == 1), "{lines:?}");
    assert_eq!(message_type(&lines[0]), "started");
    let summary = lines.last().unwrap();
    assert_eq!(
        (message_type(summary), &summary["exit_code"], &summary["state"]),
        ("summary", &0.into(), &"complete".into())
    );
    assert_eq!(summary["snapshot"], place.record()["snapshot"]);
    let listed = place.run(&["snapshots", "--json"]).exits(0).json();
    assert_eq!(listed.iter().map(message_type).collect::<Vec<_>>(), ["listed"]);
    let items = place.run(&["ls", "--json", "latest", "letters"]).exits(0).json();
    assert_eq!(items.iter().map(message_type).collect::<Vec<_>>(), ["item"]);
    let failed = place.run(&["verify", "--json", "ffffffffffffffff"]).exits(10).json();
    assert_eq!((message_type(&failed[0]), &failed[0]["code"]), ("exit_error", &10.into()));
}

#[test]
fn a_log_file_holds_every_event_whatever_is_printed() {
    let place = place();
    place.run(&["backup", "-q", "--log-file", "run.jsonl"]).exits(0);
    let log = fs::read_to_string(place.join("run.jsonl")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    let text = lines.iter().map(Value::to_string).collect::<String>();
    assert!(text.contains("letters/source") && lines.len() > 2, "{log}");
    // A second run adds to it.
    place.run(&["backup", "-q", "--log-file", "run.jsonl"]).exits(0);
    assert!(fs::read_to_string(place.join("run.jsonl")).unwrap().starts_with(&log));
}

#[test]
fn quiet_prints_one_line_of_a_run_that_went_well() {
    let done = place().run(&["backup", "-q"]).exits(0);
    assert_eq!((done.out.lines().count(), &done.err[..]), (1, ""), "{done}");
    assert!(done.out.contains("complete"), "{done}");
}

#[test]
fn every_verb_of_a_script_agrees_on_the_plan_hash() {
    let place = place();
    let plan: Value = serde_json::from_str(&place.run(&["plan", "--json"]).exits(0).out).unwrap();
    place.run(&["backup"]).exits(0);
    let hashes: BTreeSet<_> =
        [&plan["hash"], &place.record()["plan"]].map(|hash| hash.as_str().unwrap().to_owned()).into();
    assert_eq!(hashes.len(), 1, "{hashes:?}");
}

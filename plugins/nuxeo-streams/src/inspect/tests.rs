//! What an inspection makes of a small cluster.

use strongroom_plugin::{Severity, testing::Host};

use super::*;
use crate::broker::memory::{Log, Memory, batch};

fn cluster() -> Memory {
    let log = || vec![Log::of(vec![batch(&[(0, 1)])]), Log::default()];
    ["dam-audit-audit", "dam-work-default", "dam-pubsub-pubsub", "dam-2-audit-audit", "__consumer_offsets"]
        .iter()
        .fold(Memory::default(), |memory, topic| memory.topic(topic, log()))
        .group("dam-work-default", &[("dam-work-default", 0, 1)])
}

fn looked(settings: &Settings) -> Inspection {
    let prefixes = prefixes(settings).unwrap();
    look(&mut cluster(), settings, &prefixes, Inspection::of([])).unwrap()
}

fn ours() -> Settings {
    Settings { prefix: Some("dam-".into()), ..Settings::default() }
}

#[test]
fn each_topic_becomes_a_part_behind_positions_and_fence() {
    let _host = Host::new();
    let seen = looked(&ours());
    let names: Vec<_> = seen.parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["positions", "fence", "records-dam-audit-audit", "records-dam-work-default"]);
    assert_eq!(seen.parts[1].setting(setting::TOPICS), Some("dam-audit-audit\ndam-work-default"));
    assert_eq!(seen.parts[2].setting(setting::TOPIC), Some("dam-audit-audit"));
    assert!(seen.parts.iter().all(|part| part.uses == ["tcp.kafka"]));
    let codes: Vec<_> = seen.findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["streams-skipped", "other-prefix"]);
}

#[test]
fn a_prefix_without_a_topic_is_worth_a_warning() {
    let _host = Host::new();
    let seen = looked(&Settings { prefix: Some("nuxeo-".into()), ..Settings::default() });
    assert_eq!((seen.findings[0].code.as_str(), seen.findings[0].severity), ("no-topics", Severity::Warning));
    assert_eq!(seen.parts.len(), 2);
}

/// A complaint about other tools: `__consumer_offsets` is saved and written.
#[test]
fn kafkas_own_topics_are_not_taken_whatever_the_prefix() {
    let _host = Host::new();
    let seen = looked(&Settings { prefix: Some("__".into()), ..Settings::default() });
    assert_eq!((seen.parts.len(), seen.findings[0].code.as_str()), (2, "no-topics"));
}

#[test]
fn without_a_prefix_nothing_is_begun() {
    let _host = Host::new();
    let seen = inspect().unwrap();
    assert_eq!((seen.findings[0].code.as_str(), seen.parts.len()), ("prefix-missing", 0));
}

#[test]
fn with_a_login_there_is_one_part_for_all_topics() {
    let _host = Host::new().config(&serde_json::json!({ "prefix": "dam-", "sasl": "plain", "user": "backup" }));
    let names: Vec<_> = inspect().unwrap().parts.into_iter().map(|part| part.name).collect();
    assert_eq!(names, ["positions", "fence", "records"]);
}

#[test]
fn where_a_step_says_the_prefix_there_is_one_part_for_all_topics() {
    let _host = Host::new().config(&serde_json::json!({ "nuxeo-step": "dam" }));
    let names: Vec<_> = inspect().unwrap().parts.into_iter().map(|part| part.name).collect();
    assert_eq!(names, ["positions", "fence", "records"]);
}

#[test]
fn long_names_of_topics_make_names_of_parts_that_differ_and_are_not_too_long() {
    let (one, other) = ("x".repeat(240) + "1", "x".repeat(240) + "2");
    assert_ne!(records_part(&one), records_part(&other));
    assert!(records_part(&one).len() < 125);
    assert_eq!(records_part(&"x".repeat(80)), format!("records-{}", "x".repeat(80)));
}

#[test]
fn long_lists_are_cut() {
    let names: Vec<String> = (0..25).map(|n| n.to_string()).collect();
    assert!(listed(&names).ends_with("19 and 5 more"));
    assert_eq!(listed(&names[..2]), "0, 1");
}

//! A site that keeps its search index in OpenSearch: all of its indices are saved with their aliases, and come back together
//! or not at all.

use std::collections::BTreeMap;

use serde_json::json;
use strongroom_search::testing::Engine;

use super::*;

const NUMBER: &str = "2.19.5";
const CONTENT: &str = "confluence-content_200";
const JOURNAL: &str = "confluence-journal-state_200";

/// Two kinds, an old index of one of them, and an index of somebody else.
fn engine() -> Engine {
    let engine = Engine::default();
    engine.index(CONTENT, 2, [("1", r#"{"n":1}"#), ("2", r#"{"n":2}"#)]);
    engine.index("confluence-content_100", 1, [("1", r#"{"n":0}"#)]);
    engine.index(JOURNAL, 1, [("main_index", r#"{"n":7}"#)]);
    engine.index("other", 1, [("x", "{}")]);
    for (index, alias) in [(CONTENT, "confluence-content"), (JOURNAL, "confluence-journal-state")] {
        engine.0.borrow_mut().indices.get_mut(index).unwrap().aliases.insert(alias.into(), json!({}));
    }
    engine
}

fn cfg() -> String {
    let platform = "<property name=\"search.platform\">opensearch</property>";
    sample_cfg("c-mysql-7x").replace("</properties>", &format!("{platform}</properties>"))
}

fn site() -> Host {
    let host = Host::new().files("home", &[(CFG, &cfg()), ("attachments/x", ""), ("index/segments_7", "old")]);
    let host = host.display("dirs", "home", "/var/confluence, read");
    host.answer("opensearch", "GET", "/_nodes/_local/settings", 200, r#"{"nodes":{"x":{"settings":{}}}}"#)
}

fn granted(engine: &Engine, host: Host) -> Host {
    engine.twisted_as("opensearch", host, NUMBER, |_, answered| answered)
}

/// A snapshot of [`engine`], about to be restored into `into`.
fn saved(into: &Engine) -> (Host, Part) {
    let host = granted(&engine(), site());
    let part = part_of(&inspect(), part::SEARCH_INDEX).clone();
    assert!(proven(&backup(&part, Pass::InStage).unwrap().receipts));
    let files: Vec<_> =
        host.stored_paths().into_iter().filter_map(|path| Some((path.clone(), host.stored(&path)?))).collect();
    let names = [CONTENT, JOURNAL, "confluence-content_100"].map(|index| format!("index {index}"));
    let notes: Vec<_> = names.iter().map(|name| (name.as_str(), host.noted(name).unwrap())).collect();
    drop(host);
    let host = granted(into, target(&cfg()));
    let host = notes.iter().fold(host, |host, (name, note)| host.note(name, note));
    let archived = |host: Host, (path, content)| host.archived(part::SEARCH_INDEX, path, content);
    (files.iter().map(|(path, content)| (path.as_str(), content.clone())).fold(host, archived), part)
}

fn names(engine: &Engine) -> Vec<String> {
    engine.0.borrow().indices.keys().cloned().collect()
}

fn aliases(engine: &Engine, index: &str) -> Vec<String> {
    engine.0.borrow().indices[index].aliases.keys().cloned().collect()
}

#[test]
fn an_engine_that_is_not_granted_is_named_and_its_address_too() {
    let _host = Host::new().files("home", &[(CFG, &cfg()), ("attachments/x", "")]);
    let seen = inspect();
    let found = seen.findings.iter().find(|one| one.code == "search-not-captured").unwrap();
    assert!(found.severity == Severity::Info && found.message.contains("http.opensearch"), "{}", found.message);
    assert!(!parts(&seen).contains(&part::SEARCH_INDEX));
}

#[test]
fn indices_and_aliases_are_saved_before_the_database_and_come_back_together() {
    let host = granted(&engine(), site());
    let seen = inspect();
    let part = part_of(&seen, part::SEARCH_INDEX);
    assert_eq!((part.stage, part.uses.as_slice()), (Stage::Positions, &["http.opensearch".to_owned()][..]));
    assert!(part.summary.starts_with("3 indices and 2 aliases of OpenSearch 2.19.5 (c), document by document: no"));
    assert_eq!(fact(&seen, &format!("index {CONTENT}")), "behind confluence-content");
    assert!(!codes(&seen, Severity::Info).contains(&"search-not-captured"));
    let outcome = backup(part, Pass::InStage).unwrap();
    assert!(proven(&outcome.receipts) && host.has_settled() && host.stored("other/index.json").is_none());
    let moments = host.requests().into_iter().filter(|call| call.path.contains("point_in_time"));
    let first = moments.map(|call| call.path).find(|path| path.starts_with("/confluence-")).unwrap();
    assert!(
        first.starts_with(&format!("/{JOURNAL}/")),
        "how far the journal was read is never newer than an index: {first}"
    );
    drop(host);

    let empty = Engine::default();
    empty.index("other", 1, []);
    let (host, part) = saved(&empty);
    let verified = crate::verify::verify(&part).unwrap();
    assert!(proven(&verified.receipts) && verified.findings.is_empty(), "{verified:?}");
    let seen = Confluence.inspect(Purpose::Restore).unwrap();
    assert!(part_of(&seen, part::SEARCH_INDEX).summary.starts_with("2 indices with their aliases"));
    assert!(codes(&seen, Severity::Warning).contains(&"search-url-kept"));
    assert!(
        !blockers(&seen).iter().any(|code| code.contains("index") || code.contains("alias")),
        "{:?}",
        seen.findings
    );
    let outcome = restore(&part).unwrap();
    let given = outcome.receipts.iter().find(|one| one.subject == "aliases").unwrap();
    assert!(proven(&outcome.receipts) && given.expected == 2, "{:?}", outcome.receipts);
    assert_eq!(names(&empty), [CONTENT, JOURNAL, "other"], "what was left over stays away");
    assert_eq!(aliases(&empty, CONTENT), ["confluence-content"]);
    assert_eq!(aliases(&empty, JOURNAL), ["confluence-journal-state"]);
    assert_eq!(empty.0.borrow().indices[CONTENT].docs, engine().0.borrow().indices[CONTENT].docs);
    assert!(host.holds().is_empty());
}

#[test]
fn where_one_index_fails_only_what_this_restore_made_is_removed() {
    let into = Engine::default();
    into.index("confluence-content_300", 1, [("9", "{}")]);
    let (host, part) = saved(&into);
    let object = format!("{JOURNAL}/000001.ndjson");
    let whole = strongroom_plugin::archive::read_to_string(part::SEARCH_INDEX, &object, 9999).unwrap();
    let host = host.archived(part::SEARCH_INDEX, &object, whole.replace("\"n\":7", "\"n\":8"));
    let error = restore(&part).unwrap_err();
    assert!(error.message.contains(JOURNAL), "{error}");
    assert_eq!(names(&into), ["confluence-content_300"]);
    for (hold, data) in host.holds() {
        Confluence.release(&hold, &data).unwrap();
    }
    assert_eq!(names(&into), ["confluence-content_300"]);
}

#[test]
fn indices_in_use_are_in_the_way_and_are_replaced_with_consent_only() {
    let into = engine();
    into.index("confluence-content_300", 1, [("9", "{}")]);
    let alias = |index: &str, aliases| into.0.borrow_mut().indices.get_mut(index).unwrap().aliases = aliases;
    alias(CONTENT, BTreeMap::new());
    alias("confluence-content_300", BTreeMap::from([("confluence-content".to_owned(), json!({}))]));
    let (host, part) = saved(&into);
    let seen = Confluence.inspect(Purpose::Restore).unwrap();
    let found = blockers(&seen);
    assert!(found.contains(&"index-exists") && found.contains(&"alias-taken"), "{found:?}");
    let before = names(&into);
    assert!(restore(&part).unwrap_err().message.contains("is there already"));
    assert_eq!(names(&into), before);
    let _host = host.attribute("overwrite", "yes");
    assert!(!blockers(&Confluence.inspect(Purpose::Restore).unwrap()).contains(&"alias-taken"));
    assert!(proven(&restore(&part).unwrap().receipts));
    assert_eq!(names(&into), before);
    assert_eq!((aliases(&into, CONTENT).len(), aliases(&into, "confluence-content_300").len()), (1, 0));
}

#[test]
fn a_reindex_meanwhile_fails_the_part() {
    let engine = engine();
    let shelves = engine.0.clone();
    let _host = engine.twisted_as("opensearch", site(), NUMBER, move |call, answered| {
        if call.method == "DELETE" {
            shelves.borrow_mut().indices.get_mut(CONTENT).unwrap().aliases.clear();
        }
        answered
    });
    let error = backup(part_of(&inspect(), part::SEARCH_INDEX), Pass::InStage).unwrap_err();
    assert!(error.message.contains("a reindex is under way"), "{error}");
}

#[test]
fn an_engine_that_lets_nobody_in_or_has_no_such_index_is_a_blocker() {
    let _host = site().answer("opensearch", "GET", "/", 401, "{}");
    assert!(blockers(&inspect()).contains(&"search-unreachable"));
    let empty = Engine::default();
    empty.index("other", 1, []);
    let _host = granted(&empty, site());
    assert!(blockers(&inspect()).contains(&"index-missing"));
    let _host = granted(&empty, site().config(&json!({ "search-index": "none" })));
    assert!(codes(&inspect(), Severity::Info).contains(&"search-not-captured"));
}

#[test]
fn a_run_that_died_leaves_nothing_that_is_not_its_own_to_be_removed() {
    let engine = engine();
    let _host = granted(&engine, site());
    for data in [r#"{"index":"confluence-content_200"}"#, r#"{"repository":"strongroom-/.."}"#, "x"] {
        assert!(Confluence.release("x", data.as_bytes()).is_err(), "{data}");
    }
    engine.index("strongroom-restore-0a-confluence-content_200", 1, []);
    Confluence.release("x", br#"{"index":"strongroom-restore-0a-confluence-content_200"}"#).unwrap();
    assert_eq!(names(&engine).len(), 4);
}

//! Engines that have no points in time, read by a scroll, which cannot be asked again: what is lost is told. The real engine
//! behind them calls itself older than it is.

use serde_json::{Value, json};

use super::{assert_same, filled, place, restore, target};
use crate::support::{
    Done, Place,
    search::{self, Search},
    web_proxy::{Fault, WebProxy},
};

const BEGIN: &str = r"^POST /[^/]+/_search\?scroll=";
const GO_ON: &str = "^POST /_search/scroll$";

/// Saves an index of the shared engine by a scroll, with something done to one of its answers.
fn backup(engine: &Search, index: &str, question: &str, after: usize, fault: Fault) -> (Place, WebProxy, Done) {
    let proxy = WebProxy::start(engine.port);
    proxy.plan("^GET /$", 0, usize::MAX, Fault::change(be_older));
    proxy.plan(question, after, 1, fault);
    let place = place(index, proxy.port);
    let done = place.run(&["backup"]).never_says("panicked");
    let begun = proxy.asked().iter().filter(|asked| asked.contains("?scroll=")).count();
    assert_eq!(begun, 1, "it was not read by one scroll: {:?}", proxy.asked());
    (place, proxy, done)
}

/// The last version without points in time.
fn be_older(root: &mut Value) {
    let number = if root["version"]["distribution"] == "opensearch" { "2.3.0" } else { "7.9.3" };
    root["version"]["number"] = json!(number);
}

fn assert_told(place: &Place, done: Done, words: &str) {
    assert_ne!(done.code, 0, "{done}");
    assert!(place.sets().is_empty() || place.record()["state"] != "complete", "{done}");
    done.says(words);
}

/// Documents that change, go and come once the first page was found are saved as they were then.
#[test]
fn documents_that_change_while_a_scroll_is_read_are_saved_as_they_were() {
    let engine = search::shared();
    let (index, target) = (filled(engine), target());
    let was = engine.documents(&index);
    let name = index.clone();
    let change = Fault::meanwhile(move || {
        let source = json!({ "id": 1, "text": "changed", "changes": [] });
        let documents: Vec<_> = (0..240).step_by(7).map(|number| (number.to_string(), None, source.clone())).collect();
        engine.bulk(&name, &documents);
        engine.bulk(&name, &[("new".to_owned(), None, source.clone())]);
        engine.ask("DELETE", &format!("/{name}/_doc/8?refresh=true"), &Value::Null);
    });
    let (place, proxy, done) = backup(engine, &index, GO_ON, 0, change);
    done.exits(0);
    let pages = proxy.asked().iter().filter(|asked| *asked == "POST /_search/scroll").count();
    assert!(pages > 3, "{pages} pages");
    assert!(engine.documents(&index) != was, "nothing has changed");
    restore(&place, engine, &index, &target).exits(0);
    assert!(engine.documents(&target) == was, "the set is not as of one moment");
}

#[test]
fn a_scroll_that_the_engine_has_forgotten_is_no_short_index() {
    let engine = search::shared();
    let index = filled(engine);
    let forget = Fault::change(|page| {
        let forgotten = json!({ "scroll_id": [page["_scroll_id"]] });
        search::shared().ask("DELETE", "/_search/scroll", &forgotten);
    });
    let (place, _, done) = backup(engine, &index, GO_ON, 1, forget);
    assert_told(&place, done, "forgotten the scroll");
}

#[test]
fn a_page_of_a_scroll_that_is_cut_is_no_short_index() {
    let engine = search::shared();
    for fault in [Fault::Cut, Fault::Truncate] {
        let index = filled(engine);
        let (place, _, done) = backup(engine, &index, GO_ON, 1, fault);
        assert_told(&place, done, &index);
    }
}

#[test]
fn a_scroll_whose_beginning_is_refused_for_a_while_is_asked_for_again() {
    let engine = search::shared();
    let (index, target) = (filled(engine), target());
    let busy = Fault::Instead(429, r#"{"error":{"type":"rejected_execution_exception"},"status":429}"#);
    let proxy = WebProxy::start(engine.port);
    proxy.plan("^GET /$", 0, usize::MAX, Fault::change(be_older));
    proxy.plan(BEGIN, 0, 2, busy.clone());
    proxy.plan(GO_ON, 1, 1, busy);
    let place = place(&index, proxy.port);
    place.run(&["backup"]).exits(0);
    restore(&place, engine, &index, &target).exits(0);
    assert_same(engine, &index, &target);
}

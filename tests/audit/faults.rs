//! Engines that refuse, answer late, in part or with lies: got over, or reported; never a short index that is called complete.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde_json::{Value, json};

use super::{assert_same, filled, place, restore, target};
use crate::support::{
    Done, Place,
    search::{self, Search},
    strongroom::unzip,
    web_proxy::{Fault, WebProxy},
};

/// What opens a point in time, and what reads from it. The first reading is the count.
const OPEN: &str = r"^POST /[^/]+/(_search/point_in_time|_pit)\?";
const READ: &str = r"^POST /_search\?";
const CLOSE: &str = r"^DELETE /(_search/point_in_time|_pit)$";

/// Longer than anybody waits.
const SILENCE: Duration = Duration::from_secs(3600);

/// An index on the shared engine that is saved through a proxy with a fault: how that went, and where.
struct Trial {
    place: Place,
    index: String,
    proxy: WebProxy,
    done: Done,
}

impl Trial {
    /// Breaks, after `after` others, so many answers to such questions.
    fn run(question: &str, after: usize, times: usize, fault: Fault) -> Self {
        let index = filled(search::shared());
        Self::of(index, question, after, times, fault)
    }

    fn of(index: String, question: &str, after: usize, times: usize, fault: Fault) -> Self {
        let proxy = WebProxy::start(search::shared().port);
        let place = place(&index, proxy.port);
        if matches!(fault, Fault::Delay(SILENCE)) {
            let text = std::fs::read_to_string(place.join("strongroom.toml")).unwrap();
            place.write("strongroom.toml", &text.replace("timeout = \"30s\"", "timeout = \"2s\""));
            place.accept();
        }
        proxy.plan(question, after, times, fault);
        let done = place.run(&["backup"]);
        assert!(proxy.fired() > 0, "nothing was broken: {done}");
        let done = done.never_says("panicked").never_says("unreachable");
        Self { place, index, proxy, done }
    }

    /// The fault was got over: every document is in the set, and the engine was told to forget what it held for this.
    fn got_over(self) {
        let (engine, target) = (search::shared(), target());
        self.done.exits(0);
        assert_eq!(self.place.record()["state"], "complete");
        assert!(count(&self.proxy, CLOSE) > 0, "nothing was closed: {:?}", self.proxy.asked());
        restore(&self.place, engine, &self.index, &target).exits(0);
        assert_same(engine, &self.index, &target);
    }

    /// The fault was reported, with these words, and no set is called complete.
    fn reported(self, words: &str) {
        assert_ne!(self.done.code, 0, "{}", self.done);
        assert!(self.proxy.fired() < 100, "it was tried {} times", self.proxy.fired());
        for set in self.place.sets() {
            let record: Value = serde_json::from_slice(&unzip(&set, ".strongroom/record.json")).unwrap();
            assert_ne!(record["state"], "complete", "{}", self.done);
        }
        self.done.says(words);
    }
}

/// How often the proxy was asked such a question.
fn count(proxy: &WebProxy, question: &str) -> usize {
    let question = regex::Regex::new(question).unwrap();
    proxy.asked().iter().filter(|asked| question.is_match(asked)).count()
}

/// The answer of an engine that has too much to do.
fn busy(status: u16) -> Fault {
    Fault::Instead(
        status,
        r#"{"error":{"type":"rejected_execution_exception","reason":"too much to do"},"status":429}"#,
    )
}

/// One shard of two has not answered, and its documents are not there.
fn shard_fails(page: &mut Value) {
    page["_shards"]["successful"] = json!(1);
    page["_shards"]["failed"] = json!(1);
    page["_shards"]["failures"] = json!([{ "shard": 0, "reason": { "type": "node_disconnected_exception" } }]);
    page["hits"]["hits"] = json!([]);
}

/// The first try and its repetitions wait longer and longer, so all of these go on side by side.
#[test]
fn faults_that_never_end_are_given_up_and_make_no_complete_set() {
    let fewer = |page: &mut Value| {
        page["hits"]["total"]["value"] = json!(3);
        shard_fails(page);
    };
    let late = |page: &mut Value| {
        page["timed_out"] = json!(true);
        page["hits"]["hits"] = json!([]);
    };
    let faults = [
        (READ, 2, busy(429), "429"),
        ("^POST ", 0, busy(503), "503"),
        (READ, 1, Fault::Cut, "log"),
        (READ, 2, Fault::Truncate, "ends before its end"),
        (READ, 2, Fault::Delay(SILENCE), "log"),
        (READ, 2, Fault::change(shard_fails), "shard"),
        (READ, 0, Fault::change(fewer), "shard"),
        (READ, 2, Fault::change(late), "gave up"),
    ];
    std::thread::scope(|scope| {
        for (question, after, fault, words) in faults {
            scope.spawn(move || Trial::run(question, after, usize::MAX, fault).reported(words));
        }
    });
}

#[test]
fn an_engine_that_has_too_much_to_do_is_asked_again() {
    Trial::run(READ, 2, 2, busy(429)).got_over();
}

#[test]
fn a_point_in_time_that_is_refused_for_a_while_is_asked_for_again() {
    Trial::run(OPEN, 0, 2, busy(429)).got_over();
}

#[test]
fn a_node_that_starts_again_is_waited_for() {
    Trial::run(READ, 3, 3, busy(503)).got_over();
}

#[test]
fn a_page_that_is_cut_is_asked_for_again() {
    Trial::run(READ, 2, 2, Fault::Cut).got_over();
}

#[test]
fn a_slow_engine_is_waited_for() {
    Trial::run(READ, 0, 5, Fault::Delay(Duration::from_millis(300))).got_over();
}

#[test]
fn a_shard_that_fails_during_a_page_is_asked_again() {
    Trial::run(READ, 2, 1, Fault::change(shard_fails)).got_over();
}

#[test]
fn pages_that_end_before_all_documents_came_make_no_complete_set() {
    Trial::run(READ, 4, usize::MAX, Fault::change(|page| page["hits"]["hits"] = json!([]))).reported("log");
}

#[test]
fn one_document_that_a_page_lacks_is_missed() {
    let lacks = |page: &mut Value| {
        drop(page["hits"]["hits"].as_array_mut().and_then(|hits| (!hits.is_empty()).then(|| hits.remove(0))))
    };
    Trial::run(READ, 2, 1, Fault::change(lacks)).reported("log");
}

#[test]
fn a_document_that_comes_twice_is_not_counted_for_one_that_is_missing() {
    let twice = |page: &mut Value| {
        if let Some([first, second, ..]) = page["hits"]["hits"].as_array_mut().map(Vec::as_mut_slice) {
            *second = first.clone();
        }
    };
    Trial::run(READ, 2, 1, Fault::change(twice)).reported("log");
}

#[test]
fn a_document_without_its_source_is_no_document() {
    let bare = |page: &mut Value| {
        for hit in page["hits"]["hits"].as_array_mut().into_iter().flatten() {
            hit.as_object_mut().unwrap().remove("_source");
        }
    };
    Trial::run(READ, 2, usize::MAX, Fault::change(bare)).reported("source");
}

#[test]
fn a_point_in_time_that_has_expired_is_no_short_index() {
    let gone = r#"{"error":{"root_cause":[{"type":"search_context_missing_exception","reason":"No search context found for id [7]"}],"type":"search_phase_execution_exception","reason":"all shards failed","phase":"query"},"status":404}"#;
    Trial::run(READ, 3, usize::MAX, Fault::Instead(404, gone)).reported("404");
}

#[test]
fn an_index_that_is_made_anew_meanwhile_is_another_one() {
    let engine = search::shared();
    let index = filled(engine);
    let (name, times) = (index.clone(), AtomicUsize::new(0));
    let anew = move || {
        if times.fetch_add(1, Ordering::SeqCst) == 0 {
            engine.ask("DELETE", &format!("/{name}"), &Value::Null);
            engine.ask("PUT", &format!("/{name}"), &super::definition());
        }
    };
    // Between the first look at its definition and the second.
    Trial::of(index.clone(), OPEN, 0, 1, Fault::meanwhile(anew)).reported(&index);
}

/// Documents that change, go and come once the count is known are saved as they were then.
#[test]
fn documents_that_change_between_count_and_read_are_saved_as_they_were() {
    let engine = search::shared();
    let (index, target) = (filled(engine), target());
    let was = engine.documents(&index);
    let name = index.clone();
    let change = Fault::meanwhile(move || {
        let source = json!({ "id": 1, "text": "changed", "changes": [] });
        engine.bulk(&name, &[("1".to_owned(), None, source.clone()), ("new".to_owned(), None, source)]);
        engine.ask("DELETE", &format!("/{name}/_doc/2?refresh=true"), &Value::Null);
    });
    let trial = Trial::of(index.clone(), READ, 1, 1, change);
    trial.done.clone().exits(0);
    assert!(engine.documents(&index) != was, "nothing has changed");
    restore(&trial.place, engine, &index, &target).exits(0);
    assert!(engine.documents(&target) == was, "the set is not as of one moment");
}

/// Each question in turn is cut once: whichever it is, nothing is lost.
#[test]
fn whichever_answer_is_cut_the_index_is_whole_or_the_fault_is_told() {
    let engine = search::shared();
    let index = filled(engine);
    let asked = questions(engine, &index);
    assert!(asked > 5, "only {asked} questions");
    for number in 0..asked {
        let trial = Trial::of(index.clone(), "", number, 1, Fault::Cut);
        match trial.done.code {
            0 => trial.got_over(),
            _ => trial.reported(&index),
        }
    }
}

/// How many questions a backup asks when nothing is broken.
fn questions(engine: &Search, index: &str) -> usize {
    let proxy = WebProxy::start(engine.port);
    place(index, proxy.port).run(&["backup"]).exits(0);
    proxy.asked().len()
}

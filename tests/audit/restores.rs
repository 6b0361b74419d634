//! Restores through an engine that refuses or breaks off: every document is there once, or nothing is left of the attempt.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{RESTORE, assert_same, filled, place, restore, target, write_target};
use crate::support::{
    Done, Place,
    search::{self, Search},
    wait_for,
    web_proxy::{Fault, WebProxy},
};

const BULK: &str = r"^POST /[^?]*_bulk";

/// A set of an index, restored through a proxy with a fault.
struct Trial {
    engine: &'static Search,
    place: Place,
    index: String,
    target: String,
    done: Done,
}

impl Trial {
    fn run(question: &str, after: usize, times: usize, fault: Fault) -> Self {
        let engine = search::shared();
        let (index, target) = (filled(engine), target());
        let place = place(&index, engine.port);
        place.run(&["backup"]).exits(0);
        let proxy = WebProxy::start(engine.port);
        proxy.plan(question, after, times, fault);
        write_target(&place, proxy.port, &index, &target);
        let done = place.run(&RESTORE);
        assert!(proxy.fired() > 0, "nothing was broken: {done}");
        let done = done.never_says("panicked").never_says("unreachable");
        Self { engine, place, index, target, done }
    }

    /// The fault was got over.
    fn got_over(self) {
        self.done.clone().exits(0);
        assert_same(self.engine, &self.index, &self.target);
        assert_eq!(self.engine.indices(&self.target), [self.target]);
    }

    /// The fault was reported, with these words; nothing of that name is there, and the next attempt goes well.
    fn reported(self, words: &str) {
        assert_ne!(self.done.code, 0, "{}", self.done);
        self.done.clone().says(words);
        assert_eq!(self.engine.indices(&self.target), [""; 0], "{}", self.done);
        restore(&self.place, self.engine, &self.index, &self.target).exits(0);
        assert_same(self.engine, &self.index, &self.target);
    }
}

#[test]
fn a_request_that_is_refused_for_a_while_is_sent_again() {
    Trial::run(BULK, 0, 2, Fault::Instead(429, r#"{"error":{"type":"rejected_execution_exception"},"status":429}"#))
        .got_over();
}

#[test]
fn an_engine_that_always_refuses_is_given_up() {
    Trial::run(
        BULK,
        0,
        usize::MAX,
        Fault::Instead(429, r#"{"error":{"type":"rejected_execution_exception"},"status":429}"#),
    )
    .reported("429");
}

#[test]
fn documents_whose_acknowledgement_is_lost_are_there_once() {
    let trial = Trial::run(BULK, 0, 1, Fault::Silence);
    match trial.done.code {
        0 => trial.got_over(),
        _ => trial.reported("_bulk"),
    }
}

/// Says of one document that it was refused, though it was not.
fn refuse_one(status: u16, kind: &'static str) -> Fault {
    Fault::change(move |answer| {
        answer["errors"] = json!(true);
        let item = &mut answer["items"][3]["index"];
        item["status"] = json!(status);
        item["error"] = json!({ "type": kind, "reason": "told so" });
    })
}

#[test]
fn one_document_that_was_refused_for_a_while_is_sent_again() {
    Trial::run(BULK, 0, 1, refuse_one(429, "rejected_execution_exception")).got_over();
}

#[test]
fn one_document_that_the_engine_does_not_take_fails_the_restore_and_is_named() {
    Trial::run(BULK, 0, 1, refuse_one(400, "mapper_parsing_exception")).reported("mapper_parsing_exception");
}

#[test]
fn an_answer_that_lacks_an_item_is_no_success() {
    let lacks = |answer: &mut Value| drop(answer["items"].as_array_mut().unwrap().pop());
    Trial::run(BULK, 0, usize::MAX, Fault::change(lacks)).reported("log");
}

#[test]
fn documents_that_are_not_there_when_they_are_read_back_fail_the_restore() {
    // The engine says that it has taken what nobody has sent to it.
    let lie = r#"{"took":1,"errors":false,"items":[]}"#;
    Trial::run(BULK, 0, usize::MAX, Fault::Instead(200, lie)).reported("log");
}

#[test]
fn an_index_of_that_name_is_not_written_to_without_consent() {
    let engine = search::shared();
    let (index, target) = (filled(engine), target());
    let place = place(&index, engine.port);
    place.run(&["backup"]).exits(0);
    engine.bulk(&target, &[("mine".to_owned(), None, json!({ "id": 1 }))]);
    let refused = restore(&place, engine, &index, &target);
    assert_ne!(refused.code, 0, "{refused}");
    refused.says(&target);
    assert_eq!(engine.documents(&target).keys().collect::<Vec<_>>(), ["mine"]);
    assert_eq!(engine.indices(&target), [target]);
}

#[test]
fn a_restore_that_was_killed_is_finished_by_the_next() {
    let engine = search::shared();
    let (index, target) = (filled(engine), target());
    let place = place(&index, engine.port);
    place.run(&["backup"]).exits(0);
    let proxy = WebProxy::start(engine.port);
    proxy.plan(BULK, 0, usize::MAX, Fault::Delay(std::time::Duration::from_secs(3600)));
    write_target(&place, proxy.port, &index, &target);
    let going = place.start(&RESTORE);
    wait_for("the restore is in its midst", || proxy.fired() > 0);
    going.signal(Signal::KILL);
    going.finish();
    restore(&place, engine, &index, &target).exits(0);
    assert_same(engine, &index, &target);
}

//! Brokers whose answers are cut, late, garbled or lies: got over, or reported; never a wait without end, never a short topic
//! that is called complete.

use std::time::Duration;

use serde_json::{Value, json};

use super::{TOPIC, assert_same, fill, pipeline, place, restore, saved};
use crate::support::{
    Done, Place, kafka,
    proxy::{Api, Fault, Proxy},
    strongroom::unzip,
};

/// Errors of [Kafka's protocol](https://kafka.apache.org/protocol.html#protocol_error_codes).
const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const TOPIC_AUTHORIZATION_FAILED: i16 = 29;

/// A topic on the shared broker that is saved through a proxy with such a fault: how that went, and where.
struct Trial {
    place: Place,
    prefix: String,
    proxy: Proxy,
    done: Done,
}

impl Trial {
    fn run(api: Api, after: usize, times: usize, fault: impl FnOnce(&str) -> Fault) -> Self {
        let (kafka, prefix) = (kafka::shared(), kafka::prefix());
        let topic = format!("{prefix}{TOPIC}");
        fill(kafka, &topic);
        let proxy = Proxy::start(kafka.port("plain"));
        let place = place(&prefix, proxy.port);
        proxy.plan(api, after, times, fault(&topic));
        let done = place.run(&["backup"]);
        assert!(proxy.fired() > 0, "nothing was broken: {done}");
        let done = done.never_says("panicked").never_says("unreachable");
        Self { place, prefix, proxy, done }
    }

    /// The fault was got over: every record is in the set.
    fn got_over(self) {
        let (kafka, target) = (kafka::shared(), kafka::prefix());
        self.done.exits(0);
        assert_eq!(self.place.record()["state"], "complete");
        restore(&self.place, kafka, &target).exits(0);
        assert_same(kafka, &format!("{}{TOPIC}", self.prefix), &format!("{target}{TOPIC}"));
    }

    /// The fault was reported, with these words, and no set is called complete.
    fn reported(self, words: &str) {
        assert_ne!(self.done.code, 0, "{}", self.done);
        assert!(self.proxy.fired() < 200, "it was tried {} times", self.proxy.fired());
        for set in self.place.sets() {
            let record: Value = serde_json::from_slice(&unzip(&set, ".strongroom/record.json")).unwrap();
            assert_ne!(record["state"], "complete", "{}", self.done);
        }
        self.done.says(words);
    }
}

#[test]
fn a_connection_that_is_cut_in_a_batch_is_made_again() {
    Trial::run(Api::Fetch, 0, 1, |_| Fault::Cut).got_over();
}

#[test]
fn a_connection_that_is_cut_while_the_fence_is_set_is_made_again() {
    Trial::run(Api::ListOffsets, 0, 1, |_| Fault::Cut).got_over();
}

#[test]
fn a_broker_that_always_cuts_is_given_up() {
    Trial::run(Api::Fetch, 0, usize::MAX, |_| Fault::Cut).reported(TOPIC);
}

#[test]
fn a_slow_broker_is_waited_for() {
    Trial::run(Api::Fetch, 0, 5, |_| Fault::Delay(Duration::from_millis(400))).got_over();
}

#[test]
fn a_broker_that_says_nothing_is_given_up() {
    Trial::run(Api::Fetch, 0, usize::MAX, |_| Fault::Delay(Duration::from_secs(3600))).reported(TOPIC);
}

#[test]
fn a_leader_that_has_changed_is_looked_for() {
    Trial::run(Api::Fetch, 0, 1, |topic| Fault::fetch_error(topic, NOT_LEADER_OR_FOLLOWER)).got_over();
}

#[test]
fn a_leader_that_is_never_found_is_given_up() {
    Trial::run(Api::Fetch, 0, usize::MAX, |topic| Fault::fetch_error(topic, NOT_LEADER_OR_FOLLOWER))
        .reported("NOT_LEADER_OR_FOLLOWER");
}

#[test]
fn a_topic_that_may_not_be_read_is_named() {
    Trial::run(Api::Fetch, 0, usize::MAX, |topic| Fault::fetch_error(topic, TOPIC_AUTHORIZATION_FAILED))
        .reported("TOPIC_AUTHORIZATION_FAILED");
}

#[test]
fn a_frame_that_ends_early_is_no_short_topic() {
    Trial::run(Api::Fetch, 0, usize::MAX, |_| Fault::Truncate).reported(TOPIC);
}

#[test]
fn a_length_that_lies_is_no_wait_without_end() {
    Trial::run(Api::Fetch, 0, usize::MAX, |_| Fault::Length(1 << 20)).reported(TOPIC);
}

#[test]
fn a_frame_of_two_gigabytes_is_refused() {
    Trial::run(Api::Fetch, 0, usize::MAX, |_| Fault::Length(i32::MAX)).reported(TOPIC);
}

#[test]
fn a_frame_of_less_than_nothing_is_refused() {
    Trial::run(Api::Metadata, 0, usize::MAX, |_| Fault::Length(-1)).reported("127.0.0.1");
}

#[test]
fn a_broker_that_answers_for_another_topic_is_not_believed() {
    let other = |topic: &str| Fault::other_topic(topic, &topic.replace("default", "another"));
    Trial::run(Api::Fetch, 0, usize::MAX, other).reported(TOPIC);
}

#[test]
fn an_answer_to_another_question_is_not_believed() {
    Trial::run(Api::Fetch, 0, usize::MAX, |_| Fault::Correlation).reported(TOPIC);
}

#[test]
fn a_bit_that_is_another_is_found_by_the_checksum_of_its_batch() {
    let flip = |body: &mut Vec<u8>| {
        // Well inside the records: what is before says whose they are.
        let place = body.len() - 20;
        body[place] ^= 1;
    };
    Trial::run(Api::Fetch, 0, usize::MAX, |_| Fault::change(flip)).reported(TOPIC);
}

/// Restores through a proxy that cuts one answer to such a question: what was asked for may have been done. Returns how
/// that went, and restores again without it unless it went well.
fn restored_once(api: Api, after: usize) -> Done {
    let kafka = kafka::shared();
    let (place, topic, target) = saved(kafka);
    let proxy = Proxy::start(kafka.port("plain"));
    proxy.plan(api, after, 1, Fault::Cut);
    pipeline(&place, "target", proxy.port, &format!("target-prefix = \"{target}\""));
    let restore = || place.run(&["-c", "target.toml", "restore", "latest"]);
    let done = restore();
    assert_eq!(proxy.fired(), 1);
    if done.code != 0 {
        restore().exits(0);
    }
    assert_same(kafka, &topic, &format!("{target}{TOPIC}"));
    let found = kafka.ask(&json!({ "do": "committed", "group": format!("{target}{TOPIC}") }));
    assert_eq!(found["offsets"], json!([[format!("{target}{TOPIC}"), 0, 17]]));
    done
}

#[test]
fn records_whose_acknowledgement_is_lost_are_there_once() {
    restored_once(Api::Produce, 1).exits(0);
}

#[test]
fn a_topic_whose_making_was_not_answered_is_the_restores_own() {
    // Whether it was made is not known: it is said, and the next attempt makes it anew.
    restored_once(Api::CreateTopics, 0).says(TOPIC);
}

#[test]
fn a_commit_whose_answer_is_lost_stands() {
    restored_once(Api::OffsetCommit, 0).exits(0);
}

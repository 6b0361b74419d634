//! Nuxeo's streams on a real Kafka: saved, proven and restored; and brokers that cut, delay, garble or lie.

use std::{collections::BTreeMap, time::Duration};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{
    Done, Place,
    kafka::{self, Kafka, Record},
    proxy::{Api, Fault, Proxy},
};

/// Errors of [Kafka's protocol](https://kafka.apache.org/protocol.html#protocol_error_codes).
const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const TOPIC_AUTHORIZATION_FAILED: i16 = 29;

/// Some time that has long been over: no cut leaves it out.
const LONG_AGO: i64 = 1_700_000_000_000;

const TOPIC: &str = "work-default";

const PIPELINE: &str = r#"
[pipeline]
name = "dam"
state = "$DIR/state-$NAME"

[repository.local]
url = "$DIR/repository"
format = "zip"

[step.streams]
plugin = "nuxeo-streams"

[step.streams.config]
$CONFIG

[step.streams.grant.tcp.kafka]
endpoints = ["127.0.0.1:$PORT"]
idle = "3s"
"#;

/// A pipeline file whose brokers are behind that port.
fn pipeline(place: &Place, name: &str, port: u16, config: &str) {
    let text = PIPELINE.replace("$NAME", name).replace("$CONFIG", config).replace("$PORT", &port.to_string());
    place.write(&format!("{name}.toml"), &text);
}

/// A place whose `strongroom.toml` saves what has that prefix, from a broker at that port.
fn place(prefix: &str, port: u16) -> Place {
    let place = Place::new();
    pipeline(&place, "strongroom", port, &format!("prefix = \"{prefix}\""));
    place.accept();
    place
}

/// Restores the latest set to topics of another prefix, straight from and to the broker.
fn restore(place: &Place, kafka: &Kafka, target: &str) -> Done {
    pipeline(place, "target", kafka.port("plain"), &format!("target-prefix = \"{target}\""));
    place.run(&["-c", "target.toml", "restore", "latest"])
}

/// Records in all codecs, with and without keys, values and headers: the same in each of three partitions.
fn fill(kafka: &Kafka, topic: &str) {
    kafka.topic(topic, 3);
    for (turn, codec) in ["none", "gzip", "snappy", "lz4", "zstd"].into_iter().enumerate() {
        for partition in 0..3 {
            let records: Vec<_> = (0..40).map(|number| record(turn, number)).collect();
            kafka.produce(topic, partition, codec, &records);
        }
    }
}

fn record(turn: usize, number: i64) -> Record {
    let mut record = Record::new(LONG_AGO + number, &format!("key-{number}"), &format!("{turn}-{number}-").repeat(50));
    match number % 5 {
        0 => record.key = None,
        1 => record.value = None,
        2 => record.key = Some(String::new()),
        3 => record.headers = vec![("h".to_owned(), Some("1".to_owned())), ("h".to_owned(), None)],
        _ => record.time -= 3_600_000,
    }
    record
}

/// What a restore keeps of a topic's records: by partition, in order.
fn kept(kafka: &Kafka, topic: &str) -> BTreeMap<i64, Vec<Value>> {
    let mut partitions = BTreeMap::<i64, Vec<Value>>::new();
    for record in kafka.read(topic) {
        let same = json!([record["ts"], record["key"], record["value"], record["headers"]]);
        partitions.entry(record["partition"].as_i64().unwrap()).or_default().push(same);
    }
    partitions
}

fn assert_same(kafka: &Kafka, source: &str, restored: &str) {
    let (was, now) = (kept(kafka, source), kept(kafka, restored));
    let count = |one: &BTreeMap<i64, Vec<Value>>| {
        one.iter().map(|(place, records)| (*place, records.len())).collect::<Vec<_>>()
    };
    assert_eq!(count(&was), count(&now), "{source} and {restored} have other numbers of records");
    assert!(was == now, "{source} and {restored} differ");
}

#[test]
fn streams_come_back_record_by_record_and_groups_stand_where_they_stood() {
    let (kafka, prefix, target) = (kafka::shared(), kafka::prefix(), kafka::prefix());
    let topic = format!("{prefix}{TOPIC}");
    fill(kafka, &topic);
    let aborted = [Record::new(LONG_AGO, "k", "never happened")]
        .map(|record| json!({ "partition": 1, "ts": record.time, "value": "bmV2ZXI=" }));
    kafka.ask(&json!({ "do": "produce", "topic": topic, "transaction": "abort", "records": aborted }));
    kafka.produce(&topic, 1, "lz4", &[Record::new(LONG_AGO, "k", "after it")]);
    kafka.ask(&json!({ "do": "delete-records", "topic": topic, "partition": 2, "before": 50 }));
    kafka.topic(&format!("{prefix}audit-audit"), 2);
    let group = format!("{prefix}{TOPIC}");
    kafka.ask(&json!({ "do": "commit", "group": group, "offsets": [[topic, 0, 17], [topic, 1, 202], [topic, 2, 60]] }));

    let place = place(&prefix, kafka.port("plain"));
    place.run(&["backup"]).exits(0);
    assert_eq!(place.record()["state"], "complete", "{:#}", place.record());
    place.run(&["verify"]).exits(0);
    restore(&place, kafka, &target).exits(0);
    assert_same(kafka, &topic, &format!("{target}{TOPIC}"));
    assert_eq!(kafka.topics(&target), [format!("{target}audit-audit"), format!("{target}{TOPIC}")]);
    let found = kafka.ask(&json!({ "do": "committed", "group": format!("{target}{TOPIC}") }));
    let mut offsets: Vec<_> =
        found["offsets"].as_array().unwrap().iter().map(|one| [one[1].as_i64(), one[2].as_i64()]).collect();
    offsets.sort();
    // Of the second partition two offsets are an aborted record and its mark, of the third the first fifty records are gone.
    assert_eq!(offsets, [[Some(0), Some(17)], [Some(1), Some(200)], [Some(2), Some(10)]]);
    let again = restore(&place, kafka, &target);
    assert_ne!(again.code, 0, "topics that are there already are not written to: {again}");
    place.assert_left_nothing();
}

#[test]
fn brokers_are_logged_in_to_with_and_without_tls() {
    let kafka = Kafka::start(&["--user", "dam:hunter2", "--tls"]);
    let prefix = kafka::prefix();
    let topic = format!("{prefix}{TOPIC}");
    fill(&kafka, &topic);
    let tls = format!("tls = {{ ca = {:?} }}\n", kafka.authority().display().to_string());
    let secret = "[step.streams.grant.secrets]\nkafka = { file = \"$DIR/password\" }\n";
    let place = Place::new();
    let save = |mechanism: &str, password: &str, listener: &str, grants: &str| {
        place.write("password", password);
        let config = format!("prefix = \"{prefix}\"\nsasl = \"{mechanism}\"\nuser = \"dam\"");
        pipeline(&place, "strongroom", kafka.port(listener), &config);
        let text = std::fs::read_to_string(place.join("strongroom.toml")).unwrap();
        place.write("strongroom.toml", &(text + grants));
        place.accept();
        place.run(&["backup"])
    };
    for mechanism in ["plain", "scram-sha-256", "scram-sha-512"] {
        save(mechanism, "hunter2", "sasl", secret).exits(0);
        save(mechanism, "hunter2", "sasl-tls", &format!("{tls}{secret}")).exits(0);
        let refused = save(mechanism, "wrong-one", "sasl", secret);
        assert_ne!(refused.code, 0, "{refused}");
        place.assert_hides("wrong-one", &[&refused.says("SASL_AUTHENTICATION_FAILED")]);
    }
    pipeline(&place, "strongroom", kafka.port("tls"), &format!("prefix = \"{prefix}\""));
    let text = std::fs::read_to_string(place.join("strongroom.toml")).unwrap();
    place.write("strongroom.toml", &(text + &tls));
    place.accept();
    place.run(&["backup"]).exits(0);
    place.assert_hides("hunter2", &[]);
}

#[test]
fn a_broker_that_stops_while_its_topics_are_read_is_followed_to_the_next_leader() {
    let kafka = Kafka::start(&["--brokers", "3"]);
    let prefix = kafka::prefix();
    let topic = format!("{prefix}{TOPIC}");
    kafka.ask(&json!({ "do": "create", "topic": topic, "partitions": 3, "replicas": 2 }));
    for turn in 0..3 {
        (0..3).for_each(|partition| {
            drop(kafka.produce(
                &topic,
                partition,
                "gzip",
                &(0..40).map(|number| record(turn, number)).collect::<Vec<_>>(),
            ))
        });
    }
    let place = Place::new();
    pipeline(&place, "strongroom", kafka.port("plain"), &format!("prefix = \"{prefix}\""));
    let text = std::fs::read_to_string(place.join("strongroom.toml")).unwrap();
    let endpoints: Vec<_> = kafka.ports("plain").iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
    let one = format!("\"127.0.0.1:{}\"", kafka.port("plain"));
    place.write("strongroom.toml", &text.replace(&one, &endpoints.join(", ")));
    place.accept();
    let leaders = || kafka.ask(&json!({ "do": "describe", "topic": topic }))["leaders"].to_string();
    // The first broker is the controller too and has to stay.
    assert!(leaders().contains(['2', '3']), "{}", leaders());
    place.run(&["backup"]).exits(0);
    kafka.stop_broker(if leaders().contains('2') { 2 } else { 3 });
    place.run(&["backup"]).exits(0);
    assert_eq!(place.record()["state"], "complete");
}

#[test]
fn a_restore_that_was_killed_is_finished_by_the_next() {
    let (kafka, prefix, target) = (kafka::shared(), kafka::prefix(), kafka::prefix());
    let topic = format!("{prefix}{TOPIC}");
    fill(kafka, &topic);
    let place = place(&prefix, kafka.port("plain"));
    place.run(&["backup"]).exits(0);
    let proxy = Proxy::start(kafka.port("plain"));
    proxy.plan(Api::Produce, 1, usize::MAX, Fault::Delay(Duration::from_secs(3600)));
    pipeline(&place, "target", proxy.port, &format!("target-prefix = \"{target}\""));
    let going = place.start(&["-c", "target.toml", "restore", "latest"]);
    crate::support::wait_for("the restore is in its midst", || proxy.fired() > 0);
    going.signal(Signal::KILL);
    going.finish();
    let proxy = Proxy::start(kafka.port("plain"));
    let text = std::fs::read_to_string(place.join("target.toml")).unwrap();
    let port = text.split("127.0.0.1:").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    place.write("target.toml", &text.replace(&port, &proxy.port.to_string()));
    place.run(&["-c", "target.toml", "restore", "latest"]).exits(0);
    assert_same(kafka, &topic, &format!("{target}{TOPIC}"));
}

/// Restores through a proxy that cuts one answer to such a question: what was asked for may have been done.
fn is_restored_once(api: Api, after: usize) {
    let (kafka, prefix, target) = (kafka::shared(), kafka::prefix(), kafka::prefix());
    let topic = format!("{prefix}{TOPIC}");
    fill(kafka, &topic);
    kafka.ask(&json!({ "do": "commit", "group": topic, "offsets": [[topic, 0, 17]] }));
    let place = place(&prefix, kafka.port("plain"));
    place.run(&["backup"]).exits(0);
    let proxy = Proxy::start(kafka.port("plain"));
    proxy.plan(api, after, 1, Fault::Cut);
    pipeline(&place, "target", proxy.port, &format!("target-prefix = \"{target}\""));
    place.run(&["-c", "target.toml", "restore", "latest"]).exits(0);
    assert_eq!(proxy.fired(), 1);
    assert_same(kafka, &topic, &format!("{target}{TOPIC}"));
    let found = kafka.ask(&json!({ "do": "committed", "group": format!("{target}{TOPIC}") }));
    assert_eq!(found["offsets"], json!([[format!("{target}{TOPIC}"), 0, 17]]));
}

#[test]
fn records_whose_acknowledgement_is_lost_are_there_once() {
    is_restored_once(Api::Produce, 1);
}

#[test]
fn a_topic_whose_making_was_not_answered_is_the_restores_own() {
    is_restored_once(Api::CreateTopics, 0);
}

#[test]
fn a_commit_whose_answer_is_lost_stands() {
    is_restored_once(Api::OffsetCommit, 0);
}

#[test]
fn groups_with_members_are_not_moved() {
    let (kafka, prefix, target) = (kafka::shared(), kafka::prefix(), kafka::prefix());
    let topic = format!("{prefix}{TOPIC}");
    fill(kafka, &topic);
    kafka.ask(&json!({ "do": "commit", "group": topic, "offsets": [[topic, 0, 17]] }));
    let place = place(&prefix, kafka.port("plain"));
    place.run(&["backup"]).exits(0);
    let group = format!("{target}{TOPIC}");
    kafka.ask(&json!({ "do": "join", "group": group, "topics": [topic] }));
    crate::support::wait_for("the group has a member", || kafka.ask(&json!({ "do": "poll" }))["records"] != json!([]));
    let refused = restore(&place, kafka, &target);
    kafka.ask(&json!({ "do": "leave" }));
    assert_ne!(refused.code, 0, "{refused}");
    refused.says(&group);
    let found = kafka.ask(&json!({ "do": "committed", "group": group }));
    assert_eq!(found["offsets"], json!([]));
}

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
    fn is_got_over(self) {
        let (kafka, target) = (kafka::shared(), kafka::prefix());
        self.done.exits(0);
        assert_eq!(self.place.record()["state"], "complete");
        restore(&self.place, kafka, &target).exits(0);
        assert_same(kafka, &format!("{}{TOPIC}", self.prefix), &format!("{target}{TOPIC}"));
    }

    /// The fault was reported, with these words, and no set is called complete.
    fn is_reported(self, words: &str) {
        assert_ne!(self.done.code, 0, "{}", self.done);
        assert!(self.proxy.fired() < 200, "it was tried {} times", self.proxy.fired());
        for set in self.place.sets() {
            let record: Value =
                serde_json::from_slice(&crate::support::strongroom::unzip(&set, ".strongroom/record.json")).unwrap();
            assert_ne!(record["state"], "complete", "{}", self.done);
        }
        self.done.says(words);
    }
}

#[test]
fn a_connection_that_is_cut_in_a_batch_is_made_again() {
    Trial::run(Api::Fetch, 0, 1, |_| Fault::Cut).is_got_over();
}

#[test]
fn a_broker_that_always_cuts_is_given_up() {
    Trial::run(Api::Fetch, 0, usize::MAX, |_| Fault::Cut).is_reported(TOPIC);
}

#[test]
fn a_slow_broker_is_waited_for() {
    Trial::run(Api::Fetch, 0, 5, |_| Fault::Delay(Duration::from_millis(400))).is_got_over();
}

#[test]
fn a_broker_that_says_nothing_is_given_up() {
    Trial::run(Api::Fetch, 0, usize::MAX, |_| Fault::Delay(Duration::from_secs(3600))).is_reported(TOPIC);
}

#[test]
fn a_leader_that_has_changed_is_looked_for() {
    Trial::run(Api::Fetch, 0, 1, |topic| Fault::fetch_error(topic, NOT_LEADER_OR_FOLLOWER)).is_got_over();
}

#[test]
fn a_leader_that_is_never_found_is_given_up() {
    Trial::run(Api::Fetch, 0, usize::MAX, |topic| Fault::fetch_error(topic, NOT_LEADER_OR_FOLLOWER))
        .is_reported("NOT_LEADER_OR_FOLLOWER");
}

#[test]
fn a_topic_that_may_not_be_read_is_named() {
    Trial::run(Api::Fetch, 0, usize::MAX, |topic| Fault::fetch_error(topic, TOPIC_AUTHORIZATION_FAILED))
        .is_reported("TOPIC_AUTHORIZATION_FAILED");
}

#[test]
fn a_frame_that_ends_early_is_no_short_topic() {
    Trial::run(Api::Fetch, 0, usize::MAX, |_| Fault::Truncate).is_reported(TOPIC);
}

#[test]
fn a_length_that_lies_is_no_wait_without_end() {
    Trial::run(Api::Fetch, 0, usize::MAX, |_| Fault::Length(1 << 20)).is_reported(TOPIC);
}

#[test]
fn a_frame_of_two_gigabytes_is_refused() {
    Trial::run(Api::Fetch, 0, usize::MAX, |_| Fault::Length(i32::MAX)).is_reported(TOPIC);
}

#[test]
fn a_frame_of_less_than_nothing_is_refused() {
    Trial::run(Api::Metadata, 0, usize::MAX, |_| Fault::Length(-1)).is_reported("127.0.0.1");
}

#[test]
fn a_broker_that_answers_for_another_topic_is_not_believed() {
    let other = |topic: &str| Fault::other_topic(topic, &topic.replace("default", "another"));
    Trial::run(Api::Fetch, 0, usize::MAX, other).is_reported(TOPIC);
}

#[test]
fn an_answer_to_another_question_is_not_believed() {
    Trial::run(Api::Fetch, 0, usize::MAX, |_| Fault::Correlation).is_reported(TOPIC);
}

#[test]
fn a_bit_that_is_another_is_found_by_the_checksum_of_its_batch() {
    let flip = |body: &mut Vec<u8>| {
        // Well inside the records: what is before says whose they are.
        let place = body.len() - 20;
        body[place] ^= 1;
    };
    Trial::run(Api::Fetch, 0, usize::MAX, |_| Fault::change(flip)).is_reported(TOPIC);
}

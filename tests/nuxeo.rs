//! Nuxeo on a real Kafka: streams are saved, proven and restored.

/// Logging in, encrypted connections, several brokers.
mod brokers;
/// Brokers that cut, delay, garble or lie.
mod faults;
/// The consumer that deletes blobs, and runs that are killed.
mod gc;

use std::{
    collections::BTreeMap,
    sync::LazyLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{
    Done, Place,
    kafka::{self, Kafka, Record},
    pipeline,
    proxy::{Api, Fault, Proxy},
};

/// Yesterday, in milliseconds since 1970: no cut leaves that out, and no retention deletes it yet.
static YESTERDAY: LazyLock<i64> = LazyLock::new(|| {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from((now - Duration::from_secs(86_400)).as_millis()).unwrap()
});

const TOPIC: &str = "work-default";

const STEP: &str = r#"
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
    let head = pipeline::head("dam", &format!("state = \"$DIR/state-{name}\""));
    let step = STEP.replace("$CONFIG", config).replace("$PORT", &port.to_string());
    place.write(&format!("{name}.toml"), &(head + &step));
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

/// A place whose set holds a topic that a group has read up to offset 17; the topic, which the group is called like, and
/// a prefix to restore to.
fn saved(kafka: &Kafka) -> (Place, String, String) {
    let (prefix, target) = (kafka::prefix(), kafka::prefix());
    let topic = format!("{prefix}{TOPIC}");
    fill(kafka, &topic);
    kafka.ask(&json!({ "do": "commit", "group": topic, "offsets": [[topic, 0, 17]] }));
    let place = place(&prefix, kafka.port("plain"));
    place.run(&["backup"]).exits(0);
    (place, topic, target)
}

fn record(turn: usize, number: i64) -> Record {
    let mut record =
        Record::new(*YESTERDAY + number, &format!("key-{number}"), &format!("{turn}-{number}-").repeat(50));
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
    let aborted = [Record::new(*YESTERDAY, "k", "never happened")]
        .map(|record| json!({ "partition": 1, "ts": record.time, "value": "bmV2ZXI=" }));
    kafka.ask(&json!({ "do": "produce", "topic": topic, "transaction": "abort", "records": aborted }));
    let after = kafka.produce(&topic, 1, "lz4", &[Record::new(*YESTERDAY, "k", "after it")]);
    kafka.ask(&json!({ "do": "delete-records", "topic": topic, "partition": 2, "before": 50 }));
    kafka.topic(&format!("{prefix}audit-audit"), 2);
    let group = format!("{prefix}{TOPIC}");
    kafka.ask(
        &json!({ "do": "commit", "group": group, "offsets": [[topic, 0, 17], [topic, 1, after[0]], [topic, 2, 60]] }),
    );

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
    // Of the second partition an aborted record was left out, of the third the first fifty records are gone.
    assert_eq!(offsets, [[Some(0), Some(17)], [Some(1), Some(200)], [Some(2), Some(10)]]);
    let again = restore(&place, kafka, &target);
    assert_ne!(again.code, 0, "topics that are there already are not written to: {again}");
    place.assert_left_nothing();
}

#[test]
fn a_restore_that_was_killed_is_finished_by_the_next() {
    let kafka = kafka::shared();
    let (place, topic, target) = saved(kafka);
    let proxy = Proxy::start(kafka.port("plain"));
    proxy.plan(Api::Produce, 1, usize::MAX, Fault::Delay(Duration::from_secs(3600)));
    pipeline(&place, "target", proxy.port, &format!("target-prefix = \"{target}\""));
    let going = place.start(&["-c", "target.toml", "restore", "latest"]);
    crate::support::wait_for("the restore is in its midst", || proxy.fired() > 0);
    going.signal(Signal::KILL);
    going.finish();
    restore(&place, kafka, &target).exits(0);
    assert_same(kafka, &topic, &format!("{target}{TOPIC}"));
}

#[test]
fn groups_with_members_are_not_moved() {
    let kafka = kafka::shared();
    let (place, topic, target) = saved(kafka);
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

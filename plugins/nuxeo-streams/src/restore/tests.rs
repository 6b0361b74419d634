//! Restores onto a small cluster: what is made, what is written, what is committed, what is refused.

use strongroom_kafka::{Builder, Codec, Record, Records};
use strongroom_plugin::{
    Stage, streams,
    testing::{Host, proven},
};

use super::*;
use crate::{
    backup,
    broker::memory::{Log, Memory, batch, covering, packed},
    inspect::{records_part, setting},
};

const TOPIC: &str = "dam-work-default";
const NEW: &str = "nxr2-work-default";

fn config(more: serde_json::Value) -> serde_json::Value {
    let mut config = serde_json::json!({ "prefix": "dam-", "target-prefix": "nxr2-" });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

fn records_of(topic: &str) -> Part {
    Part::new(records_part(topic), Stage::Records).set(setting::TOPIC, topic)
}

/// Saves the cluster's topic, each part for itself, and makes the snapshot readable.
fn saved(broker: &mut Memory, more: serde_json::Value) -> Host {
    let host = Host::new().config(&config(more)).instant("dam", "database", backup::tests::instant());
    let settings = Settings::read().unwrap();
    let fence = Part::new(part::FENCE, Stage::Fence).set(setting::TOPICS, TOPIC);
    backup::with(broker, &Part::new(part::POSITIONS, Stage::Positions), &settings).unwrap();
    let host = host.stored_as_archive(part::POSITIONS);
    backup::with(broker, &fence, &settings).unwrap();
    let host = host.stored_as_archive(part::FENCE);
    let outcome = backup::with(broker, &records_of(TOPIC), &settings).unwrap();
    assert!(proven(&outcome.receipts), "{outcome:?}");
    host.stored_as_archive(&records_part(TOPIC))
}

fn target() -> Target {
    Target::read(&Settings::read().unwrap()).unwrap()
}

/// Offset, time and value of each record of a partition.
fn held(broker: &Memory, topic: &str, partition: i32) -> Vec<(i64, i64, String)> {
    let mut held = Vec::new();
    for batch in broker.log(topic, partition).batches {
        let mut records = Records::of(&batch).unwrap();
        while let Some(record) = records.next_record().unwrap() {
            let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
            assert_eq!(record.headers, [(&b"h"[..], None), (&b"h"[..], Some(&b"1"[..]))]);
            held.push((record.offset, record.timestamp, value));
        }
    }
    held
}

fn done(broker: &Memory) -> Vec<String> {
    broker.0.borrow().done.clone()
}

fn codes(outcome: &Outcome) -> Vec<&str> {
    outcome.findings.iter().map(|finding| finding.code.as_str()).collect()
}

/// Two partitions: one with a hole, a late record and one behind the cut; one empty.
fn cluster() -> Memory {
    let log = Log::of(vec![
        packed(Codec::Lz4, &[(5, 900), (6, 100)]),
        batch(&[(7, 1500), (8, 980)]),
        covering(packed(Codec::Gzip, &[(9, 990)]), 9, 12),
        batch(&[(12, 1000), (13, 2000)]),
    ]);
    Memory::default()
        .topic(TOPIC, vec![log, Log { start: 42, end: 42, ..Log::default() }])
        .config(TOPIC, "cleanup.policy", "compact")
        .config(TOPIC, "segment.ms", "300")
        .group("dam-g", &[(TOPIC, 0, 9), (TOPIC, 1, 42)])
        .group("dam-h", &[(TOPIC, 0, 14)])
        .group("dam-old", &[(TOPIC, 0, 2)])
        .group("dam-idle", &[])
}

#[test]
fn a_topic_comes_back_record_by_record_with_its_groups_offsets() {
    let mut broker = cluster();
    let _host = saved(&mut broker, serde_json::json!({}));
    let target = target();
    let fence = with(&mut broker, None, &Part::new(part::FENCE, Stage::Fence), &target).unwrap();
    assert!(proven(&fence.receipts) && fence.findings.is_empty(), "{fence:?}");
    let records = with(&mut broker, None, &records_of(TOPIC), &target).unwrap();
    assert!(proven(&records.receipts), "{records:?}");
    let wanted = [(0, 900, 5), (1, 100, 6), (2, 980, 8), (3, 990, 9), (4, 1000, 12)];
    let wanted = wanted.map(|(offset, time, source)| (offset, time, format!("record {source}")));
    assert_eq!(held(&broker, NEW, 0), wanted);
    assert!(held(&broker, NEW, 1).is_empty());
    let commit = |group: &str| broker.0.borrow().groups.get(group).cloned().unwrap_or_default().remove(NEW);
    assert_eq!(commit("nxr2-g"), Some([(0, 3), (1, 0)].into()));
    assert_eq!(commit("nxr2-h"), Some([(0, 5)].into()));
    assert_eq!(commit("nxr2-old"), Some([(0, 0)].into()));
    assert_eq!(commit("nxr2-idle"), None, "no commit is invented");
    let configs = broker.0.borrow().topics[NEW].configs.clone();
    assert_eq!(
        configs.into_iter().collect::<Vec<_>>(),
        [("cleanup.policy".to_owned(), "compact".to_owned()), ("segment.ms".to_owned(), "300".to_owned())]
    );
    let positions = with(&mut broker, None, &Part::new(part::POSITIONS, Stage::Positions), &target).unwrap();
    assert!(proven(&positions.receipts), "{positions:?}");
    assert_eq!((positions.receipts[1].expected, codes(&positions)), (4, vec!["prefix-to-set"]));
    assert_eq!(done(&broker), [format!("create {NEW} 2 1")]);
}

#[test]
fn topics_that_are_still_there_can_be_replicated_up_to_the_cut() {
    let mut broker = cluster();
    let _host = saved(&mut broker, serde_json::json!({ "records": "none", "replicate": true }));
    // More came since.
    broker
        .0
        .borrow_mut()
        .topics
        .get_mut(TOPIC)
        .unwrap()
        .partitions
        .get_mut(&0)
        .unwrap()
        .batches
        .push(batch(&[(14, 3000)]));
    broker.0.borrow_mut().topics.get_mut(TOPIC).unwrap().partitions.get_mut(&0).unwrap().end = 15;
    let mut source = broker.clone();
    let outcome = with(&mut broker, Some(&mut source), &records_of(TOPIC), &target()).unwrap();
    assert!(proven(&outcome.receipts), "{outcome:?}");
    let values: Vec<String> = held(&broker, NEW, 0).into_iter().map(|(.., value)| value).collect();
    assert_eq!(values, ["record 5", "record 6", "record 8", "record 9", "record 12"]);
    assert_eq!(broker.0.borrow().groups["nxr2-g"][NEW][&0], 3);
}

#[test]
fn what_retention_took_before_a_replication_is_a_gap() {
    let mut broker = cluster();
    let _host = saved(&mut broker, serde_json::json!({ "replicate": true }));
    let mut source = broker.clone();
    source.0.borrow_mut().topics.get_mut(TOPIC).unwrap().partitions.get_mut(&0).unwrap().start = 8;
    let outcome = with(&mut broker, Some(&mut source), &records_of(TOPIC), &target()).unwrap();
    assert_eq!(codes(&outcome), ["retention-gap"]);
    assert_eq!(held(&broker, NEW, 0)[0].2, "record 8");
}

#[test]
fn a_topic_that_somebody_else_made_is_never_touched() {
    let mut broker = cluster();
    let _host = saved(&mut broker, serde_json::json!({}));
    broker = broker.topic(NEW, vec![Log::of(vec![batch(&[(0, 1)])])]);
    let error = with(&mut broker, None, &records_of(TOPIC), &target()).unwrap_err();
    assert!(error.message.contains("this restore has not made it"), "{error}");
    assert_eq!((done(&broker).len(), broker.log(NEW, 0).end), (0, 1));
}

#[test]
fn an_interrupted_restore_removes_its_own_topic_and_begins_again() {
    let mut broker = cluster();
    let _host = saved(&mut broker, serde_json::json!({}));
    broker.0.borrow_mut().produces_left = Some(0);
    let error = with(&mut broker, None, &records_of(TOPIC), &target()).unwrap_err();
    assert!(error.message.contains("the brokers are gone"), "{error}");
    broker.0.borrow_mut().produces_left = None;
    let outcome = with(&mut broker, None, &records_of(TOPIC), &target()).unwrap();
    assert!(proven(&outcome.receipts));
    let create = format!("create {NEW} 2 1");
    assert_eq!(done(&broker), [create.clone(), format!("delete {NEW}"), create]);
    assert_eq!(held(&broker, NEW, 0).len(), 5);
}

#[test]
fn a_topic_that_was_only_announced_is_removed_only_while_it_is_empty() {
    let mut broker = cluster();
    let _host = saved(&mut broker, serde_json::json!({}));
    let announced = format!(r#"{{"{NEW}":"making"}}"#);
    strongroom_plugin::context::checkpoint(announced.as_bytes()).unwrap();
    broker = broker.topic(NEW, vec![Log::of(vec![batch(&[(0, 1)])])]);
    let error = with(&mut broker, None, &records_of(TOPIC), &target()).unwrap_err();
    assert!(error.message.contains("has not made it") && done(&broker).is_empty(), "{error}");
    broker = broker.topic(NEW, vec![Log::default()]);
    assert!(with(&mut broker, None, &records_of(TOPIC), &target()).is_ok());
}

#[test]
fn a_group_with_active_members_is_refused_before_anything_is_made() {
    let mut broker = cluster();
    let _host = saved(&mut broker, serde_json::json!({}));
    broker.0.borrow_mut().members.insert("nxr2-g".into(), 2);
    let error = with(&mut broker, None, &records_of(TOPIC), &target()).unwrap_err();
    assert!(error.message.contains("2 active members") && done(&broker).is_empty(), "{error}");
}

#[test]
fn the_saved_instance_that_still_runs_is_named() {
    let mut broker = cluster();
    let _host = saved(&mut broker, serde_json::json!({}));
    broker.0.borrow_mut().members.insert("dam-g".into(), 1);
    let fence = with(&mut broker, None, &Part::new(part::FENCE, Stage::Fence), &target()).unwrap();
    assert_eq!(codes(&fence), ["source-active"]);
}

#[test]
fn a_prefix_in_use_stops_the_fence_and_every_topic() {
    let mut broker = cluster();
    let _host = saved(&mut broker, serde_json::json!({}));
    broker = broker.group("nxr2-somebody", &[]);
    let fence = with(&mut broker, None, &Part::new(part::FENCE, Stage::Fence), &target()).unwrap();
    assert_eq!(codes(&fence), ["target-prefix-used"]);
    let error = with(&mut broker, None, &records_of(TOPIC), &target()).unwrap_err();
    assert!(error.message.contains("in use") && done(&broker).is_empty(), "{error}");
}

#[test]
fn records_that_read_back_in_another_order_are_found_out() {
    let mut broker = cluster();
    let _host = saved(&mut broker, serde_json::json!({}));
    let mut fetches = 0;
    broker.0.borrow_mut().before_fetch = Some(Box::new(move |topics, _| {
        fetches += 1;
        if let (1, Some(topic)) = (fetches, topics.get_mut(NEW)) {
            // Two records change places before they are read back.
            let log = topic.partitions.get_mut(&0).unwrap();
            log.batches = vec![batch(&[(0, 900), (1, 100), (2, 980), (3, 1000), (4, 990)])];
        }
    }));
    let error = with(&mut broker, None, &records_of(TOPIC), &target()).unwrap_err();
    assert!(error.message.contains("does not read back"), "{error}");
    assert!(!broker.0.borrow().groups.contains_key("nxr2-g"), "nothing is committed for what is not proven");
}

#[test]
fn a_setting_that_the_brokers_do_not_take_is_named_and_the_rest_is_set() {
    let mut broker = cluster();
    let _host = saved(&mut broker, serde_json::json!({}));
    broker.0.borrow_mut().refused.insert("segment.ms".into());
    let outcome = with(&mut broker, None, &records_of(TOPIC), &target()).unwrap();
    assert_eq!(codes(&outcome), ["config-refused"]);
    assert_eq!(broker.0.borrow().topics[NEW].configs["cleanup.policy"], "compact");
}

#[test]
fn somebody_who_writes_between_the_batches_is_found_out() {
    let log = Log::of((0..50).map(|n| batch(&[(n, 1)])).collect());
    let mut broker = Memory::default().topic(TOPIC, vec![log]).config(TOPIC, "max.message.bytes", "200");
    let _host = saved(&mut broker, serde_json::json!({}));
    broker.0.borrow_mut().after_produce = Some(Box::new(|topics| {
        topics.get_mut(NEW).unwrap().partitions.get_mut(&0).unwrap().end += 1;
    }));
    let error = with(&mut broker, None, &records_of(TOPIC), &target()).unwrap_err();
    assert!(error.message.contains("somebody else writes"), "{error}");
}

#[test]
fn records_that_disappear_while_they_are_written_fail_the_part() {
    let mut broker = cluster();
    let _host = saved(&mut broker, serde_json::json!({ "read-back": false }));
    let writer = broker.clone();
    writer.0.borrow_mut().after_produce = Some(Box::new(|topics| {
        let log = topics.get_mut(NEW).unwrap().partitions.get_mut(&0).unwrap();
        log.start = 1;
    }));
    let error = with(&mut broker, None, &records_of(TOPIC), &target()).unwrap_err();
    assert!(error.message.contains("holds 4 records, and 5 were written"), "{error}");
    writer.0.borrow_mut().after_produce = None;
    assert!(with(&mut broker, None, &records_of(TOPIC), &target()).is_ok(), "the next attempt begins again");
}

/// A complaint about other tools: retention deletes what was just restored.
#[test]
fn records_that_retention_will_delete_are_announced() {
    let log = Log::of(vec![batch(&[(0, 900)])]);
    let mut broker = Memory::default().topic(TOPIC, vec![log]).config(TOPIC, "retention.ms", "60000");
    let _host = saved(&mut broker, serde_json::json!({}));
    let outcome = with(&mut broker, None, &records_of(TOPIC), &target()).unwrap();
    assert_eq!(codes(&outcome), ["retention-will-delete"]);
    assert_eq!(broker.0.borrow().topics[NEW].configs["retention.ms"], "60000");
}

#[test]
fn without_reading_back_the_counts_are_compared_all_the_same() {
    let mut broker = cluster();
    let _host = saved(&mut broker, serde_json::json!({ "read-back": false }));
    let outcome = with(&mut broker, None, &records_of(TOPIC), &target()).unwrap();
    assert!(
        proven(&outcome.receipts) && !outcome.receipts.iter().any(|receipt| receipt.subject.ends_with("read back"))
    );
}

#[test]
fn records_that_do_not_fit_into_one_batch_go_into_several() {
    let log = Log::of((0..50).map(|n| batch(&[(2 * n, 1), (2 * n + 1, 2)])).collect());
    let mut broker = Memory::default().topic(TOPIC, vec![log]).config(TOPIC, "max.message.bytes", "200");
    let _host = saved(&mut broker, serde_json::json!({}));
    assert!(proven(&with(&mut broker, None, &records_of(TOPIC), &target()).unwrap().receipts));
    let batches = broker.log(NEW, 0).batches;
    assert!(batches.len() > 10 && batches.iter().all(|batch| batch.len() <= 280), "{}", batches.len());
    assert_eq!(held(&broker, NEW, 0).len(), 100);
}

/// Parts that an interrupted attempt has done are not begun again.
#[test]
fn a_restore_that_began_under_one_prefix_does_not_end_under_another() {
    let mut broker = cluster();
    let _host = saved(&mut broker, serde_json::json!({}));
    broker.0.borrow_mut().produces_left = Some(0);
    with(&mut broker, None, &records_of(TOPIC), &target()).unwrap_err();
    broker.0.borrow_mut().produces_left = None;
    let settings = Settings { target_prefix: Some("other-".into()), ..Settings::read().unwrap() };
    let other = Target::read(&settings).unwrap();
    let error = with(&mut broker, None, &records_of(TOPIC), &other).unwrap_err();
    assert!(error.message.contains(NEW), "{error}");
    let positions = with(&mut broker, None, &Part::new(part::POSITIONS, Stage::Positions), &other).unwrap();
    assert_eq!((positions.receipts[0].expected, positions.receipts[0].actual), (1, 0));
    assert_eq!(codes(&positions), ["topics-missing"]);
}

#[test]
fn a_topic_that_is_not_full_is_missed_at_the_end() {
    let mut broker = cluster();
    let _host = saved(&mut broker, serde_json::json!({}));
    with(&mut broker, None, &records_of(TOPIC), &target()).unwrap();
    broker.0.borrow_mut().topics.get_mut(NEW).unwrap().partitions.get_mut(&0).unwrap().end = 4;
    let positions = with(&mut broker, None, &Part::new(part::POSITIONS, Stage::Positions), &target()).unwrap();
    assert!(!proven(&positions.receipts));
}

/// A complaint about other tools: the difference between two times is read as 32 bits.
#[test]
fn times_that_are_months_apart_in_one_batch_come_back() {
    let log = Log::of(vec![batch(&[(0, 900), (1, -9_000_000_000), (2, 901)])]);
    let mut broker = Memory::default().topic(TOPIC, vec![log]);
    let _host = saved(&mut broker, serde_json::json!({}));
    assert!(proven(&with(&mut broker, None, &records_of(TOPIC), &target()).unwrap().receipts));
    let times: Vec<i64> = held(&broker, NEW, 0).into_iter().map(|(_, time, _)| time).collect();
    assert_eq!(times, [900, -9_000_000_000, 901]);
}

#[test]
fn batches_that_reach_over_what_is_read_at_a_time_come_whole() {
    let _host = Host::new();
    let of = |bytes: usize| {
        let mut builder = Builder::new(Codec::None);
        builder.push(&Record { value: Some(&vec![bytes as u8; bytes]), ..Record::default() }).unwrap();
        builder.finish(None).unwrap()
    };
    let stored: Vec<_> = [700_000, 1, (1 << 20) - 90, 3_000_000, 2, 600_000].into_iter().map(of).collect();
    let stream = streams::from_bytes(&stored.concat()).unwrap();
    let mut came = Vec::new();
    let count = batches(&stream, |batch| {
        came.push(batch.to_vec());
        Ok(())
    });
    assert_eq!(count.unwrap(), 6);
    assert!(came == stored);
}

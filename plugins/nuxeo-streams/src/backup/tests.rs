//! Backups of a small cluster: what is stored, what the receipts say, what is found.

use strongroom_kafka::{Codec, Records};
use strongroom_plugin::{
    Instant, InstantKind, Stage, Timestamp,
    testing::{Host, at, proven},
};

use super::*;
use crate::{
    broker::memory::{Log, Memory, TRANSACTIONAL, batch, covering, flagged, marker, packed},
    inspect::{records_part, setting},
    settings::Late,
    store::{Fence, Index, Positions},
};

pub(crate) const TOPIC: &str = "dam-work-default";

/// An instant of the step with the database, at 1 s.
pub(crate) fn instant() -> Instant {
    Instant {
        not_before: at(1),
        not_after: Timestamp { seconds: 1, nanoseconds: 0 },
        kind: InstantKind::Start,
        clock: "postgresql db1".into(),
        ahead_of_host_ms: 0,
        attributes: Vec::new(),
    }
}

pub(crate) fn settings() -> Settings {
    Settings { prefix: Some("dam-".into()), ..Settings::default() }
}

fn fence_part(topics: &str) -> Part {
    Part::new(part::FENCE, Stage::Fence).set(setting::TOPICS, topics)
}

fn records_of(topic: &str) -> Part {
    Part::new(records_part(topic), Stage::Records).set(setting::TOPIC, topic)
}

/// Positions, then the fence, then the topic.
pub(crate) fn whole(broker: &mut Memory, settings: &Settings) -> [Outcome; 3] {
    let positions = with(broker, &Part::new(part::POSITIONS, Stage::Positions), settings).unwrap();
    let fence = with(broker, &fence_part(TOPIC), settings).unwrap();
    [positions, fence, with(broker, &records_of(TOPIC), settings).unwrap()]
}

fn host() -> Host {
    Host::new().instant("dam", "database", instant())
}

fn codes(outcome: &Outcome) -> Vec<&str> {
    outcome.findings.iter().map(|finding| finding.code.as_str()).collect()
}

fn index(host: &Host, partition: i32) -> Index {
    let bytes = host.stored(&store::index(TOPIC, partition)).unwrap();
    store::parse(std::str::from_utf8(&bytes).unwrap()).unwrap()
}

#[test]
fn batches_inside_the_cut_are_stored_as_they_lay_and_the_rest_is_written_anew() {
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let host = host();
        let batches = [
            packed(codec, &[(0, 900), (1, 1000)]),
            packed(codec, &[(2, 1001), (3, 999), (4, 5000)]),
            batch(&[(5, 2000)]),
        ];
        let mut broker = Memory::default().topic(TOPIC, vec![Log::of(batches.to_vec())]);
        let [_, fence, records] = whole(&mut broker, &settings());
        assert!(proven(&fence.receipts) && proven(&records.receipts), "{records:?}");
        assert!(host.has_settled(), "the next stage need not wait");
        let stored = host.stored(&store::batches(TOPIC, 0)).unwrap();
        let (first, second) = stored.split_at(batches[0].len());
        assert_eq!(first, batches[0]);
        let mut left = Records::of(second).unwrap();
        assert_eq!(left.header().codec(), codec);
        assert_eq!(left.next_record().unwrap().unwrap().offset, 3);
        assert!(left.next_record().unwrap().is_none());
        let index = index(&host, 0);
        assert_eq!((index.batches, index.rewritten, index.tally.kept), (2, 1, 3));
        assert_eq!((index.offsets, index.newest), (Some((0, 3)), Some(1000)));
        assert_eq!((index.bytes, index.from, index.fence), (stored.len() as u64, 0, 6));
    }
}

#[test]
fn late_records_can_be_dropped() {
    let host = host();
    let log = Log::of(vec![batch(&[(0, 900)]), batch(&[(1, 1500)]), batch(&[(2, 980)])]);
    let mut broker = Memory::default().topic(TOPIC, vec![log]);
    let [.., records] = whole(&mut broker, &Settings { late_records: Late::Drop, ..settings() });
    assert!(proven(&records.receipts));
    assert_eq!(index(&host, 0).tally.kept, 1);
}

#[test]
fn records_that_come_after_the_fence_are_not_stored() {
    let host = host();
    let mut broker = Memory::default().topic(TOPIC, vec![Log::of(vec![batch(&[(0, 10), (1, 10)])])]);
    with(&mut broker, &Part::new(part::POSITIONS, Stage::Positions), &settings()).unwrap();
    with(&mut broker, &fence_part(TOPIC), &settings()).unwrap();
    broker = broker.topic(TOPIC, vec![Log::of(vec![batch(&[(0, 10), (1, 10)]), batch(&[(2, 10)])])]);
    let records = with(&mut broker, &records_of(TOPIC), &settings()).unwrap();
    assert!(proven(&records.receipts));
    assert_eq!(index(&host, 0).offsets, Some((0, 1)));
}

#[test]
fn an_empty_partition_is_stored_as_what_it_is() {
    let host = host();
    let logs = vec![Log { start: 42, end: 42, ..Log::default() }, Log::of(vec![batch(&[(0, 1)])])];
    let mut broker = Memory::default().topic(TOPIC, logs).group("dam-work-default", &[(TOPIC, 0, 42)]);
    let [positions, fence, records] = whole(&mut broker, &settings());
    assert!([positions, fence, records].iter().all(|outcome| proven(&outcome.receipts)));
    assert_eq!(host.stored(&store::batches(TOPIC, 0)).unwrap(), b"");
    assert_eq!((index(&host, 0).from, index(&host, 0).offsets), (42, None));
}

#[test]
fn what_a_group_lost_to_retention_is_named() {
    let _host = host();
    let log = Log { start: 5000, ..Log::of(vec![batch(&[(5000, 10), (5001, 20)])]) };
    let mut broker = Memory::default().topic(TOPIC, vec![log]).group("dam-g", &[(TOPIC, 0, 4000)]);
    let [_, fence, _] = whole(&mut broker, &settings());
    assert_eq!(codes(&fence), ["gap"]);
    assert!(fence.findings[0].message.contains("4000"), "{:?}", fence.findings);
}

#[test]
fn a_topic_that_comes_after_the_plan_makes_the_set_partial() {
    let _host = host();
    let log = || vec![Log::of(vec![batch(&[(0, 1)])])];
    let mut broker = Memory::default().topic(TOPIC, log()).topic("dam-new", log());
    let [_, fence, _] = whole(&mut broker, &settings());
    assert_eq!(codes(&fence), ["topic-appeared"]);
    assert!(!proven(&fence.receipts));
    assert!(fence.findings[0].message.contains("dam-new"));
}

#[test]
fn a_topic_that_went_after_the_plan_is_named_and_its_part_fails() {
    let _host = host();
    let mut broker = Memory::default();
    with(&mut broker, &Part::new(part::POSITIONS, Stage::Positions), &settings()).unwrap();
    let fence = with(&mut broker, &fence_part(TOPIC), &settings()).unwrap();
    assert_eq!(codes(&fence), ["topic-vanished"]);
    let error = with(&mut broker, &records_of(TOPIC), &settings()).unwrap_err();
    assert!(error.message.contains("is gone"), "{error}");
}

#[test]
fn a_batch_with_a_wrong_checksum_fails_the_part() {
    let _host = host();
    let mut damaged = batch(&[(0, 1), (1, 1)]);
    let last = damaged.len() - 1;
    damaged[last] ^= 0x40;
    let mut broker = Memory::default().topic(TOPIC, vec![Log::of(vec![damaged])]);
    with(&mut broker, &Part::new(part::POSITIONS, Stage::Positions), &settings()).unwrap();
    with(&mut broker, &fence_part(TOPIC), &settings()).unwrap();
    let error = with(&mut broker, &records_of(TOPIC), &settings()).unwrap_err();
    assert!(error.message.contains("checksum") && error.message.contains(TOPIC), "{error}");
}

#[test]
fn a_partition_that_is_read_short_has_receipts_that_differ() {
    let _host = host();
    let log = Log { end: 9, ..Log::of(vec![batch(&[(0, 1)])]) };
    let mut broker = Memory::default().topic(TOPIC, vec![log]);
    let [.., records] = whole(&mut broker, &settings());
    assert_eq!((records.receipts[0].expected, records.receipts[0].actual), (9, 1));
    assert_eq!(codes(&records), ["log-truncated"]);
}

#[test]
fn transactions_and_compaction_do_not_make_receipts_differ() {
    let _host = host();
    let aborted = flagged(batch(&[(0, 1), (1, 1)]), TRANSACTIONAL, 7);
    let log = Log {
        aborted: vec![(7, 0, 2)],
        ..Log::of(vec![aborted, marker(2, 7), covering(batch(&[(3, 1), (6, 1)]), 3, 9)])
    };
    let mut broker = Memory::default().topic(TOPIC, vec![log]).config(TOPIC, "cleanup.policy", "compact,delete");
    let [.., records] = whole(&mut broker, &settings());
    assert!(proven(&records.receipts) && records.findings.is_empty(), "{records:?}");
    assert_eq!(records.receipts[0].actual, 2);
}

#[test]
fn only_what_a_group_has_still_to_read_can_be_stored() {
    let host = host();
    let log = Log::of(vec![batch(&[(0, 1), (1, 1)]), batch(&[(2, 1)]), batch(&[(3, 1)])]);
    let mut broker = Memory::default().topic(TOPIC, vec![log.clone(), log]);
    broker = broker.group("dam-a", &[(TOPIC, 0, 1)]).group("dam-b", &[(TOPIC, 0, 3)]);
    let [.., records] = whole(&mut broker, &Settings { records: crate::settings::Records::Pending, ..settings() });
    assert!(proven(&records.receipts));
    assert_eq!((index(&host, 0).from, index(&host, 0).offsets), (1, Some((1, 3))));
    assert_eq!(index(&host, 1).from, 0, "nobody has read the other partition");
}

#[test]
fn without_records_the_topics_shape_is_kept_for_a_replication() {
    let host = host();
    let mut broker = Memory::default().topic(TOPIC, vec![Log::of(vec![batch(&[(0, 1)])])]);
    let [.., records] = whole(&mut broker, &Settings { records: crate::settings::Records::None, ..settings() });
    assert!(proven(&records.receipts));
    assert_eq!(host.stored_paths(), ["dam-work-default/topic.json", "fence.json", "positions.json"]);
}

#[test]
fn positions_and_fence_hold_what_a_restore_needs() {
    let host = host();
    let mut broker = Memory::default()
        .topic(TOPIC, vec![Log::of(vec![batch(&[(0, 1), (1, 1), (2, 1), (3, 1)])])])
        .config(TOPIC, "retention.ms", "1000")
        .group("dam-g", &[(TOPIC, 0, 1), ("dam-pubsub-x", 0, 5), ("elsewhere", 0, 9)])
        .group("dam-pubsub-pubSub-node1", &[(TOPIC, 0, 1)])
        .group("other", &[(TOPIC, 0, 1)]);
    let [_, fence, _] = whole(&mut broker, &settings());
    let positions = String::from_utf8(host.stored(store::POSITIONS).unwrap()).unwrap();
    let positions: Positions = store::parse(&positions).unwrap();
    assert_eq!((positions.groups.len(), positions.count()), (1, 1));
    assert_eq!(positions.of(TOPIC, 0).collect::<Vec<_>>(), [("dam-g", 1)]);
    let stored: Fence = store::parse(&String::from_utf8(host.stored(store::FENCE).unwrap()).unwrap()).unwrap();
    let topic = &stored.topics[TOPIC];
    assert_eq!((topic.configs["retention.ms"].as_str(), topic.timestamp_type.as_str()), ("1000", "CreateTime"));
    assert_eq!((stored.cut.at, stored.cluster.as_str(), topic.partitions[&0]), (1000, "c1", (0, 4)));
    assert!(fence.facts.iter().any(|(key, value)| key == "cut" && value.contains("dam/database")));
    assert!(fence.facts.iter().any(|(key, value)| key == "still to read: dam-g" && value == "3 offsets"));
}

#[test]
fn another_prefix_in_nuxeo_conf_fails_the_fence() {
    let notes =
        [("kafka.prefix", "other-", "prefix-contradiction"), ("kafka.prefixes", "dam-\nimp_", "prefix-unlisted")];
    for (key, value, code) in notes {
        // The scripted host keeps notes of its own step only.
        let mut instant = instant();
        instant.clock.clear();
        let _host = Host::new().instant(strongroom_plugin::testing::STEP, "database", instant).note(key, value);
        let mut broker = Memory::default().topic(TOPIC, vec![Log::default()]);
        let [_, fence, _] = whole(&mut broker, &settings());
        assert_eq!(codes(&fence), [code]);
    }
}

/// The records begin as soon as the fence has settled: once they came before its note, and all failed.
#[test]
fn a_fence_has_not_settled_before_the_records_can_read_it() {
    let host = host();
    let mut broker = Memory::default().topic(TOPIC, vec![Log::default()]);
    with(&mut broker, &Part::new(part::POSITIONS, Stage::Positions), &settings()).unwrap();
    broker.0.borrow_mut().refused.insert("configs".into());
    with(&mut broker, &fence_part(TOPIC), &settings()).unwrap_err();
    assert!(!host.has_settled());
    broker.0.borrow_mut().refused.clear();
    with(&mut broker, &fence_part(TOPIC), &settings()).unwrap();
    assert!(host.has_settled() && host.noted(note::FENCE).is_some());
}

#[test]
fn the_step_that_saves_nuxeo_can_say_the_prefix() {
    let step = strongroom_plugin::testing::STEP;
    let _host = host().note("kafka.prefix", "dam-").note("kafka.prefixes", "dam-\ndam-bulk-\nimp_");
    let settings = Settings { nuxeo_step: Some(step.into()), ..Settings::default() };
    let prefixes = crate::inspect::prefixes(&settings).unwrap();
    assert_eq!((prefixes.main.as_str(), prefixes.further), ("dam-", vec!["imp_".to_owned()]));
    let mut broker = Memory::default().topic(TOPIC, vec![Log::of(vec![batch(&[(0, 1)])])]);
    let parts = [(part::POSITIONS, Stage::Positions), (part::FENCE, Stage::Fence), (part::RECORDS, Stage::Records)];
    for (name, stage) in parts {
        assert!(proven(&with(&mut broker, &Part::new(name, stage), &settings).unwrap().receipts), "{name}");
    }
}

#[test]
fn records_are_saved_although_the_positions_could_not_be() {
    let _host = host();
    let mut broker = Memory::default().topic(TOPIC, vec![Log::of(vec![batch(&[(0, 1)])])]);
    with(&mut broker, &fence_part(TOPIC), &settings()).unwrap();
    assert!(proven(&with(&mut broker, &records_of(TOPIC), &settings()).unwrap().receipts));
}

#[test]
fn a_part_behind_a_failed_one_says_so() {
    let _host = host();
    let mut broker = Memory::default().topic(TOPIC, vec![Log::default()]);
    let error = with(&mut broker, &records_of(TOPIC), &settings()).unwrap_err();
    assert!(error.message.contains("the part fence"), "{error}");
}

#[test]
fn a_long_batch_is_spliced_and_proved_by_the_host() {
    let long = |value: Vec<u8>| {
        let mut builder = strongroom_kafka::Builder::keeping_offsets(Codec::None, 0);
        let record = strongroom_kafka::Record { timestamp: 1, value: Some(&value), ..Default::default() };
        builder.push(&record).unwrap();
        builder.finish(None).unwrap()
    };
    let whole = long(vec![7; 100 << 10]);
    let mut damaged = whole.clone();
    damaged[50 << 10] ^= 1;
    for (batch, is_right) in [(whole, true), (damaged, false)] {
        let host = host();
        let mut broker = Memory::default().topic(TOPIC, vec![Log::of(vec![batch.clone()])]);
        with(&mut broker, &Part::new(part::POSITIONS, Stage::Positions), &settings()).unwrap();
        with(&mut broker, &fence_part(TOPIC), &settings()).unwrap();
        match with(&mut broker, &records_of(TOPIC), &settings()) {
            Ok(outcome) => assert!(is_right && proven(&outcome.receipts)),
            Err(error) => assert!(!is_right && error.message.contains("checksum"), "{error}"),
        }
        assert!(!is_right || host.stored(&store::batches(TOPIC, 0)).unwrap() == batch);
    }
}

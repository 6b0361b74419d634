//! Topics made and removed, records written.

use strongroom_plugin::{Error as Cause, ErrorCode};

use super::{
    broker::{self, Brokers, Reply, TOPIC},
    connect,
};
use crate::{Builder, Codec, Fault, Header, Record, wire::Reader};

const PRODUCE: i16 = 0;
const CREATE_TOPICS: i16 = 19;
const DELETE_TOPICS: i16 = 20;
const INIT_PRODUCER_ID: i16 = 22;
const DESCRIBE_CONFIGS: i16 = 32;
const ALTER_CONFIGS: i16 = 33;
const INCREMENTAL_ALTER_CONFIGS: i16 = 44;

fn builder(count: usize) -> Builder {
    let mut builder = Builder::new(Codec::None);
    (0..count).for_each(|_| builder.push(&Record { timestamp: 7, ..Record::default() }).unwrap());
    builder
}

/// The header of the batch in a request.
fn sent(request: &broker::Asked) -> Header {
    let mut reader = Reader::new(&request.body, false);
    assert_eq!((reader.nullable_text().unwrap(), reader.i16().unwrap()), (None, -1), "acknowledged by all");
    reader.take(8).unwrap();
    assert_eq!(reader.text().unwrap(), TOPIC);
    reader.take(8).unwrap();
    crate::batch::check(reader.bytes().unwrap()).unwrap()
}

/// Brokers that take records, and say to each of the first batches what `replies` says.
fn taking(replies: Vec<fn() -> Reply>) -> Brokers {
    Brokers::new(move |asked, before| match asked.key {
        INIT_PRODUCER_ID => Some(Reply::Body(broker::producer(0, 42))),
        PRODUCE => Some(replies.get(before).map_or_else(|| Reply::Body(broker::produced(0, 0, 100)), |reply| reply())),
        _ => None,
    })
}

#[test]
fn each_batch_goes_on_counting_where_the_one_before_ended() {
    let brokers = taking(vec![]);
    let mut cluster = connect().unwrap();
    let mut producer = cluster.producer().unwrap();
    for count in [3, 2, 1] {
        assert_eq!(producer.send(&mut cluster, TOPIC, 0, builder(count)).unwrap(), 100);
    }
    let sent: Vec<_> = brokers.of(PRODUCE).iter().map(sent).collect();
    assert_eq!(sent.iter().map(|header| header.base_sequence).collect::<Vec<_>>(), [0, 3, 5]);
    assert!(sent.iter().all(|header| header.producer_id == 42 && header.base_offset == 0));
}

#[test]
fn a_batch_whose_answer_was_lost_is_sent_again_as_the_same_one() {
    let brokers = taking(vec![|| Reply::HangUp, || Reply::Body(broker::produced(0, 6, -1))]);
    let mut cluster = connect().unwrap();
    let mut producer = cluster.producer().unwrap();
    producer.send(&mut cluster, TOPIC, 0, builder(3)).unwrap();
    let bodies: Vec<_> = brokers.of(PRODUCE).into_iter().map(|asked| asked.body).collect();
    assert_eq!(bodies.len(), 3);
    assert!(bodies.iter().all(|body| *body == bodies[0]));
}

#[test]
fn a_batch_is_begun_without_waiting_for_its_answer() {
    let brokers = taking(vec![|| Reply::Body(broker::produced(0, 0, 7)), || Reply::Body(broker::produced(0, 0, 10))]);
    let mut cluster = connect().unwrap();
    let mut producer = cluster.producer().unwrap();
    assert_eq!(producer.begin(&mut cluster, TOPIC, 0, builder(3)).unwrap(), None);
    // These brokers hear what was said as soon as somebody waits for their answer.
    assert_eq!(brokers.count(PRODUCE), 0);
    assert_eq!(producer.begin(&mut cluster, TOPIC, 0, builder(1)).unwrap(), Some(7));
    assert_eq!(brokers.count(PRODUCE), 1);
    assert_eq!(producer.settle(&mut cluster).unwrap(), Some(10));
    assert_eq!(producer.settle(&mut cluster).unwrap(), None);
    assert_eq!(brokers.count(PRODUCE), 2);
}

#[test]
fn a_batch_that_was_begun_is_sent_again_before_the_next_one() {
    let brokers = taking(vec![|| Reply::HangUp, || Reply::Body(broker::produced(0, 6, -1))]);
    let mut cluster = connect().unwrap();
    let mut producer = cluster.producer().unwrap();
    producer.begin(&mut cluster, TOPIC, 0, builder(3)).unwrap();
    assert_eq!(producer.begin(&mut cluster, TOPIC, 0, builder(2)).unwrap(), Some(100));
    producer.settle(&mut cluster).unwrap();
    let first: Vec<_> = brokers.of(PRODUCE).iter().map(|asked| sent(asked).base_sequence).collect();
    assert_eq!(first, [0, 0, 0, 3]);
}

#[test]
fn behind_a_batch_that_was_refused_nothing_is_sent() {
    let brokers = taking(vec![|| Reply::Body(broker::produced(0, 10, -1))]);
    let mut cluster = connect().unwrap();
    let mut producer = cluster.producer().unwrap();
    producer.begin(&mut cluster, TOPIC, 0, builder(3)).unwrap();
    let error = producer.begin(&mut cluster, TOPIC, 0, builder(2)).unwrap_err();
    assert!(error.is(Fault::MessageTooLarge) && error.to_string().contains("writing 3 records"), "{error}");
    assert_eq!(brokers.count(PRODUCE), 1);
}

#[test]
fn a_long_batch_is_waited_for_at_once() {
    let _brokers = taking(vec![|| Reply::Body(broker::produced(0, 10, -1))]);
    let mut cluster = connect().unwrap();
    let mut producer = cluster.producer().unwrap();
    let mut long = Builder::new(Codec::None);
    long.push(&Record { value: Some(&vec![0; 3 << 20]), ..Record::default() }).unwrap();
    assert!(producer.begin(&mut cluster, TOPIC, 0, long.clone()).unwrap_err().is(Fault::MessageTooLarge));
    assert_eq!(producer.begin(&mut cluster, TOPIC, 0, long).unwrap(), None);
    assert_eq!(producer.settle(&mut cluster).unwrap(), Some(100));
}

#[test]
fn a_batch_without_a_sequence_is_not_sent_twice() {
    let brokers = taking(vec![|| Reply::HangUp]);
    let batch = builder(1).finish(None).unwrap();
    assert!(connect().unwrap().produce(TOPIC, 0, &batch).is_err());
    assert_eq!(brokers.count(PRODUCE), 1);
    // Where the broker says that it did not take it, it is.
    let brokers = taking(vec![|| Reply::Body(broker::produced(0, 6, -1))]);
    connect().unwrap().produce(TOPIC, 0, &batch).unwrap();
    assert_eq!(brokers.count(PRODUCE), 2);
    // And where it says that it may have, it is not.
    let brokers = taking(vec![|| Reply::Body(broker::produced(0, 20, -1))]);
    assert!(connect().unwrap().produce(TOPIC, 0, &batch).unwrap_err().is(Fault::NotEnoughReplicasAfterAppend));
    assert_eq!(brokers.count(PRODUCE), 1);
}

#[test]
fn a_batch_that_is_refused_is_refused_at_once() {
    let brokers = taking(vec![|| Reply::Body(broker::produced(0, 10, -1))]);
    let batch = builder(1).finish(None).unwrap();
    let error = connect().unwrap().produce(TOPIC, 0, &batch).unwrap_err();
    assert!(error.is(Fault::MessageTooLarge));
    assert_eq!(brokers.count(PRODUCE), 1);
}

#[test]
fn what_is_no_batch_is_not_sent() {
    let brokers = taking(vec![]);
    let mut batch = builder(1).finish(None).unwrap();
    batch[30] ^= 1;
    assert!(connect().unwrap().produce(TOPIC, 0, &batch).is_err());
    assert_eq!(brokers.count(PRODUCE), 0);
}

#[test]
fn an_offset_that_cannot_be_and_a_partition_that_was_not_meant_are_refused() {
    for reply in [
        || Reply::Body(broker::produced(0, 0, -1)),
        || Reply::Body(broker::produced(0, 0, i64::MAX)),
        || Reply::Body(broker::produced(1, 0, 5)),
    ] {
        let _brokers = taking(vec![reply]);
        let batch = builder(1).finish(None).unwrap();
        assert_eq!(Cause::from(connect().unwrap().produce(TOPIC, 0, &batch).unwrap_err()).code, ErrorCode::Corrupt);
    }
}

#[test]
fn a_topic_is_made_with_its_settings() {
    let brokers = Brokers::answering(CREATE_TOPICS, vec![broker::topic_made("new", 0, "")]);
    connect().unwrap().create_topic("new", 3, -1, &[("retention.ms".to_owned(), "-1".to_owned())]).unwrap();
    let body = &brokers.of(CREATE_TOPICS)[0].body;
    assert_eq!(body[..15], *b"\0\0\0\x01\0\x03new\0\0\0\x03\xff\xff");
    assert!(body.windows(16).any(|bytes| bytes == b"\0\x0cretention.ms\0\x02"));
}

#[test]
fn a_value_that_kafka_cannot_hold_is_not_cut_off() {
    let brokers = Brokers::new(|_, _| None);
    let configs = [("a".to_owned(), "x".repeat(40_000))];
    let error = connect().unwrap().create_topic("new", 3, 1, &configs).unwrap_err();
    assert_eq!(Cause::from(error).code, ErrorCode::Limit);
    assert_eq!(brokers.count(CREATE_TOPICS), 0);
}

#[test]
fn a_topic_that_is_there_is_told_in_the_broker_s_words() {
    let _brokers = Brokers::answering(CREATE_TOPICS, vec![broker::topic_made("new", 36, "Topic\n'new' exists")]);
    let error = connect().unwrap().create_topic("new", 3, 1, &[]).unwrap_err();
    assert!(error.is(Fault::TopicAlreadyExists));
    assert!(error.to_string().contains("(Topic 'new' exists)"), "{error}");
    assert_eq!(Cause::from(error).code, ErrorCode::Exists);
}

#[test]
fn a_topic_whose_making_is_in_doubt_is_not_made_again() {
    for reply in [|| Reply::HangUp, || Reply::Body(broker::topic_made("new", 7, ""))] {
        let brokers = Brokers::new(move |asked, _| (asked.key == CREATE_TOPICS).then(reply));
        assert!(connect().unwrap().create_topic("new", 3, 1, &[]).is_err());
        assert_eq!(brokers.count(CREATE_TOPICS), 1);
    }
}

#[test]
fn a_broker_that_is_not_the_controller_is_asked_again() {
    let bodies = vec![broker::topic_made("new", 41, ""), broker::topic_made("new", 0, "")];
    let brokers = Brokers::answering(CREATE_TOPICS, bodies);
    connect().unwrap().create_topic("new", 3, 1, &[]).unwrap();
    assert_eq!(brokers.count(CREATE_TOPICS), 2);
}

#[test]
fn a_topic_that_is_gone_is_not_deleted_over_and_over() {
    let brokers = Brokers::answering(DELETE_TOPICS, vec![broker::topic_deleted("old", 3)]);
    assert!(connect().unwrap().delete_topic("old").unwrap_err().is(Fault::UnknownTopicOrPartition));
    assert_eq!(brokers.count(DELETE_TOPICS), 1);
}

#[test]
fn an_answer_for_another_topic_is_refused() {
    let _brokers = Brokers::answering(DELETE_TOPICS, vec![broker::topic_deleted("other", 0)]);
    assert_eq!(Cause::from(connect().unwrap().delete_topic("old").unwrap_err()).code, ErrorCode::Corrupt);
    let _brokers = Brokers::answering(INCREMENTAL_ALTER_CONFIGS, vec![broker::altered("other", 0)]);
    assert!(connect().unwrap().set_configs("old", &[]).is_err());
}

#[test]
fn a_broker_before_2_3_is_told_all_settings_of_the_topic() {
    let own = [("a", "0", 1, false), ("b", "2", 1, false), ("c", "3", 1, false), ("d", "4", 5, false)];
    let brokers = Brokers::new(move |asked, _| match asked.key {
        18 => Some(Reply::Body(broker::versions(&[(INCREMENTAL_ALTER_CONFIGS, -1, -1), (ALTER_CONFIGS, 0, 1)]))),
        DESCRIBE_CONFIGS => Some(Reply::Body(broker::configs("old", &own))),
        ALTER_CONFIGS => Some(Reply::Body(broker::altered("old", 0))),
        _ => None,
    });
    connect().unwrap().set_configs("old", &[("a".to_owned(), Some("1".to_owned())), ("b".to_owned(), None)]).unwrap();
    let body = &brokers.of(ALTER_CONFIGS)[0].body;
    assert_eq!(body[..], *b"\0\0\0\x01\x02\0\x03old\0\0\0\x02\0\x01a\0\x011\0\x01c\0\x013\0");
}

#[test]
fn settings_are_changed_and_set_back() {
    let brokers = Brokers::answering(INCREMENTAL_ALTER_CONFIGS, vec![broker::altered("old", 0)]);
    connect().unwrap().set_configs("old", &[("a".to_owned(), Some("1".to_owned())), ("b".to_owned(), None)]).unwrap();
    let body = &brokers.of(INCREMENTAL_ALTER_CONFIGS)[0].body;
    assert_eq!(body[..], *b"\0\0\0\x01\x02\0\x03old\0\0\0\x02\0\x01a\0\0\x011\0\x01b\x01\xff\xff\0");
}

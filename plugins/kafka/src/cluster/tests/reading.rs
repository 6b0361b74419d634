//! Fetches, and the batches in them.

use std::io::Read as _;

use strongroom_plugin::{Error as Cause, ErrorCode};

use super::{
    broker::{self, Brokers, Reply, TOPIC},
    connect,
};
use crate::{Builder, Codec, Fault, Record, Records, Transaction};

const FETCH: i16 = 1;

/// A batch of `count` records from `offset` on.
fn batch(offset: i64, count: i64) -> Vec<u8> {
    let mut builder = Builder::keeping_offsets(Codec::None, offset);
    (offset..offset + count).for_each(|offset| {
        builder.push(&Record { offset, value: Some(b"value"), ..Record::default() }).unwrap();
    });
    builder.finish(None).unwrap()
}

fn fetching(records: &[u8]) -> Brokers {
    Brokers::answering(FETCH, vec![broker::fetched(0, 0, &[], records)])
}

/// The base offsets of the batches that a fetch from `offset` brings, and how it ends.
fn pieces(records: &[u8], offset: i64) -> (Vec<i64>, Result<i64, String>) {
    let _brokers = fetching(records);
    let mut cluster = connect().unwrap();
    let mut fetched = cluster.fetch(TOPIC, 0, offset, 1000).unwrap();
    let mut bases = Vec::new();
    loop {
        match fetched.next_piece() {
            Ok(Some(piece)) => bases.push(piece.header.base_offset),
            Ok(None) => return (bases, Ok(fetched.position())),
            Err(error) => return (bases, Err(error.to_string())),
        }
    }
}

#[test]
fn a_fetch_gives_whole_batches_and_where_to_go_on() {
    let records = [batch(4, 3), batch(7, 1), batch(20, 2)].concat();
    assert_eq!(pieces(&records, 5), (vec![4, 7, 20], Ok(22)));
}

#[test]
fn the_marks_and_the_aborted_transactions_are_told() {
    let aborted: Vec<(i64, i64)> = (0..1000).map(|n| (n, n * 2)).collect();
    let records = batch(4, 3);
    // The head is longer than what is looked at first.
    let brokers = Brokers::answering(FETCH, vec![broker::fetched(0, 0, &aborted, &records)]);
    let mut cluster = connect().unwrap();
    let mut fetched = cluster.fetch(TOPIC, 0, 4, 1000).unwrap();
    assert_eq!((fetched.high_watermark, fetched.stable_end, fetched.log_start), (100, 90, 3));
    assert_eq!(fetched.aborted.len(), 1000);
    assert_eq!(fetched.aborted[7], Transaction { producer_id: 7, first_offset: 14 });
    assert_eq!(fetched.bytes, records.len() as u64);
    assert_eq!(fetched.next_piece().unwrap().unwrap().bytes(1000).unwrap(), records);
    // Isolation: committed.
    assert_eq!(brokers.of(FETCH)[0].body[16], 1);
}

#[test]
fn records_stay_in_the_host_until_they_are_read() {
    let records = batch(0, 3);
    let _brokers = fetching(&records);
    let mut cluster = connect().unwrap();
    let mut fetched = cluster.fetch(TOPIC, 0, 0, 1000).unwrap();
    let mut all = Vec::new();
    fetched.records.read_to_end(&mut all).unwrap();
    assert_eq!(all, records);
    assert!(Records::of(&all).is_ok());
}

#[test]
fn what_is_dropped_unread_does_not_disturb_the_next_request() {
    let brokers = fetching(&[batch(0, 3), batch(3, 3)].concat());
    let mut cluster = connect().unwrap();
    for _ in 0..3 {
        let mut fetched = cluster.fetch(TOPIC, 0, 0, 1000).unwrap();
        let piece = fetched.next_piece().unwrap().unwrap();
        drop(piece);
        assert_eq!(fetched.next_piece().unwrap().unwrap().header.base_offset, 3);
    }
    // On one connection.
    assert_eq!((brokers.count(FETCH), brokers.count(18)), (3, 1));
}

#[test]
fn asking_while_records_are_unread_is_an_error_and_not_a_mix_up() {
    let _brokers = fetching(&batch(0, 3));
    let mut cluster = connect().unwrap();
    let fetched = cluster.fetch(TOPIC, 0, 0, 1000).unwrap();
    assert_eq!(Cause::from(cluster.fetch(TOPIC, 0, 0, 1000).map(drop).unwrap_err()).code, ErrorCode::Invalid);
    drop(fetched);
    cluster.fetch(TOPIC, 0, 0, 1000).unwrap();
}

#[test]
fn a_last_batch_that_is_cut_off_comes_with_the_next_fetch() {
    let (first, second) = (batch(0, 3), batch(3, 3));
    for length in 0..second.len() {
        let records = [&first, &second[..length]].concat();
        assert_eq!(pieces(&records, 0), (vec![0], Ok(3)), "{length} bytes of it");
    }
}

#[test]
fn a_first_batch_that_is_cut_off_is_not_waited_for_for_ever() {
    let first = batch(0, 3);
    for length in 1..first.len() {
        let (bases, end) = pieces(&first[..length], 0);
        assert!(bases.is_empty() && end.unwrap_err().contains("does not fit"), "{length} bytes of it");
    }
}

#[test]
fn nothing_to_read_is_not_an_error() {
    assert_eq!(pieces(&[], 7), (vec![], Ok(7)));
}

#[test]
fn a_broker_that_leads_backwards_or_round_in_a_circle_is_refused() {
    let (_, end) = pieces(&batch(0, 3), 3);
    assert!(end.unwrap_err().contains("asked for offset 3, and gives the batch at 0"));
    let (bases, end) = pieces(&[batch(4, 3), batch(4, 3)].concat(), 4);
    assert_eq!(bases, [4]);
    assert!(end.is_err());
    // One that overlaps the one before, and goes on behind it.
    assert!(pieces(&[batch(4, 3), batch(5, 9)].concat(), 4).1.is_err());
}

#[test]
fn a_batch_that_is_none_is_refused() {
    assert!(pieces(&[0xee; 100], 0).1.is_err());
}

#[test]
fn a_batch_larger_than_the_plugin_allows_is_refused_and_not_taken_in() {
    let _brokers = fetching(&batch(0, 100));
    let mut cluster = connect().unwrap();
    let mut fetched = cluster.fetch(TOPIC, 0, 0, 1000).unwrap();
    let error = fetched.next_piece().unwrap().unwrap().bytes(300).unwrap_err();
    assert_eq!(Cause::from(error).code, ErrorCode::Limit);
}

#[test]
fn an_offset_that_is_gone_is_told_and_the_connection_goes_on() {
    let records = batch(0, 3);
    let bodies = vec![broker::fetched(0, 1, &[], &[]), broker::fetched(0, 0, &[], &records)];
    let brokers = Brokers::answering(FETCH, bodies);
    let mut cluster = connect().unwrap();
    let error = cluster.fetch(TOPIC, 0, 0, 1000).map(drop).unwrap_err();
    assert!(error.is(Fault::OffsetOutOfRange));
    cluster.fetch(TOPIC, 0, 3, 1000).map(drop).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((brokers.count(FETCH), brokers.count(18)), (2, 1));
}

#[test]
fn a_length_of_records_that_lies_is_refused() {
    let body = broker::fetched(0, 0, &[], &batch(0, 3));
    let length_at = body.len() - batch(0, 3).len() - 4;
    for lie in [0, 1, 1000, i32::MAX, -1, i32::MIN] {
        let mut body = body.clone();
        body[length_at..length_at + 4].copy_from_slice(&lie.to_be_bytes());
        let _brokers = Brokers::answering(FETCH, vec![body]);
        let error = Cause::from(connect().unwrap().fetch(TOPIC, 0, 0, 1000).map(drop).unwrap_err());
        assert_eq!(error.code, ErrorCode::Corrupt, "{lie}: {error}");
    }
}

#[test]
fn an_answer_for_another_partition_or_topic_is_refused() {
    let _brokers = Brokers::answering(FETCH, vec![broker::fetched(1, 0, &[], &batch(0, 3))]);
    let error = connect().unwrap().fetch(TOPIC, 0, 0, 1000).map(drop).unwrap_err();
    assert!(error.to_string().contains("another partition"), "{error}");
    let mut body = broker::fetched(0, 0, &[], &batch(0, 3));
    let at = body.windows(3).position(|bytes| bytes == b"dam").unwrap();
    body[at] = b'x';
    let _brokers = Brokers::answering(FETCH, vec![body]);
    let error = connect().unwrap().fetch(TOPIC, 0, 0, 1000).map(drop).unwrap_err();
    assert!(error.to_string().contains("answers for another"), "{error}");
}

#[test]
fn a_connection_that_ends_among_the_records_is_noticed() {
    let records = batch(0, 3);
    let brokers = Brokers::new(move |asked, _| {
        let frame = broker::framed(4, &broker::fetched(0, 0, &[], &records));
        (asked.key == FETCH).then(|| Reply::Raw(frame[..frame.len() - 5].to_vec()))
    });
    // So small an answer is looked at whole.
    let error = Cause::from(connect().unwrap().fetch(TOPIC, 0, 0, 1000).map(drop).unwrap_err());
    assert_eq!((error.code, error.retryable), (ErrorCode::Unavailable, true), "{error}");
    assert_eq!(brokers.count(FETCH), 3);
    let records = batch(0, 1000);
    let _brokers = Brokers::new(move |asked, _| {
        let frame = broker::framed(4, &broker::fetched(0, 0, &[], &records));
        (asked.key == FETCH).then(|| Reply::Raw(frame[..frame.len() - 5].to_vec()))
    });
    let mut cluster = connect().unwrap();
    let mut fetched = cluster.fetch(TOPIC, 0, 0, 1000).unwrap();
    let error = fetched.next_piece().unwrap().unwrap().bytes(1 << 20).unwrap_err();
    assert!(error.is_lost(), "{error}");
}

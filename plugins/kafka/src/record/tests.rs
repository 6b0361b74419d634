//! Records out of batches that Kafka's own client wrote, into new ones, and out of some that lie.

use super::{Builder, Record, Records, Sequence};
use crate::{Codec, Result, batch::TimestampType, wire::put_signed};

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
const CLIENT: [&[u8]; 5] = [
    include_bytes!("../../fixtures/none.batch"),
    include_bytes!("../../fixtures/gzip.batch"),
    include_bytes!("../../fixtures/snappy.batch"),
    include_bytes!("../../fixtures/lz4.batch"),
    include_bytes!("../../fixtures/zstd.batch"),
];
const CONTROL: &[u8] = include_bytes!("../../fixtures/control.batch");
const APPEND_TIME: &[u8] = include_bytes!("../../fixtures/append-time.batch");
const COMPACTED: &[u8] = include_bytes!("../../fixtures/compacted.batch");

/// A record that owns its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Own {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Own {
    fn of(record: &Record) -> Self {
        let own = |bytes: &[u8]| bytes.to_vec();
        Self {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(own),
            value: record.value.map(own),
            headers: record.headers.iter().map(|(name, value)| (name.to_vec(), value.map(own))).collect(),
        }
    }

    fn record(&self) -> Record<'_> {
        Record {
            offset: self.offset,
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: self.headers.iter().map(|(name, value)| (&name[..], value.as_deref())).collect(),
        }
    }
}

/// What the client was told to write: no key now and then, empty and missing values, headers that come again, times that
/// go back.
fn written(count: i64) -> Vec<Own> {
    let headers = |n: i64| match n % 5 {
        0 => vec![
            (b"h".to_vec(), Some(n.to_string().into_bytes())),
            (b"h".to_vec(), None),
            (Vec::new(), Some(Vec::new())),
        ],
        _ => Vec::new(),
    };
    let value = |n: i64| match n % 10 {
        7 => None,
        8 => Some(Vec::new()),
        _ => Some(format!("value-{n:06}-").repeat(10).into_bytes()),
    };
    let record = |n: i64| Own {
        offset: n,
        timestamp: 1_600_000_000_000 + n * 7 - (n % 5) * 100,
        key: (n % 10 != 0).then(|| format!("k{n}").into_bytes()),
        value: value(n),
        headers: headers(n),
    };
    (0..count).map(record).collect()
}

fn read(batch: &[u8]) -> Result<Vec<Own>> {
    all(Records::of(batch)?)
}

fn all(mut records: Records) -> Result<Vec<Own>> {
    let mut all = Vec::new();
    while let Some(record) = records.next_record()? {
        all.push(Own::of(&record));
    }
    Ok(all)
}

fn built(mut builder: Builder, records: &[Own]) -> Vec<u8> {
    records.iter().for_each(|record| builder.push(&record.record()).unwrap());
    builder.finish(None).unwrap()
}

/// The batch with a body of its own, and everything that says how long it is made right.
fn with_body(batch: &[u8], count: u32, body: &[u8]) -> Vec<u8> {
    let mut made = [&batch[..57], &count.to_be_bytes(), body].concat();
    crate::batch::seal(&mut made).unwrap();
    made
}

#[track_caller]
fn refused(batch: &[u8], why: &str) {
    let error = read(batch).unwrap_err().to_string();
    assert!(error.contains(why), "{error}");
}

#[test]
fn what_kafka_s_own_client_packed_is_read_with_every_codec() {
    for (codec, batch) in CODECS.into_iter().zip(CLIENT) {
        assert_eq!(Records::of(batch).unwrap().header().codec(), codec);
        let count = if codec == Codec::Snappy { 400 } else { 40 };
        assert_eq!(read(batch).unwrap(), written(count), "{codec:?}");
    }
}

#[test]
fn what_is_packed_is_read_again_with_every_codec() {
    for codec in CODECS {
        let records = written(2000);
        assert_eq!(read(&built(Builder::new(codec), &records)).unwrap(), records, "{codec:?}");
    }
}

#[test]
fn records_are_written_as_kafka_s_own_client_writes_them() {
    let mine = built(Builder::new(Codec::None), &written(40));
    // The broker adds its epoch, and the client was idempotent.
    assert_eq!(mine[61..], CLIENT[0][61..]);
    assert_eq!(mine[21..43], CLIENT[0][21..43]);
}

#[test]
fn what_is_left_of_a_batch_keeps_its_offsets_and_times() {
    let mut kept = written(40);
    kept.retain(|record| record.offset % 3 == 1);
    kept.iter_mut().for_each(|record| record.offset += 5000);
    let batch = built(Builder::keeping_offsets(Codec::Gzip, 5000), &kept);
    let header = crate::batch::check(&batch).unwrap();
    assert_eq!((header.base_offset, header.last_offset()), (5000, 5037));
    assert_eq!(read(&batch).unwrap(), kept);
}

#[test]
fn the_hole_that_compaction_left_stays_a_hole() {
    let records = read(COMPACTED).unwrap();
    let header = crate::batch::check(COMPACTED).unwrap();
    assert_eq!(records.len() as u32, header.count);
    assert!(records.iter().all(|record| record.offset >= header.base_offset && record.offset <= header.last_offset()));
}

#[test]
fn under_the_broker_s_clock_every_record_has_the_batch_s_time() {
    let header = crate::batch::check(APPEND_TIME).unwrap();
    assert_eq!(read(APPEND_TIME).unwrap()[0].timestamp, header.max_timestamp);
    assert!(header.max_timestamp > 1_700_000_000_000, "the producer said 1,600,000,000,000");
    let mut builder = Builder::new(Codec::None).timestamp_type(TimestampType::LogAppendTime);
    builder.push(&Record { timestamp: 99, ..Record::default() }).unwrap();
    assert_eq!(read(&builder.finish(None).unwrap()).unwrap()[0].timestamp, 99);
}

#[test]
fn a_marker_of_a_transaction_is_a_record_with_a_key_of_its_own() {
    let marker = read(CONTROL).unwrap();
    // Version 0, type 1: a commit.
    assert_eq!(marker[0].key.as_deref(), Some(&[0, 0, 0, 1][..]));
}

#[test]
fn times_further_apart_than_a_month_come_back() {
    let times = [1_600_000_000_000, 0, -1, 1_900_000_000_000];
    let records = times.iter().zip(0..).map(|(time, offset)| Own { offset, timestamp: *time, ..Own::default() });
    let records: Vec<_> = records.collect();
    assert_eq!(read(&built(Builder::new(Codec::None), &records)).unwrap(), records);
}

#[test]
fn times_that_no_delta_can_hold_are_refused_on_both_ways() {
    let mut builder = Builder::new(Codec::None);
    builder.push(&Record { timestamp: i64::MIN, ..Record::default() }).unwrap();
    assert!(builder.push(&Record { timestamp: i64::MAX, ..Record::default() }).is_err());
    let mut body = vec![0];
    put_signed(&mut body, i64::MAX);
    body.extend([0, 1, 1, 0]);
    let record = [&[body.len() as u8 * 2][..], &body].concat();
    refused(&with_body(CLIENT[0], 1, &record), "time is out of range");
}

#[test]
fn offsets_that_do_not_rise_are_refused_on_both_ways() {
    let mut builder = Builder::keeping_offsets(Codec::None, 10);
    assert!(builder.push(&Record { offset: 9, ..Record::default() }).is_err());
    builder.push(&Record { offset: 11, ..Record::default() }).unwrap();
    assert!(builder.push(&Record { offset: 11, ..Record::default() }).is_err());
    assert!(builder.push(&Record { offset: i64::MAX, ..Record::default() }).is_err());
    // The same record twice: length, attributes, time, offset 0, no key, no value, no headers.
    let twice = [12, 0, 0, 0, 1, 1, 0].repeat(2);
    refused(&with_body(CLIENT[0], 2, &twice), "offset is 0 behind the first");
    let beyond = [14, 0, 0, 0x80, 0x01, 1, 1, 0];
    refused(&with_body(CLIENT[0], 1, &beyond), "offset is 64 behind the first");
}

#[test]
fn a_batch_with_fewer_or_more_records_than_it_counts_is_refused() {
    for batch in CLIENT {
        let body = &batch[61..];
        let count = u32::from_be_bytes(*batch[57..].first_chunk().unwrap());
        refused(&with_body(batch, count - 1, body), "more behind the last record");
        if count < 400 {
            let mut longer = with_body(batch, count + 1, body);
            longer[23..27].copy_from_slice(&100u32.to_be_bytes());
            crate::batch::seal(&mut longer).unwrap();
            assert!(read(&longer).is_err());
        }
    }
}

#[test]
fn lengths_that_lie_are_refused() {
    let length = |length: i64| {
        let mut body = Vec::new();
        put_signed(&mut body, length);
        body
    };
    for codec in CODECS {
        let batch = built(Builder::new(codec), &written(1));
        for lie in [-1, 7, i64::from(i32::MAX), i64::from(i32::MAX) + 1, i64::MAX] {
            let body = codec.pack(&length(lie)).unwrap();
            assert!(read(&with_body(&batch, 1, &body)).is_err(), "{codec:?} {lie}");
        }
    }
    let headers = [&[12 + 8][..], &[0, 0, 0, 1, 1], &length(i64::from(i32::MAX))].concat();
    refused(&with_body(CLIENT[0], 1, &headers), "more headers than it has bytes");
    let nameless = [&[16][..], &[0, 0, 0, 1, 1, 2, 1, 1]].concat();
    refused(&with_body(CLIENT[0], 1, &nameless), "no name");
}

#[test]
fn a_small_batch_that_unpacks_to_more_than_allowed_is_refused() {
    let bomb = Own { value: Some(vec![0; 4 << 20]), ..Own::default() };
    for codec in CODECS.into_iter().skip(1) {
        let batch = built(Builder::new(codec), std::slice::from_ref(&bomb));
        assert!(batch.len() < 300_000, "{codec:?} packs to {}", batch.len());
        let mut records = Records::bounded(&batch, 1 << 20).unwrap();
        assert!(records.next_record().is_err(), "{codec:?}");
        // Records that are small each, and too much together.
        let many = vec![Own { value: Some(vec![0; 60_000]), ..Own::default() }; 40];
        let batch = built(Builder::new(codec), &many);
        assert!(all(Records::bounded(&batch, 1 << 20).unwrap()).is_err(), "{codec:?}");
    }
}

#[test]
fn no_batch_that_was_tampered_with_makes_the_reader_panic_or_go_on_for_ever() {
    for batch in CLIENT.into_iter().chain([CONTROL, APPEND_TIME, COMPACTED]) {
        let length = batch.len().min(1500);
        for at in 23..length {
            for with in [0, 0x7f, 0xff] {
                let mut tampered = batch.to_vec();
                tampered[at] = with;
                crate::batch::seal(&mut tampered).unwrap();
                let count = Records::of(&tampered).map(|records| records.header().count);
                if let Ok(all) = read(&tampered) {
                    assert_eq!(Ok(all.len() as u32), count, "byte {at}");
                }
            }
            let mut cut = batch[..at.max(61)].to_vec();
            crate::batch::seal(&mut cut).unwrap();
            // LZ4 does without its end mark: then nothing of the records is missing.
            assert!(read(&cut).is_err() || read(&cut) == read(batch), "cut off at {at}");
        }
    }
}

#[test]
fn an_empty_batch_is_not_made_and_one_that_was_emptied_is_read() {
    assert!(Builder::new(Codec::None).finish(None).is_err());
    for batch in CLIENT {
        assert_eq!(read(&with_body(batch, 0, &[])).unwrap(), []);
    }
}

#[test]
fn a_sequence_goes_into_the_batch() {
    let mut builder = Builder::new(Codec::Lz4);
    builder.push(&Record::default()).unwrap();
    assert_eq!((builder.count(), builder.is_empty()), (1, false));
    let batch = builder.finish(Some(Sequence { producer_id: 4, producer_epoch: 0, first: 12 })).unwrap();
    assert_eq!(Records::of(&batch).unwrap().header().base_sequence, 12);
}

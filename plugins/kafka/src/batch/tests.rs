//! Headers of batches that a broker stored, and of some that lie.

use super::{HEADER_BYTES, Header, TimestampType, check, seal};
use crate::{Builder, Codec, Record, record::Sequence};

const GZIP: &[u8] = include_bytes!("../../fixtures/gzip.batch");
const CONTROL: &[u8] = include_bytes!("../../fixtures/control.batch");
const TRANSACTIONAL: &[u8] = include_bytes!("../../fixtures/transactional.batch");
const APPEND_TIME: &[u8] = include_bytes!("../../fixtures/append-time.batch");
const COMPACTED: &[u8] = include_bytes!("../../fixtures/compacted.batch");

/// The batch with bytes from `at` on replaced, and a right checksum.
fn changed(batch: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut batch = batch.to_vec();
    batch[at..at + bytes.len()].copy_from_slice(bytes);
    let crc = crc32c::crc32c(&batch[21..]).to_be_bytes();
    batch[17..21].copy_from_slice(&crc);
    batch
}

#[track_caller]
fn refused(batch: &[u8], why: &str) {
    let error = check(batch).unwrap_err().to_string();
    assert!(error.contains(why), "{error}");
}

#[test]
fn a_header_of_a_broker_is_read() {
    let header = check(GZIP).unwrap();
    assert_eq!(header.bytes(), GZIP.len() as u64);
    assert_eq!(header.body_bytes(), (GZIP.len() - HEADER_BYTES) as u64);
    assert_eq!((header.base_offset, header.last_offset(), header.next_offset(), header.count), (0, 39, 40, 40));
    assert_eq!((header.codec(), header.timestamp_type()), (Codec::Gzip, TimestampType::CreateTime));
    assert_eq!((header.base_timestamp, header.max_timestamp), (1_600_000_000_000, 1_600_000_000_245));
    assert!(!header.is_control() && !header.is_transactional());
}

#[test]
fn transactions_and_their_ends_are_told_apart() {
    let (data, marker) = (check(TRANSACTIONAL).unwrap(), check(CONTROL).unwrap());
    assert!(data.is_transactional() && !data.is_control());
    assert!(marker.is_transactional() && marker.is_control());
    assert_eq!(data.producer_id, marker.producer_id);
    assert!(data.producer_id >= 0);
}

#[test]
fn the_broker_s_clock_is_told_from_the_producer_s() {
    assert_eq!(check(APPEND_TIME).unwrap().timestamp_type(), TimestampType::LogAppendTime);
}

#[test]
fn a_compacted_batch_keeps_the_offsets_that_it_took() {
    let header = check(COMPACTED).unwrap();
    assert!(i64::from(header.count) < header.next_offset() - header.base_offset, "{header:?}");
}

#[test]
fn a_batch_with_a_wrong_crc_is_refused() {
    for at in 21..GZIP.len() {
        let mut batch = GZIP.to_vec();
        batch[at] ^= 0x10;
        assert!(check(&batch).is_err(), "byte {at} does not count");
    }
    let mut batch = GZIP.to_vec();
    batch[17] ^= 1;
    refused(&batch, "checksum");
}

#[test]
fn a_batch_that_is_cut_off_anywhere_is_refused() {
    for length in 0..GZIP.len() {
        assert!(check(&GZIP[..length]).is_err(), "{length} bytes are enough");
    }
    refused(&[GZIP, b"x"].concat(), "its header says");
}

#[test]
fn a_format_before_kafka_0_11_is_named() {
    let mut batch = GZIP.to_vec();
    batch[16] = 1;
    refused(&batch, "record format 1");
    assert!(Header::parse(&batch[..17]).unwrap_err().to_string().contains("record format 1"));
}

#[test]
fn headers_that_contradict_themselves_are_refused() {
    refused(&changed(GZIP, 8, &48i32.to_be_bytes()), "48 bytes long");
    refused(&changed(GZIP, 8, &(-1i32).to_be_bytes()), "bytes long");
    refused(&changed(GZIP, 0, &(-1i64).to_be_bytes()), "behind its beginning");
    refused(&changed(GZIP, 0, &i64::MAX.to_be_bytes()), "behind its beginning");
    refused(&changed(GZIP, 23, &(-1i32).to_be_bytes()), "behind its beginning");
    refused(&changed(GZIP, 57, &41i32.to_be_bytes()), "41 records in 40 offsets");
    refused(&changed(GZIP, 57, &(-1i32).to_be_bytes()), "records in 40 offsets");
    refused(&changed(GZIP, 21, &7i16.to_be_bytes()), "codec 7");
}

#[test]
fn a_batch_is_proved_by_the_digest_of_its_body_alone() {
    let header = check(GZIP).unwrap();
    let raw = GZIP.first_chunk().unwrap();
    let body = crc32c::crc32c(&GZIP[HEADER_BYTES..]);
    assert!(header.is_proved_by(raw, body));
    assert!(!header.is_proved_by(raw, body ^ 1));
    let mut other = *raw;
    other[30] ^= 1;
    assert!(!header.is_proved_by(&other, body));
}

#[test]
fn a_new_batch_says_who_wrote_it() {
    let mut builder = Builder::new(Codec::None);
    builder.push(&Record { timestamp: 5, ..Record::default() }).unwrap();
    let batch = builder.finish(Some(Sequence { producer_id: 9, producer_epoch: 2, first: 77 })).unwrap();
    let header = check(&batch).unwrap();
    assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (9, 2, 77));
}

#[test]
fn sealing_what_is_no_batch_does_not_panic() {
    seal(&mut [0; 5]).unwrap();
    seal(&mut []).unwrap();
}

//! Partitions as brokers hand them out: cut off, compacted, aborted, raced by retention.

use strongroom_plugin::testing::Host;

use super::*;
use crate::{
    broker::memory::{CONTROL, Log, Memory, TRANSACTIONAL, batch, covering, flagged, marker},
    cut::Cut,
    settings::Late,
};

/// Remembers the offsets that it was given.
#[derive(Default)]
struct Offsets(Vec<i64>);

impl Offsets {
    fn batch(&mut self, batch: &[u8]) -> Result<()> {
        let mut records = Records::of(batch)?;
        while let Some(record) = records.next_record()? {
            self.0.push(record.offset);
        }
        Ok(())
    }
}

impl Taker for Offsets {
    fn whole(&mut self, headers: &[Header], batches: &[u8], stream: &InputStream) -> Result<()> {
        each(headers, batches, stream, |batch| self.batch(batch))
    }

    fn long(&mut self, header: &Header, stream: &InputStream) -> Result<()> {
        self.batch(&read_batch(header, stream)?)
    }

    fn straddling(&mut self, batch: &[u8], keeper: &mut Keeper, tally: &mut Tally) -> Result<u64> {
        sift(Records::of(batch)?, keeper, tally, |record| {
            self.0.push(record.offset);
            Ok(())
        })
    }
}

const TOPIC: &str = "dam-a";

fn range(from: i64, to: i64, compacted: bool) -> Range<'static> {
    Range { topic: TOPIC, partition: 0, from, to, compacted }
}

fn run(broker: &mut Memory, range: Range) -> Result<(Vec<i64>, Scanned)> {
    let _host = Host::new();
    let cut = Cut { at: 1000, slack: 0, late: Late::Keep, from: None };
    let mut taker = Offsets::default();
    let seen = scan(broker, range, Keeper::new(range.from, range.to, &cut), &mut taker)?;
    Ok((taker.0, seen))
}

fn cluster(log: Log) -> Memory {
    Memory::default().topic(TOPIC, vec![log])
}

#[test]
fn a_connection_that_breaks_is_taken_up_where_it_broke_and_not_for_ever() {
    for (broken, goes_on) in [(3, true), (100, false)] {
        let mut broker = cluster(Log::of((0..6).map(|n| batch(&[(n, 1)])).collect()));
        broker.0.borrow_mut().broken = broken;
        match run(&mut broker, range(0, 6, false)) {
            Ok((offsets, seen)) => {
                assert!(goes_on && offsets == (0..6).collect::<Vec<_>>(), "{offsets:?}");
                assert_whole(&seen, range(0, 6, false));
            }
            Err(error) => assert!(!goes_on && error.message.contains("dropped"), "{error}"),
        }
    }
}

#[test]
fn long_and_short_batches_come_in_their_order() {
    let short = |n: i64| batch(&[(n, 1)]);
    let late = |n: i64| batch(&[(n, 1), (n + 1, 5000)]);
    let batches = vec![short(0), long(1), long(2), short(3), short(4), late(5), short(7), long(8), late(9), short(11)];
    // All in one answer.
    let _host = Host::new();
    let bytes: Vec<u8> = batches.concat();
    let stream = strongroom_plugin::streams::from_bytes(&bytes).unwrap();
    let (mut window, mut taker) = (Window::new(&stream, bytes.len() as u64), Offsets::default());
    let mut taken = Vec::new();
    while let Some(header) = window.next(&mut taker).unwrap() {
        match header.base_offset {
            5 | 9 => taken.push(window.take(&header, &mut taker).unwrap().len()),
            7 => window.pass(&header, &mut taker).unwrap(),
            _ => window.keep(header, &mut taker).unwrap(),
        }
    }
    window.end(&mut taker).unwrap();
    assert_eq!(taker.0, [0, 1, 2, 3, 4, 8, 11]);
    assert_eq!(taken, [late(5).len(), late(9).len()]);
    let (offsets, seen) = run(&mut cluster(Log::of(batches)), range(0, 12, false)).unwrap();
    assert_eq!((offsets, seen.tally.left_out(Why::Newer)), ((0..12).filter(|n| *n != 6 && *n != 10).collect(), 2));
}

/// A batch that is not shown whole.
fn long(offset: i64) -> Vec<u8> {
    let mut builder = strongroom_kafka::Builder::keeping_offsets(strongroom_kafka::Codec::None, offset);
    let value = vec![7; 40 << 10];
    let record = strongroom_kafka::Record { offset, timestamp: 1, value: Some(&value), ..Default::default() };
    builder.push(&record).unwrap();
    builder.finish(None).unwrap()
}

/// Every offset of the range is accounted for.
fn assert_whole(seen: &Scanned, range: Range) {
    assert_eq!(seen.tally.promised(range.from, range.to, range.compacted), seen.tally.kept, "{seen:?}");
}

#[test]
fn answers_that_are_cut_off_are_asked_for_again_until_the_fence() {
    let batches = (0..9).map(|n| batch(&[(2 * n, 10), (2 * n + 1, 20)])).collect();
    let (offsets, seen) = run(&mut cluster(Log::of(batches)), range(0, 15, false)).unwrap();
    assert_eq!(offsets, (0..15).collect::<Vec<i64>>());
    assert_whole(&seen, range(0, 15, false));
}

#[test]
fn records_behind_the_cut_are_left_out_one_by_one_and_late_ones_stay() {
    let log = Log::of(vec![batch(&[(0, 900), (1, 1500)]), batch(&[(2, 980), (3, 1600)]), batch(&[(4, 1700)])]);
    let (offsets, seen) = run(&mut cluster(log), range(0, 5, false)).unwrap();
    assert_eq!(offsets, [0, 2]);
    assert_eq!(seen.tally.left_out(Why::Newer), 3);
    assert_whole(&seen, range(0, 5, false));
}

/// A complaint about other tools: a compacted tail is an endless loop, gives duplicates, or ends early in silence.
#[test]
fn a_compacted_tail_neither_hangs_nor_repeats_nor_ends_early() {
    let log = Log {
        end: 40,
        ..Log::of(vec![
            covering(batch(&[(0, 10), (3, 20)]), 0, 10),
            covering(batch(&[(15, 30)]), 15, 20),
            batch(&[(25, 10), (26, 10)]),
        ])
    };
    let compacted = range(0, 40, true);
    let (offsets, seen) = run(&mut cluster(log.clone()), compacted).unwrap();
    assert_eq!(offsets, [0, 3, 15, 25, 26]);
    assert_eq!((seen.tally.holes, seen.unread), (35, None));
    assert_whole(&seen, compacted);
    // Where nothing is compacted, the same holes are records that are missing.
    let (_, seen) = run(&mut cluster(log), range(0, 40, false)).unwrap();
    assert_eq!(seen.unread, Some((27, Unread::Lost)));
    assert!(seen.tally.promised(0, 40, false) > seen.tally.kept);
}

#[test]
fn aborted_transactions_and_markers_take_offsets_and_give_no_records() {
    let of = |producer, records: &[(i64, i64)]| flagged(batch(records), TRANSACTIONAL, producer);
    let log = Log {
        aborted: vec![(7, 0, 3)],
        ..Log::of(vec![
            of(7, &[(0, 1), (1, 1)]),
            of(8, &[(2, 1)]),
            marker(3, 7),
            marker(4, 8),
            of(7, &[(5, 1)]),
            marker(6, 7),
            batch(&[(7, 1)]),
        ])
    };
    let (offsets, seen) = run(&mut cluster(log), range(0, 8, false)).unwrap();
    assert_eq!(offsets, [2, 5, 7]);
    assert_eq!((seen.tally.left_out(Why::Aborted), seen.tally.left_out(Why::Control)), (2, 3));
    assert_whole(&seen, range(0, 8, false));
    assert_eq!(CONTROL & TRANSACTIONAL, TRANSACTIONAL);
}

#[test]
fn a_transaction_that_stays_open_is_named_and_the_partition_is_not_called_whole() {
    let log = Log { open: Some(2), ..Log::of(vec![batch(&[(0, 1), (1, 1)]), batch(&[(2, 1)])]) };
    let (offsets, seen) = run(&mut cluster(log), range(0, 3, false)).unwrap();
    assert_eq!((offsets, seen.unread), (vec![0, 1], Some((2, Unread::Open))));
    assert_eq!(seen.tally.promised(0, 3, false), 3);
}

#[test]
fn a_transaction_that_ends_meanwhile_is_waited_for() {
    let log = Log { open: Some(1), ..Log::of(vec![batch(&[(0, 1)]), batch(&[(1, 1)])]) };
    let mut broker = cluster(log);
    let mut fetches = 0;
    broker.0.borrow_mut().before_fetch = Some(Box::new(move |topics, _| {
        fetches += 1;
        if fetches == 4 {
            topics.get_mut(TOPIC).unwrap().partitions.get_mut(&0).unwrap().open = None;
        }
    }));
    let (offsets, seen) = run(&mut broker, range(0, 2, false)).unwrap();
    assert_eq!((offsets, seen.unread), (vec![0, 1], None));
}

/// A complaint about other tools: retention that races the reader gives OFFSET_OUT_OF_RANGE, and the rest is lost.
#[test]
fn retention_that_races_the_reader_leaves_a_recorded_gap() {
    let mut broker = cluster(Log::of((0..8).map(|n| batch(&[(n, 1)])).collect()));
    broker.0.borrow_mut().before_fetch = Some(Box::new(|topics, offset| {
        let log = topics.get_mut(TOPIC).unwrap().partitions.get_mut(&0).unwrap();
        if offset == 2 {
            log.start = 5;
            log.batches.retain(|batch| Header::parse(batch).unwrap().base_offset >= 5);
        }
    }));
    let (offsets, seen) = run(&mut broker, range(0, 8, false)).unwrap();
    assert_eq!((offsets, seen.gaps.clone()), (vec![0, 1, 5, 6, 7], vec![(2, 5)]));
    assert_eq!((seen.tally.promised(0, 8, false), seen.tally.kept), (8, 5));
}

#[test]
fn deleted_records_at_the_head_of_a_batch_are_not_kept() {
    let log = Log { start: 2, ..Log::of(vec![batch(&[(0, 1), (1, 1), (2, 1), (3, 1)]), batch(&[(4, 1)])]) };
    let (offsets, seen) = run(&mut cluster(log), range(2, 5, false)).unwrap();
    assert_eq!(offsets, [2, 3, 4]);
    assert_whole(&seen, range(2, 5, false));
}

#[test]
fn a_partition_that_became_shorter_has_lost_records_and_is_not_called_whole() {
    let mut broker = cluster(Log::of(vec![batch(&[(0, 1), (1, 1)])]));
    let (offsets, seen) = run(&mut broker, range(0, 9, false)).unwrap();
    assert_eq!((offsets, seen.unread), (vec![0, 1], Some((2, Unread::Lost))));
    let (_, seen) = run(&mut broker, range(5, 9, false)).unwrap();
    assert_eq!(seen.unread, Some((5, Unread::Lost)));
}

/// A complaint about other tools: an empty partition breaks them.
#[test]
fn an_empty_partition_with_a_history_is_nothing_to_read() {
    let (offsets, seen) =
        run(&mut cluster(Log { start: 42, end: 42, ..Log::default() }), range(42, 42, false)).unwrap();
    assert_eq!((offsets.len(), seen), (0, Scanned::default()));
}

#[test]
fn batches_that_overlap_give_no_record_twice() {
    let log = Log::of(vec![batch(&[(0, 1), (1, 1), (2, 1)]), batch(&[(1, 1), (2, 1), (3, 1)]), batch(&[(0, 1)])]);
    let (offsets, seen) = run(&mut cluster(Log { end: 4, ..log }), range(0, 4, false)).unwrap();
    assert_eq!(offsets, [0, 1, 2, 3]);
    assert_whole(&seen, range(0, 4, false));
}

#[test]
fn a_batch_that_lies_about_its_length_is_an_error_and_no_loop() {
    for length in [0_i32, 48, -1, i32::MAX] {
        let mut lying = batch(&[(0, 1)]);
        lying[8..12].copy_from_slice(&length.to_be_bytes());
        let mut broker = cluster(Log { end: 1, batches: vec![lying], ..Log::default() });
        match run(&mut broker, range(0, 1, false)) {
            Err(error) => assert!(error.message.contains("dam-a-0"), "{error}"),
            Ok((offsets, seen)) => assert!(offsets.is_empty() && seen.unread.is_some(), "{length}: {seen:?}"),
        }
    }
}

#[test]
fn a_damaged_record_is_never_taken() {
    let mut damaged = batch(&[(0, 1), (1, 1)]);
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let error = run(&mut cluster(Log::of(vec![damaged])), range(0, 2, false)).unwrap_err();
    assert!(error.message.contains("checksum"), "{error}");
}

#[test]
fn a_batch_that_would_not_fit_into_memory_is_refused() {
    let header = Header::parse(&batch(&[(0, 1)])).unwrap();
    let header = Header { length: 257 << 20, ..header };
    let _host = Host::new();
    let stream = strongroom_plugin::streams::from_bytes(b"").unwrap();
    assert!(read_batch(&header, &stream).unwrap_err().message.contains("longer"));
}

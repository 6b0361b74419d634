//! Snapshots that are what they say, and some that are not.

use strongroom_plugin::{
    Stage,
    testing::{Host, proven},
};

use super::*;
use crate::{
    backup::{self, tests::TOPIC},
    broker::memory::{Log, Memory, batch},
    inspect::records_part,
};

/// A snapshot of two batches, of which the second was rewritten.
fn saved() -> Host {
    let host = Host::new().instant("dam", "database", backup::tests::instant());
    let log = Log::of(vec![batch(&[(0, 900), (1, 1000)]), batch(&[(2, 1500), (3, 980)])]);
    let mut broker = Memory::default().topic(TOPIC, vec![log]).group("dam-g", &[(TOPIC, 0, 1)]);
    backup::tests::whole(&mut broker, &backup::tests::settings());
    // Each part has only its own files in a snapshot; here it may see all of them.
    let file = |path: &str| host.stored(path).unwrap();
    let files = [POSITIONS.to_owned(), FENCE.to_owned(), store::batches(TOPIC, 0), store::index(TOPIC, 0)];
    let contents: Vec<_> = files.iter().map(|path| file(path)).collect();
    let parts = [part::POSITIONS.to_owned(), part::FENCE.to_owned(), records_part(TOPIC), records_part(TOPIC)];
    parts
        .iter()
        .zip(files.iter().zip(contents))
        .fold(host, |host, (part, (path, content))| host.archived(part, path, content))
}

fn verified(name: &str) -> Outcome {
    verify(&Part::new(name, Stage::Records)).unwrap()
}

#[test]
fn a_snapshot_that_is_whole_proves_itself() {
    let _host = saved();
    for name in [part::POSITIONS, part::FENCE, &records_part(TOPIC)] {
        let outcome = verified(name);
        assert!(proven(&outcome.receipts) && outcome.findings.is_empty(), "{outcome:?}");
    }
    assert_eq!(verified(&records_part(TOPIC)).receipts[0].actual, 3);
}

#[test]
fn damaged_truncated_and_foreign_batches_are_found() {
    let path = store::batches(TOPIC, 0);
    let part = records_part(TOPIC);
    let whole = batch(&[(0, 900), (1, 1000)]);
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let cases: [(&str, Vec<u8>); 6] = [
        ("checksum", flipped),
        ("cut off", whole[..whole.len() - 3].to_vec()),
        ("cut off", whole[..30].to_vec()),
        ("1 batches", whole.clone()),
        ("newer than the cut", batch(&[(0, 1001)])),
        ("behind the fence", batch(&[(4, 1)])),
    ];
    for (wanted, content) in cases {
        let _host = saved().archived(&part, &path, content);
        let outcome = verified(&part);
        let said = outcome.findings.iter().find(|finding| finding.code == "batches-damaged");
        assert!(said.is_some_and(|finding| finding.message.contains(wanted)), "{wanted}: {outcome:?}");
    }
}

#[test]
fn records_that_are_there_twice_are_found() {
    let twice = [batch(&[(0, 900), (1, 1000)]), batch(&[(1, 900)])].concat();
    let _host = saved().archived(&records_part(TOPIC), &store::batches(TOPIC, 0), twice);
    assert!(verified(&records_part(TOPIC)).findings[0].message.contains("behind a later one"));
}

#[test]
fn a_topic_without_a_part_is_missed() {
    let host = saved();
    let fence = host.stored(FENCE).unwrap();
    let text = String::from_utf8(fence).unwrap().replace(TOPIC, "dam-unknown");
    let _host = host.archived(part::FENCE, FENCE, text);
    assert!(!proven(&verified(part::FENCE).receipts));
}

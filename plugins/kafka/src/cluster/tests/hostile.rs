//! Brokers that lie, cut off, go on too long: always an error, never a panic, never a loop.

use strongroom_plugin::{Error as Cause, ErrorCode};

use super::{
    broker::{self, Brokers, Reply, TOPIC},
    connect,
};
use crate::{At, Builder, Cluster, Codec, Login, Options, Record, Result};

/// A request, a right answer to it, and what the client does to ask it.
struct Case {
    key: i16,
    answer: Vec<u8>,
    ask: fn(&mut Cluster) -> Result<()>,
}

fn batch() -> Vec<u8> {
    let mut builder = Builder::new(Codec::None);
    builder.push(&Record::default()).unwrap();
    builder.finish(None).unwrap()
}

fn fetch(cluster: &mut Cluster) -> Result<()> {
    let mut fetched = cluster.fetch(TOPIC, 0, 0, 1000)?;
    while let Some(piece) = fetched.next_piece()? {
        piece.bytes(1 << 20)?;
    }
    Ok(())
}

fn cases() -> Vec<Case> {
    let case = |key, answer, ask| Case { key, answer, ask };
    vec![
        case(3, broker::metadata(&[1, 1]), |cluster| cluster.topics().map(drop)),
        case(2, broker::offsets(TOPIC, &[(0, 0, 5)]), |cluster| cluster.offsets(TOPIC, &[0], At::End).map(drop)),
        case(16, broker::groups(&["g"]), |cluster| cluster.groups().map(drop)),
        case(15, broker::group("g", 0, 2), |cluster| cluster.group_members("g").map(drop)),
        case(9, broker::committed(0, &[(0, 5, 0)]), |cluster| cluster.committed("g").map(drop)),
        case(8, broker::commits(&[(0, 0)]), |cluster| cluster.commit("g", &[(TOPIC.to_owned(), 0, 5)])),
        case(32, broker::configs(TOPIC, &[("a", "b", 1, false)]), |cluster| cluster.configs(TOPIC).map(drop)),
        case(19, broker::topic_made("new", 0, "x"), |cluster| cluster.create_topic("new", 1, 1, &[])),
        case(20, broker::topic_deleted("old", 0), |cluster| cluster.delete_topic("old")),
        case(44, broker::altered("old", 0), |cluster| cluster.set_configs("old", &[])),
        case(22, broker::producer(0, 5), |cluster| cluster.producer().map(drop)),
        case(0, broker::produced(0, 0, 5), |cluster| cluster.produce(TOPIC, 0, &batch()).map(drop)),
        case(1, broker::fetched(0, 0, &[(1, 2)], &batch()), fetch),
    ]
}

/// Asks once, with brokers that answer this kind of request so.
fn ask(case: &Case, reply: impl Fn() -> Reply + 'static) -> Result<()> {
    let key = case.key;
    let _brokers = Brokers::new(move |asked, before| {
        // The first look at the cluster is not what is tried here.
        (asked.key == key && (key != 3 || before > 0)).then(&reply)
    });
    let mut cluster = Cluster::connect("kafka", Login::None, Options { retries: 0, ..Options::default() })?;
    (case.ask)(&mut cluster)
}

#[test]
fn right_answers_are_taken() {
    for case in cases() {
        let answer = case.answer.clone();
        ask(&case, move || Reply::Body(answer.clone())).unwrap_or_else(|error| panic!("{}: {error}", case.key));
    }
}

#[test]
fn an_answer_that_ends_too_early_or_too_late_is_refused() {
    for case in cases() {
        for length in 0..case.answer.len() {
            let answer = case.answer[..length].to_vec();
            let asked = ask(&case, move || Reply::Body(answer.clone()));
            assert!(asked.is_err(), "{} with {length} bytes", case.key);
        }
        let longer = [&case.answer[..], b"x"].concat();
        assert!(ask(&case, move || Reply::Body(longer.clone())).is_err(), "{} with more", case.key);
    }
}

#[test]
fn an_answer_with_any_byte_changed_ends_without_a_panic() {
    for case in cases() {
        let mut refused = 0;
        for at in 0..case.answer.len() {
            for with in [0, 1, 0x7f, 0xff] {
                let mut answer = case.answer.clone();
                answer[at] = with;
                refused += usize::from(ask(&case, move || Reply::Body(answer.clone())).is_err());
            }
        }
        assert!(refused > 0, "{}", case.key);
    }
}

#[test]
fn an_answer_to_another_request_is_refused() {
    for case in cases() {
        let frame = broker::framed(1000, &case.answer);
        let error = ask(&case, move || Reply::Raw(frame.clone())).unwrap_err();
        assert!(error.to_string().contains("answers request 1000"), "{}: {error}", case.key);
    }
}

#[test]
fn a_frame_longer_than_allowed_is_refused_before_it_is_read() {
    for case in cases().into_iter().filter(|case| case.key != 1) {
        let length = [&i32::MAX.to_be_bytes()[..], &[0, 0, 0, 0]].concat();
        let error = Cause::from(ask(&case, move || Reply::Raw(length.clone())).unwrap_err());
        assert!(matches!(error.code, ErrorCode::Limit | ErrorCode::Corrupt), "{}: {error}", case.key);
    }
    let _brokers = Brokers::new(|_, _| Some(Reply::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())));
    assert!(connect().is_err());
}

#[test]
fn a_peer_that_speaks_something_else_is_asked_about() {
    // As long as a web server's first word, and with the right number.
    let _brokers = Brokers::new(|_, _| Some(Reply::Raw(b"HTTP\0\0\0\x01".to_vec())));
    let error = connect().map(drop).unwrap_err();
    assert!(error.to_string().contains("is it a Kafka broker, and does it want TLS?"), "{error}");
}

#[test]
fn lengths_of_frames_that_cannot_be_are_refused() {
    for length in [-1, 0, 3, i32::MIN] {
        let frame = [&i32::to_be_bytes(length)[..], &[0; 4]].concat();
        let _brokers = Brokers::new(move |_, _| Some(Reply::Raw(frame.clone())));
        let error = connect().map(drop).unwrap_err();
        assert!(error.to_string().contains(&format!("{length} bytes long")), "{error}");
    }
}

#[test]
fn offsets_of_partitions_that_were_not_asked_for_or_are_left_out_are_refused() {
    let lies =
        [(vec![(1, 0, 5)], TOPIC), (vec![(0, 0, 5), (1, 0, 5)], TOPIC), (vec![], TOPIC), (vec![(0, 0, 5)], "other")];
    for (found, topic) in lies {
        let _brokers = Brokers::answering(2, vec![broker::offsets(topic, &found)]);
        let error = Cause::from(connect().unwrap().offsets(TOPIC, &[0], At::End).unwrap_err());
        assert_eq!(error.code, ErrorCode::Corrupt, "{error}");
    }
}

#[test]
fn a_topic_or_a_partition_that_is_listed_twice_is_refused() {
    let mut body = broker::metadata(&[1, 1]);
    // The second partition says that it is the first.
    let at = body.len() - 4 - 4 - 12 - 4 - 4 - 4;
    assert_eq!(body[at..at + 4], [0, 0, 0, 1]);
    body[at + 3] = 0;
    let _brokers = Brokers::answering(3, vec![broker::metadata(&[1, 1]), body]);
    let error = connect().unwrap().topics().unwrap_err();
    assert!(error.to_string().contains("twice"), "{error}");
}

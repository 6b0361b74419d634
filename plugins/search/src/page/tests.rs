//! Answers as engines give them, cut, too long, and lying.

use strongroom_plugin::{streams, testing::Host};

use super::*;

/// As it came, in pieces that end anywhere.
fn stream(text: &str, piece: usize) -> InputStream {
    let (mut out, input) = streams::pipe().unwrap();
    for bytes in text.as_bytes().chunks(piece) {
        std::io::Write::write_all(&mut out, bytes).unwrap();
    }
    out.finish().unwrap();
    input
}

/// The hits' ids and sources.
fn read(text: &str) -> Result<(Vec<String>, Around)> {
    let mut page = Page::open(stream(text, text.len().max(1)))?;
    let mut hits = Vec::new();
    page.hits("i", &mut |hit, _| {
        let source = String::from_utf8_lossy(hit.document(&mut Vec::new()).source).into_owned();
        hits.push(format!("{} {source}", hit.key().0));
        Ok(())
    })?;
    Ok((hits, page.end()?))
}

const ANSWER: &str = r#"{"pit_id":"p","took":1,"timed_out":false,"_shards":{"total":2,"successful":2,"skipped":0,
"failed":0},"hits":{"total":{"value":2,"relation":"eq"},"max_score":null,"hits":[{"_index":"i","_id":"}]\"","_version":1,
"_source":{"x":[{"y":"\\"}]}}, {"_index":"i","_id":"b","_version":1,"sort":[1] }]}}
"#;

#[test]
fn hits_are_split_from_what_stands_around_them() {
    let _host = Host::new();
    let (hits, around) = read(ANSWER).unwrap();
    assert_eq!(hits, [r#"}]" {"x":[{"y":"\\"}]}"#, "b {}"]);
    assert_eq!((around.pit_id.as_deref(), around.total()), (Some("p"), Some(2)));
    around.whole().unwrap();
}

#[test]
fn members_may_come_in_any_order_and_a_nested_hits_is_none() {
    let _host = Host::new();
    let text = r#"{"x":{"hits":{"hits":[9]}},"hits":{"y":{"hits":[8]},"hits":[{"inner_hits":{"hits":[7]},"_index":"i",
        "_version":1,"_id":"a"}],"total":1},"_shards":{"total":1,"successful":1,"failed":0},"timed_out":false}"#;
    let (hits, around) = read(text).unwrap();
    assert_eq!((hits, around.total()), (vec!["a {}".to_owned()], Some(1)));
    around.whole().unwrap();
}

#[test]
fn an_answer_without_hits_has_none() {
    let _host = Host::new();
    let (hits, around) = read(r#"{"timed_out":false,"_shards":{"total":1,"successful":1,"failed":0}}"#).unwrap();
    assert!(hits.is_empty() && around.total().is_none());
}

#[test]
fn an_answer_that_is_cut_anywhere_is_refused() {
    let _host = Host::new();
    let whole = ANSWER.trim_end();
    for end in 0..whole.len() {
        assert!(read(&whole[..end]).is_err(), "{}", &whole[..end]);
    }
    assert!(read(&format!("{ANSWER} x")).unwrap_err().message.contains("behind its end"));
}

#[test]
fn what_is_no_answer_is_refused() {
    let _host = Host::new();
    for text in ["[]", "null", r#"{"hits":{"hits":[1]}}"#, r#"{"hits":{"hits":[]},"hits":{"hits":[]}}"#, "{\"a\"}"] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn an_answer_of_many_pieces_is_read_as_one() {
    let _host = Host::new();
    let long = "é\\\"".repeat(1 << 20);
    let text = ANSWER.replace("\"_id\":\"", &format!("\"_id\":\"{long}"));
    let (hits, _) = read(&text).unwrap();
    let expected = format!("{}}}]\" {{\"x\":[{{\"y\":\"\\\\\"}}]}}", "é\"".repeat(1 << 20));
    assert!(hits.len() == 2 && hits[0] == expected, "{} hits", hits.len());
}

#[test]
fn a_hit_that_is_too_long_and_a_rest_that_is_too_long_are_refused() {
    let _host = Host::new();
    let long = "x".repeat(HIT_BYTES_MAX + (2 << 20));
    assert_eq!(
        read(&ANSWER.replace("\"_id\":\"", &format!("\"_id\":\"{long}"))).unwrap_err().code,
        strongroom_plugin::ErrorCode::Limit
    );
    let text = ANSWER.replace("\"p\"", &format!("\"{}\"", "x".repeat(2 << 20)));
    assert_eq!(read(&text).unwrap_err().code, strongroom_plugin::ErrorCode::Limit);
}

#[test]
fn failed_shards_a_timeout_and_silence_about_them_are_errors() {
    for (from, to) in [
        ("\"failed\":0", "\"failed\":1"),
        ("\"successful\":2", "\"successful\":1"),
        ("\"timed_out\":false", "\"timed_out\":true"),
        ("\"timed_out\":false,", ""),
        ("\"_shards\"", "\"shards\""),
    ] {
        let _host = Host::new();
        assert!(read(&ANSWER.replace(from, to)).unwrap().1.whole().is_err(), "{to}");
    }
    let _host = Host::new();
    let guess = ANSWER.replace("\"relation\":\"eq\"", "\"relation\":\"gte\"");
    assert_eq!(read(&guess).unwrap().1.total(), None, "a number that is a lower bound is no count");
}

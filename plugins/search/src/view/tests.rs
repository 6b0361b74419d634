//! An engine that tells the truth, and one that does not, read by either way.

use std::{cell::Cell, rc::Rc};

use strongroom_plugin::testing::{Answered, Host, WebCall};

use super::*;
use crate::{hash::Tally, testing::Engine};

const OPENSEARCH: &str = "2.19.5";
const SHARD_DOC: &str = "7.17.29";
const WITHOUT_VIEWS: &str = "7.9.3";

fn engine(shards: u64, count: usize) -> Engine {
    let engine = Engine::default();
    let docs: Vec<(String, String)> =
        (0..count).map(|n| (format!("id-{n:05}"), format!("{{\"n\" : {n}.10}}"))).collect();
    engine.index("i", shards, docs.iter().map(|(id, source)| (id.as_str(), source.as_str())));
    engine
}

/// Reads all of it in pages of seven; `during` happens once the moment is fixed.
fn read_while(during: impl FnOnce()) -> Result<(u64, Tally)> {
    let client = Client::connect("engine")?;
    let pace = Pace { page: 7, slices: 2 };
    let index = Index::read(&client, "i")?;
    let mut view = View::open(&client, "i", pace)?;
    during();
    let (mut tally, mut line) = (Tally::default(), Vec::new());
    view.read(&index, pace, &mut |hit| {
        tally.add(&hit.document(&mut line));
        Ok(())
    })?;
    let total = view.total();
    view.close();
    Ok((total, tally))
}

fn read() -> Result<(u64, Tally)> {
    read_while(|| ())
}

/// What all documents hash to, read without any trouble.
fn whole(shards: u64, count: usize) -> Tally {
    let _host = engine(shards, count).granted(Host::new(), OPENSEARCH);
    read().unwrap().1
}

/// Changes the answer to the `nth` page.
fn on_page(nth: u32, change: impl Fn(Answered) -> Answered + 'static) -> impl Fn(&WebCall, Answered) -> Answered {
    let seen = Rc::new(Cell::new(0));
    move |call, answered| {
        let is_page = call.path.contains("_search") && String::from_utf8_lossy(&answered.body).contains("\"_id\"");
        if is_page {
            seen.set(seen.get() + 1);
        }
        if is_page && seen.get() == nth { change(answered) } else { answered }
    }
}

fn edited(answered: Answered, from: &str, to: &str) -> Answered {
    let body = String::from_utf8(answered.body).unwrap();
    assert!(body.contains(from), "{body}");
    Answered { body: body.replacen(from, to, 1).into_bytes(), ..answered }
}

#[test]
fn every_document_of_the_moment_comes_once_by_either_way() {
    for count in [0, 1, 7, 14, 100] {
        for shards in [1, 3] {
            let engine = engine(shards, count);
            let tallies = [OPENSEARCH, "8.19.1", "7.11.0", WITHOUT_VIEWS].map(|number| {
                let _host = engine.granted(Host::new(), number);
                let (total, tally) = read().unwrap();
                assert_eq!((total, tally.documents), (count as u64, count as u64), "{number}, {shards} shards");
                tally
            });
            assert!(tallies.iter().all(|tally| *tally == tallies[0]));
        }
    }
}

#[test]
fn what_is_written_after_the_moment_is_not_in_the_view() {
    let engine = engine(3, 30);
    let _host = engine.granted(Host::new(), OPENSEARCH);
    let (total, tally) = read_while(|| {
        let mut shelves = engine.0.borrow_mut();
        let docs = &mut shelves.indices.get_mut("i").unwrap().docs;
        docs.remove("id-00001");
        docs.get_mut("id-00002").unwrap().version = 9;
        let more = docs["id-00003"].clone();
        docs.insert("id-00000-more".into(), more);
    })
    .unwrap();
    assert_eq!((total, tally), (30, whole(3, 30)));
}

#[test]
fn a_page_that_broke_off_goes_on_where_it_broke() {
    let cut = |answered: Answered| {
        let end = answered.body.len() * 2 / 3;
        Answered { body: answered.body[..end].to_vec(), ..answered }
    };
    for nth in 1..=5 {
        let engine = engine(2, 40);
        let _host = engine.twisted(Host::new(), OPENSEARCH, on_page(nth, cut));
        assert_eq!(read().unwrap().1, whole(2, 40), "page {nth}");
    }
    for nth in 1..=2 {
        let _host = engine(2, 40).twisted(Host::new(), WITHOUT_VIEWS, on_page(nth, cut));
        assert!(read().is_err(), "a scroll cannot be asked again: page {nth}");
    }
}

#[test]
fn an_engine_that_has_too_much_to_do_is_asked_again_and_not_for_ever() {
    for status in [429, 502, 503] {
        let busy = move |answered| Answered { status, body: b"busy".to_vec(), ..answered };
        let _host = engine(2, 40).twisted(Host::new(), OPENSEARCH, on_page(2, busy));
        assert_eq!(read().unwrap().1, whole(2, 40));
    }
    let host = Host::new();
    let host = engine(2, 40).twisted(host, OPENSEARCH, |call, answered| match call.path.starts_with("/_search?") {
        true => Answered { status: 429, body: b"busy".to_vec(), ..answered },
        false => answered,
    });
    let error = read().unwrap_err();
    assert!(error.message.contains("asked 8 times"), "{error}");
    assert_eq!(host.requests().iter().filter(|call| call.path.starts_with("/_search?")).count(), 8);
}

#[test]
fn a_failed_shard_and_a_timeout_are_errors_when_they_stay() {
    for (from, to) in [("\"failed\":0", "\"failed\":1"), ("\"timed_out\":false", "\"timed_out\":true")] {
        for number in [OPENSEARCH, WITHOUT_VIEWS] {
            let lie = move |call: &WebCall, answered: Answered| match call.path.contains("_search")
                && answered.status == 200
            {
                true => Answered {
                    body: String::from_utf8_lossy(&answered.body).replace(from, to).into_bytes(),
                    ..answered
                },
                false => answered,
            };
            let _host = engine(2, 40).twisted(Host::new(), number, lie);
            assert!(read().is_err(), "{number}: {to}");
        }
    }
    // Once is no harm where nothing of the page was taken.
    let failed = |answered| edited(answered, "\"failed\":0", "\"failed\":1");
    let _host = engine(2, 40).twisted(Host::new(), OPENSEARCH, on_page(1, failed));
    assert_eq!(read().unwrap().1, whole(2, 40));
}

#[test]
fn a_document_that_comes_twice_is_an_error() {
    let twice = |answered| edited(answered, "id-00003", "id-00002");
    let _host = engine(1, 40).twisted(Host::new(), WITHOUT_VIEWS, on_page(1, twice));
    assert!(read().unwrap_err().message.contains("twice"));
    let back = |answered| edited(answered, "\"sort\":[3]", "\"sort\":[2]");
    let _host = engine(1, 40).twisted(Host::new(), OPENSEARCH, on_page(1, back));
    assert!(read().unwrap_err().message.contains("order"));
}

#[test]
fn a_page_that_lacks_a_document_changes_the_count() {
    let without = |answered: Answered| {
        let mut answer: Value = serde_json::from_slice(&answered.body).unwrap();
        answer["hits"]["hits"].as_array_mut().unwrap().remove(1);
        Answered { body: answer.to_string().into_bytes(), ..answered }
    };
    for number in [OPENSEARCH, WITHOUT_VIEWS] {
        let _host = engine(1, 40).twisted(Host::new(), number, on_page(2, without));
        let (total, tally) = read().unwrap();
        assert_eq!((total, tally.documents), (40, 39), "{number}");
    }
}

#[test]
fn a_view_that_the_engine_has_forgotten_is_an_error_that_says_so() {
    for number in [OPENSEARCH, WITHOUT_VIEWS] {
        let engine = engine(1, 3000);
        let seen = engine.clone();
        let forget = on_page(2, move |answered| {
            seen.0.borrow_mut().views.clear();
            answered
        });
        let _host = engine.twisted(Host::new(), number, forget);
        let error = read().unwrap_err();
        assert!(error.is_not_found(), "{number}: {error}");
    }
}

#[test]
fn a_scroll_of_documents_with_types_is_read_like_any_other() {
    let engine = engine(1, 20);
    let host = engine.granted(Host::new(), "6.8.23");
    assert_eq!(read().unwrap().1, whole(1, 20));
    drop(host);
    let host = engine.granted(Host::new(), "6.8.23");
    read().unwrap();
    let first = host.requests().into_iter().find(|call| call.path.contains("scroll=")).unwrap();
    assert!(!String::from_utf8_lossy(&first.body).contains("track_total_hits"), "6 does not know it");
}

#[test]
fn shards_are_read_in_ranges_that_leave_nothing_out() {
    // Ranges end at a place, before a place and behind the end; pages are longer than what is left of them.
    for (shards, count, slices, ranges) in [
        (1, 3999, 2, 1),
        (1, 4400, 2, 4),
        (1, 4403, 2, 4),
        (1, 9000, 1, 1),
        (2, 8803, 4, 4),
        (3, 9000, 3, 2),
        (9, 9000, 3, 1),
    ] {
        for version in [OPENSEARCH, SHARD_DOC] {
            let engine = engine(shards, count);
            let host = engine.granted(Host::new(), version);
            let client = Client::connect("engine").unwrap();
            let pace = Pace { page: 700, slices };
            let (index, mut ids) = (Index::read(&client, "i").unwrap(), Vec::new());
            let mut view = View::open(&client, "i", pace).unwrap();
            let mut each = |hit: &Hit| {
                ids.push(hit.key().0.to_owned());
                Ok(())
            };
            view.read(&index, pace, &mut each).unwrap();
            ids.sort();
            assert!(
                ids.iter().cloned().eq((0..count).map(|n| format!("id-{n:05}"))),
                "{shards} {count} {slices} {version}"
            );
            let length = count as u64 / (shards * ranges);
            assert_eq!(beginnings(&host, ranges, length), shards * ranges, "{shards} {count} {slices} {version}");
        }
    }
}

/// How many pages were asked for that begin where a shard does or a range of so many places.
fn beginnings(host: &Host, ranges: u64, length: u64) -> u64 {
    let begins = |body: &Value| {
        let behind = body["search_after"][0].as_u64().map(|place| (place & 0xffff_ffff) + 1);
        body["size"] != 0 && behind.is_none_or(|behind| behind % length == 0 && behind < ranges * length)
    };
    let asked = host.requests().into_iter().filter(|call| call.path.starts_with("/_search?"));
    asked.filter(|call| begins(&serde_json::from_slice(&call.body).unwrap())).count() as u64
}

//! The way back, past an engine that is busy, forgets or refuses.

use std::{cell::Cell, collections::BTreeMap};

use strongroom_plugin::testing::{Answered, Host, WebCall};

use super::*;
use crate::{export::Export, place, testing::Engine};

const PACE: Pace = Pace { page: 100, slices: 2 };

/// An engine with the index `i`, which is also the part `p` of the snapshot.
fn saved() -> (Host, Engine, Manifest) {
    let engine = Engine::default();
    let docs: Vec<(String, String)> = (0..30).map(|n| (format!("id-{n:02}"), format!("{{\"n\":{n}}}"))).collect();
    engine.index("i", 2, docs.iter().map(|(id, source)| (id.as_str(), source.as_str())));
    let host = engine.granted(Host::new(), "2.19.5");
    let client = Client::connect("engine").unwrap();
    let manifest = Export::open(&client, "i", PACE).unwrap().store(PACE).unwrap();
    (host.stored_as_archive("p"), engine, manifest)
}

/// Restores it as `strongroom-restore-x`, with what the engine says changed.
fn restored(twist: impl Fn(&WebCall, Answered) -> Answered + 'static) -> (Result<Tally>, Host, Manifest) {
    let (host, engine, manifest) = saved();
    // What is scripted first answers: a host of its own, with the same snapshot.
    let archive: Vec<_> = ["i/index.json", "i/000001.ndjson", "i/000001.ids"]
        .map(|path| (path, strongroom_plugin::archive::read_to_string("p", path, 1 << 20).unwrap()))
        .into();
    drop(host);
    let host = archive.into_iter().fold(Host::new(), |host, (path, text)| host.archived("p", path, text));
    let host = engine.twisted(host, "2.19.5", twist);
    let client = Client::connect("engine").unwrap();
    let work = || {
        create(&client, &manifest, "strongroom-restore-x")?;
        load(&client, "p", &manifest, "strongroom-restore-x")?;
        tally(&client, "strongroom-restore-x", PACE, Function::default())
    };
    (work(), host, manifest)
}

fn bulk_calls(host: &Host) -> Vec<usize> {
    let calls = host.requests().into_iter().filter(|call| call.path.contains("_bulk"));
    calls.map(|call| call.body.iter().filter(|byte| **byte == b'\n').count() / 2).collect()
}

/// Changes the answer to the `nth` bulk request.
fn on_bulk(nth: u32, change: impl Fn(Answered) -> Answered + 'static) -> impl Fn(&WebCall, Answered) -> Answered {
    let seen = Cell::new(0);
    move |call, answered| {
        seen.set(seen.get() + u32::from(call.path.contains("_bulk")));
        if call.path.contains("_bulk") && seen.get() == nth { change(answered) } else { answered }
    }
}

fn item(answered: Answered, at: usize, item: Value) -> Answered {
    let mut answer: Value = serde_json::from_slice(&answered.body).unwrap();
    answer["items"][at] = json!({ "index": item });
    Answered { body: answer.to_string().into(), ..answered }
}

#[test]
fn an_index_comes_back_with_the_same_count_and_hash() {
    let (tally, host, manifest) = restored(|_, answered| answered);
    assert_eq!(tally.unwrap().hash(), manifest.hash);
    assert_eq!(bulk_calls(&host), [30]);
    let made = host.requests().into_iter().find(|call| call.method == "PUT").unwrap();
    let body: Value = serde_json::from_slice(&made.body).unwrap();
    let settings = json!({
        "index.number_of_shards": "2", "index.number_of_replicas": 0, "index.refresh_interval": "-1",
        "index.auto_expand_replicas": "false"
    });
    assert_eq!((&body["settings"], &body["mappings"]), (&settings, &json!({ "properties": { "n": {} } })));
    assert_eq!(later(&manifest)["index.refresh_interval"], "5s");
}

#[test]
fn documents_for_which_there_was_no_time_are_sent_again_and_no_others() {
    let busy = |answered| item(item(answered, 3, json!({ "status": 429 })), 29, json!({ "status": 429 }));
    let (tally, host, manifest) = restored(on_bulk(1, busy));
    assert_eq!(tally.unwrap().hash(), manifest.hash);
    assert_eq!(bulk_calls(&host), [30, 2]);
    let again = host.requests().into_iter().filter(|call| call.path.contains("_bulk")).nth(1).unwrap();
    let again = String::from_utf8(again.body).unwrap();
    let places: Vec<&str> = again.lines().step_by(2).filter_map(|line| line.split('"').nth(5)).collect();
    assert_eq!(places.len(), 2, "{again}");
}

#[test]
fn an_object_of_which_nothing_was_taken_is_sent_again_as_it_lies_there() {
    let busy = |answered: Answered| (0..30).fold(answered, |answered, at| item(answered, at, json!({ "status": 429 })));
    let (tally, host, manifest) = restored(on_bulk(1, busy));
    assert_eq!((tally.unwrap().hash(), bulk_calls(&host)), (manifest.hash, vec![30, 30]));
}

#[test]
fn an_engine_that_never_has_time_is_not_asked_for_ever() {
    let (tally, host, _) = restored(|call, answered| match call.path.contains("_bulk") {
        true => Answered { status: 429, body: b"busy".to_vec(), ..answered },
        false => answered,
    });
    assert!(tally.unwrap_err().message.contains("asked 8 times"));
    assert_eq!(bulk_calls(&host).len(), 8);
}

#[test]
fn a_request_whose_answer_was_lost_is_sent_again_without_making_a_document_twice() {
    let (tally, host, manifest) =
        restored(on_bulk(1, |answered| Answered { body: b"{\"items\":[".to_vec(), ..answered }));
    assert_eq!(tally.unwrap().hash(), manifest.hash);
    assert_eq!(bulk_calls(&host), [30, 30]);
}

#[test]
fn a_document_that_is_refused_is_named() {
    for status in [400, 404, 409, 500] {
        let refusal = json!({ "status": status, "error": { "type": "mapper_parsing_exception", "reason": "n" } });
        let (tally, _host, _) = restored(on_bulk(1, move |answered| item(answered, 0, refusal.clone())));
        let error = tally.unwrap_err();
        assert!(error.message.contains("\"id-") && error.message.contains("mapper_parsing"), "{status}: {error}");
    }
}

#[test]
fn an_answer_that_speaks_of_fewer_documents_is_an_error() {
    let fewer = |answered: Answered| {
        let mut answer: Value = serde_json::from_slice(&answered.body).unwrap();
        answer["items"].as_array_mut().unwrap().pop();
        Answered { body: answer.to_string().into(), ..answered }
    };
    assert!(restored(on_bulk(1, fewer)).0.unwrap_err().message.contains("speaks of 29"));
}

#[test]
fn a_document_that_the_engine_only_said_to_have_is_missed_and_named() {
    let (host, engine, manifest) = saved();
    let client = Client::connect("engine").unwrap();
    create(&client, &manifest, "strongroom-restore-x").unwrap();
    load(&client, "p", &manifest, "strongroom-restore-x").unwrap();
    engine.0.borrow_mut().indices.get_mut("strongroom-restore-x").unwrap().docs.remove("id-11");
    assert_ne!(tally(&client, "strongroom-restore-x", PACE, Function::default()).unwrap().hash(), manifest.hash);
    assert_eq!(missing(&client, "p", &manifest, "strongroom-restore-x", PACE).unwrap(), ["id-11"]);
    drop(host);
}

fn put(name: &str) -> (Host, Engine) {
    let (host, engine, manifest) = saved();
    let client = Client::connect("engine").unwrap();
    create(&client, &manifest, "strongroom-restore-x").unwrap();
    load(&client, "p", &manifest, "strongroom-restore-x").unwrap();
    let shelf = json!({ "old": {} });
    engine.0.borrow_mut().indices.get_mut("i").unwrap().aliases = serde_json::from_value(shelf).unwrap();
    let held = place::held(&client, name).unwrap();
    let (settings, aliases) = (later(&manifest), BTreeMap::new());
    let from = "strongroom-restore-x";
    place::Proved { from, name, held: &held, settings: &settings, aliases: &aliases }.put(&client).unwrap();
    (host, engine)
}

#[test]
fn a_proved_index_takes_its_place_under_its_exact_name() {
    for name in ["new", "i"] {
        let (_host, engine) = put(name);
        let shelves = engine.0.borrow();
        let index = &shelves.indices[name];
        assert_eq!((index.docs.len(), &index.settings["index.refresh_interval"]), (30, &json!("5s")), "{name}");
        assert!(
            !index.settings.contains_key("index.blocks.write")
                && !index.settings.contains_key("index.auto_expand_replicas")
        );
        assert_ne!(index.uuid, "uuid-1", "what had the name is gone");
    }
}

#[test]
fn an_alias_points_to_the_proved_index_and_the_old_one_stays() {
    let (_host, engine) = put("old");
    let shelves = engine.0.borrow();
    assert!(shelves.indices["strongroom-restore-x"].aliases.contains_key("old"));
    assert!(shelves.indices["i"].aliases.is_empty() && shelves.indices["i"].docs.len() == 30);
}

#[test]
fn an_alias_of_another_index_is_not_taken_from_it() {
    let (_host, engine, _) = saved();
    engine.index("other", 1, []);
    let alias = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
    engine.0.borrow_mut().indices.get_mut("other").unwrap().aliases = alias(&["shared"]);
    engine.0.borrow_mut().indices.get_mut("i").unwrap().aliases = alias(&["own"]);
    let client = Client::connect("engine").unwrap();
    let (free, taken) = place::aliases(&client, &alias(&["shared", "own", "new"]), "i").unwrap();
    assert_eq!(
        (free.into_keys().collect::<Vec<_>>(), taken),
        (vec!["new".to_owned(), "own".to_owned()], vec!["shared".to_owned()])
    );
}

#[test]
fn a_mapping_with_types_comes_back_as_the_engine_wants_it() {
    let host = Engine::default().granted(Host::new(), "2.19.5");
    let client = Client::connect("engine").unwrap();
    let typed = Manifest {
        product: "elasticsearch".into(),
        engine: "6.8.23".into(),
        mappings: json!({ "_default_": {}, "entry": { "a": 1 } }),
        ..Manifest::sample("i")
    };
    assert_eq!((mappings(&client, &typed), of_type(&typed)), (json!({ "a": 1 }), Some("entry")));
    let untyped =
        Manifest { engine: "7.17.29".into(), mappings: json!({ "entry": { "a": 1 } }), ..Manifest::sample("i") };
    assert_eq!(mappings(&client, &untyped), untyped.mappings);
    drop(host);
    let _host = Engine::default().granted(Host::new(), "6.8.23");
    let client = Client::connect("engine").unwrap();
    assert_eq!(mappings(&client, &typed), json!({ "entry": { "a": 1 } }));
    assert_eq!(mappings(&client, &untyped), json!({ "_doc": { "entry": { "a": 1 } } }));
}

#[test]
fn a_temporary_name_can_be_told_and_is_never_too_long() {
    let name = temporary(&"é".repeat(127), &[0xab, 1]);
    assert!(is_temporary(&name) && name.starts_with("strongroom-restore-ab01-é") && name.len() < 200);
    assert!(!is_temporary("nuxeo-audit"));
}

//! What an export leaves in a snapshot.

use strongroom_plugin::testing::{Answered, Host};

use super::*;
use crate::{check, testing::Engine};

const PACE: Pace = Pace { page: 100, slices: 2 };

fn engine() -> Engine {
    let engine = Engine::default();
    let docs: Vec<(String, String)> =
        (0..50).map(|n| (format!("é{n}"), format!("{{\"b\":1.50, \"a\": [{n}]}}"))).collect();
    engine.index("i", 3, docs.iter().map(|(id, source)| (id.as_str(), source.as_str())));
    engine.0.borrow_mut().indices.get_mut("i").unwrap().docs.get_mut("é7").unwrap().routing = Some("r".into());
    engine
}

fn export() -> Result<Manifest> {
    let client = Client::connect("engine")?;
    Export::open(&client, "i", PACE)?.store(PACE)
}

#[test]
fn an_index_is_stored_as_bulk_requests_with_its_own_bytes() {
    let host = engine().granted(Host::new(), "2.19.5");
    let manifest = export().unwrap();
    assert_eq!((manifest.expected, manifest.documents, manifest.objects), (50, 50, 1));
    let object = String::from_utf8(host.stored("i/000001.ndjson").unwrap()).unwrap();
    let routed = r#"{"index":{"_id":"é7","version":3,"version_type":"external","routing":"r"}}"#;
    assert!(object.contains(&format!("{routed}\n{{\"b\":1.50, \"a\": [7]}}\n")), "{object}");
    assert_eq!((object.lines().count(), object.len() as u64), (100, manifest.bytes));
    let host = host.stored_as_archive("p");
    assert_eq!(Manifest::read("p", "i").unwrap(), manifest);
    let checked = check::index("p", &manifest).unwrap();
    assert!(checked.damage.is_empty() && checked.missing_count == 0, "{checked:?}");
    assert_eq!(host.requests().iter().filter(|call| call.method == "DELETE").count(), 1, "the point in time is closed");
}

#[test]
fn objects_are_cut_at_eight_mebibytes_and_a_long_document_has_its_own() {
    let engine = Engine::default();
    let (long, half) =
        (format!("{{\"x\":\"{}\"}}", "y".repeat(9 << 20)), format!("{{\"x\":\"{}\"}}", "z".repeat(4 << 20)));
    engine.index("i", 1, [("a", "{}"), ("b", &*long), ("c", &*half), ("d", &*half), ("e", "{}")]);
    let host = engine.granted(Host::new(), "2.19.5");
    let manifest = export().unwrap();
    assert_eq!((manifest.documents, manifest.objects), (5, 4));
    let sizes: Vec<usize> = (1..=4).map(|n| host.stored(&format!("i/{n:06}.ndjson")).unwrap().len() >> 20).collect();
    assert_eq!(sizes, [0, 9, 4, 4]);
    let _host = host.stored_as_archive("p");
    assert!(check::index("p", &manifest).unwrap().damage.is_empty());
}

#[test]
fn an_index_that_is_made_anew_meanwhile_is_an_error() {
    let engine = engine();
    let again = engine.clone();
    let _host = engine.twisted(Host::new(), "2.19.5", move |call, answered: Answered| {
        if call.path.starts_with("/_search?") {
            again.0.borrow_mut().indices.get_mut("i").unwrap().settings.insert("index.uuid".into(), "another".into());
        }
        answered
    });
    assert!(export().unwrap_err().message.contains("made anew"));
}

#[test]
fn a_document_without_its_source_is_an_error_unless_the_index_keeps_none() {
    let twist =
        |call: &strongroom_plugin::testing::WebCall, answered: Answered| match call.path.starts_with("/_search?") {
            true => Answered {
                body: String::from_utf8(answered.body).unwrap().replace("\"_source\"", "\"_s\"").into(),
                ..answered
            },
            false => answered,
        };
    let engine = engine();
    let host = engine.twisted(Host::new(), "2.19.5", twist);
    assert!(export().unwrap_err().message.contains("without its source"));
    drop(host);
    engine.0.borrow_mut().indices.get_mut("i").unwrap().mappings =
        serde_json::json!({ "_source": { "enabled": false } });
    let host = engine.twisted(Host::new(), "2.19.5", twist);
    let manifest = export().unwrap();
    assert_eq!((manifest.documents, manifest.source), (50, Source::None));
    let object = String::from_utf8(host.stored("i/000001.ndjson").unwrap()).unwrap();
    assert!(object.lines().skip(1).step_by(2).all(|source| source == "{}"));
}

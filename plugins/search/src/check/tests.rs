//! Sets that were damaged by hand, and what is said of each.

use strongroom_plugin::testing::Host;

use super::*;
use crate::{document::Document, objects::Writer};

/// A part with one index of five documents, as it was stored.
fn stored() -> (Host, Manifest) {
    let host = Host::new();
    let mut writer = Writer::new("i");
    for (id, routing) in [("a", None), ("b", Some("r")), ("b", Some("s")), ("ä\"", None), ("e", None)] {
        writer.add(&Document { id, version: 3, routing, source: br#"{"n":1.10}"# }).unwrap();
    }
    let written = writer.finish().unwrap();
    let manifest = Manifest {
        documents: written.tally.documents,
        hash: written.tally.hash(),
        objects: written.objects,
        bytes: written.bytes,
        ..Manifest::sample("i")
    };
    (host.stored_as_archive("p"), manifest)
}

fn text(path: &str) -> String {
    strongroom_plugin::archive::read_to_string("p", path, 1 << 20).unwrap()
}

fn without(text: &str, lines: std::ops::Range<usize>) -> String {
    let kept = text.lines().enumerate().filter(|(at, _)| !lines.contains(at));
    kept.map(|(_, line)| format!("{line}\n")).collect()
}

#[test]
fn what_was_stored_is_found_whole() {
    let (_host, manifest) = stored();
    let checked = index("p", &manifest).unwrap();
    assert_eq!((checked.tally.documents, checked.tally.hash()), (5, manifest.hash));
    assert!(checked.missing.is_empty() && checked.damage.is_empty(), "{checked:?}");
}

#[test]
fn a_set_from_before_is_compared_by_the_function_of_its_own_hash() {
    let (host, manifest) = stored();
    let mut before = Tally::by(Function::Sha256);
    objects::read("p", "i/000001.ndjson", |document| {
        before.add(document);
        Ok(())
    })
    .unwrap();
    let list = text("i/000001.ids").replace(&manifest.hash, &before.hash());
    let _host = host.archived("p", "i/000001.ids", list);
    let mut old = Manifest { version: store::VERSION_SHA256, hash: before.hash(), ..manifest };
    assert_eq!(index("p", &old).unwrap().damage, []);
    old.hash.replace_range(..4, "0000");
    assert_eq!(index("p", &old).unwrap().damage.len(), 1, "another hash of that kind");
    old.hash = format!("blake2s:{}", before.hash());
    assert_eq!(
        index("p", &old).unwrap().damage.len(),
        2,
        "that number by the other function: neither list nor index agree"
    );
}

#[test]
fn a_document_that_was_taken_out_is_named() {
    let (host, manifest) = stored();
    let object = without(&text("i/000001.ndjson"), 6..8);
    let _host = host.archived("p", "i/000001.ndjson", object);
    let checked = index("p", &manifest).unwrap();
    assert_eq!((checked.missing, checked.missing_count), (vec!["ä\"".to_owned()], 1));
    assert_eq!(checked.damage.len(), 2, "the list and index.json count five: {:?}", checked.damage);
}

#[test]
fn one_of_two_documents_with_one_id_is_missed() {
    let (host, manifest) = stored();
    let object = without(&text("i/000001.ndjson"), 2..4);
    let _host = host.archived("p", "i/000001.ndjson", object);
    assert_eq!(index("p", &manifest).unwrap().missing, ["b"]);
}

#[test]
fn a_line_that_is_cut_off_is_damage_and_what_follows_is_missing() {
    let (host, manifest) = stored();
    let mut object = text("i/000001.ndjson");
    object.truncate(object.len() - 3);
    let _host = host.archived("p", "i/000001.ndjson", object);
    let checked = index("p", &manifest).unwrap();
    assert_eq!(checked.missing, ["e"]);
    assert!(checked.damage.iter().any(|(_, message)| message.contains("no end")), "{:?}", checked.damage);
}

#[test]
fn a_document_that_was_changed_or_put_in_is_damage() {
    let (host, manifest) = stored();
    let whole = text("i/000001.ndjson");
    let host = host.archived("p", "i/000001.ndjson", whole.replacen("1.10", "1.11", 1));
    let checked = index("p", &manifest).unwrap();
    assert!(checked.missing.is_empty() && checked.damage.iter().any(|(_, message)| message.contains("was changed")));
    let more: String = whole.lines().take(2).map(|line| format!("{}\n", line.replace("\"a\"", "\"z\""))).collect();
    let _host = host.archived("p", "i/000001.ndjson", format!("{whole}{more}"));
    let checked = index("p", &manifest).unwrap();
    assert!(checked.damage.iter().any(|(_, message)| message.contains("does not name")), "{:?}", checked.damage);
}

#[test]
fn a_document_that_was_taken_out_of_object_and_list_is_seen_by_the_count() {
    let (host, manifest) = stored();
    let (object, list) = (without(&text("i/000001.ndjson"), 0..2), without(&text("i/000001.ids"), 1..2));
    let list = list.replace("\"documents\":5", "\"documents\":4");
    let _host = host.archived("p", "i/000001.ndjson", object).archived("p", "i/000001.ids", list);
    let checked = index("p", &manifest).unwrap();
    assert!(checked.damage.iter().any(|(path, _)| path == "i/index.json"), "{:?}", checked.damage);
}

#[test]
fn an_object_that_is_not_there_and_one_too_many_are_damage() {
    let (host, manifest) = stored();
    let more = Manifest { objects: 2, ..manifest.clone() };
    let paths: Vec<_> = index("p", &more).unwrap().damage.into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["i/000002.ids", "i/000002.ndjson"]);
    let _host = host.archived("p", "i/000002.ndjson", "");
    assert_eq!(index("p", &manifest).unwrap().damage[0].0, "i/000002.ndjson");
}

#[test]
fn a_count_of_objects_that_was_forged_does_not_keep_the_check_busy() {
    let (_host, manifest) = stored();
    let checked = index("p", &Manifest { objects: u32::MAX, ..manifest }).unwrap();
    assert!(checked.damage.len() < 300, "{}", checked.damage.len());
}

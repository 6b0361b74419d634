//! Sets that somebody has changed so that every sum holds: `verify` names the document that is missing.

use std::fs;

use serde_json::Value;
use strongroom::digest::Digest;

use super::{filled, place, restore, target};
use crate::support::{
    Done, Place, search,
    zip_file::{self, Entry},
};

const SUMS: &str = "SHA256SUMS";
const ENTRIES: &str = ".strongroom/entries.ndjson";

/// A set whose first object of documents was changed, with all sums made anew.
fn changed(how: impl Fn(&mut Vec<String>)) -> (Place, String) {
    let engine = search::shared();
    let index = filled(engine);
    let place = place(&index, engine.port);
    place.run(&["backup"]).exits(0);
    place.run(&["verify"]).exits(0);
    let set = place.set();
    let (mut entries, comment) = zip_file::read(&fs::read(&set).unwrap());
    let is_object = |entry: &Entry| !entry.name.starts_with(b".strongroom/") && entry.name.ends_with(b".ndjson");
    let object = entries.iter().position(is_object).expect("there is an object");
    let mut lines: Vec<_> = text(&entries[object].content).split_inclusive('\n').map(str::to_owned).collect();
    how(&mut lines);
    replace(&mut entries, object, lines.concat().into_bytes());
    fs::write(&set, zip_file::zip(&entries, &comment)).unwrap();
    (place, index)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Changes an entry, and what the set says of it elsewhere.
fn replace(entries: &mut [Entry], place: usize, content: Vec<u8>) {
    let was = std::mem::replace(&mut entries[place].content, content);
    let name = text(&entries[place].name).to_owned();
    let sum = |bytes: &[u8]| Digest::of(bytes).to_string();
    let (size, old, new) = (entries[place].content.len(), sum(&was), sum(&entries[place].content));
    let find = |wanted: &str| entries.iter().position(|entry| entry.name == wanted.as_bytes()).unwrap();
    let (listed, sums) = (find(ENTRIES), find(SUMS));
    let changed = text(&entries[sums].content).replace(&format!("{old}  {name}\n"), &format!("{new}  {name}\n"));
    entries[sums].content = changed.into_bytes();
    if name != ENTRIES {
        let lines = text(&entries[listed].content).lines().map(|line| relist(line, &name, size, &new) + "\n");
        let lines = lines.collect::<String>().into_bytes();
        replace(entries, listed, lines);
    }
}

fn relist(line: &str, name: &str, size: usize, sum: &str) -> String {
    let mut entry: Value = serde_json::from_str(line).unwrap();
    if entry["path"] != name {
        return line.to_owned();
    }
    (entry["size"], entry["sha256"]) = (size.into(), sum.into());
    entry.to_string()
}

/// `verify` says no, with these words; and what is missing is not restored in silence.
fn is_called_out(place: &Place, index: &str, words: &str) -> Done {
    let done = place.run(&["verify"]).never_says("panicked");
    assert_ne!(done.code, 0, "{done}");
    let target = target();
    let restored = restore(place, search::shared(), index, &target).never_says("panicked");
    assert_ne!(restored.code, 0, "{restored}");
    assert_eq!(search::shared().indices(&target), [""; 0], "{restored}");
    done.says(words)
}

#[test]
fn a_document_that_was_removed_by_hand_is_named() {
    let (place, index) = changed(|lines| {
        let gone = lines.iter().position(|line| line.contains(r#""_id":"57""#)).expect("it was stored");
        lines.drain(gone..gone + 2);
    });
    let done = is_called_out(&place, &index, "documents-missing");
    assert!(done.out.contains(r#""57""#) || done.err.contains(r#""57""#), "{done}");
}

#[test]
fn a_line_that_ends_early_is_named() {
    let (place, index) = changed(|lines| {
        let source = &mut lines[11];
        source.truncate(source.len() / 2);
        source.push('\n');
    });
    is_called_out(&place, &index, "index-damaged").says("000001.ndjson");
}

#[test]
fn an_object_that_ends_early_is_named() {
    let (place, index) = changed(|lines| lines.truncate(lines.len() / 2));
    is_called_out(&place, &index, "documents-missing");
}

#[test]
fn a_source_that_is_another_is_seen_by_the_hash() {
    let (place, index) = changed(|lines| {
        let source = lines.iter().position(|line| line.contains(r#""_id":"57""#)).expect("it was stored") + 1;
        lines[source] = lines[source].replace(r#""id":57"#, r#""id":58"#);
    });
    is_called_out(&place, &index, "index-damaged");
}

#[test]
fn a_set_that_was_written_anew_without_a_change_is_whole() {
    let (place, _) = changed(|_| {});
    place.run(&["verify"]).exits(0);
}

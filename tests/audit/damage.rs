//! Sets that somebody has changed so that every sum holds: `verify` names the document that is missing.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::Path,
};

use serde_json::Value;
use strongroom::digest::Digest;

use super::{filled, place, restore, target};
use crate::support::{Done, Place, search};

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
    let mut entries = read(&set);
    let object = entries.iter().position(|(name, _)| !name.starts_with(".strongroom/") && name.ends_with(".ndjson"));
    let object = object.expect("there is an object");
    let mut lines: Vec<_> = text(&entries[object].1).split_inclusive('\n').map(str::to_owned).collect();
    how(&mut lines);
    replace(&mut entries, object, lines.concat().into_bytes());
    write(&set, &entries);
    (place, index)
}

type Entries = Vec<(String, Vec<u8>)>;

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn read(set: &Path) -> Entries {
    let mut archive = zip::ZipArchive::new(File::open(set).unwrap()).unwrap();
    let mut entries = Vec::new();
    for place in 0..archive.len() {
        let mut entry = archive.by_index(place).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        entries.push((entry.name().unwrap().into_owned(), content));
    }
    entries
}

fn write(set: &Path, entries: &Entries) {
    let comment = zip::ZipArchive::new(File::open(set).unwrap()).unwrap().comment().to_vec();
    let mut archive = zip::ZipWriter::new(File::create(set).unwrap());
    for (name, content) in entries {
        let options = zip::write::SimpleFileOptions::default().unix_permissions(0o600);
        match name.strip_suffix('/') {
            Some(_) => archive.add_directory(name.as_str(), options.unix_permissions(0o700)).unwrap(),
            None => {
                archive.start_file(name.as_str(), options).unwrap();
                archive.write_all(content).unwrap();
            }
        }
    }
    archive.set_raw_comment(comment.into_boxed_slice()).unwrap();
    archive.finish().unwrap();
}

/// Changes an entry, and what the set says of it elsewhere.
fn replace(entries: &mut Entries, place: usize, content: Vec<u8>) {
    let (name, was) = entries[place].clone();
    let sum = |bytes: &[u8]| Digest::of(bytes).to_string();
    let (old, new) = (sum(&was), sum(&content));
    if name != ENTRIES {
        let listed = entries.iter().position(|(name, _)| name == ENTRIES).unwrap();
        let relisted = text(&entries[listed].1).lines().map(|line| relist(line, &name, content.len(), &new) + "\n");
        let relisted = relisted.collect::<String>().into_bytes();
        replace(entries, listed, relisted);
    }
    let (_, sums) = entries.iter_mut().find(|(name, _)| name == SUMS).unwrap();
    *sums = text(sums).replace(&format!("{old}  {name}\n"), &format!("{new}  {name}\n")).into_bytes();
    entries[place].1 = content;
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
    assert!(fs::metadata(place.set()).unwrap().len() > 0);
}

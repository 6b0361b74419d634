//! One entry of a snapshot on standard output: its bytes and nothing else, and never a broken one without saying so.

use std::{
    fs,
    io::{Read, Seek, SeekFrom, Write},
    process::Command,
};

use super::place;
use crate::support::{Place, tree::Tree};

/// Bytes of every value that cannot be packed.
fn content() -> Vec<u8> {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..200_000).map(|_| next()).collect()
}

fn dumped(place: &Place, arguments: &[&str]) -> std::process::Output {
    place.command(&[&["dump"], arguments].concat()).output().unwrap()
}

fn backed_up() -> Place {
    let place = place();
    fs::write(place.join("files/odd"), content()).unwrap();
    Tree::at(place.join("files")).link("link", "a.txt");
    place.accept();
    place.run(&["backup"]).exits(0);
    place
}

#[test]
fn an_entry_comes_out_byte_for_byte_and_nothing_beside_it() {
    let place = backed_up();
    let output = dumped(&place, &["latest", "letters/source/odd"]);
    assert!(output.status.success() && output.stdout == content());
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let record = dumped(&place, &["latest", ".strongroom/record.json"]);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&record.stdout).unwrap(), place.record());
}

#[test]
fn what_is_no_file_is_named_and_nothing_is_written() {
    let place = backed_up();
    for (path, why) in [
        ("letters/source/none", "holds nothing"),
        ("letters/source", "directory"),
        ("letters/source/link", "link to a.txt"),
    ] {
        let done = place.run(&["dump", "latest", path]).exits(1).says(why);
        assert!(done.out.is_empty(), "{done}");
    }
    place.run(&["dump", "ffffffffffffffff", "a"]).exits(10);
    place.run(&["dump", "--json", "latest", "letters/source/odd"]).exits(2);
    place.run(&["dump", "latest"]).exits(2);
}

#[test]
fn content_that_differs_from_its_checksum_is_said_to() {
    let place = backed_up();
    let (set, path) = (place.set(), "letters/source/odd");
    let mut file = fs::OpenOptions::new().read(true).write(true).open(&set).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    // A bit in the middle of the entry's packed content.
    let header = bytes.windows(path.len()).position(|window| window == path.as_bytes()).unwrap();
    let at = header + path.len() + 20_000;
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(&[bytes[at] ^ 4]).unwrap();
    drop(file);
    let output = dumped(&place, &["latest", path]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("do not use what was written") && said.contains(path), "{said}");
    assert!(output.stdout != content());
}

#[test]
fn standard_output_that_fails_is_a_failure() {
    let place = backed_up();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command: Command = place.command(&["dump", "latest", "letters/source/odd"]);
    let output = command.stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

//! Files with awkward names, and files that vanish, grow, or turn into links while they are read.

use std::{fs, io::Write, os::unix::fs::symlink, path::Path, process::Command};

use super::files_pipelines;
use crate::support::{
    Going, Place,
    strongroom::unzip,
    tree::{self, Tree, raw},
};

#[test]
fn awkward_names_come_back_and_are_proven_by_unzip_and_sha256sum() {
    let place = Place::new();
    let long = "n".repeat(255);
    let names: [&[u8]; 12] = [
        b"new\nline",
        b"carriage\rreturn",
        b"a \"quote\" and 'another'",
        b"back\\slash",
        b"\\x41",
        b"bad \xff\xfe bytes",
        b"latin \xe9",
        long.as_bytes(),
        b"-rf *",
        b" blanks ",
        "umlaut \u{fc}".as_bytes(),
        b"[brackets]?{braces}",
    ];
    let tree = names.iter().fold(Tree::at(place.join("files")), |tree, name| {
        tree.file(raw(name), name)
            .file(Path::new(raw(&[b"in ", &name[..name.len().min(250)]].concat())).join("below"), name)
    });
    tree.link("to-line", raw(b"new\nline")).link(raw(b"link \xff"), raw(b"bad \xff\xfe bytes"));
    files_pipelines(&place);
    place.run(&["backup"]).exits(0).says("complete").says("awkward-names");
    place.run(&["verify"]).exits(0);
    place.run(&["ls"]).exits(0).says("new\\nline");
    place.run(&["restore", "-c", "target.toml"]).exits(0);
    tree::assert_same(&place.join("files"), &place.join("restored"));
    let mut command = Command::new("/bin/sh");
    command.args(["-euc", "mkdir out; cd out; unzip -^ -q ../repository/*.zip; sha256sum --quiet -c SHA256SUMS"]);
    command.current_dir(place.path()).env("LANG", "C.UTF-8");
    Going::start(command).finish().exits(0);
    for name in names {
        assert_eq!(fs::read(place.join("out/letters/source").join(raw(name))).unwrap(), name);
    }
    place.assert_left_nothing();
}

/// Files that are about to change, in directories of this round's own.
fn make_moving(files: &Path, round: usize) {
    (0..MOVING)
        .fold(Tree::at(files), |tree, number| tree.file(moving(round, number), format!("file {number}\n").repeat(50)));
}

const MOVING: usize = 400;

fn moving(round: usize, number: usize) -> String {
    format!("moving-{round}/d{}/file-{number}", number % 8)
}

/// Changes each file once: it vanishes, turns into a link to something outside, grows, or gets a new content.
fn meddle(files: &Path, outside: &Path, round: usize) {
    for number in (0..MOVING).rev() {
        let path = files.join(moving(round, number));
        match number % 4 {
            0 => fs::remove_file(&path).unwrap(),
            1 => {
                let new = path.with_extension("new");
                symlink(outside, &new).unwrap();
                fs::rename(&new, &path).unwrap();
            }
            2 => fs::File::options().append(true).open(&path).unwrap().write_all(b"grown\n").unwrap(),
            _ => fs::write(&path, "another content\n").unwrap(),
        }
    }
}

#[test]
fn files_that_change_while_they_are_read_spoil_neither_the_set_nor_those_that_do_not() {
    let place = Place::new();
    let outside = place.join("outside-secret");
    fs::write(&outside, "outside-content").unwrap();
    let tree = Tree::at(place.join("files")).many(300).file("z/last", vec![7_u8; 4 << 20]);
    files_pipelines(&place);
    for round in 0..6 {
        make_moving(tree.path(), round);
        let mut going = place.start(&["backup"]);
        // They change before, while and after the walk comes by, each time at other moments.
        if round % 2 == 1 {
            going.wait_for_words("letters/source started");
        }
        meddle(tree.path(), &outside, round);
        going.finish().exits(0).says("complete");
    }
    assert_eq!(place.sets().len(), 6);
    for set in place.sets() {
        let content = unzip(&set, "letters/source/moving*");
        assert!(!content.windows(15).any(|window| window == b"outside-content"), "a link was followed");
        assert_eq!(unzip(&set, "letters/source/d2/file-299.txt"), "line 299\n".repeat(20).as_bytes());
        assert_eq!(unzip(&set, "letters/source/z/last").len(), 4 << 20);
    }
    place.run(&["verify"]).exits(0);
    place.assert_left_nothing();
}

#[test]
fn a_granted_directory_that_turned_into_a_link_stores_nothing_of_where_it_leads() {
    let place = Place::new();
    Tree::at(place.join("outside")).file("secret", "outside-content");
    Tree::at(place.join("files")).file("a", "a").link("home", "../outside");
    files_pipelines(&place);
    place.run(&["backup"]).exits(0);
    let content = unzip(&place.set(), "letters/*");
    assert!(!content.windows(15).any(|window| window == b"outside-content"));
    // The link itself is kept as it is; restoring it leads out of the target, which is not done unasked.
    place.run(&["restore", "-c", "target.toml"]).says("home");
    assert!(!place.join("restored/home").is_symlink());
    place.run(&["restore", "-c", "target.toml", "--overwrite", "--outside-links"]).exits(0);
    assert!(place.join("restored/home").is_symlink());
}

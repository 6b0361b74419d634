//! That the harness sees what tests rely on it to see.

use std::process::Command;

use rustix::process::Signal;

use crate::support::{
    Going, Place, postgres,
    tree::{self, Tree},
};

#[test]
fn a_private_postgresql_runs_and_its_databases_are_apart() {
    let (one, other) = (postgres::database(), postgres::database());
    one.sql("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)");
    assert_eq!(one.sql("SELECT count(*) FROM t"), "2");
    assert_eq!(other.sql("SELECT count(*) FROM pg_tables WHERE tablename = 't'"), "0");
}

#[test]
fn a_process_that_has_to_do_with_a_place_is_seen() {
    let place = Place::new();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "echo started; read never"]).current_dir(place.path());
    let mut going = Going::start({
        command.stdin(std::process::Stdio::piped());
        command
    });
    going.wait_for_words("started");
    assert_eq!(place.processes().len(), 1, "{:?}", place.processes());
    going.signal(Signal::TERM);
    assert_eq!(going.finish().code, -15);
    place.assert_left_nothing();
}

#[test]
fn trees_that_differ_in_content_mode_or_a_name_are_not_the_same() {
    let place = Place::new();
    let make = |name: &str| Tree::at(place.join(name)).file("a/b", "text").link("l", "a/b").dir("empty");
    let left = make("left");
    for (name, changed) in [
        ("content", make("content").file("a/b", "TEXT")),
        ("mode", make("mode").mode("a/b", 0o600)),
        ("name", make("name").file("c", "")),
    ] {
        let same = std::panic::catch_unwind(|| tree::assert_same(left.path(), changed.path()));
        assert!(same.is_err(), "{name}");
    }
    let mut same = tree::listing(left.path());
    same.remove(std::path::Path::new("a"));
    assert_eq!(same.len(), 3, "{same:?}");
}

#[test]
fn the_program_starts_in_an_environment_of_its_own() {
    let place = Place::new();
    Going::start(place.bare_command(&["config", "validate"])).finish().exits(1).says("strongroom.toml");
    Going::start(place.bare_command(&["nonsense"])).finish().exits(2).says("nonsense");
}

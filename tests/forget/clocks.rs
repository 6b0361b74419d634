//! Clocks that were wrong while a backup ran: what was made then is kept, named, and pushes out nothing.

use std::path::PathBuf;

use super::ids;
use crate::support::{Going, Place, tree::Tree};

const PIPELINE: &str = "[pipeline]\nname = \"letters\"\nstate = \"$DIR/state\"\n\n[repository.local]\n\
    url = \"$DIR/repository\"\nFORMAT\n[step.letters]\nplugin = \"files\"\n\n\
    [step.letters.grant.dirs.source]\npath = \"$DIR/source\"\naccess = \"read\"\n\n[policy.keep]\nlast = 1\n";
const RESTIC: &str = "format = \"restic\"\npassword = { file = \"$DIR/password\" }\n";

/// A pipeline that keeps one snapshot; `format`: lines of its repository.
fn place(format: &str) -> Place {
    let place = Place::new();
    place.write("password", "correct horse");
    place.write("strongroom.toml", &PIPELINE.replace("FORMAT", format));
    Tree::at(place.join("source")).file("a.txt", "text");
    place.accept();
    place.run(&["init"]).exits(0);
    place
}

fn library() -> PathBuf {
    let machines = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
    let mut paths = machines.iter().map(|name| PathBuf::from(format!("/usr/lib/{name}/faketime/libfaketimeMT.so.1")));
    paths.find(|path| path.exists()).expect("libfaketime is not installed: tests/run.sh --install installs it")
}

/// Backs up while the clock shows another time, such as `-400d`; gives back the new snapshot's id.
fn back_up_at(place: &Place, clock: &str) -> String {
    let before = ids(place);
    let mut command = place.command(&["backup"]);
    command.env("LD_PRELOAD", library()).env("FAKETIME", clock).env("DONT_FAKE_MONOTONIC", "1");
    Going::start(command).finish().exits(0);
    ids(place).into_iter().find(|id| !before.contains(id)).expect("a new snapshot")
}

fn back_up(place: &Place) -> String {
    let before = ids(place);
    place.run(&["backup"]).exits(0);
    ids(place).into_iter().find(|id| !before.contains(id)).expect("a new snapshot")
}

fn sorted(ids: &[&String]) -> Vec<String> {
    let mut ids: Vec<_> = ids.iter().map(|id| (*id).clone()).collect();
    ids.sort();
    ids
}

fn left(place: &Place) -> Vec<String> {
    let mut ids = ids(place);
    ids.sort();
    ids
}

fn a_clock_that_was_set_back(place: &Place) {
    let (first, newest) = (back_up(place), back_up_at(place, "-400d"));
    assert_eq!(ids(place)[0], newest, "it is dated before the other");
    let said = place.run(&["forget"]).exits(0).says("removes 0 snapshots of 2");
    assert!(said.err.contains(&newest) && said.err.contains("was there when it began"), "{said}");
    place.run(&["verify", &newest]).exits(0);
    let lines = place.run(&["forget", "--dry-run", "--json"]).exits(0).json();
    let line = lines.iter().find(|line| line["snapshot"] == newest.as_str()).expect("it is judged");
    assert_eq!((&line["keep"], &line["counted"]), (&true.into(), &false.into()));
    // The clock is right again, and the rules go on; what was kept aside goes once nothing speaks against its date.
    let last = back_up(place);
    place.run(&["forget"]).exits(0).says("removes 1 snapshot of 3");
    assert_eq!(left(place), sorted(&[&newest, &last]), "{first} goes first");
    place.run(&["forget"]).exits(0).says("removes 1 snapshot of 2");
    assert_eq!(ids(place), [last]);
}

fn a_clock_that_was_ahead(place: &Place) {
    let (first, ahead) = (back_up(place), back_up_at(place, "+400d"));
    let said = place.run(&["forget"]).exits(0).says("removes 0 snapshots of 2");
    assert!(said.err.contains(&ahead) && said.err.contains("later than now"), "{said}");
    let last = back_up(place);
    place.run(&["forget"]).exits(0).says("removes 1 snapshot of 3");
    assert_eq!(left(place), sorted(&[&ahead, &last]), "{first} is the oldest");
}

#[test]
fn the_newest_set_does_not_go_because_the_clock_was_set_back() {
    a_clock_that_was_set_back(&place("format = \"zip\"\n"));
}

#[test]
fn the_newest_snapshot_of_format_restic_does_not_go_because_the_clock_was_set_back() {
    a_clock_that_was_set_back(&place(RESTIC));
}

#[test]
fn a_set_from_a_clock_that_was_ahead_pushes_out_none() {
    a_clock_that_was_ahead(&place("format = \"zip\"\n"));
}

#[test]
fn a_snapshot_of_format_restic_from_a_clock_that_was_ahead_pushes_out_none() {
    a_clock_that_was_ahead(&place(RESTIC));
}

//! One run of a pipeline at a time, and runs that are stopped or killed.

use std::{fs, process::Command};

use rustix::process::Signal;

use crate::support::{Going, Place, tree::Tree};

/// A tool that hangs, with a child of its own, until `gate` is opened, and a part that has stored something already.
fn hanging() -> Place {
    let place = Place::new();
    Tree::at(place.join("files")).file("a.txt", "text");
    place.script("hang.sh", "echo first\nsh -c 'read line < \"$DIR/gate\"; echo last'");
    assert!(Command::new("mkfifo").arg(place.join("gate")).status().unwrap().success());
    place.write("strongroom.toml", HANGING);
    place.accept();
    place
}

const HANGING: &str = r#"
[pipeline]
name = "test"
state = "$DIR/own-state"

[repository.local]
url = "$DIR/repository"
format = "zip"

[step.product]
plugin = "scripted"

[step.product.config]
parts = [{ name = "database", stage = "database" }, { name = "store", stage = "files" }]

[step.product.config.script]
"backup.database" = [
  { do = "submit-tool", path = "dump", tool = "tool-dump" },
  { do = "fix-instant" },
  { do = "receipt", subject = "rows", expected = 1, actual = 1 },
]
"backup.store" = [
  { do = "put", path = "a", text = "a" },
  { do = "receipt", subject = "files", expected = 1, actual = 1 },
]

[step.product.grant.tools.tool-dump]
argv = ["$DIR/hang.sh"]
"#;

/// A backup whose tool runs and hangs, and whose other part is stored.
fn start(place: &Place) -> Going {
    let mut going = place.start(&["backup"]);
    going.wait_for_words("product/store done");
    let tool = format!("{}/hang.sh", place.path().display());
    crate::support::wait_for("the tool runs", || place.processes().iter().any(|process| process.contains(&tool)));
    going
}

#[test]
fn a_second_run_ends_at_once_and_names_the_first() {
    let place = hanging();
    let first = start(&place);
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let second = place.run(&["backup"]).exits(11).says("locked").says(&host).says(&format!("pid {}", first.pid()));
    let started = second.err.split("since ").nth(1).expect("when it began");
    assert!(started.starts_with("20") && started.contains('T'), "{second}");
    place.run(&["restore"]).exits(11).says(&format!("pid {}", first.pid()));
    // Looking is no run.
    place.run(&["plan"]).exits(0);
    first.signal(Signal::TERM);
    first.finish().exits(130);
    place.assert_left_nothing();
}

#[test]
fn a_second_run_may_wait_for_the_first() {
    let place = hanging();
    let first = start(&place);
    let second = place.start(&["backup", "--retry-lock", "2m"]);
    fs::write(place.join("gate"), "go\n").unwrap();
    first.finish().exits(0);
    // The second one's tool hangs too.
    fs::write(place.join("gate"), "go\n").unwrap();
    second.finish().exits(0).never_says("left-behind");
    assert_eq!(place.sets().len(), 2);
}

#[test]
fn a_lock_that_is_waited_for_in_vain_is_said_to_be_locked() {
    let place = hanging();
    let first = start(&place);
    place.run(&["backup", "--retry-lock", "300ms"]).exits(11).says("locked");
    drop(first);
}

#[test]
fn a_run_that_is_stopped_leaves_neither_set_nor_scratch_nor_process() {
    for signal in [Signal::INT, Signal::TERM] {
        let place = hanging();
        let going = start(&place);
        assert!(place.processes().len() >= 3, "program, tool and its child: {:?}", place.processes());
        going.signal(signal);
        going.finish().exits(130).says("canceled");
        place.assert_left_nothing();
        assert!(place.sets().is_empty());
        place.run(&["snapshots"]).never_says("test");
    }
}

#[test]
fn a_run_that_was_killed_is_swept_up_by_the_next_and_told_of() {
    let place = hanging();
    let going = start(&place);
    let pid = going.pid();
    going.signal(Signal::KILL);
    assert_eq!(going.finish().code, -9);
    // Its tool ends with its pipes, or is ended here: nobody else is left to do it.
    let second = start(&place);
    assert!(place.sets().is_empty(), "nothing is visible of a run that was killed");
    fs::write(place.join("gate"), "go\n").unwrap();
    second.finish().exits(0).says("left-behind").says(&format!("pid {pid}"));
    assert_eq!(place.sets().len(), 1);
    place.assert_left_nothing();
}

#[test]
fn a_plugin_that_waits_is_stopped_too() {
    let place = Place::with_pipeline(
        r#"
[pipeline]
name = "test"

[repository.local]
url = "$DIR/repository"
format = "zip"

[step.product]
plugin = "scripted"

[step.product.config]
parts = [{ name = "sleeping", stage = "files" }, { name = "looping", stage = "files" }]

[step.product.config.script]
"backup.sleeping" = [{ do = "hostile", what = "sleep" }]
"backup.looping" = [{ do = "hostile", what = "loop" }]
"#,
    );
    let mut going = place.start(&["backup"]);
    going.wait_for_words("product/sleeping started");
    going.wait_for_words("product/looping started");
    going.signal(Signal::INT);
    going.finish().exits(130);
    place.assert_left_nothing();
}

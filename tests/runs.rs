//! One run of a pipeline at a time, and runs that are stopped or killed.

use std::{fs, process::Command};

use rustix::process::Signal;

use crate::support::{
    Going, Place, pipeline,
    scripted::{self, KEEP, dir},
    tree::{Tree, assert_same},
    wait_for,
};

/// How a tool hangs until `gate` is opened: by itself, or in a child of its own.
const ALONE: &str = "echo first\nread line < \"$DIR/gate\"\necho last";
const IN_A_CHILD: &str = "echo first\nsh -c 'read line < \"$DIR/gate\"; echo last; exit 0'\nexit 0";

/// A pipeline whose dump hangs, and whose other part has stored something already.
fn hanging(tool: &str) -> Place {
    let script = format!(
        "\"backup.database\" = [\n{{ do = \"submit-tool\", path = \"dump\", tool = \"tool-dump\" }},\n\
         {{ do = \"fix-instant\" }},\n{{ do = \"receipt\", subject = \"rows\", expected = 1, actual = 1 }},\n]\n\
         \"backup.store\" = {KEEP}"
    );
    let dump = "[step.product.grant.tools.tool-dump]\nargv = [\"$DIR/hang.sh\"]\n";
    let text = scripted::pipeline(&["database database", "store files"], &script, dump);
    let place = Place::new();
    place.script("hang.sh", tool);
    assert!(Command::new("mkfifo").arg(place.join("gate")).status().unwrap().success());
    place.write(
        "strongroom.toml",
        &text.replacen("name = \"test\"\n", "name = \"test\"\nstate = \"$DIR/own-state\"\n", 1),
    );
    place.accept();
    place
}

/// A backup whose tool runs and hangs, and whose other part is stored.
fn start(place: &Place) -> Going {
    let mut going = place.start(&["backup"]);
    going.wait_for_words("product/store done");
    let tool = format!("{}/hang.sh", place.path().display());
    wait_for("the tool runs", || place.processes().iter().any(|process| process.contains(&tool)));
    going
}

#[test]
fn a_second_run_ends_at_once_and_names_the_first() {
    let place = hanging(ALONE);
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
fn a_run_that_is_asked_says_where_it_is_and_goes_on() {
    for options in [&["backup"][..], &["backup", "-q"], &["backup", "--json"]] {
        let place = hanging(ALONE);
        let mut going = place.start(options);
        let tool = format!("{}/hang.sh", place.path().display());
        wait_for("the tool runs", || place.processes().iter().any(|process| process.contains(&tool)));
        // What the tool wrote before it hung is told, too, as soon as the run has heard of it.
        let words = [
            "backup of test, snapshot ",
            "1 of 2 parts ended",
            "product/database: 6 B",
            ", settled",
            "the end of product/database",
        ];
        wait_for("the run tells where it is", || {
            going.signal(Signal::USR1);
            going.wait_for_words("awaited: ");
            let (_, told) = going.said();
            words.iter().all(|words| told.contains(words))
        });
        fs::write(place.join("gate"), "go\n").unwrap();
        let done = going.finish().exits(0);
        assert!(!done.out.contains("awaited"), "asking writes to standard error only:\n{done}");
        assert_eq!(place.record()["state"], "complete");
        if options.contains(&"--json") {
            assert_eq!(done.json().last().unwrap()["message_type"], "summary");
        }
    }
}

#[test]
fn a_second_run_may_wait_for_the_first() {
    let place = hanging(ALONE);
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
    let place = hanging(ALONE);
    let first = start(&place);
    place.run(&["backup", "--retry-lock", "300ms"]).exits(11).says("locked");
    drop(first);
}

#[test]
fn a_run_that_is_stopped_leaves_neither_set_nor_scratch_nor_process() {
    for signal in [Signal::INT, Signal::TERM] {
        let place = hanging(IN_A_CHILD);
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
    let place = hanging(ALONE);
    let going = start(&place);
    let pid = going.pid();
    going.signal(Signal::KILL);
    assert_eq!(going.finish().code, -9);
    wait_for("its tool is killed with it", || place.processes().is_empty());
    let second = start(&place);
    assert!(place.sets().is_empty(), "nothing is visible of a run that was killed");
    fs::write(place.join("gate"), "go\n").unwrap();
    second.finish().exits(0).says("left-behind").says(&format!("pid {pid}"));
    assert_eq!(place.sets().len(), 1);
    place.assert_left_nothing();
}

#[test]
fn a_plugin_that_waits_is_stopped_too() {
    let script = r#"
"backup.sleeping" = [{ do = "hostile", what = "sleep" }]
"backup.looping" = [{ do = "hostile", what = "loop" }]
"#;
    let place = Place::with_pipeline(&scripted::pipeline(&["sleeping files", "looping files"], script, ""));
    let mut going = place.start(&["backup"]);
    going.wait_for_words("product/sleeping started");
    going.wait_for_words("product/looping started");
    going.signal(Signal::INT);
    going.finish().exits(130);
    place.assert_left_nothing();
}

#[test]
fn a_verification_and_a_restore_are_stopped_too() {
    let place = Place::with_pipeline(&reading());
    place.script("hang.sh", "echo $$ > \"$DIR/hangs\"; read line < \"$DIR/gate\"");
    assert!(Command::new("mkfifo").arg(place.join("gate")).status().unwrap().success());
    place.run(&["backup"]).exits(0);
    for verb in ["verify", "restore"] {
        let going = place.start(&[verb]);
        wait_for("the tool hangs", || place.join("hangs").exists());
        going.signal(Signal::INT);
        going.finish().exits(130).says("canceled");
        fs::remove_file(place.join("hangs")).unwrap();
        place.assert_left_nothing();
    }
}

/// One file, which verify and restore feed to a tool.
fn reading() -> String {
    let script = format!(
        "\"backup.store\" = {KEEP}\n\
         \"verify.store\" = [{{ do = \"feed-tool\", part = \"store\", path = \"kept\", tool = \"tool-hang\" }}]\n\
         \"restore.store\" = [{{ do = \"feed-tool\", part = \"store\", path = \"kept\", tool = \"tool-hang\" }}]"
    );
    let tool = "[step.product.grant.tools.tool-hang]\nargv = [\"$DIR/hang.sh\"]\noffline = true\n";
    scripted::pipeline(&["store files"], &script, tool)
}

/// A tree, whose restore waits at its end until `gate/go` is there.
fn killed_restore() -> String {
    let script = r#""backup.bulk" = [
  { do = "put-tree", path = "", dir = "dir-files" },
  { do = "tree-receipt", subject = "entries" },
]
"restore.bulk" = [
  { do = "restore-tree", part = "bulk", dir = "dir-out" },
  { do = "write-file", dir = "dir-gate", file = "restored", text = "restored" },
  { do = "wait-file", dir = "dir-gate", file = "go" },
]"#;
    let grants = dir("files", "read") + &dir("out", "write") + &dir("gate", "write");
    scripted::pipeline(&["bulk files dirs.dir-out"], script, &grants)
}

#[test]
fn a_restore_that_was_killed_goes_on_and_leaves_alone_what_is_not_its_own() {
    let place = Place::new();
    Tree::at(place.join("files")).many(120).file("deep/er/one", "one").dir("empty");
    place.write("strongroom.toml", &killed_restore());
    place.accept();
    place.run(&["backup"]).exits(0);
    let going = place.start(&["restore"]);
    wait_for("the tree is back", || place.join("gate/restored").exists());
    going.signal(Signal::KILL);
    assert_eq!(going.finish().code, -9);
    fs::write(place.join("out/foreign"), "not ours").unwrap();
    fs::write(place.join("out/deep/er/one"), "half of it").unwrap();
    fs::write(place.join("gate/go"), "").unwrap();
    place.run(&["restore"]).exits(0).says("restored");
    assert_eq!(fs::read_to_string(place.join("out/foreign")).unwrap(), "not ours");
    fs::remove_file(place.join("out/foreign")).unwrap();
    assert_same(&place.join("files"), &place.join("out"));
    fs::write(place.join("out/foreign"), "not ours").unwrap();
    place.run(&["restore"]).exits(1).says("is not empty");
}

/// A place with one file, its backup, and a pipeline `target.toml` that restores into `restored/`; and the snapshot.
fn backed_up() -> (Place, String) {
    let place = Place::new();
    Tree::at(place.join("files")).file("one", "one");
    place.write("target.toml", &pipeline::files("test", "restored", "write"));
    place.write("strongroom.toml", &pipeline::files("test", "files", "read"));
    place.accept();
    place.run(&["backup"]).exits(0);
    let snapshot = place.record()["snapshot"].as_str().unwrap().to_owned();
    (place, snapshot)
}

#[test]
fn a_part_that_was_restored_and_removed_again_is_restored_again() {
    let (place, snapshot) = backed_up();
    place.run(&["-c", "target.toml", "restore"]).exits(0);
    // As when it was killed at its very end, and somebody then emptied the target to begin anew.
    let journal = "{\"done\":{\"step\":\"letters\",\"part\":\"source\"}}\n";
    fs::write(place.join(format!("state/restore-{snapshot}.ndjson")), journal).unwrap();
    fs::remove_file(place.join("restored/one")).unwrap();
    place.run(&["-c", "target.toml", "restore"]).exits(0);
    assert_eq!(fs::read_to_string(place.join("restored/one")).unwrap(), "one");
}

#[test]
fn a_restore_that_cannot_begin_says_why() {
    let (place, snapshot) = backed_up();
    // Its journal can be looked for, and not be made.
    let journal = place.join(format!("state/restore-{snapshot}.ndjson"));
    std::os::unix::fs::symlink("/nowhere/at/all", journal).unwrap();
    place.run(&["-c", "target.toml", "restore"]).exits(1).says("nothing was restored").says("journal");
}

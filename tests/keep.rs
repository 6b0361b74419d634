//! `check`, `prune`, `key` and `unlock` as an operator types them, on a repository that strongroom made.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use crate::support::{Going, Place, tree::Tree, wait_for};

const PIPELINE: &str = "[pipeline]\nname = \"letters\"\nstate = \"$DIR/state\"\n\n[repository.local]\n\
    url = \"$DIR/repository\"\nFORMAT\n[step.letters]\nplugin = \"files\"\n\n\
    [step.letters.grant.dirs.source]\npath = \"$DIR/source\"\naccess = \"read\"\n";

/// A pipeline that keeps the directory `source`; `format`: lines of its repository.
fn place(format: &str) -> Place {
    let place = Place::new();
    place.write("password", "correct horse");
    place.write("strongroom.toml", &PIPELINE.replace("FORMAT", format));
    Tree::at(place.join("source")).file("a.txt", "text").file("b.txt", "line\n".repeat(50_000));
    place.accept();
    place
}

/// One of format restic, with a snapshot in it.
fn restic() -> Place {
    let place = place("format = \"restic\"\npassword = { file = \"$DIR/password\" }\n");
    place.run(&["init"]).exits(0);
    place.run(&["backup"]).exits(0);
    place
}

#[test]
fn a_repository_is_checked_and_what_is_missing_is_named() {
    let place = restic();
    place.run(&["check"]).exits(0).says("none of them read: no errors");
    place.run(&["check", "--read-data"]).exits(0).says("no errors");
    place.run(&["check", "--read-data-subset", "1/0"]).exits(2).says("is no subset");
    let read = place.run(&["check", "--read-data-subset", "100%", "--json"]).exits(0).json();
    let last = read.last().expect("a last line");
    assert_eq!((&last["message_type"], &last["packs"]), (&"checked".into(), &last["packs_read"]));
    let data = place.join("repository/data");
    let packs = crate::support::tree::listing(&data);
    assert!(!packs.is_empty());
    fs::remove_dir_all(&data).unwrap();
    fs::create_dir(&data).unwrap();
    place.run(&["check"]).exits(1).says("it is not there");
    let said = place.run(&["check", "--json"]).exits(1).json();
    assert!(said.iter().any(|line| line["message_type"] == "check_error"), "{said:?}");
    place.run(&["prune"]).exits(1).says("nothing was removed");
}

#[test]
fn what_a_forgotten_snapshot_alone_needed_is_pruned() {
    let place = restic();
    Tree::at(place.join("source")).file("a.txt", "another text");
    place.run(&["backup"]).exits(0);
    place.run(&["forget", "--keep-last", "1"]).exits(0);
    let would = place.run(&["prune", "--dry-run", "--max-unused", "0", "--json"]).exits(0).json();
    let would = would.last().expect("a last line");
    assert_eq!(would["dry_run"], true);
    assert!(would["freed_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{would:?}");
    place.run(&["prune", "--max-unused", "0"]).exits(0).says("freed").says("1 snapshot left");
    let again = place.run(&["prune", "--max-unused", "0", "--json"]).exits(0).json();
    assert_eq!(again.last().expect("a last line")["freed_bytes"], 0);
    place.run(&["check", "--read-data"]).exits(0);
    place.run(&["verify"]).exits(0);
}

#[test]
fn a_password_is_replaced_and_the_old_one_opens_nothing() {
    let place = restic();
    place.write("new", "another horse\n");
    place.run(&["key", "add", "--new-password-file", "new"]).exits(0).says("added the key");
    let keys = place.run(&["key", "list", "--json"]).exits(0).json();
    let used = keys.iter().find(|key| key["in_use"] == true).and_then(|key| key["id"].as_str()).expect("one in use");
    let other = keys.iter().find(|key| key["in_use"] == false).and_then(|key| key["id"].as_str()).expect("another");
    place.run(&["key", "list"]).exits(0).says(&used[..8]).says("in use");
    place.run(&["key", "remove", &used[..8]]).exits(5).says("was opened with");
    place.run(&["key", "remove", &other[..8]]).exits(0).says("removed");
    place.run(&["key", "remove", &other[..8]]).exits(10);
    let changed = place.run(&["key", "passwd", "--new-password-file", "new"]).exits(0).says("the old password");
    place.run(&["snapshots"]).exits(12);
    place.write("password", "another horse");
    place.run(&["verify"]).exits(0);
    place.assert_hides("another horse", &[&changed]);
}

#[test]
fn locks_that_nobody_holds_are_removed() {
    let place = restic();
    place.run(&["unlock"]).exits(0).says("removed 0 locks");
    let said = place.run(&["unlock", "--remove-all", "--json"]).exits(0).json();
    assert_eq!((&said[0]["message_type"], &said[0]["removed"]), (&"unlocked".into(), &0.into()));
}

/// restic on the repository of a place, with its password.
fn restic_at(place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new("restic");
    command.args(["--no-cache", "--repo"]).arg(place.join("repository")).args(arguments);
    command.env("RESTIC_PASSWORD", "correct horse");
    command
}

/// Whether somebody has a lock there. A file of restic's is none until it has its name.
fn is_locked(place: &Place) -> bool {
    let mut names = fs::read_dir(place.join("repository/locks")).unwrap().map(|entry| entry.unwrap().file_name());
    names.any(|name| !name.to_string_lossy().contains("-tmp-"))
}

#[test]
fn prune_and_forget_wait_for_a_writer_as_long_as_they_are_told() {
    let place = restic();
    place.run(&["backup"]).exits(0);
    let mut writer = restic_at(&place, &["backup", "--stdin"]);
    writer.stdin(Stdio::piped());
    let mut writer = Going::start(writer);
    wait_for("restic holds its lock", || is_locked(&place));
    place.run(&["prune"]).exits(11).says("is used now by");
    place.run(&["prune", "--retry-lock", "1s"]).exits(11);
    place.run(&["forget", "--keep-last", "1"]).exits(3).says("is used now by");
    let waiting = [
        place.start(&["prune", "--retry-lock", "60s"]),
        place.start(&["forget", "--keep-last", "1", "--retry-lock", "60s"]),
    ];
    writer.stdin().write_all(b"text").unwrap();
    writer.finish().exits(0);
    waiting.into_iter().for_each(|waiting| drop(waiting.finish().exits(0)));
    assert_eq!(place.run(&["snapshots", "--json"]).exits(0).json().len(), 2, "one of ours, and restic's");
}

#[test]
fn backup_and_check_wait_for_one_who_removes_as_long_as_they_are_told() {
    let place = restic();
    // restic reads an index that never ends: it keeps its exclusive lock for as long.
    let pipe = place.join("repository/index").join("0".repeat(64));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let pruning = Going::start(restic_at(&place, &["prune"]));
    wait_for("restic holds its lock", || is_locked(&place));
    place.run(&["check"]).exits(11).says("is used alone by");
    place.run(&["backup"]).exits(11).says("is used alone by");
    let waiting = ["check", "backup"].map(|verb| place.start(&[verb, "--retry-lock", "60s"]));
    drop(pruning);
    fs::remove_file(pipe).unwrap();
    // Only restic knows that its process is gone.
    Going::start(restic_at(&place, &["unlock"])).finish().exits(0);
    waiting.into_iter().for_each(|waiting| drop(waiting.finish().exits(0)));
    place.run(&["verify"]).exits(0);
}

#[test]
fn a_repository_of_sets_says_what_to_do_instead() {
    let place = place("format = \"zip\"\n");
    place.run(&["backup"]).exits(0);
    place.run(&["check"]).exits(5).says("strongroom verify");
    place.run(&["key", "list"]).exits(5).says("recipients");
    place.run(&["prune"]).exits(0).says("nothing to do");
    place.run(&["unlock"]).exits(0).says("nothing to do");
    let said = place.run(&["prune", "--json"]).exits(0).json();
    assert_eq!(said[0]["message_type"], "nothing_to_do");
}

//! What is kept of older snapshots: `forget`, by the pipeline's rules or the command line's, and after a backup.

use std::{
    fs,
    process::{Command, Stdio},
};

use crate::support::{
    Place,
    scripted::{KEEP, pipeline},
};

mod clocks;

/// A pipeline that stores one file, or (with `failing` there) fails in its second part, and keeps so many snapshots.
fn keeping(last: u32) -> String {
    let dump = "[\n  { do = \"submit-tool\", path = \"dump\", tool = \"tool-dump\" },\n\
                  { do = \"receipt\", subject = \"rows\", expected = 1, actual = 1 },\n]";
    let script = format!("\"backup.kept\" = {KEEP}\n\"backup.dump\" = {dump}");
    let rest =
        format!("[step.product.grant.tools.tool-dump]\nargv = [\"$DIR/dump.sh\"]\n\n[policy.keep]\nlast = {last}\n");
    pipeline(&["kept files", "dump files"], &script, &rest)
}

fn place(last: u32) -> Place {
    let place = Place::new();
    place.script("dump.sh", "test ! -e \"$DIR/failing\"");
    place.write("strongroom.toml", &keeping(last));
    place.accept();
    place
}

/// Backs up, and gives back the new set's id.
fn back_up(place: &Place, code: i32) -> String {
    let before = place.sets();
    match code {
        0 => drop(fs::remove_file(place.join("failing"))),
        _ => fs::write(place.join("failing"), "").unwrap(),
    }
    let id = place.run(&["backup", "--json"]).exits(code).json().pop().expect("a summary")["snapshot"].clone();
    assert!(place.sets().len() > before.len() || place.sets() != before, "a set was made");
    id.as_str().expect("an id").to_owned()
}

/// The ids that are listed, oldest first.
fn ids(place: &Place) -> Vec<String> {
    let lines = place.run(&["snapshots", "--json"]).exits(0).json();
    lines.iter().map(|line| line["snapshot"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn forget_says_what_goes_and_why_then_removes_just_that() {
    let place = place(2);
    let made: Vec<_> = (0..4).map(|_| back_up(&place, 0)).collect();
    let said =
        place.run(&["forget", "--dry-run"]).exits(0).says("would remove 2 snapshots of 4").says("no rule keeps it");
    assert_eq!(said.out.lines().filter(|line| line.contains("keep") && line.ends_with("last")).count(), 2, "{said}");
    assert_eq!(ids(&place), made, "a dry run removes nothing");
    place
        .run(&["forget", "--keep-last", "3", "--dry-run"])
        .exits(0)
        .says("keeping last 3 would remove 1 snapshot of 4");
    let lines = place.run(&["forget", "--json"]).exits(0).json();
    let kept: Vec<_> = lines.iter().filter(|line| line["keep"] == true).map(|line| line["reasons"].clone()).collect();
    assert_eq!(kept, [serde_json::json!(["last"]), serde_json::json!(["last"])]);
    let gone: Vec<_> = lines.iter().filter(|line| line["message_type"] == "forgotten").collect();
    assert_eq!(gone.len(), 2);
    assert!(gone.iter().all(|line| line["ok"] == true), "{gone:?}");
    assert_eq!(ids(&place), made[2..]);
    place.run(&["forget"]).exits(0).says("removes 0 snapshots of 2");
    place.run(&["verify"]).exits(0);
    place.assert_left_nothing();
}

#[test]
fn failed_backups_never_push_out_complete_ones() {
    let place = place(2);
    let whole = [back_up(&place, 0), back_up(&place, 0)];
    let partial: Vec<_> = (0..3).map(|_| back_up(&place, 3)).collect();
    place.run(&["forget"]).exits(0).says("removes 1 snapshot of 5");
    assert_eq!(ids(&place), [&whole[..], &partial[1..]].concat());
    back_up(&place, 0);
    back_up(&place, 0);
    place.run(&["forget"]).exits(0).says("not complete, and older than all complete ones that are kept");
    assert!(ids(&place).iter().all(|id| !partial.contains(id) && !whole.contains(id)));
    assert_eq!(place.sets().len(), 2);
}

#[test]
fn without_rules_or_with_rules_that_keep_nothing_nothing_is_removed() {
    let place = place(0);
    back_up(&place, 0);
    place.run(&["forget"]).exits(5).says("no rule says which snapshots are kept");
    place.run(&["forget", "--keep-daily", "0"]).exits(5);
    assert_eq!(place.sets().len(), 1);
    place.run(&["forget", "--unsafe-allow-remove-all", "--dry-run"]).exits(0).says("would remove 1 snapshot of 1");
    assert_eq!(place.sets().len(), 1);
    place.run(&["forget", "--unsafe-allow-remove-all"]).exits(0).says("removes 1 snapshot of 1");
    assert!(place.sets().is_empty());
}

#[test]
fn only_the_pipelines_own_snapshots_are_judged() {
    let place = place(1);
    let other = place.join("other.toml");
    let text = fs::read_to_string(place.join("strongroom.toml")).unwrap();
    fs::write(&other, text.replace("name = \"test\"", "name = \"test-two\"")).unwrap();
    for _ in 0..2 {
        back_up(&place, 0);
        place.run(&["backup", "-c", "other.toml"]).exits(0);
    }
    place.run(&["forget"]).exits(0).says("removes 1 snapshot of 2");
    let lines = place.run(&["snapshots", "--json"]).exits(0).json();
    assert_eq!(lines.iter().filter(|line| line["pipeline"] == "test-two").count(), 2);
    assert_eq!(lines.len(), 3);
}

#[test]
fn a_snapshot_that_is_dated_later_than_now_is_named_and_pushes_out_none() {
    let place = place(1);
    let id = back_up(&place, 0);
    let set = place.set();
    let (mut bytes, future) =
        (fs::read(&set).unwrap(), place.join("repository/test-20990101T000000Z-00000000000000ff.zip"));
    // The comment is the label that a listing reads; it ends the file.
    for (old, new) in [(id.as_str(), "00000000000000ff"), ("\"started\":\"20", "\"started\":\"29")] {
        let at = bytes.windows(old.len()).rposition(|window| window == old.as_bytes()).expect("in the label");
        bytes[at..at + old.len()].copy_from_slice(new.as_bytes());
    }
    fs::write(&future, bytes).unwrap();
    place
        .run(&["forget"])
        .exits(0)
        .says("warning: 00000000000000ff")
        .says("later than now")
        .says("removes 0 snapshots");
    assert_eq!(place.sets().len(), 2);
}

#[test]
fn machines_that_share_a_pipeline_may_be_judged_apart() {
    let place = place(1);
    (0..2).for_each(|_| drop(back_up(&place, 0)));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let said = place.run(&["forget", "--dry-run", "--group-by", "host"]).exits(0).says("would remove 1 snapshot of 2");
    assert!(said.out.starts_with(&format!("snapshots of {host}:\n")), "{said}");
    place.run(&["forget", "--dry-run", "--group-by", ""]).exits(0).never_says("snapshots of");
    place.run(&["forget", "--group-by", "tags"]).exits(2).says("tells no two snapshots of a pipeline apart");
    // Another machine's, which has but this one.
    let set = place.sets()[0].clone();
    let (old, new) = (format!("\"host\":\"{host}\""), format!("\"host\":\"{}\"", "x".repeat(host.len())));
    let mut bytes = fs::read(&set).unwrap();
    // The comment is the label that a listing reads; it ends the file.
    let at = bytes.windows(old.len()).rposition(|window| window == old.as_bytes()).expect("in the label");
    bytes[at..at + old.len()].copy_from_slice(new.as_bytes());
    fs::write(&set, bytes).unwrap();
    place.run(&["forget", "--group-by", "host"]).exits(0).says("removes 0 snapshots of 2");
    place.run(&["forget"]).exits(0).says("removes 1 snapshot of 2");
}

#[test]
fn a_snapshot_that_is_being_read_stays() {
    let place = place(2);
    let made: Vec<_> = (0..3).map(|_| back_up(&place, 0)).collect();
    let mut lock = Command::new("flock")
        .arg("--shared")
        .arg(&place.sets()[0])
        .args(["sh", "-c", "echo held; read end"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = [0; 5];
    std::io::Read::read_exact(lock.stdout.as_mut().expect("piped"), &mut held).unwrap();
    place.run(&["forget"]).exits(3).says("is being read");
    assert_eq!(ids(&place), made);
    drop(lock.stdin.take());
    lock.wait().unwrap();
    place.run(&["forget"]).exits(0);
    assert_eq!(ids(&place), made[1..]);
}

#[test]
fn forget_waits_for_the_pipelines_lock() {
    let place = place(2);
    back_up(&place, 0);
    fs::remove_file(place.join("dump.sh")).unwrap();
    place.script("dump.sh", "echo first; read line < \"$DIR/gate\"");
    assert!(Command::new("mkfifo").arg(place.join("gate")).status().unwrap().success());
    let mut going = place.start(&["backup"]);
    going.wait_for_words("product/kept done");
    place.run(&["forget"]).exits(11).says("locked");
    place.run(&["forget", "--dry-run"]).exits(0);
    fs::write(place.join("gate"), "go\n").unwrap();
    going.finish().exits(0);
    place.run(&["forget"]).exits(0);
}

#[test]
fn a_backup_forgets_by_itself_only_when_told_and_only_when_complete() {
    let place = place(2);
    (0..3).for_each(|_| drop(back_up(&place, 0)));
    assert_eq!(place.sets().len(), 3, "nobody asked");
    let text = fs::read_to_string(place.join("strongroom.toml")).unwrap();
    fs::write(
        place.join("strongroom.toml"),
        text.replace("[policy.keep]", "[policy]\nforget = \"after-complete\"\n[policy.keep]"),
    )
    .unwrap();
    place.run(&["plan"]).exits(0).says("when complete, of all snapshots it keeps: last 2; others are removed");
    back_up(&place, 3);
    assert_eq!(place.sets().len(), 4, "a partial one removes nothing");
    fs::remove_file(place.join("failing")).unwrap();
    let lines = place.run(&["backup", "--json"]).exits(0).json();
    assert_eq!(lines.iter().filter(|line| line["code"] == "forgotten").count(), 2);
    assert_eq!(place.sets().len(), 3);
    place.run(&["verify"]).exits(0);
}

#[test]
fn what_a_killed_removal_hid_is_swept_by_the_next_run() {
    let place = place(2);
    back_up(&place, 0);
    back_up(&place, 0);
    let set = place.sets()[0].clone();
    let name = set.file_name().unwrap().to_str().unwrap().to_owned();
    fs::rename(&set, set.with_file_name(format!(".{name}.forgotten"))).unwrap();
    assert_eq!(ids(&place).len(), 1);
    place.run(&["forget"]).exits(0).says("it was removed");
    place.assert_left_nothing();
}

//! The order of a backup, as its record tells it: what waits for what, and what does not.

use std::{fs, process::Command};

use serde_json::Value;

use crate::support::{Place, pipeline, strongroom::unzip, tree::Tree};

/// A step `product` of the scripted plugin: a table of parts and a script, after what `[pipeline]` says.
fn pipeline(settings: &str, parts: &str, script: &str, grants: &str) -> String {
    format!(
        "{}[step.product]\nplugin = \"scripted\"\n\n\
         [step.product.config]\nparts = [{parts}]\n\n[step.product.config.script]\n{script}\n{grants}",
        pipeline::head("test", settings)
    )
}

/// A dump tool that stops in the middle until someone opens `gate`, and files that are stored after it.
fn slow_dump(settings: &str) -> Place {
    let place = Place::new();
    let parts = r#"{ name = "database", stage = "database" }, { name = "store", stage = "files" }"#;
    let script = r#"
"backup.database" = [
  { do = "submit-tool", path = "database.dump", tool = "tool-dump" },
  { do = "fix-instant" },
  { do = "receipt", subject = "rows", expected = 2, actual = 2 },
]
"backup.store" = [
  { do = "put-tree", path = "", dir = "dir-files" },
  { do = "tree-receipt", subject = "entries" },
]"#;
    let grants = r#"
[step.product.grant.tools.tool-dump]
argv = ["$DIR/dump.sh"]

[step.product.grant.dirs.dir-files]
path = "$DIR/files"
access = "read"
"#;
    Tree::at(place.join("files")).many(150);
    place.script("dump.sh", "echo first; read line < \"$DIR/gate\"; echo last");
    assert!(Command::new("mkfifo").arg(place.join("gate")).status().unwrap().success());
    place.write("strongroom.toml", &pipeline(settings, parts, script, grants));
    place.accept();
    place
}

/// Lets the dump go on. Waits until the tool reads.
fn open_gate(place: &Place) {
    fs::write(place.join("gate"), "go\n").unwrap();
}

/// The order log: `product/store started`, in order.
fn order(record: &Value) -> Vec<String> {
    let lines = record["order"].as_array().expect("an order log");
    lines.iter().map(|line| format!("{} {}", line["part"].as_str().unwrap(), line["what"].as_str().unwrap())).collect()
}

/// Asserts that the first is in the log, and comes before the second.
#[track_caller]
fn assert_before(order: &[String], first: &str, second: &str) {
    let at = |what: &str| order.iter().position(|line| line == what);
    let (one, two) = (at(first), at(second));
    assert!(one.is_some() && two.is_some() && one < two, "{first:?} comes before {second:?}: {order:#?}");
}

#[test]
fn files_are_stored_while_the_dump_still_streams() {
    let place = slow_dump("");
    let mut going = place.start(&["backup"]);
    going.wait_for_words("product/store done");
    assert!(place.sets().is_empty(), "the set is not visible before it is sealed");
    open_gate(&place);
    going.finish().exits(0).says("complete");
    let order = order(&place.record());
    assert_before(&order, "product/database instant", "product/store started");
    assert_before(&order, "product/store ended", "product/database ended");
    assert_eq!(unzip(&place.set(), "product/database/database.dump"), b"first\nlast\n");
    place.assert_left_nothing();
}

#[test]
fn a_strict_order_waits_for_the_end_of_the_dump() {
    let place = slow_dump("order = \"strict\"");
    let mut going = place.start(&["backup"]);
    going.wait_for_words("product/database stands for");
    open_gate(&place);
    going.finish().exits(0);
    assert_before(&order(&place.record()), "product/database ended", "product/store started");
}

/// Two parts that each end only when the other has begun.
fn two_that_meet(settings: &str, first: &str, second: &str, before: &str) -> Place {
    let place = Place::new();
    let parts = format!(r#"{{ name = "first", stage = "{first}" }}, {{ name = "second", stage = "{second}" }}"#);
    let script = format!(
        r#"
"backup.first" = [
  {before}
  {{ do = "write-file", dir = "dir-meet", file = "first", text = "here" }},
  {{ do = "wait-file", dir = "dir-meet", file = "second" }},
  {{ do = "put", path = "a", text = "a" }},
  {{ do = "receipt", subject = "files", expected = 1, actual = 1 }},
]
"backup.second" = [
  {{ do = "write-file", dir = "dir-meet", file = "second", text = "here" }},
  {{ do = "wait-file", dir = "dir-meet", file = "first" }},
  {{ do = "put", path = "a", text = "a" }},
  {{ do = "receipt", subject = "files", expected = 1, actual = 1 }},
]"#
    );
    let grants = "\n[step.product.grant.dirs.dir-meet]\npath = \"$DIR/meet\"\naccess = \"write\"\n";
    Tree::at(place.join("meet"));
    place.write("strongroom.toml", &pipeline(settings, &parts, &script, grants));
    place.accept();
    place
}

#[test]
fn parts_of_a_stage_run_side_by_side() {
    let place = two_that_meet("parallel = 2", "files", "files", "");
    place.run(&["backup"]).exits(0);
    let order = order(&place.record());
    assert_before(&order, "product/first started", "product/second ended");
    assert_before(&order, "product/second started", "product/first ended");
}

#[test]
fn a_stage_begins_when_the_one_before_has_settled_although_it_goes_on() {
    let place = two_that_meet("", "positions", "files", r#"{ do = "settled" },"#);
    place.run(&["backup"]).exits(0);
    let order = order(&place.record());
    assert_before(&order, "product/first settled", "product/second started");
    assert_before(&order, "product/second started", "product/first ended");
}

#[test]
fn a_stage_whose_parts_do_not_settle_is_waited_for() {
    let place = Place::new();
    let parts = r#"{ name = "streams", stage = "positions" }, { name = "a", stage = "files" }, { name = "b", stage = "files" }"#;
    let stored =
        r#"[{ do = "put", path = "a", text = "a" }, { do = "receipt", subject = "files", expected = 1, actual = 1 }]"#;
    let script = format!("\"backup.streams\" = {stored}\n\"backup.a\" = {stored}\n\"backup.b\" = {stored}");
    place.write("strongroom.toml", &pipeline("parallel = 1", parts, &script, ""));
    place.accept();
    place.run(&["backup"]).exits(0);
    let order = order(&place.record());
    assert_before(&order, "product/streams ended", " stage files");
    // With one place, parts of a stage run one after the other.
    let mut lines = order.iter().filter(|line| line.starts_with("product/a ") || line.starts_with("product/b "));
    let (first, then) = (lines.next().unwrap(), lines.next().unwrap());
    assert_eq!(first.split(' ').next(), then.split(' ').next(), "{order:#?}");
}

#[test]
fn a_pass_ahead_runs_before_all_stages_and_what_has_changed_is_there_once_with_its_last_content() {
    let place = Place::new();
    let parts = r#"{ name = "bulk", stage = "files", ahead = true }, { name = "database", stage = "database" }"#;
    let script = r#"
"ahead.bulk" = [
  { do = "put-tree", path = "", dir = "dir-files" },
  { do = "write-file", dir = "dir-files", file = "changed.txt", text = "new content" },
  { do = "write-file", dir = "dir-files", file = "new.txt", text = "came late" },
]
"backup.bulk" = [
  { do = "put-tree", path = "", dir = "dir-files" },
  { do = "tree-receipt", subject = "entries" },
]
"backup.database" = [
  { do = "fix-instant" },
  { do = "put", path = "rows", text = "1" },
  { do = "receipt", subject = "rows", expected = 1, actual = 1 },
]"#;
    let grants = "\n[step.product.grant.dirs.dir-files]\npath = \"$DIR/files\"\naccess = \"write\"\n";
    Tree::at(place.join("files")).file("changed.txt", "old").file("same.txt", "same");
    place.write("strongroom.toml", &pipeline("", parts, script, grants));
    place.accept();
    place.run(&["backup"]).exits(0);
    let order = order(&place.record());
    assert_before(&order, "product/bulk ahead-ended", "product/database started");
    assert_before(&order, "product/database instant", "product/bulk started");
    let listed = place.run(&["ls", "latest", "product/bulk"]).exits(0);
    for name in ["changed.txt", "same.txt", "new.txt"] {
        assert_eq!(listed.out.matches(name).count(), 1, "{name}\n{listed}");
    }
    place.run(&["verify"]).exits(0);
    place.run(&["restore", "--files", "plain", "--include", "changed.txt"]).exits(0);
    assert_eq!(fs::read_to_string(place.join("plain/product/bulk/changed.txt")).unwrap(), "new content");
}

#[test]
fn what_is_purged_after_the_pass_ahead_is_kept_since_the_database_may_refer_to_it() {
    let place = Place::new();
    let parts = r#"{ name = "bulk", stage = "files", ahead = true }, { name = "database", stage = "database" }"#;
    let script = r#"
"ahead.bulk" = [{ do = "put-tree", path = "", dir = "dir-files" }]
"backup.bulk" = [
  { do = "put-tree", path = "", dir = "dir-files" },
  { do = "tree-receipt", subject = "entries" },
]
"backup.database" = [
  { do = "fix-instant" },
  { do = "submit-tool", path = "rows", tool = "tool-purge" },
  { do = "receipt", subject = "rows", expected = 1, actual = 1 },
]"#;
    let grants = r#"
[step.product.grant.dirs.dir-files]
path = "$DIR/files"
access = "read"

[step.product.grant.tools.tool-purge]
argv = ["/bin/rm", "-v", "$DIR/files/purged.txt"]
"#;
    Tree::at(place.join("files")).file("purged.txt", "old").file("same.txt", "same");
    place.write("strongroom.toml", &pipeline("order = \"strict\"", parts, script, grants));
    place.accept();
    place.run(&["backup"]).exits(0);
    place.run(&["ls", "latest", "product/bulk"]).exits(0).says("same.txt").says("purged.txt");
}

//! Changes that plugins make to a product: undone at the end of their scope, at their deadline, after a crash.

mod killed;
mod recovered;

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{
    Place,
    scripted::{KEEP, pipeline},
    wait_for,
};

/// What the product is, and a release that says in `log` that it was there, then undoes its change.
const PRODUCT: &str = "[step.product.grant.dirs.dir-product]\npath = \"$DIR/product\"\naccess = \"write\"\n";

/// Acts that take a hold, then change the product.
fn hold(name: &str, options: &str) -> String {
    format!(
        "{{ do = \"hold-take\", name = \"{name}\", data = \"of {name}\"{options} }},\n\
         {{ do = \"write-file\", dir = \"dir-product\", file = \"{name}\", text = \"on\" }},"
    )
}

/// Lines of a script that release holds of these names.
fn releases(names: &[&str]) -> String {
    let release = |name: &&str| {
        format!(
            "\"release.{name}\" = [\n{{ do = \"append-line\", dir = \"dir-product\", file = \"log\", line = \"{name}\" }},\n\
             {{ do = \"remove-file\", dir = \"dir-product\", file = \"{name}\" }},\n]\n"
        )
    };
    names.iter().map(release).collect()
}

/// A place with a product in it.
fn place(parts: &[&str], script: &str, rest: &str) -> Place {
    let place = Place::new();
    fs::create_dir(place.join("product")).unwrap();
    place.write("strongroom.toml", &pipeline(parts, script, &format!("{PRODUCT}\n{rest}")));
    place.accept();
    place
}

/// Acts that store and prove something.
fn keep() -> &'static str {
    KEEP.trim_start_matches('[').trim_end_matches(']')
}

/// The product's files, and the releases that it has seen. What a write that was killed had not put in its place yet
/// begins with a dot, and does not count.
fn product(place: &Place) -> (Vec<String>, Vec<String>) {
    let names = fs::read_dir(place.join("product")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name != "log" && !name.starts_with('.'));
    names.sort();
    let log = fs::read_to_string(place.join("product/log")).unwrap_or_default();
    (names, log.lines().map(str::to_owned).collect())
}

/// Asserts that the product is as it was, and has seen these releases.
#[track_caller]
fn released(place: &Place, names: &[&str]) {
    let (files, log) = product(place);
    assert_eq!((files, log), (Vec::new(), names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()));
    place.run(&["recover", "--list"]).exits(0).says("no holds stand");
    assert!(documents(place).is_empty());
}

/// What stands in the journal.
fn documents(place: &Place) -> Vec<Value> {
    let Ok(entries) = fs::read_dir(place.join("state/holds")) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort();
    paths.iter().map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap()).collect()
}

/// The order log of the latest record: what happened to a part, or to the run.
fn order(place: &Place) -> Vec<String> {
    let record = place.record();
    let lines = record["order"].as_array().unwrap().iter();
    lines.map(|line| format!("{} {}", line["part"].as_str().unwrap(), line["what"].as_str().unwrap())).collect()
}

#[track_caller]
fn one_before_the_other(order: &[String], one: &str, other: &str) {
    let at = |what: &str| order.iter().position(|line| line == what).unwrap_or_else(|| panic!("{what}: {order:#?}"));
    assert!(at(one) < at(other), "{one} comes after {other}: {order:#?}");
}

/// The failure of a part of the latest record.
fn failure(place: &Place, part: &str) -> Option<String> {
    let record = place.record();
    let parts = record["steps"][0]["parts"].as_array().unwrap();
    let part = parts.iter().find(|entry| entry["part"]["name"] == part).unwrap();
    part["failure"].as_str().map(str::to_owned)
}

#[test]
fn a_part_s_holds_end_with_it_and_a_run_s_before_the_snapshot_is_sealed_the_last_one_first() {
    let script = format!(
        "\"backup.database\" = [{}{}{}{}{}]\n\"backup.store\" = {KEEP}\n{}",
        hold("one", ""),
        hold("whole", ", run = true"),
        hold("two", ""),
        hold("wide", ", run = true"),
        keep(),
        releases(&["one", "two", "whole", "wide"])
    );
    let place = place(&["database positions", "store files"], &script, "");
    place.run(&["backup"]).exits(0).says("complete");
    released(&place, &["two", "one", "wide", "whole"]);
    let order = order(&place);
    one_before_the_other(&order, "product/database hold one released", "product/database ended");
    one_before_the_other(&order, "product/store ended", "product/database hold wide released");
    one_before_the_other(&order, "product/database hold whole released", " sealed");
    assert_eq!(fs::read_dir(place.join("state/holds/needed")).unwrap().count(), 0, "nothing is needed any more");
}

#[test]
fn a_hold_is_in_the_journal_before_the_change_is_made() {
    let script = format!(
        "\"backup.database\" = [{}{}]\n{}",
        hold("mode", ", seconds = 60"),
        "{ do = \"hold-renew\", name = \"mode\", seconds = 80000 },\n\
         { do = \"wait-file\", dir = \"dir-product\", file = \"go\" },\n\
         { do = \"remove-file\", dir = \"dir-product\", file = \"go\" },",
        releases(&["mode"])
    );
    let place = place(&["database positions"], &script.replace("\"go\" },]", &format!("\"go\" }},{}]", keep())), "");
    let going = place.start(&["backup"]);
    wait_for("the change is made", || place.join("product/mode").exists());
    let instant = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    wait_for("the deadline is moved", || {
        let document = &documents(&place)[0];
        assert_eq!(
            (&document["step"], &document["part"], &document["name"]),
            (&"product".into(), &"database".into(), &"mode".into())
        );
        instant(&document["deadline"]).as_second() - instant(&document["taken"]).as_second() > 70_000
    });
    place.run(&["recover"]).exits(11).says("locked");
    place.run(&["snapshots"]).exits(0).says("warning hold mode of product/database").says("a run is going on");
    let pid = format!("pid {}", going.pid());
    place.run(&["recover", "--list"]).exits(0).says("product/database").says("a run is going on").says(&pid);
    fs::write(place.join("product/go"), "").unwrap();
    going.finish().exits(0);
    released(&place, &["mode"]);
}

#[test]
fn what_the_plugin_has_undone_itself_is_not_released() {
    let script = format!(
        "\"backup.database\" = [{}{{ do = \"remove-file\", dir = \"dir-product\", file = \"mode\" }},\n\
         {{ do = \"hold-dropped\", name = \"mode\" }},\n\
         {{ do = \"must\", code = \"not-found\", act = {{ do = \"hold-renew\", name = \"mode\", seconds = 1 }} }},\n{}]\n{}",
        hold("mode", ""),
        keep(),
        releases(&["mode"])
    );
    let place = place(&["database positions"], &script, "");
    place.run(&["backup"]).exits(0);
    released(&place, &[]);
}

#[test]
fn a_hold_is_released_however_its_part_ends() {
    for end in ["{ do = \"fail\", message = \"no\" }", "{ do = \"hostile\", what = \"panic\" }"] {
        let script = format!(
            "\"backup.database\" = [{}{}{end}]\n\"backup.store\" = {KEEP}\n{}",
            hold("mode", ""),
            hold("whole", ", run = true"),
            releases(&["mode", "whole"])
        );
        let place = place(&["database positions", "store files"], &script, "");
        place.run(&["backup"]).exits(3);
        released(&place, &["mode", "whole"]);
    }
}

#[test]
fn a_run_that_is_stopped_releases_what_it_holds() {
    let script = format!(
        "\"backup.database\" = [{}{}{{ do = \"hostile\", what = \"sleep\" }}]\n{}",
        hold("mode", ""),
        hold("whole", ", run = true"),
        releases(&["mode", "whole"])
    );
    for signal in [Signal::INT, Signal::TERM] {
        let place = place(&["database positions"], &script, "");
        let going = place.start(&["backup"]);
        wait_for("the change is made", || place.join("product/whole").exists());
        going.signal(signal);
        going.finish().exits(130).says("canceled");
        released(&place, &["mode", "whole"]);
        place.assert_left_nothing();
    }
}

#[test]
fn a_part_that_holds_on_beyond_its_deadline_is_ended_and_the_snapshot_is_not_complete() {
    let script = format!(
        "\"backup.database\" = [{}{}{{ do = \"wait-file\", dir = \"dir-product\", file = \"never\" }}]\n\
         \"backup.store\" = {KEEP}\n{}",
        keep(),
        hold("mode", ", seconds = 1"),
        releases(&["mode"])
    );
    let place = place(&["database positions", "store files"], &script, "");
    place.run(&["backup"]).exits(3).says("hold-expired");
    released(&place, &["mode"]);
    assert!(failure(&place, "database").unwrap().contains("stood until its deadline"));
    assert_eq!(failure(&place, "store"), None);
}

#[test]
fn a_run_s_hold_is_released_at_its_deadline_although_its_part_has_ended() {
    // The second part goes on only when the release has been there.
    let script = format!(
        "\"backup.database\" = [{}{}]\n\"backup.store\" = [{{ do = \"wait-file\", dir = \"dir-product\", file = \"log\" }},{}]\n{}",
        hold("mode", ", seconds = 1, run = true"),
        keep(),
        keep(),
        releases(&["mode"])
    );
    let place = place(&["database positions", "store files"], &script, "");
    place.run(&["backup"]).exits(3).says("partial").says("hold-expired");
    released(&place, &["mode"]);
    assert!(failure(&place, "database").unwrap().contains("stood until its deadline"));
    let order = order(&place);
    one_before_the_other(&order, "product/database hold-expired mode", "product/store ended");
}

#[test]
fn what_no_plugin_may_ask_of_a_hold_is_refused_by_name() {
    let take = |name: &str, options: &str| format!("{{ do = \"hold-take\", name = \"{name}\"{options} }}");
    let must = |code: &str, act: &str| format!("{{ do = \"must\", code = \"{code}\", act = {act} }},\n");
    let long = format!(", data = \"{}\"", "x".repeat((64 << 10) + 1));
    let mut acts = format!("{},\n", take("first", ""));
    acts += &must("exists", &take("first", ""));
    acts += &must("invalid", &take("", ""));
    acts += &must("invalid", &take("a\\u0007b", ""));
    acts += &must("invalid", &take("short", ", seconds = 0"));
    acts += &must("invalid", &take("long", ", seconds = 86401"));
    acts += &must("limit", &take("much", &long));
    acts += &must("not-found", "{ do = \"hold-dropped\", name = \"other\" }");
    (1..64).for_each(|number| acts += &format!("{},\n", take(&format!("h{number}"), "")));
    acts += &must("limit", &take("h64", ""));
    let unsupported = must("unsupported", &take("late", ""));
    let script = format!(
        "\"inspect.\" = [{unsupported}]\n\"verify.database\" = [{unsupported}]\n\"release.first\" = [{unsupported}]\n\
         \"backup.database\" = [{acts}{}]",
        keep()
    );
    let place = place(&["database positions"], &script, "[step.product.limits]\nhostcall-fuel = \"16 MiB\"");
    place.run(&["backup"]).exits(0);
    place.run(&["verify"]).exits(0);
    assert!(documents(&place).is_empty());
}

#[test]
fn a_restore_may_change_the_product_for_its_time_too() {
    let script = format!(
        "\"backup.database\" = {KEEP}\n\"restore.database\" = [{}{}]\n{}",
        hold("mode", ""),
        hold("whole", ", run = true"),
        releases(&["mode", "whole"])
    );
    let place = place(&["database positions"], &script, "");
    place.run(&["backup"]).exits(0);
    place.run(&["restore"]).exits(0);
    released(&place, &["mode", "whole"]);
}

#[test]
fn the_plan_says_how_long_holds_and_their_releases_may_take() {
    let place = place(&["database positions"], &releases(&["mode"]), "[step.product.limits]\npart-time = \"90s\"");
    place.run(&["plan"]).exits(0).says("hold-time 1day, release-time 1m 30s, holds 64");
}

//! Holds that a run left standing: seen by the operator, released by `recover` or by the next run, with what they were
//! taken with.

use std::fs;

use rustix::process::Signal;

use super::{documents, hold, keep, place, product, released, releases};
use crate::support::{Place, plugins, scripted::KEEP, wait_for};

/// Kills a backup as soon as the product is changed.
pub(super) fn killed(place: &Place) {
    let going = place.start(&["backup"]);
    wait_for("the change is made", || place.join("product/mode").exists() && place.join("product/whole").exists());
    going.signal(Signal::KILL);
    assert_eq!(going.finish().code, -9);
    assert_eq!((product(place).0, documents(place).len()), (vec!["mode".to_owned(), "whole".to_owned()], 2));
}

/// A backup that changes the product, then waits, unless `go` is there.
pub(super) fn waiting(rest: &str, more: &str) -> Place {
    let script = format!(
        "\"backup.database\" = [{}{}{{ do = \"wait-file\", dir = \"dir-gate\", file = \"go\" }},{}]\n{}{more}",
        hold("mode", ""),
        hold("whole", ", run = true"),
        keep(),
        releases(&["mode", "whole"])
    );
    let gate = "[step.product.grant.dirs.dir-gate]\npath = \"$DIR/gate\"\naccess = \"read\"\n";
    let place = place(&["database positions"], &script, &format!("{gate}{rest}"));
    fs::create_dir(place.join("gate")).unwrap();
    place
}

#[test]
fn after_a_kill_recover_releases_what_stands_once() {
    let place = waiting("", "");
    killed(&place);
    place.run(&["recover", "--list"]).exits(0).says("product/database").says("mode").says("its run died");
    place.run(&["recover", "--list", "--json"]).exits(0).says("\"message_type\":\"hold\"");
    assert_eq!(documents(&place).len(), 2, "listing changes nothing");
    place.run(&["recover"]).exits(0).says("released mode").says("released whole");
    released(&place, &["whole", "mode"]);
    place.run(&["recover"]).exits(0).says("no holds stand");
    released(&place, &["whole", "mode"]);
}

#[test]
fn after_a_kill_the_next_run_releases_what_stands_before_anything_else() {
    let place = waiting("", "");
    killed(&place);
    fs::write(place.join("gate/go"), "").unwrap();
    place.run(&["backup"]).exits(0).says("hold-recovered").says("complete");
    released(&place, &["whole", "mode", "mode", "whole"]);
    let findings = place.record()["findings"].to_string();
    assert!(findings.contains("hold-recovered"), "{findings}");
    // A restore is a run too. A look at one is not.
    fs::remove_file(place.join("gate/go")).unwrap();
    killed(&place);
    place.run(&["restore", "--dry-run"]).exits(0);
    assert_eq!(documents(&place).len(), 2);
    place.run(&["snapshots"]).exits(0).says("warning hold mode of product/database").says("its run died");
    place.run(&["restore"]).says("hold-recovered");
    released(&place, &["whole", "mode", "mode", "whole", "whole", "mode"]);
}

#[test]
fn a_run_that_is_refused_has_released_what_stood_and_says_so() {
    let place = waiting("", "");
    killed(&place);
    fs::remove_file(place.join("strongroom.lock")).unwrap();
    place.run(&["backup"]).exits(5).says("hold-recovered");
    released(&place, &["whole", "mode"]);
}

#[test]
fn neither_an_edited_pipeline_nor_another_component_changes_what_a_release_does() {
    let place = Place::new();
    let wasm = fs::read(plugins::built().join("scripted.wasm")).unwrap();
    fs::write(place.join("own.wasm"), wasm).unwrap();
    let made = waiting("", "");
    let text = fs::read_to_string(made.join("strongroom.toml")).unwrap();
    let text = text.replace(&made.path().display().to_string(), "$DIR").replace("\"scripted\"", "\"$DIR/own.wasm\"");
    ["product", "gate", "other"].iter().for_each(|name| fs::create_dir(place.join(name)).unwrap());
    place.write("strongroom.toml", &text);
    place.accept();
    killed(&place);
    // Everything is another thing now: the product's place, the script, the component.
    let edited = text.replace("$DIR/product", "$DIR/other").replace("release.mode", "release.nothing");
    place.write("strongroom.toml", &edited);
    fs::write(place.join("own.wasm"), "no component").unwrap();
    fs::write(place.join("other/mode"), "not ours").unwrap();
    place.run(&["recover"]).exits(0);
    assert_eq!(product(&place), (vec![], vec!["whole".to_owned(), "mode".to_owned()]));
    assert_eq!(fs::read_to_string(place.join("other/mode")).unwrap(), "not ours");
    assert_eq!(fs::read_dir(place.join("other")).unwrap().count(), 1);
}

/// A pipeline whose release works only when `late` is there.
fn failing() -> Place {
    let script = format!(
        "\"backup.database\" = [{}{}]\n\"backup.store\" = {KEEP}\n\
         \"release.mode\" = [{{ do = \"write-file\", dir = \"dir-late\", file = \"was here\", text = \"\" }},\n\
         {{ do = \"remove-file\", dir = \"dir-product\", file = \"mode\" }}]\n",
        hold("mode", ", run = true"),
        keep()
    );
    let late = "[step.product.grant.dirs.dir-late]\npath = \"$DIR/late\"\naccess = \"write\"\n";
    place(&["database positions", "store files"], &script, late)
}

#[test]
fn a_hold_that_cannot_be_released_is_seen_kept_and_tried_again() {
    let place = failing();
    place.run(&["backup"]).exits(3).says("hold-not-released").says("partial").says("strongroom recover");
    assert_eq!((product(&place).0, documents(&place).len()), (vec!["mode".to_owned()], 1));
    place.run(&["snapshots"]).exits(0).says("warning hold mode of product/database").says("could not be released");
    place.run(&["recover", "--list"]).exits(0).says("could not be released");
    place.run(&["recover"]).exits(1).says("not released mode of product/database");
    assert_eq!(documents(&place).len(), 1);
    // The next run tells of it and goes on; it has a hold of the same name of its own.
    place.run(&["backup"]).exits(3).says("a run before left hold \"mode\"");
    assert_eq!(documents(&place).len(), 2);
    fs::create_dir(place.join("late")).unwrap();
    place.run(&["recover"]).exits(0).says("released mode");
    assert_eq!((product(&place).0, documents(&place).len()), (vec![], 0));
    place.run(&["backup"]).exits(0).never_says("hold-");
}

#[test]
fn a_lowered_severity_does_not_make_a_snapshot_complete_whose_hold_still_stands() {
    let place = failing();
    let text = fs::read_to_string(place.join("strongroom.toml")).unwrap();
    let lowered = "name = \"test\"\nseverity = { hold-not-released = \"info\" }\n";
    place.write("strongroom.toml", &text.replacen("name = \"test\"\n", lowered, 1));
    place.run(&["backup"]).exits(3).says("partial");
}

#[test]
fn a_release_that_never_ends_is_ended_and_the_hold_still_stands() {
    let script = format!(
        "\"backup.database\" = [{}{}]\n\"release.mode\" = [{{ do = \"wait-file\", dir = \"dir-product\", file = \"never\" }}]",
        hold("mode", ""),
        keep()
    );
    let place = place(&["database positions"], &script, "[step.product.limits]\npart-time = \"3s\"");
    place.run(&["backup"]).exits(3).says("the release was not done after 3s");
    assert_eq!(documents(&place).len(), 1);
}

#[test]
fn a_secret_is_read_again_for_the_release_and_is_never_in_the_journal() {
    let secret = "[step.product.grant.secrets]\nsecret-one = { file = \"$DIR/secret\" }\n";
    let place = waiting(secret, "\"release.other\" = []\n");
    let text = fs::read_to_string(place.join("strongroom.toml")).unwrap();
    let reveal = "\"release.mode\" = [{ do = \"reveal\", secret = \"secret-one\" },";
    place.write("strongroom.toml", &text.replace("\"release.mode\" = [", reveal));
    place.write("secret", "first-secret-value");
    place.accept();
    killed(&place);
    fs::remove_file(place.join("secret")).unwrap();
    let without = place.run(&["recover"]).exits(1).says("not released mode").says("released whole");
    place.write("secret", "second-secret-value");
    let with = place.run(&["recover", "-vv"]).exits(0).says("released mode");
    released(&place, &["whole", "mode"]);
    for value in ["first-secret-value", "second-secret-value"] {
        place.assert_hides(value, &[&without, &with]);
    }
}

#[test]
fn a_document_that_nobody_can_read_is_named_and_hides_no_other() {
    let place = waiting("", "");
    killed(&place);
    fs::write(place.join("state/holds/000000000009.json"), "{").unwrap();
    place.run(&["recover", "--list"]).exits(1).says("unreadable").says("000000000009.json");
    place.run(&["recover"]).exits(1).says("released mode").says("unreadable");
    assert_eq!(product(&place).0, Vec::<String>::new());
}

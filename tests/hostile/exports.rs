//! What is hostile in every export alike: loops, and calls of what works elsewhere.

use super::{KEEP, limits, pipeline};
use crate::support::Place;

fn script(call: &str, what: &str) -> String {
    format!("\"{call}\" = [{{ do = \"hostile\", what = \"{what}\" }}]\n")
}

/// A place whose plugin does that in that call, and its work in a backup.
fn place(call: &str, what: &str, rest: &str) -> Place {
    let place = Place::new();
    let target = "[step.product.grant.dirs.dir-target]\npath = \"$DIR/target\"\naccess = \"write\"\n";
    let script = format!("{}\"backup.good\" = {KEEP}\n", script(call, what));
    place.write("strongroom.toml", &pipeline(&["good files"], &script, &format!("{target}\n{rest}")));
    std::fs::create_dir(place.join("target")).unwrap();
    place.accept();
    place
}

#[test]
fn a_loop_ends_in_every_export() {
    let limit = limits("compute = \"200ms\"");
    let inspecting = place("inspect.", "loop", &limit);
    inspecting.run(&["plan"]).exits(1).says("limits.compute").says("compute = \"400ms\"");
    inspecting.run(&["backup"]).exits(1).says("limits.compute");
    assert!(inspecting.sets().is_empty());
    for (call, verb, code) in [("verify.good", "verify", 1), ("restore.good", "restore", 1)] {
        let place = place(call, "loop", &limit);
        place.run(&["backup"]).exits(0);
        place.run(&[verb]).exits(code).says("limits.compute");
        place.assert_left_nothing();
    }
}

#[test]
fn what_works_in_a_backup_only_is_unsupported_elsewhere() {
    let inspecting = place("inspect.", "wrong-export", "");
    inspecting.run(&["plan"]).exits(1).says("all were refused");
    for (call, verb) in [("verify.good", "verify"), ("restore.good", "restore")] {
        let place = place(call, "wrong-export", "");
        place.run(&["backup"]).exits(0);
        place.run(&[verb]).exits(1).says("all were refused");
    }
}

#[test]
fn a_guest_that_breaks_in_a_verification_or_a_restore_is_named() {
    for (call, verb) in [("verify.good", "verify"), ("restore.good", "restore")] {
        let place = place(call, "panic", "");
        place.run(&["backup"]).exits(0);
        place.run(&[verb]).exits(1).says("as scripted").says("product/good");
        place.assert_left_nothing();
    }
}

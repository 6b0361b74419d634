//! False successes of other tools, each a test that is named after its thread: what they called well was not.
//!
//! restic/restic #4251, rustic-rs/rustic #1908, vmware-tanzu/velero #1371 and #6571, elasticsearch-dump #369,
//! elastic/elasticsearch #28692, osodevops/kafka-backup #148, borgmatic-collective/docker-borgmatic #355.

use crate::support::{
    Done, Place,
    scripted::{KEEP, bad_beside_good, fails_alone, pipeline},
};

/// A place with one part `kept` that does these acts in a backup, and those in a restore.
fn place(acts: &str, restore: &str, rest: &str) -> Place {
    let place = Place::new();
    let script = format!("\"backup.kept\" = {acts}\n\"restore.kept\" = {restore}");
    place.write("strongroom.toml", &pipeline(&["kept files"], &script, rest));
    place.accept();
    place
}

/// Backs up, and asserts that the word and the code are these: on the terminal, for programs, and in the list.
#[track_caller]
fn ends_as(acts: &str, state: &str, code: i32) -> Place {
    let place = place(acts, "[]", "");
    place.run(&["backup"]).exits(code).says(state);
    assert_eq!(place.record()["state"], state);
    place.run(&["snapshots"]).exits(0).says(state);
    let summaries = place.run(&["backup", "--json"]).exits(code).json();
    assert_eq!(summaries.last().expect("a last line")["state"], state);
    place
}

/// Restores the set of a place whose restore does these acts.
#[track_caller]
fn restored(acts: &str) -> Done {
    let place = place(KEEP, acts, "");
    place.run(&["backup"]).exits(0);
    place.run(&["restore"])
}

#[test]
fn restic_4251_a_failed_dump_in_a_pipe_is_no_snapshot() {
    let acts = "[{ do = \"submit-tool\", path = \"dump\", tool = \"tool-dump\" }]";
    let place = place(acts, "[]", "[step.product.grant.tools.tool-dump]\nargv = [\"$DIR/dump.sh\"]\n");
    place.script("dump.sh", "echo half of it; echo the server went away >&2; exit 1");
    place.run(&["backup"]).exits(1).says("exit status 1").says("the server went away");
    assert!(place.sets().is_empty(), "half a dump became a snapshot");
    place.assert_left_nothing();
}

#[test]
fn rustic_1908_an_unreadable_file_is_not_exit_0_and_the_rest_is_kept() {
    let place = Place::new();
    // Its beginning can be read by nobody, not even by root: no memory is there.
    let acts = "[{ do = \"put-tree\", path = \"\", dir = \"dir-process\", includes = [\"/mem\"] }]";
    let grant =
        format!("[step.product.grant.dirs.dir-process]\npath = \"/proc/{}\"\naccess = \"read\"\n", std::process::id());
    bad_beside_good(&place, acts, &grant);
    fails_alone(&place, &["mem"]);
}

#[test]
fn velero_1371_every_state_that_is_not_complete_has_a_code_that_is_not_0() {
    let _ = ends_as(KEEP, "complete", 0);
    let _ = ends_as("[{ do = \"put\", path = \"a\", text = \"a\" }]", "unproven", 4);
    let missing = "[{ do = \"put\", path = \"a\", text = \"a\" }, { do = \"receipt\", subject = \"files\", expected = 1, \
                   actual = 1 }, { do = \"expect\", subject = \"names\", lines = [[\"b\", \"1\", \"kept/b\"]] }]";
    let _ = ends_as(missing, "inconsistent", 4);
}

#[test]
fn velero_6571_a_restore_that_moved_no_data_is_not_completed() {
    let done = restored("[{ do = \"fail\", message = \"the data mover gave up\" }]").exits(1);
    let _ = done.says("the data mover gave up").says("FAILED").never_says("restored: 1 part");
}

#[test]
fn elasticsearch_dump_369_a_dump_that_ends_early_without_an_error_is_not_complete() {
    let acts = "[{ do = \"put\", path = \"a\", text = \"998 documents\" }, { do = \"receipt\", subject = \"documents\", \
                expected = 1000, actual = 998 }]";
    let place = ends_as(acts, "partial", 3);
    place.run(&["backup"]).exits(3).says("documents").says("998");
}

#[test]
fn elasticsearch_28692_partial_is_never_read_as_success() {
    let acts = "[{ do = \"put\", path = \"a\", text = \"48 of 50 shards\" }, { do = \"receipt\", subject = \"shards\", \
                expected = 50, actual = 48 }]";
    let place = ends_as(acts, "partial", 3);
    // What is asked for without a name is the latest complete one, and there is none.
    place.run(&["restore"]).exits(10).says("complete");
}

#[test]
fn kafka_backup_148_a_restore_that_applied_nothing_does_not_say_it_went_well() {
    let done = restored("[{ do = \"receipt\", subject = \"group offsets\", expected = 12, actual = 0 }]");
    let _ = done.exits(3).says("group offsets").says("failed");
}

#[test]
fn docker_borgmatic_355_a_part_that_stored_nothing_is_not_taken_for_done() {
    let place = Place::new();
    let script = format!("\"backup.database\" = [{{ do = \"fix-instant\" }}]\n\"backup.files\" = {KEEP}");
    place.write("strongroom.toml", &pipeline(&["database database", "files files"], &script, ""));
    place.accept();
    place.run(&["backup"]).exits(4).says("unproven").says("product/database");
}

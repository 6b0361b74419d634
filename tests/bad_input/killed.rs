//! Runs that are killed at many moments: before, in and after publishing. There is the old snapshot or the new one too,
//! never half of one; the next run sweeps up and says so.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Stdio},
};

use strongroom::repository::{Repository, Watch, zip::ZipRepository};

use super::files_pipelines;
use crate::support::{DEADLINE, Place, soon, tree::Tree};

struct Quiet;
impl Watch for Quiet {
    fn moved(&self, _: u64, _: u64) {}
    fn stopped(&self) -> bool {
        false
    }
}

/// Asserts that every visible set is whole. Returns how many there are.
#[track_caller]
fn whole_sets(place: &Place, when: &str) -> usize {
    let repository = ZipRepository::new(place.join("repository"));
    let (listed, unreadable) = repository.snapshots().unwrap();
    assert!(unreadable.is_empty(), "{when}: {unreadable:?}");
    assert_eq!(listed.len(), place.sets().len(), "{when}");
    for set in &listed {
        let proof = repository.open(&set.id).unwrap().prove(&Quiet).unwrap();
        assert!(proof.damage.is_empty(), "{when}: {:?}", proof.damage);
    }
    listed.len()
}

/// A place whose tree takes a few steps to store: small files, and one that streams.
fn place() -> Place {
    let place = Place::new();
    let noise: Vec<u8> = (0..6_u32 << 18).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    Tree::at(place.join("files")).many(120).file("large", noise);
    files_pipelines(&place);
    place.run(&["backup"]).exits(0);
    place
}

fn start(place: &Place) -> Child {
    place.command(&["backup", "--json", "-vv"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Ends it the hard way. Whether it had not ended by itself before.
fn kill(mut child: Child) -> bool {
    child.kill().unwrap();
    child.wait().unwrap().signal() == Some(9)
}

/// A run after one that was killed: it ends well, says what it found, and leaves nothing but sets.
#[track_caller]
fn next_run_sweeps(place: &Place, pid: u32, killed: bool, when: &str) {
    let before = whole_sets(place, when);
    // One that had given its lock back already left nothing to tell of.
    let held = fs::read(place.join("state/lock")).is_ok_and(|holder| !holder.is_empty());
    let done = place.run(&["backup"]).exits(0).says("complete");
    if killed && held {
        let _ = done.says("left-behind").says(&format!("pid {pid}"));
    }
    assert_eq!(whole_sets(place, when), before + 1);
    place.assert_left_nothing();
}

#[test]
fn a_run_that_is_killed_after_any_of_its_events_leaves_the_old_set_or_the_new_one_too() {
    let place = place();
    for lines in 1..60 {
        let before = place.sets().len();
        let mut child = start(&place);
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let seen = out.by_ref().take(lines).count();
        let (pid, killed) = (child.id(), kill(child));
        let when = format!("killed after {seen} events");
        let after = whole_sets(&place, &when);
        assert!(after == before || after == before + 1, "{when}: {before} sets, then {after}");
        if lines % 4 == 1 || !killed {
            next_run_sweeps(&place, pid, killed, &when);
        }
        if seen < lines {
            return;
        }
    }
    panic!("a run of more than 60 events");
}

/// Bytes of the set that is being written.
fn partial(repository: &Path) -> Option<u64> {
    let entries = fs::read_dir(repository).ok()?.filter_map(Result::ok);
    let mut partial = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".partial"));
    partial.next().and_then(|entry| entry.metadata().ok()).map(|metadata| metadata.len())
}

#[test]
fn a_run_that_is_killed_while_its_set_grows_leaves_the_old_one() {
    let place = place();
    for size in [0, 1, 70_000, 1 << 20, 3 << 20, 6 << 20] {
        let child = start(&place);
        let reached = soon(DEADLINE, || partial(&place.join("repository")).is_some_and(|length| length >= size));
        assert!(reached, "the set never had {size} bytes");
        let (pid, killed) = (child.id(), kill(child));
        assert!(killed, "it had ended before its set had {size} bytes");
        assert_eq!(place.sets().len(), 1, "killed at {size} bytes");
        assert!(!fs::read(place.join("state/lock")).unwrap().is_empty(), "it held its lock at {size} bytes");
        let (sets, when) = (place.sets(), format!("killed at {size} bytes"));
        next_run_sweeps(&place, pid, true, &when);
        // Only the first stays: the next round begins as this one did.
        place.sets().into_iter().filter(|set| !sets.contains(set)).for_each(|set| fs::remove_file(set).unwrap());
    }
}

#[test]
fn a_run_that_is_killed_as_soon_as_its_set_is_visible_has_published_all_of_it() {
    let place = place();
    for round in 0..5 {
        let before = place.sets().len();
        let child = start(&place);
        let until = std::time::Instant::now() + DEADLINE;
        while place.sets().len() == before {
            assert!(std::time::Instant::now() < until, "no set became visible");
            std::hint::spin_loop();
        }
        let (pid, killed) = (child.id(), kill(child));
        let when = format!("killed after publishing, round {round}");
        assert_eq!(whole_sets(&place, &when), before + 1);
        next_run_sweeps(&place, pid, killed, &when);
    }
}

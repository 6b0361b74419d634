//! Full disks at each stage: what is stored stays, what fails names the disk, and with room again all goes on.

use std::fs;

use super::{asked, noise, place};
use crate::{
    bad_input::Small,
    support::{Done, Place, tree::Tree},
};

/// A place whose repository lies on a disk of so many bytes, with a snapshot in it.
fn small_place(size: &str) -> (Small, Place) {
    let place = place();
    let small = Small::mount(&place, "repository", size);
    place.run(&["init"]).exits(0);
    place.run(&["backup"]).exits(0);
    (small, place)
}

/// It failed, and said that the disk of the repository is full.
#[track_caller]
fn names_the_disk(done: Done, place: &Place) {
    done.exits(1).says("No space left on device").says(&place.join("repository").display().to_string());
}

/// The repository is sound, and its newest snapshot is whole.
fn is_sound(place: &Place, snapshots: usize) {
    place.run(&["check", "--read-data"]).exits(0).says("no errors");
    asked(place, &["check", "--read-data"]);
    assert_eq!(place.run(&["snapshots", "--json"]).exits(0).json().len(), snapshots);
    place.run(&["verify"]).exits(0);
}

#[test]
fn a_repository_that_could_not_be_made_on_a_full_disk_is_made_once_there_is_room() {
    let place = place();
    let small = Small::mount(&place, "repository", "1m");
    // For nothing; for a key; nearly for all.
    for left in [0, 4096, 8192] {
        small.fill(left);
        let done = place.run(&["init"]);
        match left {
            8192 => drop(done),
            _ => names_the_disk(done, &place),
        }
        fs::remove_file(place.join("repository/filler")).unwrap();
    }
    drop(small);
    let small = Small::mount(&place, "repository", "40m");
    small.fill(4096);
    names_the_disk(place.run(&["init"]), &place);
    fs::remove_file(place.join("repository/filler")).unwrap();
    place.run(&["init"]).exits(0);
    place.run(&["backup"]).exits(0);
    is_sound(&place, 1);
    drop(small);
}

#[test]
fn a_backup_onto_a_full_disk_loses_nothing_and_goes_on_once_there_is_room() {
    let (small, place) = small_place("48m");
    Tree::at(place.join("source")).file("large", noise(20 << 20)).many(200);
    // Room for nothing, for the lock, for some packs, for all packs and no trees.
    for left in [0, 4 << 10, 256 << 10, 9 << 20, 20 << 20] {
        small.fill(left);
        names_the_disk(place.run(&["backup"]), &place);
        // A full disk is read, all the same.
        place.run(&["verify"]).exits(0);
        fs::remove_file(place.join("repository/filler")).unwrap();
        is_sound(&place, 1);
        // A pack that came through would be used by the next run, which then needs less room than there is.
        if left == 9 << 20 {
            place.run(&["prune"]).exits(0);
        }
    }
    place.run(&["backup"]).exits(0);
    is_sound(&place, 2);
    drop(small);
}

#[test]
fn a_prune_on_a_full_disk_removes_nothing_that_is_needed_and_goes_on_once_there_is_room() {
    let (small, place) = small_place("64m");
    // What is needed and what is not lie in the same packs, whichever threads fill them.
    let content = |number: u8| noise(256 << 10).into_iter().map(|byte| byte.wrapping_add(number)).collect::<Vec<u8>>();
    let name = |number: u8| format!("{}-{number}", if number.is_multiple_of(2) { "stays" } else { "goes" });
    (0..48).fold(Tree::at(place.join("source")), |tree, number| tree.file(name(number), content(number)));
    place.run(&["backup"]).exits(0);
    (0..48).filter(|number| number % 2 == 1).for_each(|number| {
        fs::remove_file(place.join("source").join(name(number))).unwrap();
    });
    place.run(&["backup"]).exits(0);
    small.fill(0);
    place.run(&["forget", "--keep-last", "1"]).exits(3).says("No space left on device");
    fs::remove_file(place.join("repository/filler")).unwrap();
    is_sound(&place, 3);
    place.run(&["forget", "--keep-last", "1"]).exits(0);
    for left in [0, 4 << 10, 64 << 10, 2 << 20] {
        small.fill(left);
        names_the_disk(place.run(&["prune", "--max-unused", "0"]), &place);
        fs::remove_file(place.join("repository/filler")).unwrap();
        is_sound(&place, 1);
    }
    let freed = place.run(&["prune", "--max-unused", "0", "--json"]).exits(0).json();
    assert!(freed.last().expect("a line")["freed_bytes"].as_u64().is_some_and(|bytes| bytes > 5 << 20), "{freed:?}");
    is_sound(&place, 1);
    drop(small);
}

//! Sets that are cut anywhere, or in which one bit is another: every verb says so, and verify names the entry.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use super::files_pipelines;
use crate::support::{Going, Place, tree::Tree};

/// A place with a set of every kind of entry; and that set, moved out of the repository.
fn place() -> (Place, Vec<u8>, PathBuf) {
    let place = Place::new();
    Tree::at(place.join("files"))
        .file("plain.txt", "some text that is deflated, since it is text, text, text and text\n".repeat(40))
        .file(
            "noise.bin",
            (0..4000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect::<Vec<_>>(),
        )
        .link("link", "plain.txt")
        .dir("empty");
    files_pipelines(&place);
    place.run(&["backup"]).exits(0);
    let set = place.set();
    let bytes = fs::read(&set).unwrap();
    (place, bytes, set)
}

#[test]
fn a_set_cut_anywhere_is_called_damaged_by_every_verb() {
    let (place, whole, set) = place();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let piece = next.fetch_add(1, Ordering::Relaxed);
                    if piece > 50 {
                        break;
                    }
                    // The last one lacks a single byte.
                    let length = if piece == 50 { whole.len() - 1 } else { whole.len() * piece / 50 };
                    cut(&place, &set, &whole[..length], piece);
                }
            });
        }
    });
}

fn cut(place: &Place, set: &Path, bytes: &[u8], piece: usize) {
    let repository = place.join(format!("cut-{piece}"));
    fs::create_dir(&repository).unwrap();
    let name = set.file_name().unwrap().to_str().unwrap();
    fs::write(repository.join(name), bytes).unwrap();
    let (repository, target) = (repository.display().to_string(), place.join(format!("to-{piece}")));
    let target = target.display().to_string();
    let run = |arguments: &[&str]| {
        let arguments = [arguments, &["--repo", &repository]].concat();
        Going::start(place.bare_command(&arguments)).finish().never_says("panicked").says(name)
    };
    run(&["snapshots"]).exits(1);
    run(&["verify"]).exits(1);
    run(&["ls"]).exits(1);
    run(&["restore", "--files", &target]).exits(1);
    assert!(!Path::new(&target).join("letters").exists());
}

/// Where an entry's parts are in the set.
struct Entry {
    name: String,
    data: usize,
    packed: usize,
    central: usize,
}

fn entries(set: &Path) -> Vec<Entry> {
    let mut archive = zip::ZipArchive::new(File::open(set).unwrap()).unwrap();
    (0..archive.len())
        .map(|index| {
            let entry = archive.by_index_raw(index).unwrap();
            Entry {
                name: entry.name().unwrap().into_owned(),
                data: usize::try_from(entry.data_start().expect("it was found")).unwrap(),
                packed: usize::try_from(entry.compressed_size()).unwrap(),
                central: usize::try_from(entry.central_header_start()).unwrap(),
            }
        })
        .collect()
}

/// Flips one bit, and asserts that verify says so and names the entry.
#[track_caller]
fn flip(place: &Place, set: &Path, whole: &[u8], at: usize, bit: u8, name: &str) {
    let mut bytes = whole.to_vec();
    bytes[at] ^= bit;
    fs::write(set, bytes).unwrap();
    let name = name.trim_end_matches('/');
    place.run(&["verify"]).never_says("panicked").exits(1).says(name);
}

#[test]
fn a_flipped_bit_in_the_content_of_any_entry_is_named() {
    let (place, whole, set) = place();
    let entries = entries(&set);
    let with_content: Vec<_> = entries.iter().filter(|entry| entry.packed > 0).collect();
    for name in [
        "plain.txt",
        "noise.bin",
        "link",
        "record.json",
        "SHA256SUMS",
        "entries.ndjson",
        ".wasm",
        "plan.json",
        "pipeline.toml",
    ] {
        assert!(with_content.iter().any(|entry| entry.name.ends_with(name)), "the set has no {name}");
    }
    for entry in with_content {
        flip(&place, &set, &whole, entry.data + entry.packed / 2, 0x10, &entry.name);
    }
    fs::write(&set, &whole).unwrap();
    place.run(&["verify"]).exits(0);
}

#[test]
fn a_flipped_bit_in_what_the_directory_says_of_any_entry_is_named() {
    let (place, whole, set) = place();
    for entry in entries(&set) {
        // The upper half of the external attributes is `st_mode`: a permission, then the file's type.
        flip(&place, &set, &whole, entry.central + 40, 0x04, &entry.name);
        if ["empty/", "link", "plain.txt"].iter().any(|name| entry.name.ends_with(name)) {
            flip(&place, &set, &whole, entry.central + 41, 0x20, &entry.name);
        }
    }
}

#[test]
fn a_restore_refuses_what_is_damaged_and_takes_nothing_damaged_when_forced() {
    let (place, whole, set) = place();
    let damaged = entries(&set).into_iter().find(|entry| entry.name.ends_with("noise.bin")).unwrap();
    let mut bytes = whole.clone();
    bytes[damaged.data + 100] ^= 1;
    fs::write(&set, bytes).unwrap();
    place.run(&["restore", "-c", "target.toml"]).exits(1).says("noise.bin").says("--force-damaged");
    assert!(!place.join("restored/plain.txt").exists());
    place.run(&["restore", "-c", "target.toml", "--force-damaged"]).says("noise.bin").never_says("panicked");
    assert!(!place.join("restored/noise.bin").exists(), "a damaged file was restored as if it were whole");
}

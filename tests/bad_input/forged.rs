//! Archives that somebody made by hand, with names and links that lead elsewhere: nothing is written outside the target,
//! whoever made the archive.

use std::{fs, path::Path};

use super::files_pipelines;
use crate::support::{
    Place,
    tree::Tree,
    zip_file::{self, Entry},
};

/// Modes as they are where none is known: what a set says without more.
const FILE: u32 = 0o100_600;
const LINK: u32 = 0o120_777;
const DIRECTORY: u32 = 0o040_700;

fn entry(name: &str, mode: u32, content: &str) -> Entry {
    Entry::new(name.as_bytes(), mode, content.as_bytes())
}

/// A place whose set was replaced by one with these entries, beside what strongroom itself had put into it.
fn forged(entries: Vec<Entry>) -> Place {
    let place = Place::new();
    Tree::at(place.join("files")).file("a", "a");
    Tree::at(place.join("outside")).file("mine", "mine");
    files_pipelines(&place);
    place.run(&["backup"]).exits(0);
    let set = place.set();
    let (own, comment) = zip_file::read(&fs::read(&set).unwrap());
    let mut all = entries;
    for Entry { name, content, .. } in own {
        if name.starts_with(b".strongroom/") || name == b"SHA256SUMS" {
            all.push(Entry::new(&name, FILE, &content));
        }
    }
    fs::write(&set, zip_file::zip(&all, &comment)).unwrap();
    place
}

fn is_untouched(place: &Place) {
    let names = |path: &Path| -> Vec<_> {
        let entries = fs::read_dir(path).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(names(&place.join("outside")), ["mine"], "something was written outside the target");
    for name in ["evil", "plain/evil", "plain/letters/evil", "restored/evil"] {
        assert!(!place.join(name).exists(), "{name} was written");
    }
    assert!(!Path::new("/evil-of-strongroom").exists());
}

#[test]
fn the_forger_makes_archives_that_are_read() {
    let place = forged(vec![entry("letters/source/a", FILE, "forged")]);
    place.run(&["ls"]).exits(0).says("letters/source/a");
    place.run(&["restore", "--files", "plain"]).exits(0);
    assert_eq!(fs::read(place.join("plain/letters/source/a")).unwrap(), b"forged");
    // It is not what was written, whatever its own checksums say.
    place.run(&["verify"]).exits(1).says("letters/source/a");
    place.run(&["restore", "-c", "target.toml"]).exits(1).says("letters/source/a");
}

#[test]
fn names_that_lead_out_of_the_target_or_come_twice_are_refused_by_name() {
    for (names, named) in [
        (&["../evil"][..], "../evil"),
        (&["letters/source/../../../evil"], "letters/source/../../../evil"),
        (&["/evil-of-strongroom"], "/evil-of-strongroom"),
        (&["./evil"], "./evil"),
        (&["letters//evil"], "letters//evil"),
        (&["letters/source/a", "letters/source/a"], "twice"),
        (&["letters/source/evil\0.txt"], "evil"),
    ] {
        let place = forged(names.iter().map(|name| entry(name, FILE, "evil")).collect());
        for arguments in [
            &["restore", "--files", "plain"][..],
            &["restore", "--files", "plain", "--outside-links", "--overwrite"],
            &["restore", "-c", "target.toml"],
            &["restore", "-c", "target.toml", "--force-damaged", "--outside-links"],
            &["verify"],
            &["ls"],
        ] {
            place.run(arguments).never_says("panicked").exits(1).says(named);
            is_untouched(&place);
        }
    }
}

#[test]
fn a_file_and_a_directory_of_one_name_are_refused() {
    let place = forged(vec![entry("letters/a", FILE, "x"), entry("letters/a/", DIRECTORY, "")]);
    place.run(&["restore", "--files", "plain"]).exits(1).says("letters/a");
    place.run(&["verify"]).exits(1).says("letters/a");
}

#[test]
fn nothing_is_written_through_a_link_that_the_archive_brings() {
    for target in ["../../../outside", "$DIR/outside", "sub"] {
        for flags in [&[][..], &["--outside-links"]] {
            let place = Place::new();
            let target = target.replace("$DIR", &place.path().display().to_string());
            drop(place);
            let place = forged(vec![
                entry("letters/source/link", LINK, &target),
                entry("letters/source/link/evil", FILE, "evil"),
                entry("letters/source/sub/", DIRECTORY, ""),
            ]);
            for restore in [&["restore", "--files", "plain"][..], &["restore", "-c", "target.toml", "--force-damaged"]]
            {
                let done = place.run(&[restore, flags].concat()).never_says("panicked").says("link");
                assert!(matches!(done.code, 1 | 3), "{done}");
                is_untouched(&place);
                for through in ["plain/letters/source/sub/evil", "restored/sub/evil"] {
                    assert!(!place.join(through).exists(), "{through} was written through a link");
                }
            }
            place.run(&["restore", "-c", "target.toml"]).exits(1).says("--force-damaged");
            is_untouched(&place);
        }
    }
}

#[test]
fn an_entry_that_unpacks_to_more_than_it_says_is_damaged() {
    let place = forged(vec![entry("letters/source/a", FILE, "four")]);
    let set = place.set();
    let mut bytes = fs::read(&set).unwrap();
    // The sizes of the first entry: in its local header, and in the directory.
    let central = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    for at in [18, 22, central + 20, central + 24] {
        bytes[at] = 3;
    }
    fs::write(&set, bytes).unwrap();
    place.run(&["verify"]).exits(1).says("letters/source/a").never_says("panicked");
    place.run(&["restore", "--files", "plain"]).exits(1).says("letters/source/a");
    assert!(!place.join("plain/letters/source/a").exists());
}

//! What has changed between two snapshots: of sets, of a repository in restic's format, and of what restic itself made.

use std::{fs, process::Command};

use serde_json::Value;

use crate::support::{Place, tree::Tree};

const PIPELINE: &str = "[pipeline]\nname = \"letters\"\nstate = \"$DIR/state\"\n\n[repository.local]\n\
    url = \"$DIR/repository\"\nFORMAT\n[step.letters]\nplugin = \"files\"\n\n\
    [step.letters.grant.dirs.source]\npath = \"$DIR/source\"\naccess = \"read\"\n";
const RESTIC: &str = "format = \"restic\"\npassword = { file = \"$DIR/password\" }\n";

/// A pipeline that keeps the directory `source`; `format`: lines of its repository.
fn place(format: &str) -> Place {
    let place = Place::new();
    place.write("password", "correct horse");
    place.write("strongroom.toml", &PIPELINE.replace("FORMAT", format));
    first(&place);
    place.accept();
    place.run(&["init"]).exits(0);
    place
}

fn first(place: &Place) {
    let long = "line\n".repeat(800_000);
    Tree::at(place.join("source")).file("a.txt", "text").file("deep/er/b.txt", long).file("gone/c.txt", "12345");
}

fn second(place: &Place) {
    let source = place.join("source");
    fs::remove_dir_all(source.join("gone")).unwrap();
    let long = "line\n".repeat(799_999) + "LINE\n";
    Tree::at(&source).file("deep/er/b.txt", long).file("new/d.txt", "1234567");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
    fs::set_permissions(source.join("a.txt"), mode).unwrap();
}

/// The changes, each with its letter, and the last line.
fn changes(lines: &[Value]) -> (Vec<String>, Value) {
    let words = |line: &Value| format!("{} {}", line["modifier"].as_str().unwrap(), line["path"].as_str().unwrap());
    let changed = lines.iter().filter(|line| line["message_type"] == "change").map(words).collect();
    (changed, lines.last().expect("a summary").clone())
}

fn a_night_changes_what_it_changed(place: &Place) {
    place.run(&["backup"]).exits(0);
    second(place);
    place.run(&["backup"]).exits(0);
    let said = place.run(&["diff", "latest~1", "latest"]).exits(0).says("Added:");
    for line in ["-    letters/source/gone/c.txt", "M    letters/source/deep/er/b.txt", "+    letters/source/new/"] {
        assert!(said.out.lines().any(|told| told == line), "{line}: {said}");
    }
    let (told, all) = changes(&place.run(&["diff", "latest~1", "latest", "--json"]).exits(0).json());
    let expected = ["M letters/source/deep/er/b.txt", "- letters/source/gone/", "- letters/source/gone/c.txt"];
    assert_eq!(told, [&expected[..], &["+ letters/source/new/", "+ letters/source/new/d.txt"]].concat());
    assert_eq!((&all["message_type"], &all["changed_files"]), (&"summary".into(), &1.into()));
    assert_eq!((&all["added"]["bytes"], &all["removed"]["bytes"]), (&4_000_007.into(), &4_000_005.into()));
    let (told, _) = changes(&place.run(&["diff", "latest~1", "latest", "--json", "--metadata"]).exits(0).json());
    assert!(told.contains(&"U letters/source/a.txt".to_owned()), "{told:?}");
    let (told, _) =
        changes(&place.run(&["diff", "latest~1", "latest", "letters/source/new", "--json"]).exits(0).json());
    assert_eq!(told, ["+ letters/source/new/", "+ letters/source/new/d.txt"]);
    place.run(&["diff", "latest", "latest"]).exits(0).never_says("+  ").says("0 new");
    place.run(&["diff", "latest~2", "latest"]).exits(10).says("holds 2 such snapshots");
    place.run(&["diff", "ffffffff", "latest"]).exits(10).says("there is no snapshot");
    place.run(&["diff", "latest~1", "latest", "letters/none"]).exits(1).says("holds anything at letters/none");
}

#[test]
fn two_sets_differ_in_what_a_night_changed() {
    a_night_changes_what_it_changed(&place("format = \"zip\"\n"));
}

#[test]
fn two_snapshots_in_the_format_of_restic_differ_in_what_a_night_changed() {
    a_night_changes_what_it_changed(&place(RESTIC));
}

#[test]
fn two_snapshots_that_restic_made_differ_as_restic_says() {
    let place = place(RESTIC);
    let restic = |arguments: &[&str]| {
        let run = Command::new("restic")
            .args(["--no-cache", "--repo"])
            .arg(place.join("repository"))
            .args(arguments)
            .env("RESTIC_PASSWORD", "correct horse")
            .output()
            .expect("restic is not installed: tests/run.sh --install installs it");
        assert!(run.status.success(), "restic {arguments:?}: {run:?}");
        String::from_utf8(run.stdout).expect("text")
    };
    let source = place.join("source").display().to_string();
    restic(&["backup", &source]);
    second(&place);
    restic(&["backup", &source]);
    let listed = place.run(&["snapshots", "--json"]).exits(0).json();
    let ids = [&listed[0], &listed[1]].map(|line| line["snapshot"].as_str().expect("an id").to_owned());
    let (told, all) = changes(&place.run(&["diff", &ids[0], &ids[1], "--metadata", "--json"]).exits(0).json());
    let lines = restic(&["diff", "--metadata", &ids[0], &ids[1]]);
    let theirs = |line: &str| {
        let (modifier, path) = line.split_once(' ')?;
        let path = path.trim_start().strip_prefix('/')?;
        Some(format!("{modifier} {path}"))
    };
    let mut expected: Vec<String> = lines.lines().filter_map(theirs).collect();
    let mut told = told;
    // restic walks directory by directory, and never tells of a directory's own metadata above what it compares.
    for lines in [&mut expected, &mut told] {
        lines.retain(|line| !(line.starts_with('U') && line.ends_with('/')));
        lines.sort();
    }
    assert_eq!(told, expected, "{lines}");
    assert_eq!((told.len(), &all["changed_files"]), (6, &1.into()));
    place.run(&["diff", "latest", "latest~1", "--any-state"]).exits(0);
}

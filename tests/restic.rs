//! Snapshots in restic's format, from `init` to `restore`: what strongroom keeps restic reads, and what restic keeps
//! strongroom reads.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use rustix::process::Signal;

use crate::support::{
    Place,
    tree::{Tree, assert_same},
    wait_for,
};

mod full;
mod kills;

const PASSWORD: &str = "correct horse battery";

/// A pipeline that keeps the directory `source`, and one that restores it to `target`.
fn place() -> Place {
    let place = Place::new();
    place.write("password", PASSWORD);
    place.write("strongroom.toml", &pipeline("source", "read"));
    place.write("back/strongroom.toml", &pipeline("target", "write"));
    Tree::at(place.join("source")).file("a.txt", "text").file("deep/er/b.txt", "line\n".repeat(500_000));
    fs::create_dir(place.join("target")).unwrap();
    place.accept();
    place.run(&["-c", "back/strongroom.toml", "plugin", "accept", "--yes"]).exits(0);
    place
}

fn pipeline(directory: &str, access: &str) -> String {
    format!(
        "[pipeline]\nname = \"letters\"\nstate = \"$DIR/state\"\n\n[repository.local]\nurl = \"$DIR/repository\"\n\
         format = \"restic\"\npassword = {{ file = \"$DIR/password\" }}\n\n[step.letters]\nplugin = \"files\"\n\n\
         [step.letters.grant.dirs.source]\npath = \"$DIR/{directory}\"\naccess = \"{access}\"\n"
    )
}

fn restic(place: &Place, arguments: &[&str]) -> Output {
    let mut command = Command::new("restic");
    command.arg("--no-cache").arg("--repo").arg(place.join("repository")).args(arguments);
    command
        .env("RESTIC_PASSWORD", PASSWORD)
        .output()
        .expect("restic is not installed: tests/run.sh --install installs it")
}

/// What restic prints where all goes well.
fn asked(place: &Place, arguments: &[&str]) -> String {
    let output = restic(place, arguments);
    assert!(output.status.success(), "restic {arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_pipeline_goes_round_in_the_format_of_restic() {
    let place = place();
    place.run(&["backup"]).exits(10).says("there is no repository").says("`strongroom init` makes it");
    assert!(!place.join("repository").exists());
    place.run(&["init"]).exits(0).says("who loses its password");
    place.run(&["init"]).exits(5).says("was left as it is");
    let made = place.run(&["backup"]).exits(0).says("complete");
    place.run(&["verify"]).exits(0);
    asked(&place, &["check", "--read-data"]);
    let listed = place.run(&["snapshots", "--json"]).exits(0).json();
    let id = listed[0]["snapshot"].as_str().expect("an id").to_owned();
    assert!(asked(&place, &["snapshots"]).contains(&id));
    place.run(&["-c", "back/strongroom.toml", "restore"]).exits(0);
    assert_eq!(fs::read_to_string(place.join("target/a.txt")).unwrap(), "text");
    assert_eq!(fs::read_to_string(place.join("target/deep/er/b.txt")).unwrap(), "line\n".repeat(500_000));
    place.assert_hides(PASSWORD, &[&made]);
}

#[test]
fn a_repository_opens_with_its_password_only() {
    let place = place();
    place.run(&["init"]).exits(0);
    place.run(&["backup"]).exits(0);
    place.run(&["ls", "--repo", "repository"]).exits(12).says("--password-file");
    place.run(&["ls", "--repo", "repository", "--password-file", "password"]).exits(0).says("letters/source/a.txt");
    place.write("wrong", "hunter2");
    let done = place.run(&["ls", "--repo", "repository", "--password-file", "wrong"]).exits(12);
    assert!(!done.err.contains("hunter2"), "{done}");
    place.write("password", "hunter2");
    place.run(&["backup"]).exits(12).says("opens with this password");
}

#[test]
fn what_restic_backed_up_is_listed_dumped_and_restored() {
    let place = place();
    place.run(&["init"]).exits(0);
    let source = place.join("source");
    asked(&place, &["backup", source.to_str().unwrap()]);
    let listed = place.run(&["snapshots", "--json"]).exits(0).json();
    let id = listed[0]["snapshot"].as_str().expect("an id");
    assert_eq!((listed[0]["pipeline"].as_str(), listed[0]["state"].as_str()), (Some("-"), Some("unproven")));
    let inside = |name: &str| format!("{}/{name}", source.strip_prefix("/").unwrap().display());
    place.run(&["ls", id, &inside("deep")]).exits(0).says(&inside("deep/er/b.txt"));
    assert_eq!(place.run(&["dump", id, &inside("a.txt")]).exits(0).out, "text");
    place.run(&["restore", id, "--files", "extracted"]).exits(0);
    assert_same(&source, &place.join("extracted").join(inside("")));
    place.run(&["verify", id]).exits(5).says("another program made it").says("check --read-data");
    place.run(&["check", "--read-data"]).exits(0);
    // A backup beside it stays apart from it.
    place.run(&["backup"]).exits(0);
    assert_eq!(place.run(&["snapshots", "--json"]).exits(0).json().len(), 2);
    place.run(&["forget", "--keep-last", "1"]).exits(0);
    assert_eq!(place.run(&["snapshots", "--json"]).exits(0).json().len(), 2, "{id} is nobody's to forget");
}

#[test]
fn a_file_that_did_not_change_is_not_opened_again_to_be_read() {
    let place = place();
    place.run(&["init"]).exits(0);
    // Of what changed just now nobody can tell whether it changed again in the same tick of the clock.
    let changed = fs::metadata(place.join("source/deep/er/b.txt")).unwrap().modified().unwrap();
    wait_for("the file is old enough", || changed.elapsed().is_ok_and(|age| age > Duration::from_millis(2500)));
    place.run(&["backup"]).exits(0);
    let trace = place.join("trace");
    let mut command = Command::new("strace");
    let going = place.command(&["backup"]);
    command
        .args(["-f", "-qq", "-e", "trace=read,pread64", "-P"])
        .arg(place.join("source/deep/er/b.txt"))
        .arg("-o")
        .arg(&trace);
    command.arg(going.get_program()).args(going.get_args()).current_dir(place.path()).env_clear();
    command.envs(going.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert!(command.status().expect("strace is installed").success());
    let read = fs::read_to_string(&trace).unwrap();
    assert!(!read.contains("read("), "it was read: {read}");
    asked(&place, &["check", "--read-data"]);
    place.run(&["verify"]).exits(0);
}

#[test]
fn a_run_that_is_killed_leaves_a_sound_repository_and_the_next_one_goes_on() {
    let place = place();
    place.run(&["init"]).exits(0);
    place.run(&["backup"]).exits(0);
    Tree::at(place.join("source")).file("new.bin", noise(60 << 20));
    let packs = || walk(&place, "data");
    let before = packs();
    for _ in 0..3 {
        let mut going = place.start(&["backup"]);
        wait_for("something new is stored, or the run is over", || packs() > before || going.has_ended());
        going.signal(Signal::KILL);
        going.finish();
        // Its lock stands until somebody who can tell says that it is nobody's.
        asked(&place, &["check", "--no-lock"]);
    }
    place.run(&["backup"]).exits(0);
    place.run(&["verify"]).exits(0);
    asked(&place, &["check", "--read-data"]);
    assert_eq!(walk(&place, "locks"), 0, "locks of dead runs on this machine are cleared away");
}

/// Bytes that do not shrink.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).take(length / 8).flatten().collect()
}

/// How many files of a kind there are; some may come and go meanwhile.
fn walk(place: &Place, kind: &str) -> usize {
    files_in(&place.join("repository").join(kind))
}

/// What is being written has another name yet; one that a killed writer left so is swept after a day.
fn files_in(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let entries = entries.filter(|entry| !entry.file_name().to_string_lossy().contains("-tmp-"));
    entries.map(|entry| if entry.path().is_dir() { files_in(&entry.path()) } else { 1 }).sum()
}

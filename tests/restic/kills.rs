//! `kill -9` at random moments: whatever was killed, every earlier snapshot restores byte by byte, restic and we find no
//! error, and the next run goes on.
//!
//! A few moments of each verb unless `STRONGROOM_KILLS` says how many; `STRONGROOM_KILLS_SEED` chooses others.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{asked, files_in, noise, place};
use crate::support::{
    Going, Place, soon,
    tree::{Tree, listing},
    wait_for,
};

/// What is killed.
struct Verb {
    arguments: &'static [&'static str],
    /// Makes something to do for it.
    prepare: fn(&Place),
    /// Snapshots that it adds.
    adds: usize,
    /// Snapshots that it removes, the oldest ones.
    removes: usize,
}

/// Another verb is another line here, and a test below.
const BACKUP: Verb = Verb { arguments: &["backup"], prepare: change_much, adds: 1, removes: 0 };
const PRUNE: Verb = Verb { arguments: &["prune", "--max-unused", "0"], prepare: forget_two, adds: 0, removes: 0 };
const FORGET: Verb = Verb { arguments: &["forget", "--keep-last", "1"], prepare: |_| {}, adds: 0, removes: 3 };
const COPY: Verb = Verb { arguments: &["-c", "copying.toml", "copy"], prepare: save_elsewhere, adds: 1, removes: 0 };

/// Moments of each verb, unless told otherwise.
const KILLS: u64 = 2;
/// What is set back before each of them.
const CHANGING: [&str; 3] = ["repository", "state", "tmp"];

/// What a tree holds: content and links, by their paths.
type Contents = BTreeMap<PathBuf, String>;

fn contents(tree: &Path) -> Contents {
    let told = |line: String| match line.split_whitespace().next() {
        Some("dir") => "dir".to_owned(),
        _ => line.rsplit(' ').next().unwrap_or_default().to_owned(),
    };
    listing(tree).into_iter().map(|(path, line)| (path, told(line))).collect()
}

/// Replaces a third of the files; generation 0 makes all of them.
fn change(place: &Place, generation: usize) {
    let replaced = (0..12).filter(|number| generation == 0 || number % 3 == generation % 3);
    replaced.fold(Tree::at(place.join("source")), |tree, number| {
        let mut bytes = noise(500_000);
        bytes.iter_mut().for_each(|byte| *byte = byte.wrapping_add((generation * 16 + number) as u8));
        tree.file(format!("noise/{number}"), bytes)
    });
}

fn change_much(place: &Place) {
    Tree::at(place.join("source")).file("large", noise(24 << 20)).many(300);
}

fn forget_two(place: &Place) {
    place.run(&["forget", "--keep-last", "2"]).exits(0);
}

/// A snapshot in another repository, which is to be copied to the one that is judged.
fn save_elsewhere(place: &Place) {
    change_much(place);
    let pipeline = fs::read_to_string(place.join("strongroom.toml")).unwrap();
    let (head, rest) = pipeline.split_once("[repository.local]").expect("a repository");
    let (local, steps) = rest.split_once("[step.").expect("a step");
    let origin = "[repository.origin]\nurl = \"$DIR/origin\"\nformat = \"zip\"\n\n";
    place.write("origin.toml", &format!("{head}{origin}[step.{steps}"));
    let copy = format!("[repository.local]\ncopy-of = \"origin\"\n{local}");
    place.write("copying.toml", &format!("{head}{origin}{copy}[step.{steps}"));
    place.run(&["-c", "origin.toml", "backup"]).exits(0);
}

fn ids(place: &Place) -> Vec<String> {
    let lines = place.run(&["snapshots", "--json"]).exits(0).json();
    lines.iter().map(|line| line["snapshot"].as_str().expect("an id").to_owned()).collect()
}

/// What there is before a verb is killed.
struct Yard {
    place: Place,
    verb: &'static Verb,
    /// What each snapshot holds, the oldest first.
    known: Vec<(String, Contents)>,
}

impl Yard {
    fn new(verb: &'static Verb) -> Self {
        let place = place();
        place.run(&["init"]).exits(0);
        let mut known = Vec::new();
        for generation in 0..4 {
            change(&place, generation);
            place.run(&["backup"]).exits(0);
            let id = ids(&place).pop().expect("a snapshot");
            known.push((id, contents(&place.join("source"))));
        }
        (verb.prepare)(&place);
        let left = ids(&place);
        known.retain(|(id, _)| left.contains(id));
        CHANGING.iter().for_each(|name| copy(&place.join(name), &place.join("template").join(name)));
        Self { place, verb, known }
    }

    fn set_back(&self) {
        for name in CHANGING {
            fs::remove_dir_all(self.place.join(name)).unwrap();
            copy(&self.place.join("template").join(name), &self.place.join(name));
        }
    }

    fn locks(&self) -> usize {
        files_in(&self.place.join("repository/locks"))
    }

    /// Starts the verb, and returns as soon as it uses the repository.
    fn start(&self) -> (Going, Instant) {
        let mut going = self.place.start(self.verb.arguments);
        wait_for("the verb uses the repository", || self.locks() > 0 || going.has_ended());
        (going, Instant::now())
    }

    /// Kills the verb so long after it began to use the repository; whether it had not ended before.
    fn kill(&self, moment: Duration) -> bool {
        let (mut going, _) = self.start();
        let ended = soon(moment, || going.has_ended());
        if !ended {
            going.signal(Signal::KILL);
        }
        going.finish();
        !ended
    }

    /// Everything that must hold, whenever it was killed.
    fn judge(&self) {
        // What the dead process holds keeps nobody away.
        self.place.run(&["check", "--read-data"]).exits(0).says("no errors");
        asked(&self.place, &["check", "--read-data"]);
        let listed = ids(&self.place);
        let new: Vec<_> = listed.iter().filter(|id| self.known.iter().all(|(known, _)| known != *id)).collect();
        assert!(new.len() <= self.verb.adds, "{new:?}");
        for (number, (id, contents)) in self.known.iter().enumerate() {
            match listed.contains(id) {
                true => self.restores(id, contents),
                false => assert!(number < self.verb.removes, "{id} is lost, number {number} of {}", self.known.len()),
            }
        }
        let now = contents(&self.place.join("source"));
        new.into_iter().for_each(|id| self.restores(id, &now));
        self.place.run(&["backup"]).exits(0);
        self.restores(&ids(&self.place).pop().expect("a snapshot"), &now);
        self.place.run(self.verb.arguments).exits(0);
        self.place.run(&["check", "--read-data"]).exits(0).says("no errors");
        assert_eq!(self.locks(), 0, "locks of dead runs on this machine are cleared away");
    }

    fn restores(&self, id: &str, expected: &Contents) {
        let out = self.place.join("out");
        self.place.run(&["restore", id, "--files", "out"]).exits(0);
        let restored = contents(&out.join("letters/source"));
        fs::remove_dir_all(&out).unwrap();
        let differs: Vec<_> = expected.keys().chain(restored.keys()).collect();
        let differs: Vec<_> = differs.into_iter().filter(|path| expected.get(*path) != restored.get(*path)).collect();
        assert!(differs.is_empty(), "snapshot {id} came back with other content: {differs:?}");
    }
}

/// A number of the environment.
fn told(name: &str, default: u64) -> u64 {
    let told = std::env::var(name).ok().map(|value| value.parse().expect("a number"));
    told.unwrap_or(default)
}

/// As splitmix64 has it: evenly from 0 to 1.
fn random(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

fn survives(verb: &'static Verb) {
    let yard = Yard::new(verb);
    let (going, began) = yard.start();
    going.finish().exits(0);
    let mut length = began.elapsed();
    let (kills, mut seed) = (told("STRONGROOM_KILLS", KILLS), told("STRONGROOM_KILLS_SEED", 1));
    let (mut killed, mut missed) = (0, 0);
    while killed < kills {
        yard.set_back();
        let moment = length.mul_f64(random(&mut seed));
        if !yard.kill(moment) {
            // It had ended: the machine is quicker than it was.
            (missed, length) = (missed + 1, length.mul_f64(0.9));
            assert!(missed < 20 + kills, "{missed} moments were too late");
            continue;
        }
        killed += 1;
        println!("{:?}, kill {killed} of {kills}: {moment:?} after its lock", verb.arguments);
        yard.judge();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().expect("in the place")).unwrap();
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[test]
fn a_backup_that_is_killed_at_random_moments_loses_nothing() {
    survives(&BACKUP);
}

#[test]
fn a_prune_that_is_killed_at_random_moments_loses_nothing() {
    survives(&PRUNE);
}

#[test]
fn a_forget_that_is_killed_at_random_moments_loses_nothing_that_it_keeps() {
    survives(&FORGET);
}

#[test]
fn a_copy_that_is_killed_at_random_moments_loses_nothing() {
    survives(&COPY);
}

//! Runs that are killed at every write of what outlives them: journal of holds, checkpoints, values, the restore's own.

use std::{fs, process::Command};

use super::{documents, hold, keep, place, product, releases};
use crate::support::{Done, Going, Place, scripted::KEEP};

/// Calls of the system that change what stands on disk, or make sure of it. strace counts them in each thread.
const CALLS: [&str; 5] =
    ["fsync,fdatasync", "rename,renameat,renameat2", "unlink,unlinkat,rmdir", "mkdir,mkdirat", "write,pwrite64,writev"];

/// Runs the program, and kills it in the `nth` of these calls of a thread.
fn killed_at(place: &Place, calls: &str, nth: usize, arguments: &[&str]) -> Done {
    let own = place.command(arguments);
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e"]).arg(format!("trace={calls}"));
    command.arg("-e").arg(format!("inject={calls}:signal=KILL:when={nth}")).arg("--");
    command.arg(own.get_program()).args(own.get_args()).env_clear().current_dir(place.path());
    own.get_envs().for_each(|(name, value)| {
        command.env(name, value.unwrap_or_default());
    });
    Going::start(command).finish()
}

/// Kills a run at its first call of a kind, its second and so on, until one is not killed any more; `after` is what must
/// hold after each: it gets where that was, and whether the run was killed. Returns how many were.
fn at_every_call(place: &Place, arguments: &[&str], mut after: impl FnMut(&str, bool)) -> usize {
    let mut killed = 0;
    for calls in CALLS {
        let survived = (1..200).find(|nth| {
            let (done, when) = (killed_at(place, calls, *nth, arguments), format!("call {nth} of {calls}"));
            assert!(done.code == 0 || done.code == -9, "{when}:\n{done}");
            after(&when, done.code == -9);
            done.code == 0
        });
        killed += survived.expect("a run with fewer than 200 calls in a thread") - 1;
    }
    killed
}

#[test]
fn killed_at_every_write_a_run_leaves_holds_that_are_released_and_a_product_as_it_was() {
    let script = format!(
        "\"backup.database\" = [{}{}{{ do = \"hold-renew\", name = \"mode\", seconds = 5000 }},{}]\n{}",
        hold("mode", ""),
        hold("whole", ", run = true"),
        keep(),
        releases(&["mode", "whole"])
    );
    let place = place(&["database positions"], &script, "");
    let (mut stood, mut rounds) = (0, 0);
    let killed = at_every_call(&place, &["backup"], |when, killed| {
        let (changed, _) = product(&place);
        let documents = documents(&place);
        // No change without its hold.
        let journalled = |name: &String| documents.iter().any(|document| document["name"] == name.as_str());
        assert!(changed.iter().all(journalled), "{when}: changed {changed:?}, journalled {documents:?}");
        stood += usize::from(!documents.is_empty());
        let before = product(&place).1.len();
        // Every other time the next run does it.
        rounds += 1;
        let (verb, own) = if rounds % 2 == 0 { ("recover", 0) } else { ("backup", 2) };
        place.run(&[verb]).exits(0);
        let (left, log) = product(&place);
        assert!(left.is_empty(), "{when}: {left:?} is left");
        assert_eq!(log.len() - before, documents.len() + own, "{when}: what stood is released once");
        assert!(super::documents(&place).is_empty() && killed | documents.is_empty());
        swept(&place);
    });
    assert!(killed > 10 && stood > 3, "{killed} runs were killed, {stood} of them while a hold stood");
}

#[test]
fn killed_at_every_write_a_recovery_is_finished_by_the_next_one() {
    let place = super::recovered::waiting("", "");
    super::recovered::killed(&place);
    let killed = at_every_call(&place, &["recover"], |when, killed| {
        let stood = documents(&place).len();
        assert!(killed || stood == 0, "{when}: {stood} holds stand");
        let before = product(&place).1.len();
        place.run(&["recover"]).exits(0);
        let (changed, log) = product(&place);
        assert!(changed.is_empty(), "{when}: {changed:?} is left");
        assert_eq!(log.len() - before, stood, "{when}: what stood is released, and what did not is not");
        swept(&place);
        super::recovered::killed(&place);
    });
    assert!(killed > 10, "{killed} recoveries were killed");
}

/// Nothing half-written is left in the state directory.
#[track_caller]
fn swept(place: &Place) {
    for directory in ["", "holds", "holds/needed", "checkpoints", "values"] {
        for entry in fs::read_dir(place.join("state").join(directory)).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(!name.starts_with(".tmp"), "left in the state directory: {directory}/{name}");
        }
    }
}

/// A tool that the plugin tells how far it has come.
const NOTE: &str = "[step.product.grant.tools.tool-note]\nargv = [\"$DIR/note.sh\", \"{line:word}\"]\n";

/// What the tool was told since `from` lines: each `WORD-NUMBER`.
fn told(place: &Place, from: usize) -> Vec<(String, u64)> {
    let text = fs::read_to_string(place.join("told")).unwrap_or_default();
    let line = |line: &str| line.split_once('-').map(|(word, number)| (word.to_owned(), number.parse().unwrap()));
    text.lines().skip(from).map(|words| line(words).expect("a word and a number")).collect()
}

/// Asserts that what an attempt found is what the one before had come to.
#[track_caller]
fn goes_on(before: &[(String, u64)], after: &[(String, u64)], last: u64, when: &str) {
    let come_to = before.iter().rev().find(|(word, _)| word != "state").map_or(0, |(_, number)| *number);
    let found = after.iter().find(|(word, _)| word == "found").map(|(_, number)| *number);
    // A part that had come to its end may have ended well, and then begins anew.
    let fits = |found: u64| found >= come_to || (come_to == last && found == 0);
    assert!(found.is_none_or(fits), "{when}: an attempt came to {come_to}, the next one found {found:?}");
}

const STEPS: u64 = 3;

#[test]
fn killed_at_every_write_a_backup_goes_on_from_its_last_checkpoint_and_sees_values_of_complete_runs_only() {
    let script = format!(
        "\"backup.database\" = [\n{{ do = \"note\", step = \"product\", key = \"of-this-run\" }},\n\
         {{ do = \"set-note\", key = \"of-this-run\", value = \"yes\" }},\n{{ do = \"fix-instant\" }},\n\
         {{ do = \"count-state\", tool = \"tool-note\" }},\n\
         {{ do = \"steps\", dir = \"dir-product\", count = {STEPS}, tool = \"tool-note\" }},{}]",
        keep()
    );
    let second = format!(
        "{NOTE}[step.second]\nplugin = \"scripted\"\nafter = [\"product\"]\n[step.second.config]\n\
         parts = [{{ name = \"records\", stage = \"records\" }}]\n[step.second.config.script]\n\"backup.records\" = \
         [{{ do = \"note\", step = \"product\", key = \"of-this-run\", value = \"yes\" }},{}]\n",
        keep()
    );
    let place = place(&["database database"], &script, &second);
    place.script("note.sh", "echo \"$1\" >> \"$DIR/told\"");
    let mut seen = 0;
    let killed = at_every_call(&place, &["backup"], |when, killed| {
        let before = told(&place, 0);
        let complete = place.sets().len() as u64;
        if killed {
            place.run(&["backup"]).exits(0).says("complete");
        }
        let after = told(&place, before.len());
        goes_on(&before, &after, STEPS, when);
        let (_, state) = after.iter().find(|(word, _)| word == "state").cloned().unwrap_or(("state".to_owned(), seen));
        assert!(
            (seen..=complete).contains(&state),
            "{when}: {state} after {complete} complete runs, before it was {seen}"
        );
        seen = state;
        swept(&place);
    });
    assert!(killed > 10, "{killed} runs were killed");
}

#[test]
fn killed_at_every_write_a_restore_goes_on_from_its_last_checkpoint_and_loses_nothing() {
    let script = format!(
        "\"backup.database\" = {KEEP}\n\"restore.database\" = [\n\
         {{ do = \"steps\", dir = \"dir-product\", count = {STEPS}, tool = \"tool-note\" }}]"
    );
    let place = place(&["database positions"], &script, NOTE);
    place.script("note.sh", "echo \"$1\" >> \"$DIR/told\"");
    place.run(&["backup"]).exits(0);
    let killed = at_every_call(&place, &["restore"], |when, killed| {
        let before = told(&place, 0);
        if killed {
            place.run(&["restore"]).exits(0);
        }
        goes_on(&before, &told(&place, before.len()), STEPS, when);
        let restored = |step: u64| fs::read_to_string(place.join("product").join(step.to_string())).unwrap_or_default();
        (1..=STEPS).for_each(|step| assert_eq!(restored(step), step.to_string(), "{when}"));
        swept(&place);
        // The next one begins with an empty target, as this one did.
        fs::remove_dir_all(place.join("product")).unwrap();
        fs::create_dir(place.join("product")).unwrap();
        fs::remove_file(place.join("told")).unwrap();
    });
    assert!(killed > 10, "{killed} runs were killed");
}

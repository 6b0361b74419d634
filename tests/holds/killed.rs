//! Runs that are killed at every write of what outlives them: journal of holds, checkpoints, values, the restore's own.

use std::{fs, process::Command};

use super::{documents, hold, keep, place, product, releases};
use crate::support::{Done, Going, Place, scripted::KEEP};

/// Calls of the system that change what stands on disk, or make sure of it.
const CALLS: &str = "fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir";

/// Runs the program, and kills it in each thread's `nth` of these calls.
fn killed_at(place: &Place, nth: usize, arguments: &[&str]) -> Done {
    let own = place.command(arguments);
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e"]).arg(format!("trace={CALLS}"));
    command.arg("-e").arg(format!("inject={CALLS}:signal=KILL:when={nth}")).arg("--");
    command.arg(own.get_program()).args(own.get_args()).env_clear().current_dir(place.path());
    own.get_envs().for_each(|(name, value)| {
        command.env(name, value.unwrap_or_default());
    });
    Going::start(command).finish()
}

/// Kills a run at its first call, its second and so on, until one is not killed any more; `after` is what must hold
/// after each. Returns how many were killed.
fn at_every_call(place: &Place, arguments: &[&str], mut after: impl FnMut(usize, bool)) -> usize {
    for nth in 1..200 {
        let done = killed_at(place, nth, arguments);
        assert!(done.code == 0 || done.code == -9, "call {nth}:\n{done}");
        after(nth, done.code == -9);
        if done.code == 0 {
            return nth - 1;
        }
    }
    panic!("a run with 200 calls in a thread");
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
    let mut stood = 0;
    let killed = at_every_call(&place, &["backup"], |nth, killed| {
        let (changed, _) = product(&place);
        let changed: Vec<_> = changed.into_iter().filter(|name| !name.starts_with('.')).collect();
        let documents = documents(&place);
        // No change without its hold.
        let journalled = |name: &String| documents.iter().any(|document| document["name"] == name.as_str());
        assert!(changed.iter().all(journalled), "call {nth}: changed {changed:?}, journalled {documents:?}");
        stood += usize::from(!documents.is_empty());
        let before = product(&place).1.len();
        // Every other time the next run does it.
        match nth % 2 {
            0 => drop(place.run(&["recover"]).exits(0)),
            _ => drop(place.run(&["backup"]).exits(0)),
        }
        let (left, log) = product(&place);
        let left: Vec<_> = left.into_iter().filter(|name| !name.starts_with('.')).collect();
        let own = if nth % 2 == 0 { 0 } else { 2 };
        assert!(left.is_empty(), "call {nth}: {left:?} is left");
        assert_eq!(log.len() - before, documents.len() + own, "call {nth}: what stood is released once");
        assert!(super::documents(&place).is_empty() && killed | documents.is_empty());
        swept(&place);
    });
    assert!(killed > 10 && stood > 3, "{killed} runs were killed, {stood} of them while a hold stood");
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

/// The number in a file that the plugin wrote; 0 where there is none.
fn number(place: &Place, file: &str) -> u64 {
    fs::read_to_string(place.join(file)).map_or(0, |text| text.trim().parse().unwrap())
}

//! Whatever call to the storage fails: earlier snapshots stay whole, and the repository goes on.

use std::sync::Arc;

use super::{
    keep::{IDS, anew, errors, over, small, three},
    *,
};
use crate::repository::restic::{
    MaxUnused, Reading,
    storage::{
        self, Storage,
        faulty::{Fault, Faulty},
        local::Local,
    },
};

/// Runs that restic judges, too, of each sweep.
const JUDGED: u64 = 4;

/// Fails at each call of `act` in every way, on copies of a repository. `left`: snapshots that must stay whole; `made`:
/// one that must be when `act` says that all went well.
fn sweep(
    prepare: fn(&ResticRepository),
    act: fn(&ResticRepository) -> Result<(), Error>,
    left: &[&str],
    made: &[&str],
) {
    let directory = in_memory();
    let template = directory.path().join("template");
    let repository = three(&template);
    prepare(&repository);
    let run = |name: &str, fault: Fault| {
        let place = directory.path().join(name);
        copy(&template, &place);
        let storage = Arc::new(Faulty::new(Arc::new(Local::new(place.join("repo"))), fault));
        let done = act(&over(&repository, storage.clone()));
        (place, done, storage.calls())
    };
    let (place, done, calls) = run("whole", Fault::None);
    done.unwrap();
    is_whole(&repository, &place, &[left, made].concat(), true);
    assert!(calls > 5, "{calls}");
    let judged = (calls / JUDGED).max(1);
    for at in 1..=calls {
        for (name, fault) in [
            ("fails", Fault::Fails(at)),
            ("lies", Fault::Lies(at)),
            ("dies", Fault::Dies(at)),
            ("halves", Fault::Halves(at)),
        ] {
            let (place, done, _) = run(&format!("{name}-{at}"), fault);
            // What is read for speed only, and locks that could not be removed, may fail unheard.
            let made = if done.is_ok() { made } else { &[] };
            is_whole(&repository, &place, &[left, made].concat(), at % judged == 0 && name == "dies");
            fs::remove_dir_all(place).unwrap();
        }
    }
}

/// A directory where to sync costs nothing, if the machine has one.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn is_whole(repository: &ResticRepository, place: &Path, left: &[&str], judge: bool) {
    let there = anew(repository, place);
    there.unlock(true).unwrap();
    assert_eq!(errors(&there, Reading::All), [""; 0], "{}", place.display());
    for id in left {
        let proof = there.open(id).unwrap().prove(&Quiet).unwrap();
        assert!(proof.damage.is_empty(), "{}: {proof:?}", place.display());
    }
    if judge {
        asked(place, &["check", "--read-data"]);
    }
    there.prune(MaxUnused::Percent(0.0), false, &Quiet).unwrap();
    assert_eq!(errors(&there, Reading::All), [""; 0], "{}, pruned", place.display());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

#[test]
fn a_backup_that_fails_at_any_call_harms_no_earlier_snapshot() {
    sweep(|_| {}, |repository| small(repository, ID), &IDS, &[ID]);
}

#[test]
fn a_prune_that_fails_at_any_call_loses_nothing() {
    sweep(
        |repository| repository.forget(IDS[0]).unwrap(),
        |repository| repository.prune(MaxUnused::Percent(0.0), false, &Quiet).map(drop),
        &IDS[1..],
        &[],
    );
}

#[test]
fn a_forget_that_fails_at_any_call_harms_no_other_snapshot() {
    sweep(|_| {}, |repository| repository.forget(IDS[1]), &[IDS[0], IDS[2]], &[]);
}

#[test]
fn a_prune_that_is_told_late_of_a_snapshot_removes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let repository = three(directory);
    repository.forget(IDS[0]).unwrap();
    let storage = Arc::new(Faulty::new(Arc::new(Local::new(directory.join("repo"))), Fault::ListsLate(1)));
    let late = over(&repository, storage);
    small(&late, ID).unwrap();
    let why = late.prune(MaxUnused::Percent(0.0), false, &Quiet).unwrap_err();
    assert!(matches!(&why, Error::Busy(why) if why.contains("nothing was removed")), "{why}");
    is_whole(&repository, directory, &[IDS[1], IDS[2], ID], true);
}

#[test]
fn restic_and_we_keep_out_of_each_others_way() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let repository = three(directory);
    let draft = repository.draft(ID, "wiki", STARTED).unwrap();
    let refused = restic(directory, &["prune"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("already locked"));
    assert!(matches!(repository.prune(MaxUnused::default(), false, &Quiet), Err(Error::Busy(_))));
    draft.seal(&record(ID, "wiki", STARTED)).unwrap();
    drop(draft);
    // restic reads an index that never ends: it keeps its exclusive lock for as long.
    let pipe = directory.join("repo/index").join("0".repeat(64));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut pruning = Command::new("restic");
    pruning.args(["--no-cache", "--repo"]).arg(directory.join("repo")).arg("prune").env("RESTIC_PASSWORD", PASSWORD);
    let mut pruning = pruning.stdout(std::process::Stdio::null()).spawn().unwrap();
    // Until it has its name it is no lock: nobody sees it.
    let there = Local::new(directory.join("repo"));
    while there.list(storage::Kind::Lock).unwrap().is_empty() {
        assert!(pruning.try_wait().unwrap().is_none(), "restic ended without a lock");
        std::thread::yield_now();
    }
    let busy = || matches!(repository.draft("00000000000000b1", "wiki", STARTED).map(drop), Err(Error::Busy(_)));
    let others = matches!(repository.prune(MaxUnused::default(), false, &Quiet), Err(Error::Busy(_))) && busy();
    pruning.kill().unwrap();
    pruning.wait().unwrap();
    fs::remove_file(pipe).unwrap();
    assert!(others);
    // Only restic knows that its process is gone.
    assert!(matches!(repository.prune(MaxUnused::default(), false, &Quiet), Err(Error::Busy(_))));
    asked(directory, &["unlock"]);
    repository.prune(MaxUnused::Percent(0.0), false, &Quiet).unwrap();
    asked(directory, &["check", "--read-data"]);
}

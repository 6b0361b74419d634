//! A repository against restic itself, and against damage.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::ResticRepository;
use crate::{
    digest::{Algorithm, Digest},
    name::RawPath,
    repository::{
        Draft, Error, Identity, Kind, Meta, Pass, Repository,
        conformance::{self, Quiet, noise, path, record},
    },
    secret::Secret,
};

mod copies;
mod faults;
mod keep;

const ID: &str = "0123456789abcdef";
const STARTED: &str = "2026-11-21T13:00:00Z";
const PASSWORD: &str = "correct horse";

/// A repository in `directory/repo`.
fn repository(directory: &Path) -> ResticRepository {
    ResticRepository::in_directory(directory.join("repo"), Secret::new(PASSWORD), directory.join("spill"))
}

fn made(directory: &Path) -> ResticRepository {
    let repository = repository(directory);
    repository.init().unwrap();
    repository
}

fn put(draft: &dyn Draft, name: &str, content: &[u8]) {
    draft.put(&path(name), &mut &content[..], &meta(), None, Pass::InStage).unwrap();
}

fn meta() -> Meta {
    let attributes = vec![("charset".into(), "utf-8".into())];
    Meta { modified: Some((1_700_000_000, 5)), mode: Some(0o640), owner: Some((1000, 100)), attributes }
}

/// Runs restic, which must be installed: `tests/run.sh --install` does that.
fn restic(directory: &Path, arguments: &[&str]) -> Output {
    let run = Command::new("restic")
        .args(["--no-cache", "--repo"])
        .arg(directory.join("repo"))
        .args(arguments)
        .env("RESTIC_PASSWORD", PASSWORD)
        .output();
    run.expect("restic is not installed: tests/run.sh --install installs it")
}

/// What restic prints where all goes well.
fn asked(directory: &Path, arguments: &[&str]) -> String {
    let output = restic(directory, arguments);
    assert!(output.status.success(), "restic {arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A snapshot with an entry of each kind.
fn sample(repository: &ResticRepository, id: &str) -> PathBuf {
    let draft = repository.draft(id, "wiki", STARTED).unwrap();
    draft.put_plain(&path("wiki/home"), &Kind::Directory, &meta(), Pass::InStage).unwrap();
    draft.put_plain(&path("wiki/home/link"), &Kind::Symlink(b"text".to_vec()), &meta(), Pass::InStage).unwrap();
    put(&*draft, "wiki/home/text", &b"hello ".repeat(500));
    put(&*draft, "wiki/home/noise", &noise(3000));
    put(&*draft, "wiki/home/empty", b"");
    put(&*draft, "wiki/home-not/x", b"x");
    put(&*draft, "wiki/quo\"te\\\\n", b"awkward");
    put(&*draft, "wiki/long-text", &b"a line of a long text\n".repeat(200_000));
    put(&*draft, "wiki/long-noise", &noise(12 << 20));
    draft.put_own("plan.json", &mut &b"{}"[..]).unwrap();
    draft.seal(&record(id, "wiki", STARTED)).unwrap()
}

#[test]
fn a_restic_repository_keeps_every_promise_of_a_repository() {
    let directory = tempfile::tempdir().unwrap();
    conformance::check(&made(directory.path()), 2);
    assert_eq!(fs::read_dir(directory.path().join("spill")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(directory.path().join("repo/locks")).unwrap().count(), 0);
}

#[test]
fn restic_checks_lists_and_restores_what_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    sample(&made(directory), ID);
    let checked = asked(directory, &["check", "--read-data"]);
    assert!(checked.contains("no errors were found"), "{checked}");
    let listed = asked(directory, &["snapshots"]);
    for word in ["strongroom", "pipeline=wiki", "state=complete", ID] {
        assert!(listed.contains(word), "{word}: {listed}");
    }
    let target = directory.join("target");
    asked(directory, &["restore", "latest", "--verify", "--target", target.to_str().unwrap()]);
    assert_eq!(fs::read(target.join("wiki/long-noise")).unwrap(), noise(12 << 20));
    assert_eq!(fs::read_link(target.join("wiki/home/link")).unwrap(), Path::new("text"));
    assert_eq!(fs::read(target.join("wiki/quo\"te\\n")).unwrap(), b"awkward");
    let mut sums = Command::new("sha256sum");
    let sums = sums.args(["--check", "--strict", "--quiet", "SHA256SUMS"]).current_dir(&target).output().unwrap();
    assert!(sums.status.success(), "{sums:?}");
}

#[test]
fn what_restic_writes_is_read_and_proven() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let repository = made(directory);
    let source = directory.join("source");
    fs::create_dir_all(source.join("deep/er")).unwrap();
    fs::write(source.join("deep/er/noise"), noise(5 << 20)).unwrap();
    fs::write(source.join("deep-not"), b"x").unwrap();
    std::os::unix::fs::symlink("deep", source.join("link")).unwrap();
    asked(directory, &["backup", source.to_str().unwrap()]);
    let (listed, unreadable) = repository.snapshots().unwrap();
    assert!(unreadable.is_empty() && listed.len() == 1, "{unreadable:?}");
    let archive = repository.open(&listed[0].id).unwrap();
    let below = RawPath::from_bytes(&source.as_os_str().as_encoded_bytes()[1..]).unwrap();
    let items = archive.items(&below, None, 100).unwrap();
    let names: Vec<_> = items.iter().map(|item| item.path.below(&below).unwrap().to_text()).collect();
    assert_eq!(names, ["", "deep", "deep-not", "deep/er", "deep/er/noise", "link"]);
    let proof = archive.prove(&Quiet).unwrap();
    assert!(proof.damage.is_empty() && proof.bytes == (5 << 20) + 1, "{proof:?}");
}

#[test]
fn what_cannot_be_read_is_named_with_why_and_hides_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let repository = made(directory);
    sample(&repository, ID);
    for kind in ["snapshots", "keys"] {
        let pipe = directory.join("repo").join(kind).join("0".repeat(64));
        rustix::fs::mkfifoat(rustix::fs::CWD, pipe, rustix::fs::Mode::RUSR).unwrap();
    }
    let is_one_pipe = |unreadable: &[String]| matches!(unreadable, [why] if why.ends_with("it is no regular file"));
    let (listed, unreadable) = repository.snapshots().unwrap();
    assert_eq!(listed.iter().map(|listed| &*listed.id).collect::<Vec<_>>(), [ID]);
    assert!(is_one_pipe(&unreadable), "{unreadable:?}");
    let (keys, unreadable) = repository.keys().unwrap();
    assert_eq!(keys.len(), 1);
    assert!(is_one_pipe(&unreadable), "{unreadable:?}");
}

#[test]
fn the_same_content_is_stored_once() {
    let directory = tempfile::tempdir().unwrap();
    let repository = made(directory.path());
    sample(&repository, ID);
    let size = || -> u64 {
        let packs = walk(&directory.path().join("repo/data"));
        packs.iter().map(|pack| fs::metadata(pack).unwrap().len()).sum()
    };
    let before = size();
    sample(&repository, "00000000000000ff");
    assert!(size() - before < 10_000, "{before} {}", size());
    assert_eq!(repository.snapshots().unwrap().0.len(), 2);
    asked(directory.path(), &["check", "--read-data"]);
}

#[test]
fn what_looks_as_it_did_is_not_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let repository = made(directory.path());
    let identity = Identity { device: 1, inode: 2, size: 2 << 20, modified_ns: 3, changed_ns: 4 };
    let meta = Meta { modified: Some((0, 3)), ..meta() };
    let content = noise(2 << 20);
    let draft = repository.draft(ID, "wiki", STARTED).unwrap();
    assert_eq!(draft.put_unchanged(&path("s/a"), &meta, &identity, Pass::InStage).unwrap(), None);
    draft.put(&path("s/a"), &mut &content[..], &meta, Some(identity), Pass::InStage).unwrap();
    draft.seal(&record(ID, "wiki", STARTED)).unwrap();
    drop(draft);
    let draft = repository.draft("00000000000000ff", "wiki", "2026-11-22T13:00:00Z").unwrap();
    let other = Identity { changed_ns: 5, ..identity };
    assert_eq!(draft.put_unchanged(&path("s/a"), &meta, &other, Pass::InStage).unwrap(), None);
    assert_eq!(draft.put_unchanged(&path("s/b"), &meta, &identity, Pass::InStage).unwrap(), None);
    let compared = meta.clone().compared_by(Algorithm::Md5);
    assert_eq!(draft.put_unchanged(&path("s/a"), &compared, &identity, Pass::InStage).unwrap(), None);
    let kept = draft.put_unchanged(&path("s/a"), &meta, &identity, Pass::InStage).unwrap().unwrap();
    assert_eq!((kept.size, kept.sha256, kept.new_bytes), (2 << 20, Digest::of(&content), 0));
    draft.seal(&record("00000000000000ff", "wiki", "2026-11-22T13:00:00Z")).unwrap();
    let proof = repository.open("00000000000000ff").unwrap().prove(&Quiet).unwrap();
    assert!(proof.damage.is_empty(), "{proof:?}");
    assert!(
        repository
            .draft("00000000000000fe", "other", STARTED)
            .unwrap()
            .put_unchanged(&path("s/a"), &meta, &identity, Pass::InStage)
            .unwrap()
            .is_none()
    );
}

#[test]
fn what_changed_just_before_it_was_read_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let repository = made(directory.path());
    let began = STARTED.parse::<jiff::Timestamp>().unwrap().as_nanosecond();
    let changed = |ns| Identity { device: 1, inode: 2, size: 1, modified_ns: 3, changed_ns: ns };
    let (coarse, settled) = (changed(began - 1_000_000_000), changed(began - 3_000_000_000));
    let meta = Meta { modified: Some((0, 3)), ..meta() };
    let draft = repository.draft(ID, "wiki", STARTED).unwrap();
    for (name, identity) in [("s/coarse", coarse), ("s/settled", settled)] {
        draft.put(&path(name), &mut &b"x"[..], &meta, Some(identity), Pass::InStage).unwrap();
    }
    draft.seal(&record(ID, "wiki", STARTED)).unwrap();
    drop(draft);
    let draft = repository.draft("00000000000000ff", "wiki", "2026-11-22T13:00:00Z").unwrap();
    assert_eq!(draft.put_unchanged(&path("s/coarse"), &meta, &coarse, Pass::InStage).unwrap(), None);
    assert!(draft.put_unchanged(&path("s/settled"), &meta, &settled, Pass::InStage).unwrap().is_some());
}

#[test]
fn nothing_is_taken_once_a_snapshot_has_ended() {
    let directory = tempfile::tempdir().unwrap();
    let repository = made(directory.path());
    let draft = repository.draft(ID, "wiki", STARTED).unwrap();
    put(&*draft, "s/a", b"first");
    draft.seal(&record(ID, "wiki", STARTED)).unwrap();
    let late = draft.put(&path("s/b"), &mut &b"late"[..], &meta(), None, Pass::InStage);
    assert!(matches!(late, Err(Error::Io { .. })), "{late:?}");
    let long = draft.put(&path("s/c"), &mut &noise(3 << 20)[..], &meta(), None, Pass::InStage);
    assert!(long.is_err());
    drop(draft);
    let proof = repository.open(ID).unwrap().prove(&Quiet).unwrap();
    assert!(proof.damage.is_empty(), "{proof:?}");
}

#[test]
fn what_a_run_that_died_stored_is_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let repository = made(directory.path());
    sample(&repository, ID);
    // As after a crash ahead of the index: packs that nothing knows.
    for kind in ["index", "snapshots"] {
        for file in walk(&directory.path().join("repo").join(kind)) {
            fs::remove_file(file).unwrap();
        }
    }
    let packs = walk(&directory.path().join("repo/data")).len();
    sample(&repository, ID);
    // The trees say when; the content is all there.
    assert!(walk(&directory.path().join("repo/data")).len() <= packs + 1);
    asked(directory.path(), &["check", "--read-data"]);
}

#[test]
fn a_wrong_password_no_repository_and_a_lock_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(repository(directory.path()).snapshots(), Err(Error::NoRepository(_))));
    let repository = made(directory.path());
    assert!(matches!(repository.init(), Err(Error::Exists(_))));
    let wrong = Secret::new("hunter2");
    let wrong = ResticRepository::in_directory(directory.path().join("repo"), wrong, directory.path().join("spill"));
    assert!(matches!(wrong.snapshots(), Err(Error::WrongPassword(_))));
    sample(&repository, ID);
    let archive = repository.open(ID).unwrap();
    assert!(matches!(repository.forget(ID), Err(Error::Busy(_))));
    drop(archive);
    repository.forget(ID).unwrap();
    assert!(repository.snapshots().unwrap().0.is_empty());
}

#[test]
fn every_flipped_bit_is_found_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let repository = made(directory.path());
    sample(&repository, ID);
    let mut state = 1_u64;
    for pack in walk(&directory.path().join("repo/data")) {
        let whole = fs::read(&pack).unwrap();
        for _ in 0..5 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // The list at the end is not what a snapshot is read by.
            let at = (state >> 33) as usize % (whole.len() - 2000).max(1);
            let mut changed = whole.clone();
            changed[at] ^= 1 << (state & 7);
            fs::remove_file(&pack).unwrap();
            fs::write(&pack, changed).unwrap();
            let opened = ResticRepository::in_directory(
                directory.path().join("repo"),
                Secret::new(PASSWORD),
                directory.path().join("spill"),
            );
            let proof = opened.open(ID).unwrap().prove(&Quiet);
            let found = proof.map_or(true, |proof| !proof.damage.is_empty());
            assert!(found, "{} byte {at}", pack.display());
        }
        fs::remove_file(&pack).unwrap();
        fs::write(&pack, whole).unwrap();
    }
    let proof = repository.open(ID).unwrap().prove(&Quiet).unwrap();
    assert!(proof.damage.is_empty(), "{proof:?}");
}

/// Files at or below `directory`.
fn walk(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => files.extend(walk(&entry.path())),
            false => files.push(entry.path()),
        }
    }
    files
}

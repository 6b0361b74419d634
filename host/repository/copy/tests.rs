//! Copies between repositories of each format, and what must not come of damage.

use std::{fs, path::Path};

use super::{Copied, copy, open};
use crate::{
    name::RawPath,
    repository::{
        Error, Kind, Meta, Pass, Repository, Watch,
        conformance::{Quiet, noise, path, record},
        restic::ResticRepository,
        zip::ZipRepository,
    },
    secret::Secret,
};

const ID: &str = "00000000000000aa";
const STARTED: &str = "2026-11-21T13:00:00Z";

fn zip(directory: &Path) -> ZipRepository {
    let repository = ZipRepository::new(directory);
    fs::create_dir_all(directory).unwrap();
    repository
}

fn restic(directory: &Path) -> ResticRepository {
    let repository = ResticRepository::in_directory(directory, Secret::new("horse"), directory.join("spill"));
    repository.init().unwrap();
    repository
}

/// One of 3 MB, whose noise is cut into several pieces; `more` is in one file.
fn snapshot(repository: &dyn Repository, id: &str, started: &str, more: &str) {
    let attributes = vec![("charset".into(), "utf-8".into())];
    let meta = Meta { modified: Some((1_700_000_000, 5)), mode: Some(0o640), owner: Some((1000, 100)), attributes };
    let draft = repository.draft(id, "wiki", started).unwrap();
    draft.put_plain(&path("wiki/home"), &Kind::Directory, &meta, Pass::InStage).unwrap();
    draft.put_plain(&path("wiki/home/link"), &Kind::Symlink(b"no\xffise".to_vec()), &meta, Pass::InStage).unwrap();
    let files = [("wiki/home/noise", noise(3 << 20)), ("wiki/home/empty", vec![]), ("wiki/more", more.into())];
    for (name, content) in files {
        draft.put(&path(name), &mut &content[..], &meta, None, Pass::InStage).unwrap();
    }
    draft.put_own("plan.json", &mut &b"{}"[..]).unwrap();
    draft.seal(&record(id, "wiki", started)).unwrap();
}

fn copied(from: &dyn Repository, to: &dyn Repository, id: &str) -> Result<Copied, Error> {
    let listed = from.snapshots().unwrap().0.into_iter().find(|listed| listed.id == id).unwrap();
    copy(from, open(from, to, id)?.as_ref(), to, &listed, &Quiet)
}

/// What a snapshot holds, but for what each format writes itself.
fn content(repository: &dyn Repository, id: &str) -> Vec<(RawPath, Kind, Meta, Vec<u8>)> {
    let archive = repository.open(id).unwrap();
    let items = archive.items(&RawPath::root(), None, 100).unwrap();
    let made = ["SHA256SUMS", ".strongroom/entries.ndjson"];
    let kept = items.into_iter().filter(|item| !made.contains(&item.path.to_text().as_str()));
    kept.map(|item| {
        let mut bytes = Vec::new();
        if item.kind == Kind::File {
            archive.open(&item.path, 0).unwrap().read_to_end(&mut bytes).unwrap();
        }
        (item.path, item.kind, item.meta, bytes)
    })
    .collect()
}

#[test]
fn a_copy_holds_what_the_snapshot_holds_whatever_the_formats() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let one: [Box<dyn Repository>; 2] = [Box::new(zip(&at("zip"))), Box::new(restic(&at("restic")))];
    for (number, from) in one.iter().enumerate() {
        snapshot(&**from, ID, STARTED, "text");
        let other: [Box<dyn Repository>; 3] = [
            Box::new(zip(&at(&format!("zip-{number}")))),
            Box::new(restic(&at(&format!("restic-{number}")))),
            Box::new(restic(&at(&format!("back-{number}"))).reading_back()),
        ];
        for to in &other {
            let Copied { entries, bytes, .. } = copied(&**from, &**to, ID).unwrap();
            // A set that is copied as it is, is read with its lists.
            match from.sealed(ID).unwrap().is_some_and(|set| to.takes(&set)) {
                true => assert_eq!((entries, bytes > (3 << 20) + 4 + 2), (Some(8), true)),
                false => assert_eq!((entries, bytes), (Some(6), (3 << 20) + 4 + 2)),
            }
            assert_eq!(content(&**to, ID), content(&**from, ID));
            assert!(to.open(ID).unwrap().prove(&Quiet).unwrap().damage.is_empty());
            let (one, other) = (from.snapshots().unwrap().0, to.snapshots().unwrap().0);
            assert_eq!(
                (&one[0].pipeline, &one[0].started, one[0].state),
                (&other[0].pipeline, &other[0].started, other[0].state)
            );
        }
    }
}

#[test]
fn a_second_copy_brings_only_what_is_new() {
    let directory = tempfile::tempdir().unwrap();
    let from = restic(&directory.path().join("one"));
    let other = directory.path().join("other");
    let to = ResticRepository::in_directory(&other, Secret::new("donkey"), other.join("spill")).reading_back();
    to.init_like(&from).unwrap();
    snapshot(&from, ID, STARTED, "text");
    copied(&from, &to, ID).unwrap();
    snapshot(&from, "00000000000000bb", "2026-11-22T13:00:00Z", "another text");
    // Without its long content the snapshot can still be copied: nobody has to read that again.
    let second = copied(&from, &to, "00000000000000bb").unwrap();
    assert!(second.new_bytes < 10_000, "{second:?}");
    assert_eq!(content(&to, "00000000000000bb"), content(&from, "00000000000000bb"));
    assert!(to.open("00000000000000bb").unwrap().prove(&Quiet).unwrap().damage.is_empty());
}

#[test]
fn of_a_damaged_snapshot_no_copy_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let from = zip(&directory.path().join("zip"));
    snapshot(&from, ID, STARTED, "text");
    let set = from.snapshots().unwrap().0.remove(0).path;
    let mut bytes = fs::read(&set).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::remove_file(&set).unwrap();
    fs::write(&set, bytes).unwrap();
    let to = restic(&directory.path().join("restic"));
    let failed = copied(&from, &to, ID).unwrap_err();
    assert!(matches!(failed, Error::Damaged(_) | Error::Source { .. }), "{failed:?}");
    assert!(to.snapshots().unwrap().0.is_empty());
}

#[test]
fn a_copy_that_is_stopped_leaves_nothing() {
    struct Stopped;
    impl Watch for Stopped {
        fn moved(&self, _: u64, _: u64) {}
        fn stopped(&self) -> bool {
            true
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (restic(&directory.path().join("one")), zip(&directory.path().join("zip")));
    snapshot(&from, ID, STARTED, "text");
    let listed = from.snapshots().unwrap().0.remove(0);
    assert!(matches!(
        copy(&from, open(&from, &to, ID).unwrap().as_ref(), &to, &listed, &Stopped),
        Err(Error::Canceled)
    ));
    assert!(to.snapshots().unwrap().0.is_empty());
    assert!(to.sweep("wiki").unwrap().is_empty());
}

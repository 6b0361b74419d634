//! Snapshots of both formats, and one that tells nothing of its contents.

use std::io;

use super::*;
use crate::{
    digest::Digest,
    repository::{
        Draft, Meta, Pass, Proof, Repository, Watch,
        conformance::{noise, path, record},
        restic::ResticRepository,
        zip::ZipRepository,
    },
    secret::Secret,
};

const STARTED: &str = "2026-11-21T13:00:00Z";

fn snapshot(repository: &dyn Repository, id: &str, fill: impl FnOnce(&dyn Draft)) -> Box<dyn Archive> {
    let draft = repository.draft(id, "wiki", STARTED).unwrap();
    fill(&*draft);
    draft.seal(&record(id, "wiki", STARTED)).unwrap();
    drop(draft);
    repository.open(id).unwrap()
}

fn put(draft: &dyn Draft, name: &str, content: &[u8], mode: u32) {
    let meta = Meta { mode: Some(mode), ..Meta::default() };
    draft.put(&path(name), &mut &content[..], &meta, None, Pass::InStage).unwrap();
}

fn plain(draft: &dyn Draft, name: &str, kind: Kind) {
    draft.put_plain(&path(name), &kind, &Meta::default(), Pass::InStage).unwrap();
}

/// Every change as a line, and all of them.
fn said(before: &dyn Archive, after: &dyn Archive, prefix: &str) -> (Vec<String>, Totals) {
    let mut lines = Vec::new();
    let totals = compare::<Error>(before, after, &path(prefix), &mut |change, item| {
        lines.push(format!("{change:?} {}", item.path));
        Ok(())
    });
    (lines, totals.unwrap())
}

/// A repository of each format.
fn repositories(directory: &std::path::Path) -> [Box<dyn Repository>; 2] {
    let password = Secret::new("correct horse");
    let restic = ResticRepository::in_directory(directory.join("restic"), password, directory.join("spill"));
    restic.init().unwrap();
    [Box::new(ZipRepository::new(directory.join("zip"))), Box::new(restic)]
}

fn first(draft: &dyn Draft) {
    plain(draft, "s/p/dir", Kind::Directory);
    put(draft, "s/p/dir/gone", b"gone", 0o600);
    put(draft, "s/p/dir-not", b"same", 0o600);
    put(draft, "s/p/long", &noise(3 << 20), 0o600);
    put(draft, "s/p/mode", b"mode", 0o600);
    put(draft, "s/p/one", b"abc", 0o600);
    put(draft, "s/p/type", b"file", 0o600);
    plain(draft, "s/p/link", Kind::Symlink(b"here".to_vec()));
}

fn second(draft: &dyn Draft) {
    let mut long = noise(3 << 20);
    *long.last_mut().unwrap() ^= 1;
    plain(draft, "s/p/dir", Kind::Directory);
    plain(draft, "s/p/dir/new", Kind::Directory);
    put(draft, "s/p/dir-not", b"same", 0o600);
    put(draft, "s/p/long", &long, 0o600);
    put(draft, "s/p/mode", b"mode", 0o640);
    put(draft, "s/p/one", b"xyz", 0o600);
    plain(draft, "s/p/type", Kind::Symlink(b"file".to_vec()));
    plain(draft, "s/p/link", Kind::Symlink(b"there".to_vec()));
}

#[test]
fn every_kind_of_change_is_told_once_in_byte_order() {
    let directory = tempfile::tempdir().unwrap();
    for repository in repositories(directory.path()) {
        let before = snapshot(&*repository, "00000000000000aa", first);
        let after = snapshot(&*repository, "00000000000000bb", second);
        let (lines, totals) = said(&*before, &*after, "");
        let changes = ["Removed dir/gone", "Added dir/new", "Content link", "Content long", "Metadata mode"];
        let changes = changes.iter().chain(&["Content one", "Type type"]);
        assert_eq!(lines, changes.map(|line| line.replace(' ', " s/p/")).collect::<Vec<_>>());
        let long = 3 << 20;
        assert_eq!(totals.added, Counts { dirs: 1, bytes: long + 3, ..Counts::default() });
        assert_eq!(totals.removed, Counts { files: 1, bytes: 4 + long + 3 + 4, ..Counts::default() });
        assert_eq!(totals.changed, Counts { files: 2, others: 2, ..Counts::default() });
        assert_eq!(totals.metadata, Counts { files: 1, ..Counts::default() });
        assert_eq!(said(&*before, &*after, "s/p/dir").0, ["Removed s/p/dir/gone", "Added s/p/dir/new"]);
        assert_eq!(said(&*before, &*after, "s/none").1.compared, 0);
        let (same, totals) = said(&*before, &*before, "");
        assert_eq!((same.len(), totals.compared), (0, 8));
        // Each has a record of its own, which nobody asks for unless he says so.
        assert_eq!(said(&*before, &*after, ".strongroom/record.json").0, ["Content .strongroom/record.json"]);
    }
}

#[test]
fn snapshots_of_more_entries_than_a_page_are_compared_to_their_ends() {
    let directory = tempfile::tempdir().unwrap();
    let repository = ZipRepository::new(directory.path());
    let names = |skip: usize| {
        let names = (0..2 * PAGE + 7).filter(move |number| number % skip != 0);
        names.map(|number| format!("s/p/{number:05}"))
    };
    let before = snapshot(&repository, "00000000000000aa", |draft| {
        names(500).for_each(|name| put(draft, &name, b"x", 0o600));
    });
    let after = snapshot(&repository, "00000000000000bb", |draft| {
        names(700).for_each(|name| put(draft, &name, b"x", 0o600));
    });
    let (lines, totals) = said(&*before, &*after, "");
    assert_eq!((totals.added.files, totals.removed.files), (4, 2), "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("Added s/p/02000"));
}

/// An archive that tells nothing of its contents, and whose files may be damaged.
struct Dumb {
    inner: Box<dyn Archive>,
    damaged: bool,
}

impl Archive for Dumb {
    fn items(&self, prefix: &RawPath, after: Option<&RawPath>, count_max: usize) -> Result<Vec<Item>, Error> {
        self.inner.items(prefix, after, count_max)
    }
    fn stat(&self, path: &RawPath) -> Result<Item, Error> {
        self.inner.stat(path)
    }
    fn open(&self, path: &RawPath, offset: u64) -> Result<Box<dyn Read + Send>, Error> {
        match self.damaged {
            true => Ok(Box::new(io::repeat(7).take(5).chain(Broken))),
            false => self.inner.open(path, offset),
        }
    }
    fn prove(&self, watch: &dyn Watch) -> Result<Proof, Error> {
        self.inner.prove(watch)
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::new(ErrorKind::InvalidData, "the file is damaged"))
    }
}

#[test]
fn content_that_nobody_has_a_digest_of_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let [zip, _] = repositories(directory.path());
    let before = snapshot(&*zip, "00000000000000aa", first);
    let after = Dumb { inner: snapshot(&*zip, "00000000000000bb", second), damaged: false };
    let expected = said(&*before, &*after.inner, "").0;
    assert_eq!(said(&*before, &after, "").0, expected);
    assert_eq!(expected.len(), 7);
    let after = Dumb { damaged: true, ..after };
    let damaged = compare::<Error>(&*before, &after, &RawPath::root(), &mut |_, _| Ok(()));
    assert!(matches!(&damaged, Err(Error::Damaged(why)) if why == "the file is damaged"), "{damaged:?}");
}

#[test]
fn equal_digests_or_blobs_are_equal_content_and_nothing_known_is_nothing_told() {
    let (one, other) = (Some(Digest::of(b"1")), Some(Digest::of(b"2")));
    let print = |sha256, blobs| Print { sha256, blobs };
    for (left, right, same) in [
        (print(one, None), print(one, None), Some(true)),
        (print(one, one), print(other, one), Some(false)),
        (print(None, one), print(None, one), Some(true)),
        (print(None, one), print(None, other), Some(false)),
        // One was cut by another program: other blobs prove nothing.
        (print(one, one), print(None, one), Some(true)),
        (print(one, one), print(None, other), None),
        (print(None, None), print(one, None), None),
    ] {
        assert_eq!(left.same(&right), same, "{left:?} {right:?}");
        assert_eq!(right.same(&left), same, "{right:?} {left:?}");
    }
}

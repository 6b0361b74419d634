//! What every repository promises, whichever it is.

use std::io::Read;

use super::{Draft, Error, Identity, Kind, Meta, Pass, Repository, Watch};
use crate::{digest::Digest, name::RawPath};

/// Watches nothing.
pub(crate) struct Quiet;

impl Watch for Quiet {
    fn moved(&self, _: u64, _: u64) {}
    fn stopped(&self) -> bool {
        false
    }
}

pub(crate) fn path(text: &str) -> RawPath {
    RawPath::from_text(text).unwrap()
}

/// Bytes that do not shrink; the same ones each time.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| next()).collect();
    bytes.truncate(length);
    bytes
}

/// A record that can be sealed.
pub(crate) fn record(id: &str, pipeline: &str, started: &str) -> Vec<u8> {
    let record = serde_json::json!({
        "version": 1, "snapshot": id, "state": "complete", "states": ["complete"], "pipeline": pipeline,
        "plan": Digest::of(b"plan"), "strongroom": "0.1.0", "host": "here", "started": started, "ended": started,
        "order": [], "steps": [], "findings": [], "totals": { "entries": 1, "files": 1, "bytes": 7 },
    });
    serde_json::to_vec(&record).unwrap()
}

fn put(draft: &dyn Draft, name: &str, content: &str, pass: Pass) -> Result<u64, Error> {
    draft.put(&path(name), &mut content.as_bytes(), &Meta::default(), None, pass).map(|stored| stored.size)
}

/// Runs every check on an empty repository, which adds `own` files to what a snapshot holds.
pub(crate) fn check(repository: &dyn Repository, own: usize) {
    assert!(repository.snapshots().unwrap().0.is_empty());
    assert!(repository.room().unwrap() > 0);
    dropped_drafts_leave_nothing(repository);
    let draft = repository.draft("00000000000000aa", "wiki", "2026-11-21T13:00:00Z").unwrap();
    one_pass_stores_a_path_once(&*draft);
    a_later_pass_replaces_and_keeps(&*draft);
    nothing_lies_below_a_file(&*draft);
    each_visits_what_is_live(&*draft);
    draft.put_own("plan.json", &mut &b"{}"[..]).unwrap();
    assert!(draft.scratch().is_dir());
    let path = draft.seal(&record("00000000000000aa", "wiki", "2026-11-21T13:00:00Z")).unwrap();
    assert!(path.exists());
    // What a draft spilled goes with it, sealed or not.
    drop(draft);
    the_archive_gives_it_all_back(repository, own);
    assert!(repository.sweep("wiki").unwrap().is_empty());
    let names: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

fn dropped_drafts_leave_nothing(repository: &dyn Repository) {
    let draft = repository.draft("00000000000000bb", "wiki", "2026-11-21T13:00:00Z").unwrap();
    put(&*draft, "a", "x", Pass::InStage).unwrap();
    drop(draft);
    assert!(repository.snapshots().unwrap().0.is_empty());
    assert!(repository.sweep("wiki").unwrap().is_empty());
}

fn one_pass_stores_a_path_once(draft: &dyn Draft) {
    let identity = Some(Identity { device: 1, inode: 2, size: 3, modified_ns: -4, changed_ns: 5 });
    let meta = Meta { modified: Some((7, 8)), mode: Some(0o600), owner: Some((1, 2)), ..Meta::default() };
    let long = "0123456789".repeat(100);
    let stored = draft.put(&path("s/p/a"), &mut long.as_bytes(), &meta, identity, Pass::Ahead).unwrap();
    assert_eq!((stored.size, stored.sha256), (1000, Digest::of(long.as_bytes())));
    assert_eq!(stored.tail, long.as_bytes()[1000 - 256..]);
    assert!(matches!(put(draft, "s/p/a", "again", Pass::Ahead), Err(Error::Exists(_))));
    let held = draft.find(&path("s/p/a")).unwrap().unwrap();
    assert_eq!((held.identity, held.pass, &held.kind, held.size), (identity, Pass::Ahead, &Kind::File, 1000));
    draft.doubt(&path("s/p/a")).unwrap();
    let doubted = draft.find(&path("s/p/a")).unwrap().unwrap();
    assert_eq!(doubted, super::Held { identity: None, ..held });
    assert!(matches!(draft.doubt(&path("s/p/none")), Err(Error::NotFound(_))));
    assert_eq!(draft.find(&path("s/p/none")).unwrap(), None);
    for _ in 0..2 {
        draft.put_plain(&path("s/p/dir"), &Kind::Directory, &meta, Pass::Ahead).unwrap();
    }
    draft.put_plain(&path("s/p/link"), &Kind::Symlink(b"../\xff".to_vec()), &meta, Pass::Ahead).unwrap();
    let again = draft.put_plain(&path("s/p/link"), &Kind::Directory, &meta, Pass::Ahead);
    assert!(matches!(again, Err(Error::Exists(_))));
}

fn a_later_pass_replaces_and_keeps(draft: &dyn Draft) {
    put(draft, "s/p/changed", "old", Pass::Ahead).unwrap();
    put(draft, "s/p/changed", "newer", Pass::InStage).unwrap();
    assert_eq!(draft.find(&path("s/p/changed")).unwrap().unwrap().sha256, Digest::of(b"newer"));
    assert!(matches!(put(draft, "s/p/changed", "newest", Pass::InStage), Err(Error::Exists(_))));
    put(draft, "s/p/kept", "kept", Pass::Ahead).unwrap();
    draft.keep(&path("s/p/kept"), Pass::InStage).unwrap();
    assert_eq!(draft.find(&path("s/p/kept")).unwrap().unwrap().pass, Pass::InStage);
    assert!(matches!(put(draft, "s/p/kept", "other", Pass::InStage), Err(Error::Exists(_))));
    put(draft, "s/p/gone", "gone", Pass::Ahead).unwrap();
    draft.remove(&path("s/p/gone")).unwrap();
    assert_eq!(draft.find(&path("s/p/gone")).unwrap(), None);
    assert!(matches!(draft.remove(&path("s/p/gone")), Err(Error::NotFound(_))));
    assert!(matches!(draft.keep(&path("s/p/gone"), Pass::InStage), Err(Error::NotFound(_))));
}

fn nothing_lies_below_a_file(draft: &dyn Draft) {
    assert!(matches!(put(draft, "s/p/a/below", "", Pass::InStage), Err(Error::Refused(_))));
    assert!(matches!(put(draft, "s/p", "", Pass::InStage), Err(Error::Refused(_))));
    assert!(matches!(put(draft, ".strongroom/record.json", "", Pass::InStage), Err(Error::Refused(_))));
    assert!(matches!(put(draft, "SHA256SUMS", "", Pass::InStage), Err(Error::Refused(_))));
}

fn each_visits_what_is_live(draft: &dyn Draft) {
    put(draft, "s/p-not", "x", Pass::InStage).unwrap();
    let mut visited = Vec::new();
    let visit = &mut |path: &RawPath, _: &super::Held| {
        visited.push(path.to_text());
        true
    };
    draft.each(&path("s/p"), visit).unwrap();
    visited.sort();
    assert_eq!(visited, ["s/p/a", "s/p/changed", "s/p/dir", "s/p/kept", "s/p/link"]);
    let mut count = 0;
    draft
        .each(&RawPath::root(), &mut |_, _| {
            count += 1;
            count < 2
        })
        .unwrap();
    assert_eq!(count, 2);
}

fn the_archive_gives_it_all_back(repository: &dyn Repository, own: usize) {
    let (listed, unreadable) = repository.snapshots().unwrap();
    assert!(unreadable.is_empty());
    assert_eq!((listed.len(), listed[0].id.as_str()), (1, "00000000000000aa"));
    assert!(matches!(repository.open("00000000000000cc").map(|_| ()), Err(Error::NotFound(_))));
    let archive = repository.open("00000000000000aa").unwrap();
    let names = |prefix, after: Option<&str>, count| {
        let after = after.map(path);
        let items = archive.items(&path(prefix), after.as_ref(), count).unwrap();
        items.into_iter().map(|item| item.path.to_text()).collect::<Vec<_>>()
    };
    assert_eq!(names("s/p", None, 2), ["s/p/a", "s/p/changed"]);
    assert_eq!(names("s/p", Some("s/p/changed"), 9), ["s/p/dir", "s/p/kept", "s/p/link"]);
    assert_eq!(names("s/p/dir", None, 9), ["s/p/dir"]);
    assert_eq!(names("", None, 1000).len(), 7 + own);
    let item = archive.stat(&path("s/p/a")).unwrap();
    assert_eq!((item.size, item.meta.modified, item.meta.owner), (1000, Some((7, 8)), Some((1, 2))));
    assert_eq!(archive.stat(&path("s/p/kept")).unwrap().meta, Meta::default());
    assert_eq!(archive.stat(&path("s/p/link")).unwrap().kind, Kind::Symlink(b"../\xff".to_vec()));
    let mut rest = String::new();
    archive.open(&path("s/p/a"), 990).unwrap().read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "0123456789");
    assert!(archive.open(&path("s/p/dir"), 0).is_err());
    assert_eq!(archive.record().unwrap(), record("00000000000000aa", "wiki", "2026-11-21T13:00:00Z"));
    let proof = archive.prove(&Quiet).unwrap();
    assert!(proof.damage.is_empty(), "{proof:?}");
    // The sums do not list themselves.
    assert_eq!(proof.entries as usize, 6 + own);
}

//! Trees that hold everything, and trees that change while they are read.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use cap_std::ambient_authority;

use super::*;
use crate::{
    digest::Digest,
    repository::{
        Kind, Repository,
        conformance::{Quiet, path},
        zip::ZipRepository,
    },
};

struct Place {
    _directory: tempfile::TempDir,
    source: std::path::PathBuf,
    draft: Box<dyn Draft>,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    fs::create_dir(&source).unwrap();
    let repository = ZipRepository::new(directory.path().join("sets"));
    let draft = repository.draft("0000000000000001", "wiki", "2026-11-21T13:00:00Z").unwrap();
    Place { _directory: directory, source, draft }
}

impl Place {
    fn store(&self, options: &TreeOptions, pass: Pass) -> Result<TreeReport, Error> {
        self.store_watched(options, pass, &Quiet)
    }

    fn store_watched(&self, options: &TreeOptions, pass: Pass, watch: &dyn Watch) -> Result<TreeReport, Error> {
        let source = Dir::open_ambient_dir(&self.source, ambient_authority()).unwrap();
        put_tree(&*self.draft, &path("s/p"), &source, &RawPath::root(), options, pass, watch)
    }

    fn held(&self) -> Vec<String> {
        let mut held = Vec::new();
        self.draft
            .each(&path("s/p"), &mut |path, _| {
                held.push(path.to_text());
                true
            })
            .unwrap();
        held.sort();
        held
    }
}

fn tolerant() -> TreeOptions {
    TreeOptions { tolerate_changes: true, ..TreeOptions::default() }
}

/// Does something to the source when the first file is read.
struct Meddle<F: Fn(u64) + Sync>(AtomicU64, F);

impl<F: Fn(u64) + Sync> Watch for Meddle<F> {
    fn moved(&self, bytes: u64, _: u64) {
        if bytes > 0 {
            (self.1)(self.0.fetch_add(1, Ordering::SeqCst));
        }
    }
    fn stopped(&self) -> bool {
        false
    }
}

#[test]
fn a_tree_is_stored_with_all_that_belongs_to_it() {
    let place = place();
    fs::create_dir_all(place.source.join("a/empty")).unwrap();
    fs::write(place.source.join("a/file"), "content").unwrap();
    fs::set_permissions(place.source.join("a/file"), fs::Permissions::from_mode(0o604)).unwrap();
    symlink("/nowhere", place.source.join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(place.source.join("socket")).unwrap();
    let report = place.store(&TreeOptions::default(), Pass::InStage).unwrap();
    assert_eq!((report.expected, report.stored, report.files, report.directories), (4, 4, 1, 2));
    assert_eq!((report.size, &report.skipped[..]), (7, &[("socket".to_owned(), "a socket".to_owned())][..]));
    assert_eq!(place.held(), ["s/p/a", "s/p/a/empty", "s/p/a/file", "s/p/link"]);
    let link = place.draft.find(&path("s/p/link")).unwrap().unwrap();
    assert_eq!(link.kind, Kind::Symlink(b"/nowhere".to_vec()));
}

#[test]
fn a_directory_in_the_source_is_stored_itself_and_a_link_is_not_followed_to_one() {
    let place = place();
    fs::create_dir(place.source.join("conf")).unwrap();
    fs::write(place.source.join("conf/x"), "x").unwrap();
    symlink("conf", place.source.join("link")).unwrap();
    let source = Dir::open_ambient_dir(&place.source, ambient_authority()).unwrap();
    let store = |sub| {
        let options = TreeOptions::default();
        put_tree(&*place.draft, &path("s/p/c"), &source, &path(sub), &options, Pass::InStage, &Quiet)
    };
    assert_eq!(store("conf").unwrap().stored, 2);
    assert_eq!(place.held(), ["s/p/c", "s/p/c/x"]);
    assert!(matches!(store("link"), Err(Error::Source { .. })));
    assert!(matches!(store("none"), Err(Error::Source { .. })));
}

#[test]
fn patterns_choose_and_directories_above_what_is_meant_come_along() {
    let place = place();
    for name in ["a/b/keep.xml", "a/b/other", "cache/x.xml", "top.xml"] {
        fs::create_dir_all(place.source.join(name).parent().unwrap()).unwrap();
        fs::write(place.source.join(name), name).unwrap();
    }
    let options =
        TreeOptions { includes: vec!["*.xml".into()], excludes: vec!["/cache".into()], ..TreeOptions::default() };
    let report = place.store(&options, Pass::InStage).unwrap();
    assert_eq!(place.held(), ["s/p/a", "s/p/a/b", "s/p/a/b/keep.xml", "s/p/top.xml"]);
    assert_eq!((report.expected, report.stored), (4, 4));
}

#[test]
fn a_second_pass_reads_only_what_is_new_or_changed_and_keeps_what_is_gone() {
    let place = place();
    for name in ["same", "changed", "gone"] {
        fs::write(place.source.join(name), name).unwrap();
    }
    assert_eq!(place.store(&TreeOptions::default(), Pass::Ahead).unwrap().stored, 3);
    fs::write(place.source.join("changed"), "changed since").unwrap();
    fs::write(place.source.join("new"), "new").unwrap();
    fs::remove_file(place.source.join("gone")).unwrap();
    let read = Meddle(AtomicU64::new(0), |_| {});
    let report = place.store_watched(&TreeOptions::default(), Pass::InStage, &read).unwrap();
    assert_eq!((report.expected, report.stored, report.files, report.skipped_count), (3, 3, 3, 0));
    assert_eq!(read.0.into_inner(), 2);
    assert_eq!(place.held(), ["s/p/changed", "s/p/gone", "s/p/new", "s/p/same"]);
    let changed = place.draft.find(&path("s/p/changed")).unwrap().unwrap();
    assert_eq!(changed.sha256, Digest::of(b"changed since"));
}

#[test]
fn a_file_that_vanishes_is_in_neither_count_where_that_is_tolerated() {
    for tolerate in [true, false] {
        let place = place();
        for number in 0..300 {
            fs::write(place.source.join(format!("{number:03}")), "x").unwrap();
        }
        let remove_all = Meddle(AtomicU64::new(0), |turn| {
            if turn == 0 {
                for number in 0..300 {
                    let _ = fs::remove_file(place.source.join(format!("{number:03}")));
                }
            }
        });
        let options = TreeOptions { tolerate_changes: tolerate, ..TreeOptions::default() };
        match place.store_watched(&options, Pass::InStage, &remove_all) {
            Ok(report) => {
                assert!(tolerate && report.expected == report.stored && report.skipped_count > 0, "{report:?}");
                assert!(report.skipped.iter().any(|(_, why)| why == "vanished"), "{report:?}");
            }
            Err(why) => assert!(!tolerate && matches!(why, Error::Source { .. }), "{why}"),
        }
    }
}

#[test]
fn a_file_that_changes_is_read_again() {
    let place = place();
    let file = place.source.join("file");
    fs::write(&file, "before").unwrap();
    let change_once = Meddle(AtomicU64::new(0), |turn| {
        if turn == 0 {
            fs::write(&file, "and after").unwrap();
        }
    });
    let report = place.store_watched(&TreeOptions::default(), Pass::InStage, &change_once).unwrap();
    assert_eq!((report.stored, report.skipped_count, report.size), (1, 0, 9));
    assert_eq!(place.draft.find(&path("s/p/file")).unwrap().unwrap().sha256, Digest::of(b"and after"));
}

#[test]
fn a_file_that_never_stops_growing_is_stored_and_reported_or_fails() {
    for tolerate in [true, false] {
        let place = place();
        let file = place.source.join("log");
        fs::write(&file, "first line\n").unwrap();
        let grow = Meddle(AtomicU64::new(0), |_| {
            use std::io::Write;
            fs::File::options().append(true).open(&file).unwrap().write_all(b"one more\n").unwrap();
        });
        let options = TreeOptions { tolerate_changes: tolerate, ..TreeOptions::default() };
        // Each read makes it longer: only the bound on tries and the size when it was opened end this.
        let bounded = Meddle(AtomicU64::new(0), |turn| {
            if turn < 1000 {
                grow.moved(1, 0)
            }
        });
        match place.store_watched(&options, Pass::InStage, &bounded) {
            Ok(report) => {
                assert!(tolerate && report.stored == 1, "{report:?}");
                assert!(report.skipped[0].1.starts_with("changed while"), "{report:?}");
            }
            Err(why) => assert!(!tolerate && matches!(why, Error::Source { .. }), "{why}"),
        }
    }
}

#[test]
fn a_file_that_turns_into_a_link_or_a_pipe_is_never_followed() {
    let place = place();
    fs::write(place.source.join("a"), "a").unwrap();
    let source = Dir::open_ambient_dir(&place.source, ambient_authority()).unwrap();
    let patterns = Patterns::of(&TreeOptions::default()).unwrap();
    let mut seen = Vec::new();
    walk::walk(&source, &patterns, &mut |found| {
        if let walk::Found::Entry(entry) = found {
            seen.push(entry);
        }
        Ok(true)
    })
    .unwrap();
    fs::remove_file(place.source.join("a")).unwrap();
    symlink("/etc/passwd", place.source.join("a")).unwrap();
    let (base, options) = (path("s/p"), tolerant());
    let storing = Storing {
        draft: &*place.draft,
        base: &base,
        root: &source,
        options: &options,
        pass: Pass::InStage,
        watch: &Quiet,
        shared: Shared::default(),
    };
    storing.store(&seen[0]).unwrap();
    let held = place.draft.find(&path("s/p/a")).unwrap().unwrap();
    assert_eq!(held.kind, Kind::Symlink(b"/etc/passwd".to_vec()));
    fs::remove_file(place.source.join("a")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, place.source.join("a"), rustix::fs::Mode::RUSR).unwrap();
    storing.store(&seen[0]).unwrap();
    assert_eq!(storing.shared.report.into_inner().unwrap().skipped_count, 1);
}

#[test]
fn an_entry_that_is_dropped_behind_the_walk_shows_in_the_counts() {
    struct Drops<'a>(&'a dyn Draft);
    impl Watch for Drops<'_> {
        fn moved(&self, _: u64, files: u64) {
            if files > 0 {
                let _ = self.0.remove(&path("s/p/one"));
            }
        }
        fn stopped(&self) -> bool {
            false
        }
    }
    let place = place();
    fs::write(place.source.join("one"), "1").unwrap();
    let report = place.store_watched(&TreeOptions::default(), Pass::InStage, &Drops(&*place.draft)).unwrap();
    assert_eq!((report.expected, report.stored), (1, 0));
}

#[test]
fn a_directory_that_was_gone_when_it_was_to_be_listed_and_is_back_shows_in_the_counts() {
    /// Takes both away while the walk lists what is above them, and puts both back during the second look.
    struct Swap<'a>(&'a Path, std::thread::ThreadId, AtomicU64);
    impl Watch for Swap<'_> {
        fn moved(&self, _: u64, _: u64) {}
        fn stopped(&self) -> bool {
            // The threads that store ask too; the one that lists also looks again.
            if std::thread::current().id() != self.1 {
                return false;
            }
            let turn = self.2.fetch_add(1, Ordering::SeqCst);
            for name in ["one", "two"] {
                let (here, away) = (self.0.join(name), self.0.with_file_name(name));
                match turn {
                    1 => fs::rename(here, away).unwrap(),
                    2 => fs::rename(away, here).unwrap(),
                    _ => {}
                }
            }
            false
        }
    }
    let place = place();
    for name in ["one", "two"] {
        fs::create_dir(place.source.join(name)).unwrap();
        fs::write(place.source.join(name).join("page"), "text").unwrap();
    }
    let swap = Swap(&place.source, std::thread::current().id(), AtomicU64::new(0));
    let report = place.store_watched(&tolerant(), Pass::InStage, &swap).unwrap();
    assert!(report.stored < report.expected, "{report:?}");
    assert!(report.skipped.iter().any(|(_, why)| why.starts_with("gone for a moment")), "{report:?}");
}

#[test]
fn names_that_are_digests_are_checked() {
    let place = place();
    let right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    fs::write(place.source.join(right), "abc").unwrap();
    fs::write(place.source.join("0".repeat(64)), "abc").unwrap();
    let options = TreeOptions { name_digest: Some(Algorithm::Sha256), ..TreeOptions::default() };
    let report = place.store(&options, Pass::InStage).unwrap();
    assert_eq!((report.stored, report.skipped_count), (2, 1));
    assert_eq!(report.skipped[0].0, "0".repeat(64));
    // What is not what its name says is read again by the next snapshot, all else need not be.
    let identity = |name: &str| place.draft.find(&path(&format!("s/p/{name}"))).unwrap().unwrap().identity;
    assert!(identity(right).is_some());
    assert_eq!(identity(&"0".repeat(64)), None);
}

#[test]
fn a_stopped_walk_is_canceled() {
    struct Stop;
    impl Watch for Stop {
        fn moved(&self, _: u64, _: u64) {}
        fn stopped(&self) -> bool {
            true
        }
    }
    let place = place();
    fs::write(place.source.join("a"), "a").unwrap();
    let stopped = place.store_watched(&TreeOptions::default(), Pass::InStage, &Stop);
    assert!(matches!(stopped, Err(Error::Canceled)));
    assert!(Path::new(&place.source).join("a").exists());
}

#[test]
fn a_file_that_ends_before_its_size_is_not_taken_for_whole() {
    // The kernel says 4096 bytes, and gives six: as a storage does that loses the end of a file.
    let place = Place { source: "/sys/class/net/lo".into(), ..place() };
    let only = TreeOptions { includes: vec!["/mtu".into()], ..TreeOptions::default() };
    let error = place.store(&only, Pass::InStage).unwrap_err();
    assert!(matches!(&error, Error::Source { .. }) && error.to_string().contains("mtu"), "{error}");
    assert!(place.held().iter().all(|held| !held.ends_with("mtu")), "{:?}", place.held());
}

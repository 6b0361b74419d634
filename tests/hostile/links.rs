//! Paths that lead out of a grant, however the file system is changed meanwhile.

use std::{
    fs,
    os::unix::{fs::symlink, net::UnixListener},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use super::{SOURCE, bad_beside_good, fails_alone};
use crate::support::{Place, strongroom::unzip, tree::Tree};

#[test]
fn what_is_no_file_is_never_opened_nor_waited_for() {
    let place = Place::new();
    let source = Tree::at(place.join("source"));
    let fifo = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, source.path().join("fifo"), rustix::fs::FileType::Fifo, fifo, 0).unwrap();
    let null = rustix::fs::makedev(1, 3);
    let device = rustix::fs::FileType::CharacterDevice;
    rustix::fs::mknodat(rustix::fs::CWD, source.path().join("null"), device, fifo, null).unwrap();
    let _socket = UnixListener::bind(source.path().join("socket")).unwrap();
    let open = |file: &str, code: &str| {
        format!(
            "{{ do = \"must\", code = \"{code}\", act = {{ do = \"put-file\", path = \"x\", dir = \"dir-source\", file = \"{file}\" }} }}, "
        )
    };
    let acts = format!(
        "[{}{}{}{} {{ do = \"fail\", message = \"all were refused\" }}]",
        open("fifo", "invalid"),
        open("null", "invalid"),
        open("socket", "io"),
        open("", "invalid")
    );
    bad_beside_good(&place, &acts, SOURCE);
    fails_alone(&place, &["all were refused"]);
}

#[test]
fn a_hard_link_is_a_file_of_its_own_and_a_link_is_not_written_through() {
    let place = Place::new();
    Tree::at(place.join("outside")).file("precious", "precious");
    let source = Tree::at(place.join("source")).link("out", "../outside/precious").link("dir", "../outside");
    fs::hard_link(place.join("outside/precious"), source.path().join("hard")).unwrap();
    let write = |file: &str| {
        format!(
            "{{ do = \"must\", code = \"denied\", act = {{ do = \"write-file\", dir = \"dir-source\", file = \"{file}\", text = \"x\" }} }}, "
        )
    };
    // The temporary file replaces a link, or a name: what it pointed to stays.
    let replace =
        |file: &str| format!("{{ do = \"write-file\", dir = \"dir-source\", file = \"{file}\", text = \"x\" }}, ");
    let acts = format!(
        "[{}{}{}{{ do = \"fail\", message = \"as it must be\" }}]",
        write("dir/new"),
        replace("out"),
        replace("hard")
    );
    bad_beside_good(&place, &acts, &SOURCE.replace("\"read\"", "\"write\""));
    fails_alone(&place, &["as it must be"]);
    assert_eq!(fs::read_to_string(place.join("outside/precious")).unwrap(), "precious");
    assert!(!place.join("outside/new").exists());
}

/// How long links are swapped; thirty seconds with `tests/run.sh --all`.
fn race() -> Duration {
    let seconds = std::env::var("STRONGROOM_RACE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

#[test]
fn links_that_are_swapped_all_the_time_never_lead_out() {
    let place = Place::new();
    Tree::at(place.join("outside")).file("inner/file", "outside-content");
    let source = Tree::at(place.join("source")).file("real/inner/file", "inside");
    Tree::at(source.path()).file("other/x", "x");
    let acts = r#"[{ do = "put-tree", path = "tree", dir = "dir-source", tolerate = true }, { do = "tree-receipt", subject = "entries" }]"#;
    bad_beside_good(&place, acts, SOURCE);
    let (over, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (real, away) = (source.path().join("real"), source.path().join("away"));
            while !over.load(Ordering::Relaxed) {
                fs::rename(&real, &away).unwrap();
                symlink("../outside", &real).unwrap();
                fs::remove_file(&real).unwrap();
                fs::rename(&away, &real).unwrap();
                swaps.fetch_add(1, Ordering::Relaxed);
            }
        });
        let begin = Instant::now();
        while begin.elapsed() < race() {
            let done = place.run(&["backup"]);
            assert!(done.code == 0 || done.code == 3, "{done}");
            let set = place.sets().pop().expect("a set");
            let all = unzip(&set, "product/*");
            assert!(!String::from_utf8_lossy(&all).contains("outside-content"), "a link was followed");
            fs::remove_file(set).unwrap();
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(swaps.into_inner() > 1000, "too few swaps to prove anything");
    place.assert_left_nothing();
}

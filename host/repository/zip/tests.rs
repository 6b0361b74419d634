//! Sets against what others make of them, and against damage.

mod elsewhere;
mod encrypted;

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::{FileExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, atomic::Ordering, mpsc},
};

use super::{
    Sealed, ZipRepository,
    cipher::Keys,
    draft::{Name, ZipDraft},
    home::Home,
};
use crate::{
    config::{Compression, recipient::Recipient},
    name::RawPath,
    repository::{
        Archive, Draft, Error, Kind, Meta, Pass, Proof, Repository, Watch,
        catalog::Shape,
        conformance::{self, Quiet, noise, path, record},
        health::Health,
    },
};

const ID: &str = "0123456789abcdef";
const STARTED: &str = "2026-11-21T13:00:00Z";

fn begin(directory: &Path) -> Box<dyn Draft> {
    ZipRepository::new(directory).draft(ID, "wiki", STARTED).unwrap()
}

fn begin_with(directory: &Path, recipients: &[Recipient], health: &Arc<Health>) -> Result<ZipDraft, Error> {
    ZipDraft::begin(
        &Name { directory, spill: directory, stem: "set", parent: None },
        Compression::Auto,
        recipients,
        Arc::clone(health),
    )
}

fn put(draft: &dyn Draft, name: &str, content: &[u8]) {
    draft.put(&path(name), &mut &content[..], &Meta::default(), None, Pass::InStage).unwrap();
}

fn meta() -> Meta {
    let attributes = vec![("charset".into(), "utf-8".into())];
    Meta { modified: Some((1_700_000_000, 5)), mode: Some(0o640), owner: Some((1000, 100)), attributes }
}

/// A set with an entry of each kind and packing.
fn sample(directory: &Path) -> PathBuf {
    let draft = begin(directory);
    draft.put_plain(&path("wiki/home"), &Kind::Directory, &meta(), Pass::InStage).unwrap();
    draft.put_plain(&path("wiki/home/link"), &Kind::Symlink(b"text".to_vec()), &meta(), Pass::InStage).unwrap();
    draft.put(&path("wiki/home/text"), &mut &b"hello ".repeat(500)[..], &meta(), None, Pass::InStage).unwrap();
    put(&*draft, "wiki/home/noise", &noise(3000));
    put(&*draft, "wiki/home/empty", b"");
    put(&*draft, "wiki/long-text", &b"a line of a long text\n".repeat(200_000));
    put(&*draft, "wiki/long-noise", &noise(3 << 20));
    draft.put_own("plan.json", &mut &b"{}"[..]).unwrap();
    draft.seal(&record(ID, "wiki", STARTED)).unwrap()
}

fn prove(set: &Path) -> Result<Proof, Error> {
    super::archive::ZipSet::open(&Sealed::in_file(set), &Keys::default())?.prove(&Quiet)
}

fn run(directory: &Path, script: &str) -> String {
    let output = Command::new("sh").arg("-c").arg(script).current_dir(directory).env("LC_ALL", "C.UTF-8").output();
    let output = output.unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_zip_repository_keeps_every_promise_of_a_repository() {
    let directory = tempfile::tempdir().unwrap();
    conformance::check(&ZipRepository::new(directory.path().join("new/sets")), 3);
}

#[test]
fn unzip_and_sha256sum_prove_a_set() {
    let directory = tempfile::tempdir().unwrap();
    let set = sample(directory.path());
    assert_eq!(set.file_name().unwrap(), "wiki-20261121T130000Z-0123456789abcdef.zip");
    assert_eq!(fs::metadata(&set).unwrap().permissions().mode() & 0o7777, 0o600);
    run(directory.path(), &format!("unzip -q {} -d out && cd out && sha256sum --quiet -c SHA256SUMS", set.display()));
    let out = directory.path().join("out");
    assert_eq!(fs::read_link(out.join("wiki/home/link")).unwrap(), Path::new("text"));
    let text = fs::metadata(out.join("wiki/home/text")).unwrap();
    assert_eq!(text.permissions().mode() & 0o7777, 0o640);
    assert_eq!(text.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), 1_700_000_000);
    assert_eq!(fs::read(out.join("wiki/long-noise")).unwrap(), noise(3 << 20));
    let listing = run(directory.path(), &format!("unzip -l {}", set.display()));
    assert!(listing.trim_end().lines().rev().nth(2).unwrap().ends_with("SHA256SUMS"), "{listing}");
}

#[test]
fn odd_names_survive_unzip() {
    let directory = tempfile::tempdir().unwrap();
    let draft = begin(directory.path());
    let long = "n".repeat(255);
    let names: [&[u8]; 8] = [
        b"a \"quote\" 'n all",
        "umlaut \u{fc}".as_bytes(),
        b"latin \xe9",
        b"back\\slash",
        long.as_bytes(),
        b"-rf *",
        b"new\nline",
        b"bad \xff",
    ];
    for name in names {
        let name = path("odd").join(&RawPath::from_bytes(name).unwrap());
        draft.put(&name, &mut &name.as_bytes()[..], &Meta::default(), None, Pass::InStage).unwrap();
        assert_eq!(super::awkward_name(&name), name.as_bytes().contains(&b'\n') || name.as_bytes().contains(&0xff));
    }
    let set = draft.seal(&record(ID, "wiki", STARTED)).unwrap();
    assert!(prove(&set).unwrap().damage.is_empty());
    run(
        directory.path(),
        &format!("unzip -^ -q {} -d out && cd out && sha256sum --quiet -c SHA256SUMS", set.display()),
    );
}

#[test]
fn files_never_wait_for_a_slow_stream() {
    let directory = tempfile::tempdir().unwrap();
    let draft = begin(directory.path());
    let (release, gate) = mpsc::channel::<()>();
    let (started, start) = mpsc::channel::<()>();
    let text = b"a row of a table\n".repeat(100_000);
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let held = Gate { gate, started: Some(started) };
            let mut content = (&text[..]).chain(held).chain(&text[..]);
            draft.put(&path("db/dump"), &mut content, &Meta::default(), None, Pass::InStage).unwrap()
        });
        start.recv().unwrap();
        put(&*draft, "files/small", b"small");
        put(&*draft, "files/large", &text);
        put(&*draft, "files/noise", &noise(2 << 20));
        assert!(draft.find(&path("files/large")).unwrap().is_some());
        assert!(draft.find(&path("db/dump")).unwrap().is_none());
        release.send(()).unwrap();
        assert_eq!(slow.join().unwrap().size, 2 * text.len() as u64);
    });
    let set = draft.seal(&record(ID, "wiki", STARTED)).unwrap();
    let proof = prove(&set).unwrap();
    assert!(proof.damage.is_empty(), "{proof:?}");
    run(directory.path(), &format!("unzip -q {} -d out && cd out && sha256sum --quiet -c SHA256SUMS", set.display()));
}

/// Brings nothing, and that only after the other side has said so.
struct Gate {
    gate: mpsc::Receiver<()>,
    started: Option<mpsc::Sender<()>>,
}

impl Read for Gate {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        if let Some(started) = self.started.take() {
            started.send(()).map_err(io::Error::other)?;
            self.gate.recv().map_err(io::Error::other)?;
        }
        Ok(0)
    }
}

/// Ends in an error.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the tool has died"))
    }
}

#[test]
fn a_set_that_is_not_compressed_holds_what_would_shrink_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let repository = ZipRepository::new(directory.path()).compressing(Compression::Off);
    let draft = repository.draft(ID, "wiki", STARTED).unwrap();
    for (name, content) in [("short", b"text ".repeat(100)), ("long", b"text ".repeat(1_000_000))] {
        let stored = draft.put(&path(name), &mut &content[..], &Meta::default(), None, Pass::InStage).unwrap();
        assert_eq!((stored.size, stored.new_bytes), (content.len() as u64, content.len() as u64));
    }
    let set = draft.seal(&record(ID, "wiki", STARTED)).unwrap();
    assert!(prove(&set).unwrap().damage.is_empty());
}

#[test]
fn a_stream_that_fails_leaves_nothing_of_itself() {
    let directory = tempfile::tempdir().unwrap();
    let draft = begin(directory.path());
    put(&*draft, "a", b"before");
    for content in [noise(5 << 20), b"text ".repeat(1_000_000)] {
        let mut content = (&content[..]).chain(Broken);
        let failed = draft.put(&path("dump"), &mut content, &Meta::default(), None, Pass::InStage);
        assert!(matches!(failed, Err(Error::Source { .. })), "{failed:?}");
    }
    put(&*draft, "b", b"after");
    assert!(draft.find(&path("dump")).unwrap().is_none());
    let set = draft.seal(&record(ID, "wiki", STARTED)).unwrap();
    assert!(fs::metadata(&set).unwrap().len() < 10_000);
    assert!(prove(&set).unwrap().damage.is_empty());
}

#[test]
fn a_stream_beyond_4_gib_is_kept_whole() {
    let directory = tempfile::tempdir().unwrap();
    let draft = begin(directory.path());
    let size = (4 << 30) + 12_345;
    put(&*draft, "a", b"before");
    let stored =
        draft.put(&path("zeros"), &mut io::repeat(0).take(size), &Meta::default(), None, Pass::InStage).unwrap();
    assert_eq!(stored.size, size);
    put(&*draft, "b", b"after");
    let set = draft.seal(&record(ID, "wiki", STARTED)).unwrap();
    let set = super::archive::ZipSet::open(&Sealed::in_file(&set), &Keys::default()).unwrap();
    assert_eq!(set.stat(&path("zeros")).unwrap().size, size);
    let proof = set.prove(&Quiet).unwrap();
    assert!(proof.damage.is_empty() && proof.bytes > size, "{proof:?}");
}

#[test]
fn an_offset_beyond_4_gib_is_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = fs::File::create_new(directory.path().join("sparse")).unwrap();
    let start = 5 << 30;
    let name = b"far";
    let content =
        super::header::Content { crc: crc32fast::hash(b"x"), size: 1, packed: 1, ..super::header::Content::NONE };
    let mut bytes = super::header::local(name, &Meta::default(), content, false);
    bytes.push(b'x');
    let directory_start = start + bytes.len() as u64;
    let shape = Shape::File;
    let central = super::header::central(name, shape, &Meta::default(), content, start);
    bytes.extend(&central);
    bytes.extend(super::header::end(1, directory_start, central.len() as u64, b"{}"));
    file.write_all_at(&bytes, start).unwrap();
    let set =
        super::archive::ZipSet::open(&Sealed::in_file(&directory.path().join("sparse")), &Keys::default()).unwrap();
    let mut back = Vec::new();
    set.open(&path("far"), 0).unwrap().read_to_end(&mut back).unwrap();
    assert_eq!(back, b"x");
}

#[test]
fn more_than_65535_entries_are_listed_and_proven() {
    let directory = tempfile::tempdir().unwrap();
    let draft = begin(directory.path());
    for number in 0..66_000 {
        put(&*draft, &format!("many/{:02}/{number}", number % 64), b"");
    }
    let set = draft.seal(&record(ID, "wiki", STARTED)).unwrap();
    assert!(run(directory.path(), &format!("unzip -Z -1 {} | wc -l", set.display())).trim() == "66003");
    let set = super::archive::ZipSet::open(&Sealed::in_file(&set), &Keys::default()).unwrap();
    assert_eq!(set.items(&path("many/07"), None, 5000).unwrap().len(), 66_000_usize.div_ceil(64));
    assert_eq!(set.prove(&Quiet).unwrap().entries, 66_002);
}

#[test]
fn a_set_cut_anywhere_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let whole = fs::read(sample(directory.path())).unwrap();
    let cut = directory.path().join("cut.zip");
    for piece in 0..50 {
        fs::write(&cut, &whole[..whole.len() * piece / 50]).unwrap();
        assert!(matches!(prove(&cut), Err(Error::Damaged(_))), "cut at {piece}/50");
    }
    fs::write(&cut, &whole[..whole.len() - 1]).unwrap();
    assert!(matches!(prove(&cut), Err(Error::Damaged(_))));
    let repository = ZipRepository::new(directory.path());
    let (listed, unreadable) = repository.snapshots().unwrap();
    assert_eq!((listed.len(), unreadable.len()), (1, 1));
    assert!(unreadable[0].contains("cut.zip"), "{unreadable:?}");
    assert_eq!((listed[0].id.as_str(), listed[0].pipeline.as_str(), listed[0].bytes), (ID, "wiki", Some(7)));
}

/// Offset of an entry's local header and of its central one, and of its content.
fn places(set: &Path) -> Vec<(String, usize, usize, usize)> {
    let mut zip = zip::ZipArchive::new(fs::File::open(set).unwrap()).unwrap();
    let place = |number| {
        let entry = zip.by_index_raw(number).unwrap();
        let name = entry.name().unwrap().into_owned();
        let content = entry.data_start().unwrap();
        (name, entry.header_start() as usize, entry.central_header_start() as usize, content as usize)
    };
    let count = zip::ZipArchive::new(fs::File::open(set).unwrap()).unwrap().len();
    (0..count).map(place).collect()
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let set = sample(directory.path());
    let whole = fs::read(&set).unwrap();
    assert!(prove(&set).unwrap().damage.is_empty());
    let flipped = directory.path().join("flipped");
    let mut flips = Vec::new();
    for (name, local, central, content) in places(&set) {
        // Of the directory: the checksum, both sizes, the name, the mode (low and high byte), the place.
        flips.extend([16, 20, 24, 46, 40, 41, 42].map(|at| (format!("{name} in the directory +{at}"), central + at)));
        // Of the local header: the checksum, the name.
        flips.extend([14, 30].map(|at| (format!("{name} in its header +{at}"), local + at)));
        if !name.ends_with('/') && name != "wiki/home/empty" {
            flips.push((format!("content of {name}"), content));
            flips.push((format!("content of {name}, later"), content + 3));
        }
    }
    for (what, at) in flips {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&flipped, &bytes).unwrap();
        match prove(&flipped) {
            Err(Error::Damaged(_)) => {}
            Err(other) => panic!("{what}: {other}"),
            Ok(proof) => assert!(!proof.damage.is_empty(), "{what} was not found"),
        }
    }
}

#[test]
fn flipped_owners_and_times_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let set = sample(directory.path());
    let whole = fs::read(&set).unwrap();
    let flipped = directory.path().join("flipped");
    for (name, local, _, content) in places(&set).into_iter().filter(|(name, ..)| name.starts_with("wiki/home/")) {
        if name.ends_with("noise") || name.ends_with("empty") {
            continue;
        }
        // The extra fields lie between the name and the content; the first nine bytes are the time for others.
        for at in local + 30 + name.len() + 9..content {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            fs::write(&flipped, &bytes).unwrap();
            let proof = prove(&flipped).unwrap();
            assert!(proof.damage.iter().any(|damage| damage.contains("wiki/home")), "{name} +{}", at - local);
        }
    }
}

#[test]
fn garbage_is_an_error_and_never_a_panic() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("garbage");
    for content in [Vec::new(), noise(5000), b"PK\x05\x06".to_vec(), [b"PK\x05\x06".as_slice(), &[0xff; 18]].concat()] {
        fs::write(&file, &content).unwrap();
        assert!(matches!(prove(&file), Err(Error::Damaged(_))), "{content:?}");
    }
    let whole = fs::read(sample(directory.path())).unwrap();
    let start = places(&directory.path().join("wiki-20261121T130000Z-0123456789abcdef.zip"))[0].2;
    for at in start..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] = 0xff;
        fs::write(&file, &bytes).unwrap();
        if let Err(why) = super::archive::ZipSet::open(&Sealed::in_file(&file), &Keys::default()) {
            assert!(matches!(why, Error::Damaged(_)), "{why}");
        }
    }
}

#[test]
fn names_that_lead_elsewhere_and_names_that_come_twice_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hostile");
    for (names, named) in [
        (&[&b"../evil"[..]][..], "../evil"),
        (&[b"/etc/passwd"], "/etc/passwd"),
        (&[b"a/../../b"], "a/../../b"),
        (&[b"good", b"good"], "twice"),
        (&[b"good", b"good/"], "good"),
        (&[b"a//b"], "a//b"),
    ] {
        let (mut bytes, mut central) = (Vec::new(), Vec::new());
        for name in names {
            let (content, shape) = (super::header::Content::NONE, Shape::File);
            let shape = if name.ends_with(b"/") { Shape::Directory } else { shape };
            central.extend(super::header::central(name, shape, &Meta::default(), content, bytes.len() as u64));
            bytes.extend(super::header::local(name, &Meta::default(), content, false));
        }
        let (start, size) = (bytes.len() as u64, central.len() as u64);
        bytes.extend(central);
        bytes.extend(super::header::end(names.len() as u64, start, size, b""));
        fs::write(&file, &bytes).unwrap();
        let Err(Error::Damaged(why)) = super::archive::ZipSet::open(&Sealed::in_file(&file), &Keys::default()) else {
            panic!("{named} was taken")
        };
        assert!(why.contains(named), "{why}");
    }
}

#[test]
fn whatever_write_fails_no_half_set_is_visible() {
    no_half_set_is_visible(&[], &Keys::default());
}

/// Lets one write after the other fail, until none is left.
pub(super) fn no_half_set_is_visible(recipients: &[Recipient], keys: &Keys) {
    let directory = tempfile::tempdir().unwrap();
    let text = b"some text ".repeat(200_000);
    for failing in 1.. {
        let health = Arc::new(Health::default());
        health.countdown.store(failing, Ordering::SeqCst);
        let outcome = begin_with(directory.path(), recipients, &health).and_then(|draft| {
            draft.put_plain(&path("d"), &Kind::Directory, &Meta::default(), Pass::InStage)?;
            draft.put(&path("d/small"), &mut &b"small"[..], &Meta::default(), None, Pass::InStage)?;
            draft.put(&path("d/long"), &mut &text[..], &Meta::default(), None, Pass::InStage)?;
            draft.seal(&record(ID, "wiki", STARTED))
        });
        let left: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        match outcome {
            Ok(set) => {
                assert!(
                    failing > 10
                        && super::archive::ZipSet::open(&Sealed::in_file(&set), keys)
                            .unwrap()
                            .prove(&Quiet)
                            .unwrap()
                            .damage
                            .is_empty()
                );
                return;
            }
            Err(why) => {
                assert!(matches!(why, Error::Io { .. }), "{why}");
                assert!(left.is_empty(), "operation {failing} left {left:?}");
            }
        }
    }
}

#[test]
fn a_draft_that_failed_once_repeats_its_error() {
    let directory = tempfile::tempdir().unwrap();
    let health = Arc::new(Health::default());
    let draft = begin_with(directory.path(), &[], &health).unwrap();
    health.countdown.store(1, Ordering::SeqCst);
    for _ in 0..3 {
        let failed = draft.put(&path("a"), &mut &b"x"[..], &Meta::default(), None, Pass::InStage);
        let Err(Error::Io { doing, cause }) = failed else { panic!("{failed:?}") };
        assert!(doing.contains("set.zip") && cause.kind() == io::ErrorKind::StorageFull, "{doing}: {cause}");
    }
}

#[test]
fn a_sweep_takes_only_what_its_own_pipeline_left() {
    let directory = tempfile::tempdir().unwrap();
    let repository = ZipRepository::new(directory.path());
    let names = [".wiki-20261121T130000Z-00.zip.partial", ".wiki-two-20261121T130000Z-00.zip.partial", "other"];
    for name in names {
        fs::write(directory.path().join(name), "").unwrap();
    }
    fs::create_dir(directory.path().join(".wiki-20261121T130000Z-00.zip.scratch")).unwrap();
    let swept = repository.sweep("wiki").unwrap();
    assert_eq!(swept.len(), 2, "{swept:?}");
    assert!(directory.path().join(names[1]).exists() && directory.path().join(names[2]).exists());
    assert_eq!(repository.sweep("wiki-two").unwrap().len(), 1);
}

#[test]
fn a_set_that_is_read_is_not_removed_until_it_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let set = sample(directory.path());
    let repository = ZipRepository::new(directory.path());
    let archive = repository.open(ID).unwrap();
    let content = archive.open(&path("wiki/home/text"), 0).unwrap();
    drop(archive);
    let failed = repository.forget(ID);
    assert!(matches!(&failed, Err(Error::Busy(why)) if why.contains("is being read")), "{failed:?}");
    assert!(set.exists());
    drop(content);
    repository.forget(ID).unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    assert!(matches!(repository.forget(ID), Err(Error::NotFound(_))));
}

#[test]
fn a_pipe_that_is_named_as_a_set_is_told_of_and_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let set = sample(directory.path());
    let repository = ZipRepository::new(directory.path());
    let pipe = directory.path().join("pipe.zip");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    let (listed, unreadable) = repository.snapshots().unwrap();
    assert_eq!(listed.iter().map(|listed| &*listed.id).collect::<Vec<_>>(), [ID]);
    assert!(unreadable.iter().any(|why| why.contains("pipe.zip") && why.contains("no regular file")), "{unreadable:?}");
    assert!(matches!(super::removal::remove(&pipe), Err(Error::Io { .. })));
    repository.forget(ID).unwrap();
    assert!(pipe.exists() && !set.exists());
}

#[test]
fn a_removal_that_died_half_way_shows_nothing_and_is_swept() {
    let directory = tempfile::tempdir().unwrap();
    let set = sample(directory.path());
    let repository = ZipRepository::new(directory.path());
    let hidden = super::removal::hide(&set).unwrap();
    let (listed, unreadable) = repository.snapshots().unwrap();
    assert!(listed.is_empty() && unreadable.is_empty());
    assert!(matches!(repository.open(ID), Err(Error::NotFound(_))));
    assert!(repository.sweep("wiki-two").unwrap().is_empty());
    assert_eq!(repository.sweep("wiki").unwrap(), [hidden.display().to_string()]);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_watch_that_stops_ends_a_proof() {
    struct Stop;
    impl Watch for Stop {
        fn moved(&self, _: u64, _: u64) {}
        fn stopped(&self) -> bool {
            true
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let set = sample(directory.path());
    let proof = super::archive::ZipSet::open(&Sealed::in_file(&set), &Keys::default()).unwrap().prove(&Stop);
    assert!(matches!(proof, Err(Error::Canceled)));
}

//! Sets in a storage: whole or not there, joined by `cat`, whatever fails on the way.

use std::sync::atomic::AtomicU64;

use super::{encrypted::pair, *};
use crate::repository::{
    Listed,
    copy::{self, Copied},
    storage::{
        self, Storage,
        faulty::{Fault, Faulty},
        local::Local,
    },
};

/// Three volumes.
const LONG: usize = 36;

/// A repository in a storage that is the directory `elsewhere`; drafts lie beside it.
fn away(directory: &Path, fault: Fault) -> ZipRepository {
    let local = Arc::new(Local::new(directory.join("elsewhere")));
    ZipRepository::of(Home::Storage(Arc::new(Faulty::new(local, fault))), directory.join("drafts"))
}

/// An empty one.
fn made(directory: &Path) -> ZipRepository {
    let repository = away(directory, Fault::None);
    assert!(!repository.exists().unwrap());
    repository.init().unwrap();
    assert!(repository.exists().unwrap());
    repository
}

fn fill(draft: &dyn Draft) {
    put(draft, "wiki/small", b"small");
    put(draft, "wiki/long-noise", &noise(1 << 20).repeat(LONG));
    draft.put_own("plan.json", &mut &b"{}"[..]).unwrap();
}

/// A set of three volumes in a directory.
fn local(directory: &Path) -> ZipRepository {
    let repository = ZipRepository::new(directory.join("sets"));
    let draft = repository.draft(ID, "wiki", STARTED).unwrap();
    fill(&*draft);
    draft.seal(&record(ID, "wiki", STARTED)).unwrap();
    repository
}

fn listed(repository: &ZipRepository) -> Listed {
    let (mut listed, unreadable) = repository.snapshots().unwrap();
    assert_eq!((listed.len(), unreadable), (1, Vec::new()));
    listed.remove(0)
}

fn copied(from: &ZipRepository, to: &ZipRepository) -> Result<Copied, Error> {
    let original = copy::open(from, to, ID)?;
    copy::copy(from, original.as_ref(), to, &listed(from), &Quiet)
}

fn volumes(directory: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> =
        fs::read_dir(directory.join("elsewhere/sets")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

#[test]
fn a_set_elsewhere_is_the_set_and_cat_joins_it() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (local(directory.path()), made(directory.path()));
    let Copied { entries, new_bytes, .. } = copied(&from, &to).unwrap();
    assert_eq!((entries, new_bytes), (Some(5), listed(&from).stored_bytes));
    let names: Vec<_> = volumes(directory.path()).iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    let set = "wiki-20261121T130000Z-0123456789abcdef.zip";
    assert_eq!(names, [1, 2, 3].map(|number| format!("{set}.{number:05}-of-00003")).map(std::ffi::OsString::from));
    run(directory.path(), &format!("cat elsewhere/sets/{set}.*-of-* > joined && cmp joined sets/{set}"));
    let (here, there) = (listed(&from), listed(&to));
    assert_eq!((here.id, here.bytes, here.stored_bytes), (there.id, there.bytes, there.stored_bytes));
    let archive = to.open(ID).unwrap();
    assert!(archive.prove(&Quiet).unwrap().damage.is_empty());
    let mut rest = Vec::new();
    archive.open(&path("wiki/long-noise"), (LONG as u64 - 1) << 20).unwrap().read_to_end(&mut rest).unwrap();
    assert!(rest == noise(1 << 20));
    for there in [&from, &to] {
        assert!(matches!(copied(&from, there), Err(Error::Exists(_))), "it is there");
    }
    to.forget(ID).unwrap();
    assert!(volumes(directory.path()).is_empty() && to.snapshots().unwrap().0.is_empty());
}

#[test]
fn a_set_that_lost_a_volume_is_named_and_one_without_an_end_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (local(directory.path()), made(directory.path()));
    copied(&from, &to).unwrap();
    let all = volumes(directory.path());
    let content = fs::read(&all[1]).unwrap();
    fs::remove_file(&all[1]).unwrap();
    let (sets, unreadable) = to.snapshots().unwrap();
    assert!(sets.is_empty() && unreadable[0].ends_with("00002-of-00003 is not there"), "{unreadable:?}");
    fs::write(&all[1], &content[1..]).unwrap();
    let (sets, unreadable) = to.snapshots().unwrap();
    assert!(sets.is_empty() && unreadable[0].contains("00002-of-00003 has 16777215 bytes and not"), "{unreadable:?}");
    assert!(to.sweep("wiki").unwrap().is_empty());
    // Whole ones take the place of what is left of them.
    copied(&from, &to).unwrap();
    assert!(to.open(ID).unwrap().prove(&Quiet).unwrap().damage.is_empty());
    // As one who died would leave it, or one who removes it.
    fs::remove_file(&all[2]).unwrap();
    assert_eq!(to.snapshots().unwrap().1, Vec::<String>::new());
    assert!(to.sweep("wik").unwrap().is_empty() && to.sweep("wiki-20261121T130000Z").unwrap().is_empty());
    assert_eq!(to.sweep("wiki").unwrap().len(), 1);
    assert!(volumes(directory.path()).is_empty());
    // Of a volume that was being written.
    let half = format!("{}-tmp-0123456789abcdef", all[0].display());
    let long_ago = std::time::SystemTime::now() - 2 * storage::UNTOUCHED;
    fs::File::create(&half).unwrap().set_modified(long_ago).unwrap();
    fs::write(half.replace("01234", "43210"), "young").unwrap();
    let swept = to.sweep("other").unwrap();
    assert!(swept.len() == 1 && swept[0].starts_with("1 halves of volumes in "), "{swept:?}");
    assert_eq!(volumes(directory.path()).len(), 1);
}

#[test]
fn whatever_fails_on_the_way_no_half_set_is_seen_and_the_next_copy_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (local(directory.path()), made(directory.path()));
    // A listing comes first, to look for the set; then three writes, each read back.
    for at in 1..=10 {
        for fault in [Fault::Dies(at), Fault::Fails(at), Fault::Garbles(at), Fault::Halves(at)] {
            let put = away(directory.path(), fault).put_sealed(&from.sealed(ID).unwrap().unwrap(), &Quiet);
            let (sets, unreadable) = to.snapshots().unwrap();
            assert_eq!(unreadable, Vec::<String>::new(), "{fault:?}");
            match put {
                Ok(_) => assert!(to.open(ID).unwrap().prove(&Quiet).unwrap().damage.is_empty(), "{fault:?}"),
                // Nobody could take away what was written last; it is what it should be.
                Err(_) if fault == Fault::Dies(7) => {
                    assert!(to.open(ID).unwrap().prove(&Quiet).unwrap().damage.is_empty());
                    to.forget(ID).unwrap();
                }
                Err(_) => assert!(sets.is_empty(), "{fault:?}"),
            }
            assert!(put.is_ok() || at <= 7, "{fault:?}: each of three volumes is written and read once");
            to.sweep("wiki").unwrap();
            assert_eq!(volumes(directory.path()).len(), if put.is_ok() { 3 } else { 0 }, "{fault:?}");
            if put.is_ok() {
                to.forget(ID).unwrap();
            }
        }
    }
    assert!(copied(&from, &to).is_ok());
}

/// Ends what it watches once a volume was moved.
#[derive(Default)]
struct Stopping(AtomicU64);

impl Watch for Stopping {
    fn moved(&self, bytes: u64, _: u64) {
        self.0.fetch_add(bytes, Ordering::SeqCst);
    }
    fn stopped(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= 16 << 20
    }
}

#[test]
fn a_copy_that_is_stopped_takes_its_volumes_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (local(directory.path()), made(directory.path()));
    let there = ZipRepository::new(directory.path().join("there"));
    there.init().unwrap();
    for to in [&to, &there] {
        let watch = Stopping::default();
        let stopped = to.put_sealed(&from.sealed(ID).unwrap().unwrap(), &watch);
        assert!(matches!(stopped, Err(Error::Canceled)) && watch.stopped(), "{stopped:?}");
    }
    assert!(volumes(directory.path()).is_empty());
    assert_eq!(fs::read_dir(there.place()).unwrap().count(), 0);
}

#[test]
fn a_copy_that_is_encrypted_on_its_way_leaves_no_draft() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (local(directory.path()), made(directory.path()));
    let (recipient, secret) = pair(directory.path(), "key");
    let to = to.encrypted_to(&[recipient], directory.path().join("spill"));
    assert_eq!(copied(&from, &to).unwrap().entries, Some(3));
    let left = |name: &str| fs::read_dir(directory.path().join(name)).map_or(0, Iterator::count);
    assert_eq!((left("drafts"), left("spill")), (0, 0));
    assert_eq!(listed(&to).bytes, None, "it was encrypted on its way");
    let reader = to.clone().opened_by(&secret).unwrap();
    assert!(reader.open(ID).unwrap().prove(&Quiet).unwrap().damage.is_empty());
    // One who died between the seal and the delivery.
    let stem = "wiki-20261121T130000Z-00000000000000ff";
    fs::write(directory.path().join("drafts").join(format!("{stem}.complete.zip.age")), "sealed").unwrap();
    fs::write(directory.path().join("drafts").join("other-20261121T130000Z-00000000000000ff.zip"), "sealed").unwrap();
    assert_eq!(to.sweep("wiki").unwrap().len(), 1);
    assert_eq!(left("drafts"), 1);
}

#[test]
fn what_is_encrypted_is_copied_without_an_identity_and_stays_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let (recipient, secret) = pair(directory.path(), "key");
    let from = ZipRepository::new(directory.path().join("sets"));
    let from = from.encrypted_to(&[recipient], directory.path().join("spill"));
    let draft = from.draft(ID, "wiki", STARTED).unwrap();
    fill(&*draft);
    draft.seal(&record(ID, "wiki", STARTED)).unwrap();
    drop(draft);
    let there = ZipRepository::new(directory.path().join("there"));
    there.init().unwrap();
    for to in [made(directory.path()), there] {
        assert_eq!(copied(&from, &to).unwrap().entries, None);
        let reader = to.clone().opened_by(&secret).unwrap();
        assert!(reader.open(ID).unwrap().prove(&Quiet).unwrap().damage.is_empty());
        assert_eq!((listed(&to).bytes, listed(&reader).bytes), (None, Some(7)), "as the record says");
    }
    let joined = "cat elsewhere/sets/*.zip.age.*-of-* | age -d -i key > joined.zip && unzip -tq joined.zip";
    assert!(run(directory.path(), joined).starts_with("No errors detected"));
}

#[test]
fn a_place_of_another_format_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let storage = Local::new(directory.path().join("elsewhere"));
    storage.create(&[storage::Kind::Key]).unwrap();
    storage.write(&storage::Name::config(), b"as restic writes one").unwrap();
    let to = away(directory.path(), Fault::None);
    let refused = to.exists().unwrap_err().to_string();
    assert!(refused.contains("holds no repository of format zip, but another format"), "{refused}");
    assert!(!Home::is_in(&storage).unwrap());
    assert!(Home::is_in(&Local::new(made(&directory.path().join("x")).place())).unwrap());
}

//! Check, prune and keys of a repository, with restic as the judge.

use std::sync::{Arc, Mutex};

use super::{super::storage::local::Local, *};
use crate::repository::{
    Watch,
    restic::{
        MaxUnused, Pruned, Reading,
        index::Index,
        key::Key,
        pack::BlobKind,
        storage::{Kind as Stores, Name, Storage},
        vault::Vault,
    },
};

pub(super) const IDS: [&str; 3] = ["00000000000000a1", "00000000000000a2", "00000000000000a3"];

/// Three snapshots, each with a file of its own and one that all have; packs are shared.
pub(super) fn three(directory: &Path) -> ResticRepository {
    let repository = made(directory);
    for id in IDS {
        small(&repository, id).unwrap();
    }
    repository
}

/// A snapshot in a few kilobytes.
pub(super) fn small(repository: &ResticRepository, id: &str) -> Result<(), Error> {
    let draft = repository.draft(id, "wiki", STARTED)?;
    let put =
        |name: &str, content: &[u8]| draft.put(&path(name), &mut &content[..], &meta(), None, Pass::InStage).map(drop);
    put("wiki/shared/text", &b"for all ".repeat(200))?;
    put(&format!("wiki/own/{id}"), &[&noise(3000)[..], id.as_bytes()].concat())?;
    draft.seal(&record(id, "wiki", STARTED)).map(drop)
}

/// The same repository over another storage, already opened.
pub(super) fn over(repository: &ResticRepository, storage: Arc<dyn Storage>) -> ResticRepository {
    let vault = Vault { storage: Arc::clone(&storage), ..repository.vault().unwrap() };
    let (password, spill) = (repository.password.clone(), repository.spill.clone());
    let compression = repository.compression;
    ResticRepository { storage, password, compression, reads_back: false, spill, vault: Mutex::new(Some(vault)) }
}

/// The same repository in `directory/repo`, read anew.
pub(super) fn anew(repository: &ResticRepository, directory: &Path) -> ResticRepository {
    over(repository, Arc::new(Local::new(directory.join("repo"))))
}

pub(super) fn errors(repository: &ResticRepository, reading: Reading) -> Vec<String> {
    repository.check(reading, &Quiet).unwrap().errors
}

fn pruned(repository: &ResticRepository) -> Pruned {
    repository.prune(MaxUnused::Percent(0.0), false, &Quiet).unwrap()
}

fn all_is_well(directory: &Path, repository: &ResticRepository, ids: &[&str]) {
    let checked = repository.check(Reading::All, &Quiet).unwrap();
    assert!(checked.errors.is_empty() && checked.remarks.is_empty(), "{checked:?}");
    assert_eq!((checked.snapshots as usize, checked.packs), (ids.len(), checked.packs_read));
    for id in ids {
        let proof = repository.open(id).unwrap().prove(&Quiet).unwrap();
        assert!(proof.damage.is_empty() && proof.entries > 0, "{proof:?}");
    }
    asked(directory, &["check", "--read-data"]);
}

/// Changes what is in a file that may only be read.
pub(super) fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::remove_file(file).unwrap();
    fs::write(file, bytes).unwrap();
}

fn size_of(directory: &Path) -> u64 {
    walk(&directory.join("repo/data")).iter().map(|pack| fs::metadata(pack).unwrap().len()).sum()
}

#[test]
fn prune_removes_what_nobody_needs_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let repository = three(directory);
    assert_eq!(pruned(&repository), Pruned { snapshots: 3, kept: pruned(&repository).kept, ..Pruned::default() });
    repository.forget(IDS[1]).unwrap();
    repository.forget(IDS[0]).unwrap();
    let before = (size_of(directory), walk(&directory.join("repo")));
    let would = repository.prune(MaxUnused::Percent(0.0), true, &Quiet).unwrap();
    assert_eq!(before, (size_of(directory), walk(&directory.join("repo"))));
    let done = pruned(&repository);
    assert_eq!(done, would);
    assert!(done.repacked.packs > 0 && done.removed.packs > 0, "{done:?}");
    assert!(size_of(directory) < before.0 - 6000, "{} {}", before.0, size_of(directory));
    assert_eq!(walk(&directory.join("repo/index")).len(), 1);
    all_is_well(directory, &repository, &IDS[2..]);
    let again = pruned(&repository);
    assert_eq!((again.removed.packs, again.repacked.packs, again.unused_bytes), (0, 0, 0));
    small(&repository, IDS[0]).unwrap();
    all_is_well(directory, &repository, &[IDS[0], IDS[2]]);
}

#[test]
fn what_little_nobody_needs_may_stay() {
    let directory = tempfile::tempdir().unwrap();
    let repository = three(directory.path());
    repository.forget(IDS[0]).unwrap();
    let lax = repository.prune(MaxUnused::Unlimited, true, &Quiet).unwrap();
    let strict = repository.prune(MaxUnused::Bytes(0), true, &Quiet).unwrap();
    assert!(lax.unused_bytes > 0 && strict.unused_bytes == 0, "{lax:?} {strict:?}");
    assert!(lax.repacked.packs < strict.repacked.packs, "{lax:?} {strict:?}");
}

#[test]
fn restic_prunes_what_we_wrote_and_we_what_restic_wrote() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let repository = three(directory);
    let source = directory.join("source");
    fs::create_dir(&source).unwrap();
    for number in 0..30 {
        fs::write(source.join(format!("{number}")), noise(5000 + number)).unwrap();
    }
    asked(directory, &["backup", source.to_str().unwrap()]);
    (0..25).for_each(|number| fs::remove_file(source.join(format!("{number}"))).unwrap());
    asked(directory, &["backup", source.to_str().unwrap()]);
    asked(directory, &["forget", "--tag", "", "--keep-last", "1"]);
    repository.forget(IDS[2]).unwrap();
    let done = pruned(&repository);
    assert!(done.repacked.packs > 0, "{done:?}");
    asked(directory, &["check", "--read-data"]);
    repository.forget(IDS[0]).unwrap();
    asked(directory, &["prune", "--max-unused", "0"]);
    let repository = anew(&repository, directory);
    assert_eq!(errors(&repository, Reading::All), [""; 0]);
    assert_eq!(repository.snapshots().unwrap().0.len(), 2);
}

#[test]
fn prune_removes_nothing_while_it_cannot_tell_what_is_needed() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let repository = three(directory);
    repository.forget(IDS[0]).unwrap();
    for kind in ["snapshots", "index", "data"] {
        for file in walk(&directory.join("repo").join(kind)) {
            let whole = fs::read(&file).unwrap();
            fs::remove_file(&file).unwrap();
            let gone = anew(&repository, directory);
            // A snapshot that is gone is forgotten, and a pack may be one that nobody needs.
            if kind == "index" {
                let why = gone.prune(MaxUnused::default(), false, &Quiet).unwrap_err();
                assert!(matches!(&why, Error::Damaged(why) if why.contains("nothing was removed")), "{why}");
            }
            let mut changed = whole.clone();
            let middle = changed.len() / 2;
            changed[middle] ^= 1;
            fs::write(&file, changed).unwrap();
            let before = walk(&directory.join("repo")).len();
            let damaged = anew(&repository, directory);
            let refused = damaged.prune(MaxUnused::Percent(0.0), kind == "data", &Quiet);
            assert!(refused.is_err() || kind == "data", "{}: {refused:?}", file.display());
            assert_eq!(walk(&directory.join("repo")).len(), before);
            fs::remove_file(&file).unwrap();
            fs::write(&file, whole).unwrap();
        }
    }
    assert_eq!(errors(&anew(&repository, directory), Reading::All), [""; 0]);
}

#[test]
fn a_damaged_blob_is_not_copied() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let repository = three(directory);
    repository.forget(IDS[0]).unwrap();
    let shared = Digest::of(&b"for all ".repeat(200));
    let (pack, blob) = Index::load(&repository.vault().unwrap()).unwrap().find(BlobKind::Data, &shared).unwrap();
    change(&directory.join("repo").join(Name::new(Stores::Pack, pack).path()), |bytes| {
        bytes[blob.offset as usize + 20] ^= 1;
    });
    let before = walk(&directory.join("repo/data"));
    let damaged = anew(&repository, directory);
    let why = damaged.prune(MaxUnused::Percent(0.0), false, &Quiet).unwrap_err();
    let why = why.to_string();
    assert!(why.contains(&shared.to_string()) && why.contains("nothing was removed"), "{why}");
    assert!(before.iter().all(|pack| pack.exists()));
}

#[test]
fn packs_that_no_index_names_are_a_remark_and_go() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let repository = three(directory);
    let index = walk(&directory.join("repo/index"));
    for kind in ["index", "snapshots"] {
        walk(&directory.join("repo").join(kind)).iter().for_each(|file| fs::remove_file(file).unwrap());
    }
    let checked = repository.check(Reading::All, &Quiet).unwrap();
    assert!(checked.errors.is_empty() && checked.remarks.len() == 1, "{checked:?}");
    let done = pruned(&repository);
    assert!(done.unlisted.packs >= index.len() as u64, "{done:?}");
    assert_eq!(size_of(directory), 0);
}

#[test]
fn check_names_files_that_a_missing_or_short_pack_hits() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let repository = three(directory);
    assert_eq!(errors(&repository, Reading::Nothing), [""; 0]);
    for pack in walk(&directory.join("repo/data")) {
        let whole = fs::read(&pack).unwrap();
        let name = pack.file_name().unwrap().to_str().unwrap().to_owned();
        for left in [None, Some(10)] {
            fs::remove_file(&pack).unwrap();
            left.iter().for_each(|left| fs::write(&pack, &whole[..*left]).unwrap());
            let found = errors(&anew(&repository, directory), Reading::Nothing);
            assert!(found[0].contains(&name), "{found:?}");
            assert!(found.iter().any(|line| line.contains("snapshot 00000000000000a")), "{found:?}");
            fs::write(&pack, &whole).unwrap();
        }
    }
}

#[test]
fn check_finds_each_of_two_hundred_flipped_bits() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let repository = three(directory);
    let mut files: Vec<_> = ["data", "index", "snapshots", "keys"]
        .iter()
        .flat_map(|kind| walk(&directory.join("repo").join(kind)))
        .collect();
    files.push(directory.join("repo/config"));
    let mut state = 7_u64;
    for round in 0..200 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let file = &files[round % files.len()];
        let whole = fs::read(file).unwrap();
        let mut changed = whole.clone();
        changed[(state >> 33) as usize % whole.len()] ^= 1 << (state >> 20 & 7);
        fs::remove_file(file).unwrap();
        fs::write(file, changed).unwrap();
        let found = anew(&repository, directory).check(Reading::All, &Quiet).unwrap().errors;
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(found.iter().any(|line| line.contains(name)), "{}: {found:?}", file.display());
        fs::remove_file(file).unwrap();
        fs::write(file, whole).unwrap();
    }
    assert_eq!(errors(&anew(&repository, directory), Reading::All), [""; 0]);
}

#[test]
fn check_sees_a_pack_that_opens_but_is_not_what_its_name_says() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let repository = three(directory);
    let key = repository.vault().unwrap().key;
    let pack = walk(&directory.join("repo/data")).remove(0);
    change(&pack, |bytes| {
        // The same list, sealed once more.
        let end = bytes.len() - 4;
        let length = u32::from_le_bytes(bytes[end..].try_into().unwrap()) as usize;
        let list = key.open(&mut bytes[end - length..end]).unwrap().to_vec();
        let mut sealed = Vec::new();
        let start = Key::begin(&mut sealed);
        sealed.extend(list);
        key.seal(&mut sealed, start).unwrap();
        bytes[end - length..end].copy_from_slice(&sealed);
    });
    let found = errors(&anew(&repository, directory), Reading::All);
    assert!(found.len() == 1 && found[0].ends_with("its content is not what its name says"), "{found:?}");
}

#[test]
fn check_names_the_files_of_a_damaged_blob_only() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let repository = made(directory);
    sample(&repository, ID);
    let packs = walk(&directory.join("repo/data"));
    let largest = packs.iter().max_by_key(|pack| fs::metadata(pack).unwrap().len()).unwrap();
    change(largest, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    let repository = anew(&repository, directory);
    assert_eq!(errors(&repository, Reading::Nothing), [""; 0]);
    let found = errors(&repository, Reading::All);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("1 of ") && found[1].contains("wiki/long-noise: its blob"), "{found:?}");
}

/// Notes each phase, what it was said to take, and what it took.
#[derive(Default)]
struct Phases(Mutex<Vec<(&'static str, Option<u64>, u64)>>);

impl Watch for Phases {
    fn phase(&self, doing: &'static str, total: Option<u64>) {
        self.0.lock().unwrap().push((doing, total, 0));
    }
    fn moved(&self, bytes: u64, _: u64) {
        self.0.lock().unwrap().last_mut().expect("a phase").2 += bytes;
    }
    fn stopped(&self) -> bool {
        false
    }
}

#[test]
fn who_watches_is_told_of_every_phase_and_all_of_its_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let repository = three(directory.path());
    let (checking, pruning) = (Phases::default(), Phases::default());
    repository.check(Reading::All, &checking).unwrap();
    let size = size_of(directory.path());
    let phases = checking.0.into_inner().unwrap();
    assert_eq!(phases[0], ("reading packs", Some(size), size));
    assert!(phases.len() == 2 && phases[1].0 == "walking trees" && phases[1].2 > 0, "{phases:?}");
    repository.forget(IDS[0]).unwrap();
    let copied = repository.prune(MaxUnused::Percent(0.0), false, &pruning).unwrap().copied_bytes;
    let phases = pruning.0.into_inner().unwrap();
    assert_eq!((phases[0].0, phases[1].0, phases[1].1), ("walking trees", "copying blobs", Some(copied)));
    assert!(phases[1].2 >= copied && copied > 0, "{phases:?}");
}

#[test]
fn prune_removes_what_dead_writers_left_long_ago() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let repository = three(directory);
    let old = directory.join("repo/data/ab").join(format!("{}-tmp-0123456789abcdef", "ab".repeat(32)));
    fs::write(&old, "half").unwrap();
    let age = std::time::Duration::from_secs(25 * 60 * 60);
    fs::File::options().write(true).open(&old).unwrap().set_modified(std::time::SystemTime::now() - age).unwrap();
    assert_eq!(repository.prune(MaxUnused::default(), true, &Quiet).unwrap().unfinished, 0);
    assert!(old.exists(), "a dry run removes nothing");
    assert_eq!(repository.prune(MaxUnused::default(), false, &Quiet).unwrap().unfinished, 1);
    assert!(!old.exists());
    all_is_well(directory, &repository, &IDS);
}

#[test]
fn groups_one_after_the_other_read_every_pack_once() {
    let directory = tempfile::tempdir().unwrap();
    let repository = three(directory.path());
    let read = |reading: &str| repository.check(reading.parse().unwrap(), &Quiet).unwrap();
    let all = repository.check(Reading::All, &Quiet).unwrap();
    let groups: Vec<_> = (1..=3).map(|part| read(&format!("{part}/3"))).collect();
    assert_eq!(groups.iter().map(|group| group.packs_read).sum::<u64>(), all.packs);
    assert_eq!(groups.iter().map(|group| group.bytes_read).sum::<u64>(), size_of(directory.path()));
    assert_eq!(read("1%").packs_read, 1);
}

#[test]
fn passwords_come_and_go_and_one_stays() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let repository = made(directory);
    let with = |password: &str| {
        ResticRepository::in_directory(directory.join("repo"), Secret::new(password), directory.join("spill"))
    };
    let (first, unreadable) = repository.keys().unwrap();
    assert!(unreadable.is_empty() && first.len() == 1 && first[0].in_use && first[0].short().len() == 8);
    assert!(matches!(repository.remove_key(first[0].short()), Err(Error::Refused(_))));
    assert!(matches!(repository.add_key(&Secret::new("")), Err(Error::Refused(_))));
    let second = repository.add_key(&Secret::new("second")).unwrap();
    let keys = with("second").keys().unwrap().0;
    assert_eq!(keys.iter().filter(|key| key.in_use).map(|key| &key.id).collect::<Vec<_>>(), [&second]);
    assert!(matches!(repository.remove_key(""), Err(Error::NotFound(_))));
    assert!(matches!(repository.remove_key("xyz"), Err(Error::NotFound(_))));
    let third = with("second").change_password(&Secret::new("third")).unwrap();
    assert!(matches!(with("second").keys(), Err(Error::WrongPassword(_))));
    assert_eq!(with("third").remove_key(&first[0].id).unwrap(), first[0].id);
    assert!(matches!(repository.keys(), Err(Error::WrongPassword(_))));
    assert_eq!(walk(&directory.join("repo/keys")), [directory.join("repo/keys").join(third)]);
    assert_eq!(walk(&directory.join("repo/locks")).len(), 0);
}

#[test]
fn restic_opens_what_a_new_password_is_for() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let repository = made(directory);
    let other = ResticRepository::in_directory(directory.join("repo"), Secret::new("other"), directory.join("spill"));
    repository.change_password(&Secret::new("other")).unwrap();
    other.add_key(&Secret::new(PASSWORD)).unwrap();
    let listed = asked(directory, &["key", "list"]);
    for key in repository.keys().unwrap().0 {
        assert!(listed.contains(&format!("{}{}", if key.in_use { "*" } else { " " }, key.short())), "{listed}");
    }
}

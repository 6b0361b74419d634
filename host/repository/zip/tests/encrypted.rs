//! Encrypted sets against Debian's `age`, other keys, and damage.

use age::{secrecy::ExposeSecret, x25519::Identity};

use super::*;
use crate::secret::Secret;

/// A key pair: the public key, and the file of the secret one.
pub(super) fn pair(directory: &Path, name: &str) -> (Recipient, Secret) {
    let identity = Identity::generate();
    let text = identity.to_string().expose_secret().to_owned();
    fs::write(directory.join(name), format!("# a comment, as age-keygen writes one\n{text}\n")).unwrap();
    (identity.to_public().to_string().parse().unwrap(), Secret::new(text))
}

/// A repository below `directory`, encrypted to `recipients` and opened by `secret`.
fn repository(directory: &Path, recipients: &[Recipient], secret: Option<&Secret>) -> ZipRepository {
    let repository = ZipRepository::new(directory.join("sets")).encrypted_to(recipients, directory.join("spill"));
    match secret {
        Some(secret) => repository.opened_by(secret).unwrap(),
        None => repository,
    }
}

fn keys(secret: &Secret) -> Keys {
    let mut keys = Keys::default();
    keys.open_with(secret).unwrap();
    keys
}

/// Fills a draft with an entry of each kind and packing, from several threads.
fn fill(draft: &dyn Draft, threads: usize) {
    draft.put_plain(&path("wiki/home"), &Kind::Directory, &meta(), Pass::InStage).unwrap();
    draft.put_plain(&path("wiki/home/link"), &Kind::Symlink(b"text".to_vec()), &meta(), Pass::InStage).unwrap();
    let long = b"a line of a long text with hunter2 in it\n".repeat(100_000);
    std::thread::scope(|scope| {
        for number in 0..threads {
            let (long, draft) = (&long, &draft);
            scope.spawn(move || {
                put(*draft, &format!("wiki/{number}/long-text"), long);
                put(*draft, &format!("wiki/{number}/small"), b"hunter2");
                put(*draft, &format!("wiki/{number}/long-noise"), &noise(3 << 20));
                put(*draft, &format!("wiki/{number}/empty"), b"");
            });
        }
    });
    draft.put_own("plan.json", &mut &b"{}"[..]).unwrap();
}

fn sealed(directory: &Path, recipients: &[Recipient]) -> PathBuf {
    let draft = repository(directory, recipients, None).draft(ID, "wiki", STARTED).unwrap();
    fill(&*draft, 4);
    draft.seal(&record(ID, "wiki", STARTED)).unwrap()
}

fn proof(set: &Path, secret: &Secret) -> Result<Proof, Error> {
    super::super::archive::ZipSet::open(&Sealed::in_file(set), &keys(secret))?.prove(&Quiet)
}

#[test]
fn an_encrypted_repository_keeps_every_promise_of_a_repository() {
    let directory = tempfile::tempdir().unwrap();
    let (recipient, secret) = pair(directory.path(), "key");
    conformance::check(&repository(directory.path(), &[recipient], Some(&secret)), 3);
    assert_eq!(fs::read_dir(directory.path().join("spill")).unwrap().count(), 0);
}

#[test]
fn age_and_unzip_and_sha256sum_prove_an_encrypted_set_by_each_key() {
    let directory = tempfile::tempdir().unwrap();
    let pairs = [pair(directory.path(), "first"), pair(directory.path(), "second")];
    let set = sealed(directory.path(), &pairs.each_ref().map(|(recipient, _)| recipient.clone()));
    assert_eq!(set.file_name().unwrap(), "wiki-20261121T130000Z-0123456789abcdef.complete.zip.age");
    assert_eq!(fs::metadata(&set).unwrap().permissions().mode() & 0o7777, 0o600);
    for (name, (_, secret)) in ["first", "second"].into_iter().zip(&pairs) {
        let decrypt = format!("age -d -i {name} -o {name}.zip {} && unzip -q {name}.zip -d {name}.out", set.display());
        run(directory.path(), &decrypt);
        run(&directory.path().join(format!("{name}.out")), "sha256sum --quiet -c SHA256SUMS");
        let inside = prove(&directory.path().join(format!("{name}.zip"))).unwrap();
        let outside = proof(&set, secret).unwrap();
        assert!(inside.damage.is_empty() && outside.damage.is_empty(), "{inside:?} {outside:?}");
        assert_eq!((inside.entries, inside.bytes), (outside.entries, outside.bytes));
    }
    let out = directory.path().join("first.out/wiki/3");
    assert_eq!(fs::read(out.join("long-noise")).unwrap(), noise(3 << 20));
    assert_eq!(fs::read(out.join("small")).unwrap(), b"hunter2");
}

#[test]
fn without_a_key_a_set_is_listed_and_nothing_of_it_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let (recipient, secret) = pair(directory.path(), "key");
    let (_, other) = pair(directory.path(), "other");
    let set = sealed(directory.path(), std::slice::from_ref(&recipient));
    for opened in [None, Some(&other)] {
        let repository = repository(directory.path(), &[], opened);
        let (listed, unreadable) = repository.snapshots().unwrap();
        assert!(unreadable.is_empty(), "{unreadable:?}");
        let [listed] = &listed[..] else { panic!("{listed:?}") };
        assert_eq!((&listed.id[..], &listed.pipeline[..], &listed.started[..]), (ID, "wiki", STARTED));
        assert_eq!((listed.state, listed.bytes), (crate::snapshot::state::State::Complete, None));
        let Err(Error::Refused(why)) = repository.open(ID) else { panic!("it was opened") };
        assert!(
            why.contains(if opened.is_some() { "none of the given identities" } else { "--identity FILE" }),
            "{why}"
        );
    }
    let opened = repository(directory.path(), &[], Some(&secret));
    let (listed, _) = opened.snapshots().unwrap();
    assert_eq!(listed[0].bytes, Some(7));
    let archive = opened.open(ID).unwrap();
    assert!(matches!(opened.forget(ID), Err(Error::Busy(_))));
    drop(archive);
    repository(directory.path(), &[recipient], None).forget(ID).unwrap();
    assert!(!set.exists());
}

#[test]
fn a_set_whose_name_was_changed_is_not_believed() {
    let directory = tempfile::tempdir().unwrap();
    let (recipient, secret) = pair(directory.path(), "key");
    let set = sealed(directory.path(), &[recipient]);
    for (name, said) in [
        ("wiki-20261121T130000Z-0123456789abcdef.partial.zip.age", "something else than its content"),
        ("wiki-20261121T130001Z-0123456789abcdef.complete.zip.age", "something else than its content"),
        ("mine.zip.age", "not named as an encrypted set is"),
    ] {
        let renamed = set.with_file_name(name);
        fs::rename(&set, &renamed).unwrap();
        let (listed, unreadable) = repository(directory.path(), &[], Some(&secret)).snapshots().unwrap();
        assert!(listed.is_empty() && unreadable.len() == 1 && unreadable[0].contains(said), "{unreadable:?}");
        fs::rename(&renamed, &set).unwrap();
    }
}

#[test]
fn nothing_of_the_content_lies_on_the_disk_while_a_set_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let (recipient, _) = pair(directory.path(), "key");
    let draft = repository(directory.path(), &[recipient], None).draft(ID, "wiki", STARTED).unwrap();
    fill(&*draft, 4);
    // What is in the list goes to its file when it is read.
    assert!(draft.find(&path("wiki/0/small")).unwrap().is_some());
    draft.each(&path("wiki"), &mut |_, _| true).unwrap();
    let mut seen = 0;
    for entry in fs::read_dir("/proc/self/fd").unwrap() {
        let entry = entry.unwrap().path();
        let Ok(target) = fs::read_link(&entry) else { continue };
        if target.starts_with(directory.path()) && !target.is_dir() {
            let bytes = fs::read(&entry).unwrap();
            let shows = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
            assert!(!shows(b"hunter2") && !shows(b"long-text"), "{} shows what it holds", target.display());
            seen += usize::from(!bytes.is_empty());
        }
    }
    assert!(seen >= 2, "the set and its list were looked at, not {seen} files");
}

#[test]
fn a_cut_or_changed_encrypted_set_is_never_proven() {
    let directory = tempfile::tempdir().unwrap();
    let (recipient, secret) = pair(directory.path(), "key");
    let draft = repository(directory.path(), &[recipient], None).draft(ID, "wiki", STARTED).unwrap();
    fill(&*draft, 1);
    let set = draft.seal(&record(ID, "wiki", STARTED)).unwrap();
    let whole = fs::read(&set).unwrap();
    let broken = set.with_file_name("broken.zip.age");
    let is_refused = |what: String, bytes: &[u8]| {
        fs::write(&broken, bytes).unwrap();
        match proof(&broken, &secret) {
            Err(Error::Damaged(_) | Error::Refused(_)) => {}
            Err(other) => panic!("{what}: {other:?}"),
            Ok(proof) => assert!(!proof.damage.is_empty(), "{what} was not found"),
        }
    };
    for piece in 0..20 {
        is_refused(format!("cut at {piece}/20"), &whole[..whole.len() * piece / 20]);
    }
    let header = whole.windows(4).position(|window| window == b"\n---").unwrap() + 50;
    // At the end of an encrypted piece nothing else tells that it was not the last one.
    is_refused("cut between pieces".into(), &whole[..header + 16 + 5 * (65536 + 16)]);
    is_refused("cut by a byte".into(), &whole[..whole.len() - 1]);
    is_refused("a header without an end".into(), &[&whole[..header - 60], &b"-> X25519 a\n".repeat(10_000)].concat());
    for at in (0..header).step_by(7).chain((header..whole.len()).step_by(whole.len() / 40)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        is_refused(format!("a bit of byte {at}"), &bytes);
    }
}

#[test]
fn whatever_write_fails_no_half_encrypted_set_is_visible() {
    let directory = tempfile::tempdir().unwrap();
    let (recipient, secret) = pair(directory.path(), "key");
    no_half_set_is_visible(&[recipient], &keys(&secret));
}

#[test]
fn a_stream_that_fails_leaves_nothing_in_an_encrypted_set() {
    let directory = tempfile::tempdir().unwrap();
    let (recipient, secret) = pair(directory.path(), "key");
    let draft = repository(directory.path(), &[recipient], None).draft(ID, "wiki", STARTED).unwrap();
    put(&*draft, "a", b"before");
    let failed =
        draft.put(&path("dump"), &mut (&noise(5 << 20)[..]).chain(Broken), &Meta::default(), None, Pass::InStage);
    assert!(matches!(failed, Err(Error::Source { .. })), "{failed:?}");
    put(&*draft, "b", b"after");
    let set = draft.seal(&record(ID, "wiki", STARTED)).unwrap();
    assert!(fs::metadata(&set).unwrap().len() < 10_000);
    assert!(proof(&set, &secret).unwrap().damage.is_empty());
}

#[test]
fn small_files_never_wait_for_a_slow_stream_into_an_encrypted_set() {
    let directory = tempfile::tempdir().unwrap();
    let (recipient, secret) = pair(directory.path(), "key");
    let draft = repository(directory.path(), &[recipient], None).draft(ID, "wiki", STARTED).unwrap();
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
        put(&*draft, "files/large", &noise(2 << 20));
        release.send(()).unwrap();
        assert_eq!(slow.join().unwrap().size, 2 * text.len() as u64);
    });
    let set = draft.seal(&record(ID, "wiki", STARTED)).unwrap();
    assert!(proof(&set, &secret).unwrap().damage.is_empty());
}

#[test]
fn a_sweep_finds_what_dead_encrypted_drafts_left_in_both_places() {
    let directory = tempfile::tempdir().unwrap();
    let (recipient, _) = pair(directory.path(), "key");
    let repository = repository(directory.path(), &[recipient], None);
    let draft = repository.draft(ID, "wiki", STARTED).unwrap();
    fs::write(draft.scratch().join("list"), "spilled").unwrap();
    // As a process that is killed: nobody removes anything.
    std::mem::forget(draft);
    assert_eq!(repository.sweep("wiki").unwrap().len(), 3);
    for place in ["sets", "spill"] {
        assert_eq!(fs::read_dir(directory.path().join(place)).unwrap().count(), 0, "{place}");
    }
}

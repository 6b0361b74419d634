//! What each storage does, whatever it is: the same promises for a directory, SFTP and S3; and what servers break.

use std::{
    io::ErrorKind,
    time::{Duration, Instant, SystemTime},
};

use self::servers::{
    bucket::{Bucket, Fault},
    sshd::Sshd,
};
use super::*;
use crate::{digest::Digest, secret::Source};

#[allow(dead_code)]
mod servers;

/// All but `config`.
const KINDS: &[Kind] = &[Kind::Key, Kind::Lock, Kind::Snapshot, Kind::Index, Kind::Pack, Kind::Set];
/// More than one page of any listing has.
const MANY: usize = 2_500;

fn named(kind: Kind, content: &[u8]) -> Name {
    Name::new(kind, Digest::of(content))
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    (0..length).map(|_| byte()).collect()
}

fn kind_of<T: fmt::Debug>(done: io::Result<T>) -> ErrorKind {
    done.unwrap_err().kind()
}

/// What every storage promises.
fn conforms(storage: &dyn Storage) {
    let config = Name::config();
    assert_eq!(kind_of(storage.read(&config)), ErrorKind::NotFound);
    storage.create(KINDS).unwrap();
    storage.create(KINDS).unwrap();
    for kind in KINDS.iter().copied().chain([Kind::Config]) {
        assert_eq!(storage.list(kind).unwrap(), [], "{kind:?}");
    }
    storage.write(&config, b"config").unwrap();
    assert_eq!(storage.read(&config).unwrap(), b"config");
    whole_files_and_pieces(storage);
    many_files(storage);
    assert!(storage.connections() > 0);
    assert!(storage.room().unwrap().is_none_or(|room| room > 0));
}

fn whole_files_and_pieces(storage: &dyn Storage) {
    for (kind, length) in [(Kind::Key, 0), (Kind::Lock, 1), (Kind::Snapshot, 300), (Kind::Index, 32 << 10)] {
        let content = noise(length);
        let name = named(kind, &content);
        storage.write(&name, &content).unwrap();
        assert_eq!(storage.list(kind).unwrap(), [Found { name: name.name.clone(), size: length as u64 }]);
        assert_eq!(storage.read(&name).unwrap(), content);
    }
    let content = noise((5 << 20) + 17);
    let name = named(Kind::Pack, &content);
    storage.write(&name, &content).unwrap();
    storage.write(&name, &content).unwrap();
    assert_eq!(storage.list(Kind::Pack).unwrap(), [Found { name: name.name.clone(), size: content.len() as u64 }]);
    assert_eq!(storage.read(&name).unwrap(), content);
    for (offset, length) in [(0, 0), (0, 1), (1, 100_000), (1 << 20, 3 << 20), (content.len() - 1, 1)] {
        let mut room = vec![0; length];
        storage.read_at(&name, offset as u64, &mut room).unwrap();
        assert_eq!(room, content[offset..offset + length], "{length} from {offset} on");
    }
    for (offset, length) in
        [(content.len() - 1, 2), (content.len(), 1), (content.len() * 2, 100), (0, content.len() + 1)]
    {
        let read = storage.read_at(&name, offset as u64, &mut vec![0; length]);
        assert_eq!(kind_of(read), ErrorKind::UnexpectedEof, "{length} from {offset} on");
    }
    storage.remove(&name).unwrap();
    storage.remove(&name).unwrap();
    assert_eq!(storage.list(Kind::Pack).unwrap(), []);
    assert_eq!(kind_of(storage.read(&name)), ErrorKind::NotFound);
    assert_eq!(kind_of(storage.read_at(&name, 0, &mut [0; 8])), ErrorKind::NotFound);
}

fn many_files(storage: &dyn Storage) {
    let contents: Vec<_> = (0..MANY).map(|number| format!("file {number}").into_bytes()).collect();
    let threads = storage.connections().min(8);
    std::thread::scope(|scope| {
        for part in contents.chunks(MANY.div_ceil(threads)) {
            scope.spawn(move || {
                part.iter().for_each(|content| storage.write(&named(Kind::Pack, content), content).unwrap());
            });
        }
    });
    let mut found = storage.list(Kind::Pack).unwrap();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    let mut wanted: Vec<_> = contents
        .iter()
        .map(|content| Found { name: Digest::of(content).to_string(), size: content.len() as u64 })
        .collect();
    wanted.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(found == wanted, "{} of {} are listed", found.len(), wanted.len());
}

fn opened(place: &str, remote: &Remote) -> Arc<dyn Storage> {
    open(&Place::typed(place.into()).unwrap(), remote).unwrap()
}

/// Gives up soon, and does not wait long between tries.
fn hasty() -> Remote {
    Remote { timeout: Duration::from_secs(1), retries: 1, ..Remote::default() }
}

fn over_ssh(server: &Sshd, path: &str, remote: &Remote) -> Arc<dyn Storage> {
    let remote = Remote { ssh_config: Some(server.path("ssh_config")), ..remote.clone() };
    opened(&format!("sftp:127.0.0.1:{path}"), &remote)
}

fn with_keys(remote: &Remote) -> Remote {
    let secret = || Some(Source::Command(vec!["/bin/echo".into(), "hunter2".into()]));
    Remote { access_key_id: secret(), secret_access_key: secret(), ..remote.clone() }
}

fn in_bucket(bucket: &Bucket, prefix: &str, remote: &Remote) -> Arc<dyn Storage> {
    let remote = with_keys(remote);
    opened(&format!("s3:http://127.0.0.1:{}/wiki{prefix}", bucket.port), &remote)
}

#[test]
fn a_directory_keeps_what_every_storage_promises() {
    let directory = tempfile::tempdir().unwrap();
    conforms(&*opened(directory.path().join("repo").to_str().unwrap(), &Remote::default()));
}

#[test]
fn sftp_keeps_what_every_storage_promises() {
    let server = Sshd::start();
    conforms(&*over_ssh(&server, "deep/er/repo", &Remote::default()));
    let absolute = server.path("files/deep/er/repo");
    let again = over_ssh(&server, absolute.to_str().unwrap(), &Remote::default());
    assert_eq!(again.list(Kind::Pack).unwrap().len(), MANY);
    let left = std::fs::read_dir(absolute.join("keys")).unwrap().count();
    assert_eq!(left, 1, "no temporary file is left");
    let dead = |name: &str, age: u64| {
        let path = absolute.join(name);
        std::fs::write(&path, "half").unwrap();
        std::fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(SystemTime::now() - Duration::from_secs(3600 * age))
            .unwrap();
        path
    };
    let first = "ab".repeat(32);
    let old = [dead(&format!("data/ab/{first}-tmp-0123456789abcdef"), 25), dead("-tmp-0123456789abcdef", 25)];
    let others = [dead(&format!("keys/{first}-tmp-0123456789abcdef"), 23), dead("notes-tmp-0123456789abcdef", 25)];
    assert_eq!(again.sweep(KINDS, Duration::from_secs(24 * 3600)).unwrap(), 2);
    assert!(old.iter().all(|path| !path.exists()) && others.iter().all(|path| path.exists()));
}

#[test]
fn s3_keeps_what_every_storage_promises() {
    let bucket = Bucket::start();
    conforms(&*in_bucket(&bucket, "/a/b", &Remote::default()));
    assert!(bucket.keys().iter().all(|key| key.starts_with("a/b/")), "{:?}", bucket.keys().first());
    assert!(bucket.keys().contains(&"a/b/config".to_owned()));
    let once: Vec<_> = bucket.asked().into_iter().filter(|asked| asked.contains("if-none-match: *")).collect();
    assert_eq!(once.len(), 2, "config and the lock: {once:?}");
}

#[test]
fn a_broken_ssh_connection_is_opened_again() {
    let mut server = Sshd::start();
    let storage = over_ssh(&server, "repo", &Remote::default());
    storage.create(KINDS).unwrap();
    let content = noise(3 << 20);
    for _ in 0..3 {
        storage.write(&named(Kind::Pack, &content), &content).unwrap();
        assert!(server.kill_sessions() > 0);
        assert_eq!(storage.read(&named(Kind::Pack, &content)).unwrap(), content);
    }
    server.stop();
    let begun = Instant::now();
    let why = over_ssh(&server, "repo", &hasty()).list(Kind::Key).unwrap_err();
    let text = why.to_string();
    assert!(text.contains("Connection refused") && text.contains("tried 2 times"), "{text}");
    assert!(text.contains("\nhelp: as the same user, try `ssh -F "), "{text}");
    assert!(begun.elapsed() < servers::DEADLINE, "{:?}", begun.elapsed());
}

#[test]
fn a_server_whose_key_is_another_is_not_talked_to() {
    let server = Sshd::start();
    let known = std::fs::read_to_string(server.path("known")).unwrap();
    let (place, _) = known.split_once(' ').unwrap();
    let other = std::fs::read_to_string(server.path("other.pub")).unwrap();
    let open = |known: &str| {
        std::fs::write(server.path("known"), known).unwrap();
        over_ssh(&server, "repo", &Remote::default()).create(KINDS).unwrap_err()
    };
    for known in [format!("{place} {other}"), String::new()] {
        let why = open(&known);
        assert_eq!(why.kind(), ErrorKind::PermissionDenied);
        let text = why.to_string();
        assert!(text.contains("does not trust the server's host key") && text.contains("help: add it"), "{text}");
        assert!(!text.contains("tried"), "time does not mend it: {text}");
    }
    std::fs::write(server.path("authorized"), other).unwrap();
    let why = open(&known);
    assert_eq!(why.kind(), ErrorKind::PermissionDenied);
    assert!(why.to_string().contains("lets nobody in with the keys that ssh has"), "{why}");
}

#[test]
fn what_an_s3_server_breaks_is_asked_for_again() {
    let bucket = Bucket::start();
    let storage = in_bucket(&bucket, "", &hasty());
    let content = noise(100_000);
    let name = named(Kind::Pack, &content);
    let mut fired = 0;
    let mut breaks = |question: &str, fault: Fault| {
        bucket.plan(question, 0, 1, fault);
        fired += 1;
    };
    for fault in [Fault::SlowDown, Fault::Silence, Fault::Stall] {
        breaks("PUT /wiki/data", fault);
        storage.write(&name, &content).unwrap();
        breaks("DELETE /wiki/data", fault);
        storage.remove(&name).unwrap();
        breaks("PUT /wiki/config", fault);
        storage.write(&Name::config(), b"config").unwrap();
    }
    storage.write(&name, &content).unwrap();
    for fault in [Fault::SlowDown, Fault::Silence, Fault::Stall, Fault::Cut] {
        breaks("GET /wiki/data", fault);
        assert_eq!(storage.read(&name).unwrap(), content);
        breaks("GET /wiki/data", fault);
        let mut room = vec![0; 5000];
        storage.read_at(&name, 1000, &mut room).unwrap();
        assert_eq!(room, content[1000..6000]);
    }
    for fault in [Fault::SlowDown, Fault::Cut, Fault::Half] {
        breaks("GET /wiki/?", fault);
        assert_eq!(storage.list(Kind::Pack).unwrap().len(), 1);
    }
    assert_eq!(bucket.fired(), fired);
}

#[test]
fn half_of_a_piece_is_never_taken_for_all_of_it() {
    let bucket = Bucket::start();
    let storage = in_bucket(&bucket, "", &hasty());
    let content = noise(10_000);
    storage.write(&named(Kind::Pack, &content), &content).unwrap();
    bucket.plan("GET /wiki/data", 0, 1, Fault::Half);
    let read = storage.read_at(&named(Kind::Pack, &content), 0, &mut [0; 8000]);
    assert_eq!(kind_of(read), ErrorKind::UnexpectedEof);
}

#[test]
fn another_config_or_lock_is_never_written_over() {
    let bucket = Bucket::start();
    let storage = in_bucket(&bucket, "", &hasty());
    storage.write(&Name::config(), b"mine").unwrap();
    storage.write(&Name::config(), b"mine").unwrap();
    assert_eq!(kind_of(storage.write(&Name::config(), b"yours")), ErrorKind::AlreadyExists);
    assert_eq!(storage.read(&Name::config()).unwrap(), b"mine");
}

#[test]
fn an_s3_server_that_goes_on_failing_is_given_up_and_the_secret_is_not_in_the_message() {
    let bucket = Bucket::start();
    let storage = in_bucket(&bucket, "", &hasty());
    bucket.plan("GET /wiki", 0, 100, Fault::SlowDown);
    let why = storage.read(&Name::config()).unwrap_err().to_string();
    assert!(why.contains("answers 503: SlowDown, as told (tried 2 times in "), "{why}");
    let gone = opened("s3:http://127.0.0.1:1/wiki", &with_keys(&hasty()));
    let why = gone.read(&Name::config()).unwrap_err();
    assert_eq!(why.kind(), ErrorKind::ConnectionAborted);
    assert!(why.to_string().starts_with("connecting to 127.0.0.1:1: "), "{why}");
    assert!(!format!("{gone:?} {why}").contains("hunter2"));
}

#[test]
fn a_bucket_that_is_not_there_is_no_empty_repository() {
    let bucket = Bucket::start();
    let place = format!("s3:http://127.0.0.1:{}/other", bucket.port);
    let why = opened(&place, &with_keys(&hasty())).read(&Name::config()).unwrap_err();
    assert_eq!(why.kind(), ErrorKind::InvalidInput);
    assert!(why.to_string().contains("help: make the bucket other"), "{why}");
}

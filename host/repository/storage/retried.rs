//! Tries again what failed for the moment: so many times, each after a longer rest, and says so in the log.

use std::{
    fmt, io,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::{Found, Kind, Name, Storage};
use crate::told;

/// Rest before the second try; doubled before each further one.
const REST: Duration = Duration::from_secs(1);
/// Longest rest between two tries.
const REST_MAX: Duration = Duration::from_secs(30);
/// After so long nothing is tried again, however few tries there were.
const TRYING_MAX: Duration = Duration::from_secs(15 * 60);
/// How soon who rests notices that there is to be no other try.
const LOOK: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug)]
pub(super) struct Retried {
    inner: Arc<dyn Storage>,
    retries: u32,
    rest: Duration,
    is_to_stop: fn() -> bool,
}

/// What failed last, and how often it was tried.
#[derive(Debug)]
struct Failed {
    cause: io::Error,
    tries: u32,
    time: Duration,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = humantime::format_duration(Duration::from_secs(self.time.as_secs()));
        let cause = self.cause.to_string();
        // What to try stays at the end.
        let (what, help) = cause.split_once("\nhelp: ").map_or((&cause[..], None), |(what, help)| (what, Some(help)));
        write!(f, "{what} (tried {} times in {time})", self.tries)?;
        help.map_or(Ok(()), |help| write!(f, "\nhelp: {help}"))
    }
}

impl std::error::Error for Failed {}

impl Retried {
    pub(super) fn new(inner: Arc<dyn Storage>, retries: u16) -> Self {
        Self { inner, retries: retries.into(), rest: REST, is_to_stop: told::is_to_stop }
    }

    fn again<T>(&self, doing: impl Fn() -> String, mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let begun = Instant::now();
        let mut tries = 0;
        loop {
            let cause = match call() {
                Err(cause) => cause,
                done => return done,
            };
            tries += 1;
            let time = begun.elapsed();
            if is_passing(&cause) && tries <= self.retries && time < TRYING_MAX && !(self.is_to_stop)() {
                let rest = self.rest_after(tries);
                tracing::warn!(doing = doing(), place = %self.place().display(), %cause, tries, ?rest, "storage: trying again");
                if self.rests(rest) {
                    continue;
                }
            }
            let kind = cause.kind();
            return Err(match tries {
                1 => cause,
                _ => io::Error::new(kind, Failed { cause, tries, time }),
            });
        }
    }

    /// Whether it rested to the end: who is told to stop does not.
    fn rests(&self, rest: Duration) -> bool {
        let end = Instant::now() + rest;
        while !(self.is_to_stop)() {
            match end.saturating_duration_since(Instant::now()) {
                Duration::ZERO => return true,
                left => thread::sleep(left.min(LOOK)),
            }
        }
        false
    }

    /// Longer each time, and never the same for two who failed together.
    fn rest_after(&self, tries: u32) -> Duration {
        let doubled = self.rest.saturating_mul(1 << (tries - 1).min(16)).min(REST_MAX);
        doubled.mul_f64(rand::random_range(0.75..1.25))
    }
}

/// Whether the same call may well succeed in a moment.
fn is_passing(cause: &io::Error) -> bool {
    use io::ErrorKind::{
        AlreadyExists, InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied, StorageFull,
        UnexpectedEof, Unsupported,
    };
    !matches!(
        cause.kind(),
        AlreadyExists
            | InvalidInput
            | IsADirectory
            | NotADirectory
            | NotFound
            | PermissionDenied
            | StorageFull
            | UnexpectedEof
            | Unsupported
    )
}

impl Storage for Retried {
    fn create(&self, kinds: &[Kind]) -> io::Result<()> {
        self.again(|| "making the repository".to_owned(), || self.inner.create(kinds))
    }

    fn list(&self, kind: Kind) -> io::Result<Vec<Found>> {
        self.again(|| format!("listing {}", kind.word()), || self.inner.list(kind))
    }

    fn read(&self, name: &Name) -> io::Result<Vec<u8>> {
        self.again(|| format!("reading {name}"), || self.inner.read(name))
    }

    fn read_at(&self, name: &Name, offset: u64, room: &mut [u8]) -> io::Result<()> {
        let bytes = room.len();
        self.again(
            || format!("reading {bytes} bytes of {name} from {offset} on"),
            || self.inner.read_at(name, offset, room),
        )
    }

    fn write(&self, name: &Name, content: &[u8]) -> io::Result<()> {
        self.again(|| format!("writing {name}"), || self.inner.write(name, content))
    }

    fn remove(&self, name: &Name) -> io::Result<()> {
        self.again(|| format!("removing {name}"), || self.inner.remove(name))
    }

    fn sweep(&self, kinds: &[Kind], untouched: Duration) -> io::Result<u64> {
        self.again(|| "removing what dead writers left".to_owned(), || self.inner.sweep(kinds, untouched))
    }

    fn connections(&self) -> usize {
        self.inner.connections()
    }

    fn room(&self) -> io::Result<Option<u64>> {
        self.again(|| "asking for the room".to_owned(), || self.inner.room())
    }

    fn place(&self) -> PathBuf {
        self.inner.place()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::{
        super::{
            faulty::{Fault, Faulty},
            local::Local,
        },
        *,
    };

    fn retried(fault: Fault, retries: u32) -> (tempfile::TempDir, Arc<Faulty>, Retried) {
        let directory = tempfile::tempdir().unwrap();
        let faulty = Arc::new(Faulty::new(Arc::new(Local::new(directory.path())), fault));
        let inner: Arc<dyn Storage> = faulty.clone();
        (directory, faulty, Retried { inner, retries, rest: Duration::from_millis(1), is_to_stop: || false })
    }

    #[test]
    fn who_is_told_to_stop_tries_nothing_again_and_rests_no_longer() {
        static STOPPED: AtomicBool = AtomicBool::new(false);
        let (_directory, faulty, retried) = retried(Fault::Dies(1), 4);
        let retried =
            Retried { rest: Duration::from_secs(3600), is_to_stop: || STOPPED.load(Ordering::Relaxed), ..retried };
        thread::scope(|scope| {
            let trying = scope.spawn(|| retried.create(&[Kind::Snapshot]));
            // It fails, and rests.
            while faulty.calls() == 0 {
                thread::yield_now();
            }
            STOPPED.store(true, Ordering::Relaxed);
            assert!(trying.join().unwrap().is_err());
        });
        assert_eq!(faulty.calls(), 1);
        assert!(retried.create(&[Kind::Snapshot]).is_err());
        assert_eq!(faulty.calls(), 2, "it is tried once all the same: a lock is to be given back");
    }

    #[test]
    fn what_fails_for_the_moment_is_tried_again() {
        let (_directory, faulty, retried) = retried(Fault::Fails(1), 3);
        retried.create(&[Kind::Snapshot]).unwrap();
        assert_eq!(faulty.calls(), 2);
    }

    #[test]
    fn what_was_done_and_said_to_have_failed_can_be_done_again() {
        let name = Name::new(Kind::Snapshot, "ab".repeat(32));
        for at in 2..=3 {
            let (_directory, _, retried) = retried(Fault::Lies(at), 1);
            retried.create(&[Kind::Snapshot]).unwrap();
            retried.write(&name, b"content").unwrap();
            assert_eq!(retried.read(&name).unwrap(), b"content");
            retried.remove(&name).unwrap();
        }
    }

    #[test]
    fn what_goes_on_failing_ends_after_as_many_tries_as_allowed_and_says_how_many() {
        let (_directory, faulty, retried) = retried(Fault::Dies(1), 4);
        let why = retried.create(&[Kind::Snapshot]).unwrap_err();
        assert_eq!((faulty.calls(), why.kind()), (5, io::ErrorKind::Other));
        assert!(why.to_string().contains("call 5 fails (tried 5 times in "), "{why}");
    }

    #[test]
    fn what_time_does_not_mend_is_not_tried_again() {
        let (_directory, faulty, retried) = retried(Fault::None, 4);
        let why = retried.read(&Name::config()).unwrap_err();
        assert_eq!((faulty.calls(), why.kind()), (1, io::ErrorKind::NotFound));
        for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::StorageFull, io::ErrorKind::AlreadyExists] {
            assert!(!is_passing(&kind.into()), "{kind}");
        }
        for kind in [io::ErrorKind::TimedOut, io::ErrorKind::ConnectionReset, io::ErrorKind::Other] {
            assert!(is_passing(&kind.into()), "{kind}");
        }
    }

    #[test]
    fn rests_grow_and_have_an_end() {
        let (_directory, _, retried) = retried(Fault::None, 4);
        let retried = Retried { rest: REST, ..retried };
        for (tries, whole) in [(1, 1.0), (2, 2.0), (5, 16.0), (6, 30.0), (4_000, 30.0)] {
            let rest = retried.rest_after(tries).as_secs_f64();
            assert!((whole * 0.75..whole * 1.25).contains(&rest), "{tries}: {rest}");
        }
    }
}

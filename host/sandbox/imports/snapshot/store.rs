//! One content on its way into the draft, on a thread that may block.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::{
    diagnostic::causes,
    name::RawPath,
    repository::{Draft, Error, Identity, Meta, Pass, Stored},
    sandbox::{
        bindings::Fail,
        fault::Code,
        ledger::Ledger,
        state::repository_fail,
        stream::{Detached, blocking},
    },
};

/// All that is needed to store one content.
pub struct Storing {
    /// `step/part/path`.
    pub path: RawPath,
    /// `part/path`.
    pub own: RawPath,
    /// The bytes.
    pub content: Detached,
    /// How the source looked, if it is a file.
    pub identity: Option<Identity>,
    /// What is kept beside it.
    pub meta: Meta,
    /// Where to.
    pub draft: Arc<dyn Draft>,
    /// In which pass.
    pub pass: Pass,
    /// Who is told.
    pub ledger: Arc<dyn Ledger>,
    /// Bumped with every byte.
    pub moved: Arc<AtomicU64>,
    /// Give up.
    pub stop: CancellationToken,
    /// Reads what is not a file.
    pub runtime: Handle,
}

/// Why a content was not stored.
#[derive(Clone, Debug)]
pub struct Failure {
    /// For the guest.
    pub code: Code,
    /// For everybody.
    pub message: String,
    /// The path was there already: storing it again is what failed.
    pub exists: bool,
}

impl Storing {
    /// Stores it, and tells the ledger.
    pub fn run(self) -> Result<Stored, Failure> {
        let (draft, path, own) = (self.draft, self.path, self.own);
        let mut reader = Counted {
            reader: blocking::reader(self.content, self.runtime, self.stop.clone()),
            moved: self.moved,
            ledger: self.ledger.clone(),
            untold: 0,
            told_at: None,
            stop: self.stop,
        };
        let stored = draft.put(&path, &mut reader, &self.meta, self.identity, self.pass);
        self.ledger.moved(std::mem::take(&mut reader.untold), u64::from(stored.is_ok()));
        stored.map_err(|error| Failure::of(&own, &error))
    }
}

impl Failure {
    fn of(path: &RawPath, error: &Error) -> Self {
        let code = match repository_fail(error) {
            Fail::Plugin(error) => error.code.into(),
            Fail::Trap(_) => Code::Internal,
        };
        let message = format!("storing {:?}: {}", path.to_text(), causes(error));
        Self { code, message, exists: matches!(error, Error::Exists(_)) }
    }
}

/// How many bytes may go by before the ledger hears of them.
const TELL_BYTES: u64 = 1 << 20;

/// The same as time: of a slow stream every byte counts.
const TELL_AFTER: Duration = Duration::from_millis(100);

struct Counted {
    reader: Box<dyn io::Read + Send>,
    moved: Arc<AtomicU64>,
    ledger: Arc<dyn Ledger>,
    untold: u64,
    told_at: Option<Instant>,
    stop: CancellationToken,
}

impl io::Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other("given up"));
        }
        let count = self.reader.read(buffer)?;
        self.moved.fetch_add(count as u64, Ordering::Relaxed);
        self.untold += count as u64;
        if self.untold >= TELL_BYTES || self.told_at.is_none_or(|told| told.elapsed() >= TELL_AFTER) {
            self.told_at = Some(Instant::now());
            self.ledger.moved(std::mem::take(&mut self.untold), 0);
        }
        Ok(count)
    }
}

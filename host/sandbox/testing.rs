//! What the sandbox's tests share: guests made from a few lines of text, a ledger that remembers, a draft in memory.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{
    Session,
    ledger::{Fixed, Ledger, Level, Refusal, Scope},
    nobody,
};
use crate::{
    digest::Digest,
    name::RawPath,
    repository::{Draft, Error, Held, Identity, Kind, Meta, Pass, Stored},
    snapshot::record::{Evidence, Instant},
};

#[path = "../../tests/support/component.rs"]
mod component;

/// A component of the contract's world around `guest` (see `tests/guests/frame.wat`).
pub fn component(guest: &str) -> Vec<u8> {
    component::component(Path::new("."), guest)
}

/// A session of step `wiki` that grants nothing.
pub fn session(ledger: &Arc<Recorder>) -> Session {
    Session {
        run: "0123456789abcdef".into(),
        step: "wiki".into(),
        plugin: "guest".into(),
        limits: crate::config::Limits::default(),
        ledger: ledger.clone(),
        scratch: std::env::temp_dir(),
        parallel: 2,
        ..nobody::session()
    }
}

/// Remembers what it is told.
#[derive(Default)]
pub struct Recorder {
    /// Logged lines.
    pub lines: Mutex<Vec<(Level, String)>>,
    /// How often a secret was revealed.
    pub revealed: Mutex<Vec<String>>,
    /// Lists of expectations: subject and content.
    pub expected: Mutex<Vec<(String, String)>>,
    /// What a restore was about to make: `grant:path`.
    pub made: Mutex<Vec<String>>,
}

impl Ledger for Recorder {
    fn log(&self, level: Level, message: &str, _: &[(String, String)]) {
        self.lines.lock().unwrap().push((level, message.to_owned()));
    }
    fn progress(&self, _: &str, _: u64, _: Option<u64>) {}
    fn moved(&self, _: u64, _: u64) {}
    fn instants(&self) -> Vec<Fixed> {
        Vec::new()
    }
    fn fix_instant(&self, _: Instant) -> Result<(), Refusal> {
        Ok(())
    }
    fn settled(&self) -> Result<(), Refusal> {
        Ok(())
    }
    fn note(&self, _: &str, _: &str) -> Result<Option<String>, Refusal> {
        Ok(None)
    }
    fn set_note(&self, _: &str, _: &str) -> Result<(), Refusal> {
        Ok(())
    }
    fn checkpoint(&self, _: &[u8]) -> Result<(), Refusal> {
        Ok(())
    }
    fn last_checkpoint(&self) -> Option<Vec<u8>> {
        None
    }
    fn state(&self, _: &str) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(None)
    }
    fn set_state(&self, _: &str, _: &[u8]) -> Result<(), Refusal> {
        Ok(())
    }
    fn revealed(&self, grant: &str) {
        self.revealed.lock().unwrap().push(grant.to_owned());
    }
    fn expected(&self, subject: &str, _: Evidence, list: &Path) -> Result<(), Refusal> {
        let content = std::fs::read_to_string(list).unwrap();
        std::fs::remove_file(list).unwrap();
        self.expected.lock().unwrap().push((subject.to_owned(), content));
        Ok(())
    }
    fn made(&self, grant: &str, path: &RawPath) -> Result<(), Refusal> {
        self.made.lock().unwrap().push(format!("{grant}:{path}"));
        Ok(())
    }
    fn take_hold(&self, _: &str, _: &[u8], _: Duration, _: Scope) -> Result<(), Refusal> {
        Ok(())
    }
    fn renew_hold(&self, _: &str, _: Duration) -> Result<(), Refusal> {
        Ok(())
    }
    fn drop_hold(&self, _: &str) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Keeps contents in memory.
#[derive(Default)]
pub struct MemoryDraft {
    /// By whole path.
    pub held: Mutex<BTreeMap<RawPath, (Vec<u8>, Pass)>>,
}

impl Draft for MemoryDraft {
    fn put(
        &self,
        path: &RawPath,
        content: &mut dyn io::Read,
        _: &Meta,
        _: Option<Identity>,
        pass: Pass,
    ) -> Result<Stored, Error> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(Error::source(path))?;
        let mut held = self.held.lock().unwrap();
        if held.get(path).is_some_and(|(_, earlier)| *earlier == pass) {
            return Err(Error::Exists(path.to_text()));
        }
        let tail = bytes[bytes.len().saturating_sub(256)..].to_vec();
        let stored =
            Stored { size: bytes.len() as u64, sha256: Digest::of(&bytes), new_bytes: bytes.len() as u64, tail };
        held.insert(path.clone(), (bytes, pass));
        Ok(stored)
    }
    fn put_plain(&self, _: &RawPath, _: &Kind, _: &Meta, _: Pass) -> Result<(), Error> {
        Ok(())
    }
    fn find(&self, path: &RawPath) -> Result<Option<Held>, Error> {
        Ok(self.held.lock().unwrap().get(path).map(|(bytes, pass)| Held {
            kind: Kind::File,
            size: bytes.len() as u64,
            sha256: Digest::of(bytes),
            identity: None,
            pass: *pass,
        }))
    }
    fn doubt(&self, _: &RawPath) -> Result<(), Error> {
        Ok(())
    }
    fn keep(&self, _: &RawPath, _: Pass) -> Result<(), Error> {
        Ok(())
    }
    fn remove(&self, path: &RawPath) -> Result<(), Error> {
        self.held.lock().unwrap().remove(path);
        Ok(())
    }
    fn each(&self, _: &RawPath, _: &mut dyn FnMut(&RawPath, &Held) -> bool) -> Result<(), Error> {
        Ok(())
    }
    fn scratch(&self) -> &Path {
        Path::new("/nonexistent")
    }
    fn put_own(&self, name: &str, _: &mut dyn io::Read) -> Result<Stored, Error> {
        Err(Error::NotFound(name.to_owned()))
    }
    fn seal(&self, _: &[u8]) -> Result<PathBuf, Error> {
        Err(Error::NotFound("a place".into()))
    }
}

//! The session of `describe`: nothing granted, nobody who listens.

use std::{path::Path, path::PathBuf, sync::Arc, time::Duration};

use super::{
    Session,
    ledger::{Fixed, Ledger, Level, Refusal, Scope},
};
use crate::{
    config::{Grants, Limits},
    name::RawPath,
    snapshot::record::{Evidence, Instant},
};

/// `describe` only puts words together.
const DESCRIBE_COMPUTE: Duration = Duration::from_secs(10);
const DESCRIBE_TIME: Duration = Duration::from_secs(60);

/// A session in which nothing can be done.
pub fn session() -> Session {
    let limits = Limits { compute: DESCRIBE_COMPUTE, part_time: DESCRIBE_TIME, ..Limits::default() };
    Session {
        run: String::new(),
        started: (0, 0),
        step: "describe".into(),
        plugin: String::new(),
        config: serde_json::Value::Null,
        grants: Arc::new(Grants::default()),
        limits,
        attributes: Vec::new(),
        draft: None,
        archive: None,
        ledger: Arc::new(Nobody),
        stop: Default::default(),
        scratch: PathBuf::new(),
        parallel: 1,
    }
}

struct Nobody;

fn refused<T>() -> Result<T, Refusal> {
    Err(Refusal::Unsupported("nothing is kept while a plugin describes itself".into()))
}

impl Ledger for Nobody {
    fn log(&self, _: Level, _: &str, _: &[(String, String)]) {}
    fn progress(&self, _: &str, _: u64, _: Option<u64>) {}
    fn moved(&self, _: u64, _: u64) {}
    fn instants(&self) -> Vec<Fixed> {
        Vec::new()
    }
    fn fix_instant(&self, _: Instant) -> Result<(), Refusal> {
        refused()
    }
    fn settled(&self) -> Result<(), Refusal> {
        refused()
    }
    fn note(&self, _: &str, _: &str) -> Result<Option<String>, Refusal> {
        refused()
    }
    fn set_note(&self, _: &str, _: &str) -> Result<(), Refusal> {
        refused()
    }
    fn checkpoint(&self, _: &[u8]) -> Result<(), Refusal> {
        refused()
    }
    fn last_checkpoint(&self) -> Option<Vec<u8>> {
        None
    }
    fn state(&self, _: &str) -> Result<Option<Vec<u8>>, Refusal> {
        refused()
    }
    fn set_state(&self, _: &str, _: &[u8]) -> Result<(), Refusal> {
        refused()
    }
    fn revealed(&self, _: &str) {}
    fn expected(&self, _: &str, _: Evidence, _: &Path) -> Result<(), Refusal> {
        refused()
    }
    fn made(&self, _: &str, _: &RawPath) -> Result<(), Refusal> {
        refused()
    }
    fn take_hold(&self, _: &str, _: &[u8], _: Duration, _: Scope) -> Result<(), Refusal> {
        refused()
    }
    fn renew_hold(&self, _: &str, _: Duration) -> Result<(), Refusal> {
        refused()
    }
    fn drop_hold(&self, _: &str) -> Result<(), Refusal> {
        refused()
    }
}

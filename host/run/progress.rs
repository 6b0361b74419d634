//! Turns the bytes of one long reading into events, not more often than people can read, and ends it when asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio_util::sync::CancellationToken;

use super::event::{Event, Observer};
use crate::repository::Watch;

/// Events of one reading are at least this far apart.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// See the module.
pub(super) struct Progress {
    doing: &'static str,
    total: u64,
    observer: Arc<dyn Observer>,
    stop: CancellationToken,
    bytes: AtomicU64,
    told_ms: AtomicU64,
    began: Instant,
}

impl Progress {
    /// Of `total` bytes.
    pub(super) fn new(doing: &'static str, total: u64, observer: Arc<dyn Observer>, stop: CancellationToken) -> Self {
        let zero = || AtomicU64::new(0);
        Self { doing, total, observer, stop, bytes: zero(), told_ms: zero(), began: Instant::now() }
    }
}

impl Watch for Progress {
    fn moved(&self, bytes: u64, _files: u64) {
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let told_ms = self.told_ms.load(Ordering::Relaxed);
        if now_ms.saturating_sub(told_ms) >= TELL_EVERY.as_millis() as u64
            && self.told_ms.compare_exchange(told_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            let event = Event::Snapshot { doing: self.doing, bytes, total: Some(self.total) };
            self.observer.event(SystemTime::now(), &event);
        }
    }

    fn stopped(&self) -> bool {
        self.stop.is_cancelled()
    }
}

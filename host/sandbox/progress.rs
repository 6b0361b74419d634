//! Waits that end: for bytes (a limit on no progress), for anything else (a deadline), and always when the run stops.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Why a wait ended without what was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stalled {
    /// No byte moved for as long as the limit allows.
    NoProgress(Duration),
    /// The deadline passed.
    Deadline,
    /// The run is to stop.
    Stopped,
}

/// What the waits of one call share.
#[derive(Clone)]
pub struct Watch {
    /// How long a wait may move no byte.
    pub no_progress: Duration,
    /// Bumped by everything that moves bytes for this call.
    pub moved: Arc<AtomicU64>,
    /// Microseconds that the guest has waited in the host: they are not its compute.
    pub away: Arc<AtomicU64>,
    /// The run is to stop.
    pub stop: CancellationToken,
}

impl Watch {
    /// A watch of a new call.
    pub fn new(no_progress: Duration, stop: CancellationToken) -> Self {
        Self { no_progress, moved: Arc::default(), away: Arc::default(), stop }
    }

    /// Waits for work that moves bytes.
    pub async fn watched<T>(&self, work: impl Future<Output = T>) -> Result<T, Stalled> {
        self.away(watched(self.no_progress, &self.moved, &self.stop, work)).await
    }

    /// Waits for anything else; no deadline means that the part's own time is the deadline.
    pub async fn waited<T>(&self, deadline: Option<Instant>, work: impl Future<Output = T>) -> Result<T, Stalled> {
        let late = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        self.away(async {
            tokio::select! {
                biased;
                done = work => Ok(done),
                () = self.stop.cancelled() => Err(Stalled::Stopped),
                () = late => Err(Stalled::Deadline),
            }
        })
        .await
    }

    async fn away<T>(&self, wait: impl Future<Output = T>) -> T {
        let mut wait = pin!(wait);
        if let Poll::Ready(done) = futures_util::poll!(wait.as_mut()) {
            return done;
        }
        let since = Instant::now();
        let done = wait.await;
        self.away.fetch_add(since.elapsed().as_micros() as u64, Ordering::Relaxed);
        done
    }
}

/// Waits for `work` as long as `moved` changes at least once every `limit`.
///
/// # Errors
/// When it does not, or when `stop` fires first.
pub async fn watched<T>(
    limit: Duration,
    moved: &AtomicU64,
    stop: &CancellationToken,
    work: impl Future<Output = T>,
) -> Result<T, Stalled> {
    let mut work = pin!(work);
    if let Poll::Ready(done) = futures_util::poll!(work.as_mut()) {
        return Ok(done);
    }
    let mut seen = moved.load(Ordering::Relaxed);
    loop {
        tokio::select! {
            biased;
            done = work.as_mut() => return Ok(done),
            () = stop.cancelled() => return Err(Stalled::Stopped),
            () = tokio::time::sleep(limit) => {
                let now = moved.load(Ordering::Relaxed);
                if now == seen {
                    return Err(Stalled::NoProgress(limit));
                }
                seen = now;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_that_moves_no_byte_ends() {
        let limit = Duration::from_millis(20);
        let watch = Watch::new(limit, CancellationToken::new());
        assert_eq!(watch.watched(std::future::pending::<()>()).await, Err(Stalled::NoProgress(limit)));
    }

    #[tokio::test]
    async fn a_wait_that_moves_bytes_outlives_the_limit() {
        let watch = Watch::new(Duration::from_millis(400), CancellationToken::new());
        let slow = async {
            for _ in 0..25 {
                tokio::time::sleep(Duration::from_millis(25)).await;
                watch.moved.fetch_add(1, Ordering::Relaxed);
            }
        };
        assert_eq!(watch.watched(slow).await, Ok(()));
    }

    #[tokio::test]
    async fn stopping_the_run_ends_every_wait() {
        let watch = Watch::new(Duration::from_secs(300), CancellationToken::new());
        watch.stop.cancel();
        assert_eq!(watch.watched(std::future::pending::<()>()).await, Err(Stalled::Stopped));
        assert_eq!(watch.waited(None, std::future::pending::<()>()).await, Err(Stalled::Stopped));
    }
}

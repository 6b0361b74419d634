//! Bytes on their way to and from a server: as fast as the operator allows, and never waited for without end.
//!
//! The storages block and their clients wait, so both meet here: calls run on a runtime of their own, whatever thread
//! asks for them.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::{self, Runtime},
    time::{Instant, Sleep, sleep_until},
};

/// Longest call, whether something moves or not.
const CALL_MAX: Duration = Duration::from_secs(3600);
/// What the runtime may need beyond that, until it is taken for dead.
const GRACE: Duration = Duration::from_secs(60);
/// Threads that move bytes.
const THREADS: usize = 2;
/// Bytes that are written in one piece where speed is limited.
const PIECE: usize = 16 << 10;

/// Runs a call to its end. Callers are threads that may wait; that of a runtime may be among them.
pub(super) fn wait<T: Send + 'static>(call: impl Future<Output = io::Result<T>> + Send + 'static) -> io::Result<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    runtime()?.spawn(async move {
        let ended = call.await;
        // Whoever asked has given up.
        let _ = sender.send(ended);
    });
    match receiver.recv_timeout(CALL_MAX + GRACE) {
        Ok(ended) => ended,
        Err(RecvTimeoutError::Timeout) => Err(io::ErrorKind::TimedOut.into()),
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the call broke off")),
    }
}

fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    match RUNTIME.get() {
        Some(runtime) => Ok(runtime),
        None => {
            let made = runtime::Builder::new_multi_thread()
                .worker_threads(THREADS)
                .thread_name("storage")
                .enable_all()
                .build()?;
            Ok(RUNTIME.get_or_init(|| made))
        }
    }
}

/// When something moved last on one connection.
#[derive(Debug)]
pub(super) struct Pulse {
    last: Mutex<Instant>,
    timeout: Duration,
}

impl Pulse {
    pub(super) fn new(timeout: Duration) -> Arc<Self> {
        Arc::new(Self { last: Mutex::new(Instant::now()), timeout })
    }

    fn beat(&self, at: Instant) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = at.max(*last);
    }

    /// When a call that began at `begun` has lasted too long, as things are.
    fn due(&self, begun: Instant) -> Instant {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        (last.max(begun) + self.timeout).min(begun + CALL_MAX)
    }

    /// Ends a call when nothing has moved for too long, or when it has taken too long for any call.
    pub(super) async fn within<T>(&self, call: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let begun = Instant::now();
        let mut call = std::pin::pin!(call);
        loop {
            tokio::select! {
                biased;
                ended = &mut call => return ended,
                () = sleep_until(self.due(begun)) => {}
            }
            // Something may have moved while it was waited for.
            if Instant::now() >= self.due(begun) {
                let waited = if begun.elapsed() < CALL_MAX { self.timeout } else { CALL_MAX };
                let message = format!("no end of it within {} (timeout)", humantime::format_duration(waited));
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
        }
    }
}

/// Speed limits in both directions, for all connections of a storage together.
#[derive(Debug, Default)]
pub(super) struct Speeds {
    pub(super) up: Option<Pace>,
    pub(super) down: Option<Pace>,
}

/// So many bytes a second: who has moved some rests until they are paid for.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: u64,
    paid_until: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), paid_until: Mutex::new(Instant::now()) }
    }

    fn spend(&self, bytes: usize) {
        let time = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        let mut until = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = (*until).max(Instant::now()) + time;
    }

    /// When more may be moved, where that is not now.
    fn rest(&self) -> Option<Instant> {
        let until = *self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        (until > Instant::now()).then_some(until)
    }
}

/// A connection whose bytes are counted.
pub(super) struct Wire<S> {
    inner: S,
    pulse: Arc<Pulse>,
    speeds: Arc<Speeds>,
    resting_up: Option<Pin<Box<Sleep>>>,
    resting_down: Option<Pin<Box<Sleep>>>,
}

impl<S> Wire<S> {
    pub(super) fn new(inner: S, pulse: Arc<Pulse>, speeds: Arc<Speeds>) -> Self {
        Self { inner, pulse, speeds, resting_up: None, resting_down: None }
    }
}

/// Waits until the bytes that were moved before are paid for. To rest is no standstill.
fn rested(
    pace: Option<&Pace>,
    pulse: &Pulse,
    resting: &mut Option<Pin<Box<Sleep>>>,
    context: &mut Context<'_>,
) -> Poll<()> {
    let Some(pace) = pace else { return Poll::Ready(()) };
    loop {
        if let Some(sleep) = resting {
            ready!(sleep.as_mut().poll(context));
            *resting = None;
        }
        let Some(until) = pace.rest() else { return Poll::Ready(()) };
        pulse.beat(until);
        *resting = Some(Box::pin(sleep_until(until)));
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let pace = this.speeds.down.as_ref();
        ready!(rested(pace, &this.pulse, &mut this.resting_down, context));
        let before = room.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(context, room))?;
        this.pulse.beat(Instant::now());
        if let Some(pace) = pace {
            pace.spend(room.filled().len() - before);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let pace = this.speeds.up.as_ref();
        ready!(rested(pace, &this.pulse, &mut this.resting_up, context));
        let piece = if pace.is_some() { &bytes[..bytes.len().min(PIECE)] } else { bytes };
        let written = ready!(Pin::new(&mut this.inner).poll_write(context, piece))?;
        this.pulse.beat(Instant::now());
        if let Some(pace) = pace {
            pace.spend(written);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[test]
    fn a_call_during_which_nothing_moves_ends() {
        let pulse = Pulse::new(Duration::from_millis(20));
        let ended: io::Result<()> = wait(async move { pulse.within(std::future::pending()).await });
        let why = ended.unwrap_err();
        assert_eq!(why.kind(), io::ErrorKind::TimedOut);
        assert_eq!(why.to_string(), "no end of it within 20ms (timeout)");
    }

    #[test]
    fn whatever_moves_puts_the_end_off_but_not_for_ever() {
        let pulse = Pulse::new(Duration::from_secs(60));
        let begun = Instant::now() + Duration::from_secs(5);
        assert_eq!(pulse.due(begun), begun + Duration::from_secs(60));
        let later = begun + Duration::from_secs(500);
        pulse.beat(later);
        pulse.beat(begun);
        assert_eq!(pulse.due(begun), later + Duration::from_secs(60));
        pulse.beat(begun + 2 * CALL_MAX);
        assert_eq!(pulse.due(begun), begun + CALL_MAX);
    }

    #[test]
    fn bytes_in_both_directions_are_seen_to_move() {
        let pulse = Pulse::new(Duration::from_secs(60));
        wait(async move {
            let (near, mut far) = duplex(64);
            let mut near = Wire::new(near, pulse.clone(), Arc::default());
            let last = || *pulse.last.lock().unwrap();
            let mut before = last();
            for _ in 0..2 {
                near.write_all(b"x").await?;
                assert!(last() > before);
                far.write_all(b"x").await?;
                before = last();
                near.read_u8().await?;
                assert!(last() > before);
                before = last();
            }
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn bytes_are_paid_for_before_more_of_them_move() {
        let pace = Pace::new(16 << 10);
        assert_eq!(pace.rest(), None);
        let begun = Instant::now();
        pace.spend(160 << 10);
        pace.spend(160 << 10);
        assert!(pace.rest().unwrap() >= begun + Duration::from_secs(20));
    }

    #[test]
    fn resting_is_no_standstill() {
        let speeds = Speeds { up: Some(Pace::new(32 << 10)), down: Some(Pace::new(32 << 10)) };
        let pulse = Pulse::new(Duration::from_millis(200));
        wait(async move {
            let (near, mut far) = duplex(1 << 20);
            let mut near = Wire::new(near, pulse.clone(), Arc::new(speeds));
            let (begun, content) = (Instant::now(), vec![7; 32 << 10]);
            pulse.within(near.write_all(&content)).await?;
            far.write_all(&content).await?;
            pulse.within(near.read_exact(&mut content.clone())).await?;
            assert!(begun.elapsed() >= Duration::from_millis(500), "half of it was paid for before the rest moved");
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn a_call_can_be_waited_for_on_a_thread_of_another_runtime() {
        let runtime = runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(async { wait(async { Ok(7) }) }).unwrap(), 7);
    }
}

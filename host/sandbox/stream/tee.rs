//! The same bytes for two readers. The slower one sets the pace; when one is dropped, the other goes on.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::Notify,
};

use super::{BUFFER_BYTES, Feed, source::Source};
use crate::sandbox::budget::Charge;

/// What both halves share.
pub struct Tee {
    state: Mutex<State>,
    wakers: Arc<Wakers>,
    changed: Arc<Notify>,
    _charge: Charge,
}

struct State {
    source: Source,
    /// Bytes that not both halves have read; the first of them is at `start`.
    buffer: VecDeque<u8>,
    start: u64,
    ended: Option<Result<(), (io::ErrorKind, String)>>,
    halves: [HalfState; 2],
    scratch: Vec<u8>,
}

#[derive(Default)]
struct HalfState {
    position: u64,
    gone: bool,
    /// It waits for the other half to read.
    ahead: bool,
    held: isize,
    loose: isize,
}

/// Wakes both halves: whichever of them polled the source, the other may be who goes on.
#[derive(Default)]
struct Wakers(Mutex<[Option<Waker>; 2]>);

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        let wakers = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

/// One of the two readers.
pub struct Half {
    tee: Arc<Tee>,
    index: usize,
}

impl Tee {
    /// Both halves, and what they share. `feeds` are what the source is fed by; `charge` pays for the buffer.
    pub fn new(source: Source, feeds: &[Feed], changed: Arc<Notify>, charge: Charge) -> (Half, Half, Arc<Tee>) {
        let state = State {
            source,
            buffer: VecDeque::new(),
            start: 0,
            ended: None,
            halves: Default::default(),
            scratch: Vec::new(),
        };
        let tee = Arc::new(Self { state: Mutex::new(state), wakers: Arc::default(), changed, _charge: charge });
        for feed in feeds {
            if let Feed::Pipe(pipe) = feed {
                pipe.feeds(&tee);
            }
        }
        (Half { tee: tee.clone(), index: 0 }, Half { tee: tee.clone(), index: 1 }, tee)
    }

    /// One half waits for the other, which only the guest could read on.
    pub fn is_stuck(&self) -> bool {
        self.waits(0) || self.waits(1)
    }

    /// That half waits for the other, which only the guest could read on. The other does not: it has bytes to read.
    pub fn waits(&self, half: usize) -> bool {
        let state = self.state();
        let (one, other) = (&state.halves[half], &state.halves[1 - half]);
        one.ahead && !one.gone && !other.gone && other.held > 0 && other.loose == 0
    }

    pub(super) fn count(&self, half: usize, held: bool, change: isize) {
        let mut state = self.state();
        let half = &mut state.halves[half];
        *(if held { &mut half.held } else { &mut half.loose }) += change;
        drop(state);
        self.changed.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_waker(&self, half: usize, waker: &Waker) {
        self.wakers.0.lock().unwrap_or_else(PoisonError::into_inner)[half] = Some(waker.clone());
    }
}

impl AsyncRead for Half {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.tee.state();
        if state.serve(self.index, buffer) {
            drop(state);
            self.tee.wakers.clone().wake();
            return Poll::Ready(Ok(()));
        }
        if let Some(ended) = &state.ended {
            return Poll::Ready(ended.clone().map_err(|(kind, why)| io::Error::new(kind, why)));
        }
        self.tee.set_waker(self.index, context.waker());
        if state.must_wait(self.index) {
            state.halves[self.index].ahead = true;
            drop(state);
            self.tee.changed.notify_waiters();
            return Poll::Pending;
        }
        let both = Waker::from(self.tee.wakers.clone());
        if state.pull(&mut Context::from_waker(&both)).is_pending() {
            return Poll::Pending;
        }
        // Something came, or the source ended: this half takes its share of it at once.
        state.serve(self.index, buffer);
        let ended = state.ended.clone().filter(|_| buffer.filled().is_empty());
        drop(state);
        both.wake();
        match ended {
            Some(Err((kind, why))) => Poll::Ready(Err(io::Error::new(kind, why))),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl State {
    /// Copies what is there; false when there is nothing for that half.
    fn serve(&mut self, index: usize, buffer: &mut ReadBuf<'_>) -> bool {
        let offset = (self.halves[index].position - self.start) as usize;
        if offset >= self.buffer.len() || buffer.remaining() == 0 {
            return false;
        }
        let (first, second) = self.buffer.as_slices();
        let chunk = if offset < first.len() { &first[offset..] } else { &second[offset - first.len()..] };
        let count = chunk.len().min(buffer.remaining());
        buffer.put_slice(&chunk[..count]);
        self.halves[index].position += count as u64;
        self.trim();
        true
    }

    /// Forgets what every half that is left has read.
    fn trim(&mut self) {
        let end = self.start + self.buffer.len() as u64;
        let needed = self.halves.iter().filter(|half| !half.gone).map(|half| half.position).min().unwrap_or(end);
        self.buffer.drain(..(needed - self.start) as usize);
        self.start = needed;
        if self.buffer.len() < BUFFER_BYTES {
            self.halves.iter_mut().for_each(|half| half.ahead = false);
        }
    }

    fn must_wait(&self, index: usize) -> bool {
        !self.halves[1 - index].gone && self.buffer.len() >= BUFFER_BYTES
    }

    /// Reads more from the source.
    fn pull(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.scratch.resize(64 << 10, 0);
        let mut chunk = ReadBuf::new(&mut self.scratch);
        match Pin::new(&mut self.source).poll_read(context, &mut chunk) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => self.ended = Some(Err((error.kind(), error.to_string()))),
            Poll::Ready(Ok(())) if chunk.filled().is_empty() => self.ended = Some(Ok(())),
            Poll::Ready(Ok(())) => self.buffer.extend(chunk.filled()),
        }
        Poll::Ready(())
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        let mut state = self.tee.state();
        state.halves[self.index].gone = true;
        state.trim();
        drop(state);
        self.tee.wakers.clone().wake();
        self.tee.changed.notify_waiters();
    }
}

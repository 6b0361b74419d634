//! A bounded pipe for bytes that the guest makes. It knows whether the guest holds both of its ends.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::Notify,
};

use super::{BUFFER_BYTES, tee::Tee};
use crate::sandbox::budget::Charge;

/// What both ends share.
pub struct Pipe {
    state: Mutex<State>,
    changed: Arc<Notify>,
    _charge: Charge,
}

#[derive(Default)]
struct State {
    buffer: VecDeque<u8>,
    writing: Writing,
    reader_gone: bool,
    starved: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    held: isize,
    loose: isize,
    tees: Vec<Weak<Tee>>,
}

#[derive(Default, PartialEq)]
enum Writing {
    #[default]
    Open,
    Finished,
    Dropped,
}

/// The writing end. Dropping it unfinished makes the reader fail.
pub struct Writer(Arc<Pipe>);

/// The reading end.
pub struct Reader(Arc<Pipe>);

impl Pipe {
    /// Both ends, and what they share; `charge` pays for the buffer.
    pub fn new(changed: Arc<Notify>, charge: Charge) -> (Writer, Reader, Arc<Pipe>) {
        let pipe = Arc::new(Self { state: Mutex::default(), changed, _charge: charge });
        (Writer(pipe.clone()), Reader(pipe.clone()), pipe)
    }

    /// A reader waits, and only the writer (the guest) can help.
    pub fn is_starved(&self) -> bool {
        let state = self.state();
        state.starved && state.writing == Writing::Open
    }

    /// The writer waits, and only the guest can make room.
    pub fn is_choked(&self) -> bool {
        let state = self.state();
        let unread = state.held > 0 && state.loose == 0;
        let tees: Vec<_> = state.tees.iter().filter_map(Weak::upgrade).collect();
        let full = state.buffer.len() >= BUFFER_BYTES;
        drop(state);
        full && (unread || tees.iter().any(|tee| tee.is_stuck()))
    }

    /// Ends once [`Self::is_choked`].
    pub async fn choked(&self) {
        loop {
            let change = self.changed.notified();
            if self.is_choked() {
                return;
            }
            change.await;
        }
    }

    pub(super) fn count(&self, held: bool, change: isize) {
        let mut state = self.state();
        *(if held { &mut state.held } else { &mut state.loose }) += change;
        drop(state);
        self.changed.notify_waiters();
    }

    pub(super) fn feeds(&self, tee: &Arc<Tee>) {
        let mut state = self.state();
        state.tees.retain(|tee| tee.strong_count() > 0);
        state.tees.push(Arc::downgrade(tee));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// What both ends share.
    pub fn pipe(&self) -> &Arc<Pipe> {
        &self.0
    }

    /// Waits until all of `data` is in the pipe.
    ///
    /// # Errors
    /// When the reading end is gone.
    pub async fn write(&mut self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let count = std::future::poll_fn(|context| self.0.poll_write(context, data)).await?;
            data = &data[count..];
        }
        Ok(())
    }

    /// Marks the content complete.
    ///
    /// # Errors
    /// When the reading end is gone: nobody has taken it.
    pub fn finish(self) {
        self.0.close(Writing::Finished);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.close(Writing::Dropped);
    }
}

impl Pipe {
    fn poll_write(&self, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        if state.reader_gone {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads the pipe any more")));
        }
        let count = data.len().min(BUFFER_BYTES.saturating_sub(state.buffer.len()));
        if count == 0 {
            state.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        state.buffer.extend(&data[..count]);
        state.starved = false;
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(count))
    }

    fn close(&self, writing: Writing) {
        let mut state = self.state();
        if state.writing == Writing::Open {
            state.writing = writing;
        }
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }
}

impl AsyncRead for Reader {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.state();
        if !state.buffer.is_empty() {
            let (first, _) = state.buffer.as_slices();
            let count = first.len().min(buffer.remaining());
            buffer.put_slice(&first[..count]);
            state.buffer.drain(..count);
            if let Some(writer) = state.writer.take() {
                writer.wake();
            }
            return Poll::Ready(Ok(()));
        }
        match state.writing {
            Writing::Finished => return Poll::Ready(Ok(())),
            Writing::Dropped => {
                return Poll::Ready(Err(io::Error::other("the plugin dropped the stream before finishing it")));
            }
            Writing::Open => {}
        }
        state.reader = Some(context.waker().clone());
        state.starved = true;
        drop(state);
        self.0.changed.notify_waiters();
        Poll::Pending
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.reader_gone = true;
        state.buffer = VecDeque::new();
        if let Some(writer) = state.writer.take() {
            writer.wake();
        }
    }
}

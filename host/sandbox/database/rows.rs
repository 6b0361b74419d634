//! A query's rows on their way to a reader: a few at a time, and an error unless all came.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::mpsc,
};

use crate::sandbox::{fault::Code, native::Error};

/// Rows that are put together when they are there already.
pub const ROWS_AT_ONCE: usize = 256;

/// Chunks on the way.
const CHUNKS: usize = 2;

/// What the pump tells the reader. Only `End` is an end: a channel that just closes is a failure.
pub enum Chunk {
    Lines(Bytes),
    Failed(Error),
    End,
}

/// What a pump writes into, and what a reader reads from.
pub fn channel() -> (mpsc::Sender<Chunk>, mpsc::Receiver<Chunk>) {
    mpsc::channel(CHUNKS)
}

/// The reader's end.
pub struct Rows {
    receiver: mpsc::Receiver<Chunk>,
    chunk: Bytes,
    finished: Option<Result<(), Error>>,
    unread: Arc<AtomicBool>,
}

impl Rows {
    /// `unread` is true until all were read or nobody wants them any more.
    pub fn new(receiver: mpsc::Receiver<Chunk>, unread: Arc<AtomicBool>) -> Self {
        unread.store(true, Ordering::Release);
        Self { receiver, chunk: Bytes::new(), finished: None, unread }
    }

    /// The same, once the first of them are there.
    ///
    /// # Errors
    /// When they ended in an error before.
    pub async fn begun(receiver: mpsc::Receiver<Chunk>, unread: Arc<AtomicBool>) -> Result<Self, Error> {
        let mut rows = Self::new(receiver, unread);
        poll_fn(|cx| rows.poll_chunk(cx)).await;
        match &rows.finished {
            Some(Err(error)) => Err(error.clone()),
            _ => Ok(rows),
        }
    }

    /// The next chunk is there, or the end is known.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.chunk.is_empty() && self.finished.is_none() {
            let result = match ready!(self.receiver.poll_recv(cx)) {
                Some(Chunk::Lines(lines)) => {
                    self.chunk = lines;
                    continue;
                }
                Some(Chunk::Failed(error)) => Err(error),
                Some(Chunk::End) => Ok(()),
                None => Err(Error::new(Code::Internal, "the rows of a query stopped without an end")),
            };
            self.finished = Some(result);
            self.unread.store(false, Ordering::Release);
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Rows {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_chunk(cx));
        let count = self.chunk.len().min(buf.remaining());
        buf.put_slice(&self.chunk[..count]);
        self.chunk.advance(count);
        match &self.finished {
            Some(Err(error)) if count == 0 => Poll::Ready(Err(error.clone().into())),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        if self.finished.is_none() {
            self.unread.store(false, Ordering::Release);
        }
    }
}

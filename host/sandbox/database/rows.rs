//! A query's rows on their way to a reader: a few at a time, and an error unless all came.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::{OwnedMutexGuard, mpsc},
};
use tokio_postgres::{Row, RowStream};
use tokio_util::sync::CancellationToken;

use super::{Bounds, Session};
use crate::sandbox::{fault::Code, native::Error};

/// Rows that are put together when they are there already.
const ROWS_AT_ONCE: usize = 256;

/// Chunks on the way.
const CHUNKS: usize = 2;

/// What the pump tells the reader. Only `End` is an end: a channel that just closes is a failure.
enum Chunk {
    Lines(Bytes),
    Failed(Error),
    End,
}

/// Moves rows from a connection to a reader.
pub struct Pump {
    pub session: Arc<Session>,
    pub bounds: Bounds,
    /// The transaction was ended.
    pub over: CancellationToken,
    pub doing: String,
}

/// Why rows stop coming.
enum Stopped {
    /// All came.
    End,
    /// The server said so: the query is over there too.
    Failed(Error),
    /// We said so: the query still runs there.
    Cut(Error),
    /// The reader left.
    Left,
}

impl Pump {
    /// Begins to move, and returns the other end. `turn` is held until the transaction can be asked again.
    pub fn start(
        self,
        rows: Pin<Box<RowStream>>,
        first: Option<Row>,
        turn: OwnedMutexGuard<()>,
        unread: Arc<AtomicBool>,
    ) -> Rows {
        let (sender, receiver) = mpsc::channel(CHUNKS);
        tokio::spawn(async move {
            let stopped = self.run(rows, first, &sender).await;
            let last = match &stopped {
                Stopped::End => Some(Chunk::End),
                Stopped::Failed(error) | Stopped::Cut(error) => Some(Chunk::Failed(error.clone())),
                Stopped::Left => None,
            };
            // Clearing up may take the server a while: the reader need not wait for it.
            let clear = async {
                if !matches!(stopped, Stopped::End) {
                    self.session.settle(!matches!(stopped, Stopped::Failed(_))).await;
                }
                drop(turn);
            };
            let tell = async {
                if let Some(last) = last {
                    // The reader may have left: then it knows enough.
                    let _ = sender.send(last).await;
                }
            };
            tokio::join!(clear, tell);
        });
        Rows { receiver, chunk: Bytes::new(), finished: None, unread }
    }

    /// The stream of rows is gone when this returns, so that the connection can throw away what still comes.
    async fn run(&self, rows: Pin<Box<RowStream>>, first: Option<Row>, sender: &mpsc::Sender<Chunk>) -> Stopped {
        tokio::select! {
            biased;
            () = self.over.cancelled() => {
                Stopped::Cut(Error::new(Code::Canceled, format!("{}: the transaction was ended", self.doing)))
            }
            () = sender.closed() => Stopped::Left,
            error = self.bounds.reached(&self.doing) => Stopped::Cut(error),
            stopped = self.push(rows, first, sender) => stopped,
        }
    }

    async fn push(&self, rows: Pin<Box<RowStream>>, first: Option<Row>, sender: &mpsc::Sender<Chunk>) -> Stopped {
        // A stream that has ended says "closed" when it is asked again.
        let Some(first) = first else { return Stopped::End };
        let first = futures_util::stream::iter([Ok(first)]);
        let mut batches = std::pin::pin!(first.chain(rows).ready_chunks(ROWS_AT_ONCE));
        while let Some(batch) = batches.next().await {
            let mut lines = BytesMut::new();
            for row in batch {
                match row.and_then(|row| append(&mut lines, &row)) {
                    Ok(()) => {}
                    Err(cause) => return Stopped::Failed(self.session.failed(&self.doing, &cause)),
                }
            }
            if sender.send(Chunk::Lines(lines.freeze())).await.is_err() {
                return Stopped::Left;
            }
        }
        Stopped::End
    }
}

fn append(lines: &mut BytesMut, row: &Row) -> Result<(), tokio_postgres::Error> {
    let line: &str = row.try_get(0)?;
    lines.reserve(line.len() + 1);
    lines.extend_from_slice(line.as_bytes());
    lines.extend_from_slice(b"\n");
    Ok(())
}

/// The reader's end.
pub struct Rows {
    receiver: mpsc::Receiver<Chunk>,
    chunk: Bytes,
    finished: Option<Result<(), Error>>,
    unread: Arc<AtomicBool>,
}

impl Rows {
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

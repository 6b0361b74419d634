//! Moves rows from a connection to whoever reads them.

use std::{
    pin::Pin,
    sync::{Arc, atomic::AtomicBool},
};

use bytes::BytesMut;
use futures_util::StreamExt;
use tokio::sync::{OwnedMutexGuard, mpsc};
use tokio_postgres::{Row, RowStream};
use tokio_util::sync::CancellationToken;

use super::Session;
use crate::sandbox::{
    database::{
        Bounds,
        rows::{self, Chunk, ROWS_AT_ONCE, Rows},
    },
    fault::Code,
    native::Error,
};

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
        stream: Pin<Box<RowStream>>,
        first: Option<Row>,
        turn: OwnedMutexGuard<()>,
        unread: Arc<AtomicBool>,
    ) -> Rows {
        let (sender, receiver) = rows::channel();
        tokio::spawn(async move {
            let stopped = self.run(stream, first, &sender).await;
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
        Rows::new(receiver, unread)
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

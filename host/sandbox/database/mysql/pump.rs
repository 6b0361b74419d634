//! Asks one question and moves its rows to whoever reads them, in the text that the server sends.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use mysql_async::{Column, Conn, Error as Cause, Row, Value, consts::ColumnType, prelude::Queryable};
use tokio::{
    sync::{OwnedMutexGuard, mpsc},
    time,
};
use tokio_util::sync::CancellationToken;

use super::{failure, kill};
use crate::sandbox::{
    database::{
        Bounds, Database, SETTLE, no_row_in_time,
        rows::{Chunk, ROWS_AT_ONCE},
    },
    fault::Code,
    native::Error,
};

/// How many bytes of rows are put together at most, the last row aside.
const BYTES_AT_ONCE: usize = 64 << 10;

/// The character set of what is no text (MySQL Reference Manual, "The Binary Character Set").
const BINARY: u16 = 63;

/// How often a late `KILL QUERY` is waited out.
const SETTLE_TRIES: usize = 3;

/// A question, and all that may end it.
pub struct Pump {
    pub database: Database,
    /// The connection's number on the server.
    pub id: u32,
    pub bounds: Bounds,
    /// How long the first row may take.
    pub timeout: Option<Duration>,
    /// The transaction was ended.
    pub over: CancellationToken,
    pub doing: String,
}

/// What moves rows sees and says while it does.
struct Mover<'a> {
    sender: &'a mpsc::Sender<Chunk>,
    /// A first row, or the end, came.
    answered: &'a AtomicBool,
    /// Nobody wants more: what still comes is thrown away.
    cut: &'a CancellationToken,
}

impl Pump {
    /// Asks and moves. `turn` holds the connection until it can be asked again; it is empty when that never comes.
    pub async fn run(self, commands: [String; 3], mut turn: OwnedMutexGuard<Option<Conn>>, to: mpsc::Sender<Chunk>) {
        let Some(conn) = turn.take() else {
            let _ = to.send(Chunk::Failed(lost(&self.doing))).await;
            return;
        };
        let (cut, answered) = (CancellationToken::new(), AtomicBool::new(false));
        let mover = Mover { sender: &to, answered: &answered, cut: &cut };
        let mut moving = Box::pin(mover.run(conn, commands, &self.doing));
        let (conn, ended) = tokio::select! {
            biased;
            (conn, ended) = &mut moving => (Some(conn), ended),
            why = self.interrupted(&to, &answered) => (None, Err(why)),
        };
        // Clearing up may take the server a while: the reader need not wait for it.
        let clear = async {
            *turn = match conn {
                Some(conn) => Some(conn),
                None => self.give_up(moving, &cut).await,
            };
            drop(turn);
        };
        let tell = async {
            // The reader may have left: then it knows enough.
            let _ = to.send(ended.map_or_else(Chunk::Failed, |()| Chunk::End)).await;
        };
        tokio::join!(clear, tell);
    }

    /// Ends the question on the server too. What comes back is a connection that can be asked again.
    async fn give_up(&self, moving: impl Future<Output = Moved> + Unpin, cut: &CancellationToken) -> Option<Conn> {
        cut.cancel();
        let kill = kill(&self.database, "QUERY", self.id);
        let ((), moved) = tokio::join!(kill, time::timeout(SETTLE * 2, moving));
        let (mut conn, _) = moved.ok()?;
        settled(&mut conn).await.then_some(conn)
    }

    /// Why the rows are not wanted any more.
    async fn interrupted(&self, to: &mpsc::Sender<Chunk>, answered: &AtomicBool) -> Error {
        let first = async {
            let Some(timeout) = self.timeout else { return std::future::pending().await };
            time::sleep(timeout).await;
            match answered.load(Ordering::Acquire) {
                true => std::future::pending().await,
                false => no_row_in_time(&self.doing, timeout),
            }
        };
        tokio::select! {
            biased;
            () = self.over.cancelled() => {
                Error::new(Code::Canceled, format!("{}: the transaction was ended", self.doing))
            }
            () = to.closed() => Error::new(Code::Canceled, format!("{}: nobody reads the rows", self.doing)),
            error = self.bounds.reached(&self.doing) => error,
            error = first => error,
        }
    }
}

/// The connection, and how the rows ended.
type Moved = (Conn, Result<(), Error>);

impl Mover<'_> {
    async fn run(&self, mut conn: Conn, commands: [String; 3], doing: &str) -> Moved {
        let ended = self.ask(&mut conn, commands, doing).await;
        (conn, ended)
    }

    async fn ask(&self, conn: &mut Conn, [set, prepare, execute]: [String; 3], doing: &str) -> Result<(), Error> {
        let failed = |cause: Cause| failure::asking(doing, "the server", &cause);
        conn.query_drop(set).await.map_err(failed)?;
        conn.query_drop(prepare).await.map_err(failed)?;
        let mut rows = conn.query_iter(execute).await.map_err(failed)?;
        let forms: Vec<Form> = rows.columns_ref().iter().map(Form::of).collect();
        if forms.is_empty() {
            let message =
                format!("{doing}: the statement has no columns: it must be one SELECT, WITH, VALUES or TABLE");
            return Err(Error::new(Code::Invalid, message));
        }
        let mut batch = Batch::default();
        loop {
            let row = {
                let mut next = std::pin::pin!(rows.next());
                match futures_util::poll!(next.as_mut()) {
                    std::task::Poll::Ready(row) => row,
                    std::task::Poll::Pending => {
                        self.send(&mut batch).await;
                        next.await
                    }
                }
            };
            let row = row.map_err(failed)?;
            self.answered.store(true, Ordering::Release);
            let Some(row) = row else { break };
            if !self.cut.is_cancelled() {
                batch.append(&forms, row).map_err(|what| Error::new(Code::Corrupt, format!("{doing}: {what}")))?;
            }
            if batch.is_full() {
                self.send(&mut batch).await;
            }
        }
        self.send(&mut batch).await;
        Ok(())
    }

    /// Waits for the reader, unless nobody wants more.
    async fn send(&self, batch: &mut Batch) {
        if batch.lines.is_empty() {
            return;
        }
        let lines = Bytes::from(std::mem::take(batch).lines);
        tokio::select! {
            () = self.cut.cancelled() => {}
            // When the reader has left, that ends the question elsewhere.
            _ = self.sender.send(Chunk::Lines(lines)) => {}
        }
    }
}

/// Rows that go to the reader together.
#[derive(Default)]
struct Batch {
    lines: Vec<u8>,
    rows: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.rows >= ROWS_AT_ONCE || self.lines.len() >= BYTES_AT_ONCE
    }

    /// A JSON array of text or null, and a line.
    fn append(&mut self, forms: &[Form], row: Row) -> Result<(), String> {
        self.rows += 1;
        let mut before = b'[';
        for (value, form) in row.unwrap().into_iter().zip(forms) {
            self.lines.push(before);
            before = b',';
            match value {
                Value::Bytes(bytes) => {
                    let text = form.text(bytes)?;
                    serde_json::to_writer(&mut self.lines, &text).map_err(|error| error.to_string())?;
                }
                // The server sends text or nothing as an answer to text.
                _ => self.lines.extend_from_slice(b"null"),
            }
        }
        self.lines.extend_from_slice(b"]\n");
        Ok(())
    }
}

/// What the bytes of a column are.
#[derive(Clone, Copy)]
enum Form {
    Text,
    /// Written as PostgreSQL writes bytes: `\x00ff`.
    Bytes,
    /// Written as a number.
    Bits,
}

impl Form {
    fn of(column: &Column) -> Self {
        use ColumnType as T;
        match column.column_type() {
            T::MYSQL_TYPE_BIT => Self::Bits,
            T::MYSQL_TYPE_GEOMETRY => Self::Bytes,
            T::MYSQL_TYPE_STRING
            | T::MYSQL_TYPE_VAR_STRING
            | T::MYSQL_TYPE_VARCHAR
            | T::MYSQL_TYPE_TINY_BLOB
            | T::MYSQL_TYPE_MEDIUM_BLOB
            | T::MYSQL_TYPE_LONG_BLOB
            | T::MYSQL_TYPE_BLOB
                if column.character_set() == BINARY =>
            {
                Self::Bytes
            }
            _ => Self::Text,
        }
    }

    fn text(self, bytes: Vec<u8>) -> Result<String, String> {
        match self {
            Self::Text => String::from_utf8(bytes).map_err(|_| "the server sent text that is not UTF-8".to_owned()),
            Self::Bytes => Ok(hex(&bytes)),
            Self::Bits => Ok(bytes.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte)).to_string()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("\\x");
    for byte in bytes {
        text.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    text
}

/// Whether the connection can be asked again: a `KILL QUERY` that came late ends the next question instead.
async fn settled(conn: &mut Conn) -> bool {
    for _ in 0..SETTLE_TRIES {
        match time::timeout(SETTLE, conn.query_drop("DO 0")).await {
            Ok(Ok(())) => return true,
            Ok(Err(Cause::Server(refusal))) if refusal.code == failure::INTERRUPTED => {}
            _ => return false,
        }
    }
    false
}

/// What is said of a connection that was given up.
pub fn lost(doing: &str) -> Error {
    let message = format!("{doing}: the connection was lost, or a query before this one did not end");
    Error::passing(Code::Unavailable, message)
}

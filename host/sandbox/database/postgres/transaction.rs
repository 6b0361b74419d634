//! A read-only transaction: one instant, shared by name, asked one statement at a time.

use std::{
    fmt::Write as _,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::BytesMut;
use futures_util::StreamExt;
use tokio::{
    io::AsyncRead,
    sync::{Mutex, OwnedMutexGuard},
    time,
};
use tokio_postgres::{
    Row, RowStream,
    types::{Format, IsNull, ToSql, Type, to_sql_checked},
};
use tokio_util::sync::CancellationToken;

use super::{Session, pump::Pump};
use crate::sandbox::{
    database::{Bounds, SETTLE, Seen, ahead_ms, no_row_in_time, since_1970, unread_result},
    fault::Code,
    native::Error,
};

/// How often the way back to a usable transaction is tried: a late cancel request may hit the first.
const SETTLE_TRIES: usize = 3;

/// A read-only, repeatable-read transaction. Dropping it ends it, and its connection.
pub struct Transaction {
    session: Arc<Session>,
    bounds: Bounds,
    timeout: Option<Duration>,
    seen: Seen,
    shared_name: String,
    ahead_of_host_ms: i64,
    /// A result is in somebody's hands.
    unread: Arc<AtomicBool>,
    /// Held while the server works for us: from a query to the end of its result, however that comes.
    busy: Arc<Mutex<()>>,
    /// A question was begun and its caller went away before the answer.
    adrift: AtomicBool,
    over: CancellationToken,
}

impl Transaction {
    /// Takes the view. Its clock is read first, so that what is seen is no earlier; then in the statement that exports
    /// the view, whose own view was taken before it runs.
    ///
    /// # Errors
    /// When the connection is lost meanwhile.
    pub(in super::super) async fn begin(
        session: Session,
        bounds: Bounds,
        timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        let doing = format!("taking a view of {}", session.location);
        let taken = async {
            let client = &session.client;
            let host_before = SystemTime::now();
            let before: SystemTime = client.query_one("SELECT pg_catalog.clock_timestamp()", &[]).await?.try_get(0)?;
            let ahead = ahead_ms(before, host_before, SystemTime::now());
            client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            let export = "SELECT pg_catalog.pg_export_snapshot(), pg_catalog.clock_timestamp()";
            let row = client.query_one(export, &[]).await?;
            // A statement that fails must not take the exported view with it: what comes goes back to this point.
            client.batch_execute("SAVEPOINT question").await?;
            Ok((before, row.try_get::<_, SystemTime>(1)?, row.try_get::<_, String>(0)?, ahead))
        };
        let (before, after, shared_name, ahead_of_host_ms) =
            taken.await.map_err(|cause| session.failed(&doing, &cause))?;
        Ok(Self {
            session: Arc::new(session),
            bounds,
            timeout,
            // The server's clock counts whole microseconds: what it says is up to 999 ns too early.
            seen: (since_1970(before, 0), since_1970(after, 999)),
            shared_name,
            ahead_of_host_ms,
            unread: Arc::default(),
            busy: Arc::default(),
            adrift: AtomicBool::new(false),
            over: CancellationToken::new(),
        })
    }

    /// When its view was taken.
    pub fn seen(&self) -> Seen {
        self.seen
    }

    /// The name under which another session can share its view while this one lives (`pg_dump --snapshot`).
    pub fn shared_name(&self) -> &str {
        &self.shared_name
    }

    /// How far the server's clock is ahead of the host's, in milliseconds, give or take half a round trip.
    pub fn ahead_of_host_ms(&self) -> i64 {
        self.ahead_of_host_ms
    }

    /// Runs one `SELECT` (or `WITH`, `VALUES`, `TABLE`). Each row is a JSON array of text or null, and a line.
    /// Values are in PostgreSQL's text form (bytes in hex, times in UTC, `character(n)` without its padding).
    ///
    /// Parameters are text, and the server reads each as what its place wants, as in psql: `id = $1` and `$1::bigint`
    /// are both fine.
    ///
    /// The stream ends in an error that carries an [`Error`] when the connection dies or the transaction ends. Dropping
    /// it gives the query up; the transaction stays usable, as it does after any error of a statement.
    ///
    /// # Errors
    /// `invalid` for anything but one such statement, the wrong number of parameters, a result that is still unread, and
    /// what the server refuses (with its SQLSTATE); `denied` for rights that the role does not have; `timeout` when
    /// no row came in the grant's time; `unavailable` when the connection is lost; `canceled`.
    pub async fn query(
        &self,
        statement: &str,
        parameters: &[String],
    ) -> Result<Box<dyn AsyncRead + Send + Unpin>, Error> {
        if self.unread.load(Ordering::Acquire) {
            return Err(unread_result());
        }
        let doing = format!("asking {}", self.session.location);
        let turn = self.settled(&doing).await?;
        if self.adrift.swap(true, Ordering::AcqRel) {
            self.session.settle(true).await;
        }
        let asked = self.within(&doing, self.ask(&doing, statement, parameters)).await;
        if let Err(error) = &asked {
            self.session.settle(matches!(error.code, Code::Timeout | Code::Canceled)).await;
        }
        self.adrift.store(false, Ordering::Release);
        asked.map(|(rows, first)| self.stream(doing, rows, first, turn))
    }

    /// Ends it. A result that is still unread ends in an error. It is rolled back: some functions write in spite of
    /// `READ ONLY` (before PostgreSQL 16 those of large objects do), and nothing that a plugin asks may stay.
    ///
    /// # Errors
    /// When the connection was lost meanwhile: then its view was lost too.
    pub async fn end(self) -> Result<(), Error> {
        let doing = format!("ending a transaction on {}", self.session.location);
        self.over.cancel();
        let _turn = self.settled(&doing).await?;
        match time::timeout(SETTLE, self.session.client.batch_execute("ROLLBACK")).await {
            Ok(done) => done.map_err(|cause| self.session.failed(&doing, &cause)),
            Err(_) => {
                Err(Error::passing(Code::Unavailable, format!("{doing}: no answer within {} s", SETTLE.as_secs())))
            }
        }
    }

    /// Waits until what a dropped result left behind is cleared away.
    async fn settled(&self, doing: &str) -> Result<OwnedMutexGuard<()>, Error> {
        let patience = SETTLE * (SETTLE_TRIES as u32 + 1);
        match time::timeout(patience, self.busy.clone().lock_owned()).await {
            Ok(turn) => Ok(turn),
            Err(_) => Err(Error::passing(Code::Unavailable, format!("{doing}: the query before it does not end"))),
        }
    }

    /// Bounds the wait for a first row.
    async fn within<T>(&self, doing: &str, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let Some(timeout) = self.timeout else { return self.bounds.within(doing, work).await };
        match time::timeout(timeout, self.bounds.within(doing, work)).await {
            Ok(done) => done,
            Err(_) => Err(no_row_in_time(doing, timeout)),
        }
    }

    async fn ask(
        &self,
        doing: &str,
        statement: &str,
        parameters: &[String],
    ) -> Result<(Pin<Box<RowStream>>, Option<Row>), Error> {
        let client = &self.session.client;
        let failed = |cause: tokio_postgres::Error| self.session.failed(doing, &cause);
        let invalid = |what: String| Err(Error::new(Code::Invalid, format!("{doing}: {what}")));
        let statement = statement.trim_end_matches(|letter: char| letter.is_whitespace() || letter == ';');
        // By itself first: the server refuses several statements in one, so that none can hide behind a bracket.
        let plain = client.prepare(statement).await.map_err(failed)?;
        if plain.columns().is_empty() {
            return invalid("the statement has no columns: it must be one SELECT, WITH, VALUES or TABLE".to_owned());
        }
        if plain.params().len() != parameters.len() {
            let (wanted, given) = (plain.params().len(), parameters.len());
            return invalid(format!("the statement has {wanted} parameters, and {given} were given"));
        }
        let wrapped = match client.prepare(&as_lines(statement, plain.columns().len())).await {
            Err(cause) if cause.code() == Some(&tokio_postgres::error::SqlState::SYNTAX_ERROR) => {
                return invalid("the statement must be one SELECT, WITH, VALUES or TABLE".to_owned());
            }
            wrapped => wrapped.map_err(failed)?,
        };
        let values = parameters.iter().map(|value| Text(value));
        let mut rows = Box::pin(client.query_raw(&wrapped, values).await.map_err(failed)?);
        let first = rows.next().await.transpose().map_err(failed)?;
        Ok((rows, first))
    }

    fn stream(
        &self,
        doing: String,
        rows: Pin<Box<RowStream>>,
        first: Option<Row>,
        turn: OwnedMutexGuard<()>,
    ) -> Box<dyn AsyncRead + Send + Unpin> {
        let pump = Pump { session: self.session.clone(), bounds: self.bounds.clone(), over: self.over.clone(), doing };
        Box::new(pump.start(rows, first, turn, self.unread.clone()))
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

impl Session {
    /// Brings the transaction back to where it was before the last statement.
    pub(super) async fn settle(&self, interrupted: bool) {
        if interrupted {
            // An attempt: when it does not arrive, the rollback below waits for the query, and not for ever.
            let _ = time::timeout(SETTLE, self.client.cancel_token().cancel_query(self.tls.clone())).await;
        }
        for _ in 0..SETTLE_TRIES {
            let rollback = self.client.batch_execute("ROLLBACK TO SAVEPOINT question");
            match time::timeout(SETTLE, rollback).await {
                Ok(Err(cause)) if !cause.is_closed() => {}
                _ => break,
            }
        }
    }
}

/// A statement whose rows are lines. An array takes any number of columns (a function at most 100), and JSON
/// has no raw line break. The order of the inner rows is kept.
fn as_lines(statement: &str, columns: usize) -> String {
    let (mut values, mut names) = (String::new(), String::new());
    for column in 1..=columns {
        let comma = if column > 1 { ", " } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(values, "{comma}c{column}::pg_catalog.text");
        let _ = write!(names, "{comma}c{column}");
    }
    // The line break ends a comment in which the statement may end.
    format!("SELECT pg_catalog.array_to_json(ARRAY[{values}])::pg_catalog.text FROM ({statement}\n) AS q({names})")
}

/// A parameter in text form, whatever type the server has found for its place.
#[derive(Debug)]
struct Text<'a>(&'a str);

impl ToSql for Text<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

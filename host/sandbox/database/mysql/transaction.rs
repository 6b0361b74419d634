//! A read-only transaction on MySQL or MariaDB: one instant, which a freeze can make the same for a dump tool.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use mysql_async::{Conn, prelude::Queryable};
use tokio::{
    io::AsyncRead,
    sync::{Mutex, OwnedMutexGuard},
    time,
};
use tokio_util::sync::CancellationToken;

use super::{
    Session, failure,
    freeze::Frozen,
    pump::{Pump, lost},
    statement::Dialect,
    texts,
};
use crate::{
    config::Engine,
    sandbox::{
        database::{Bounds, Database, SETTLE, Seen, ahead_ms, rows, since_1970, unread_result},
        fault::Code,
        native::Error,
    },
};

/// The server's clock, which goes on within a statement.
const CLOCK: &str = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', SYSDATE(6))";

/// Tables of InnoDB show the instant of this statement from now on; others have no such thing.
const BEGIN: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

/// A read-only, repeatable-read transaction. Dropping it ends it, its connection, and a freeze.
pub struct Transaction {
    database: Database,
    engine: Engine,
    dialect: Dialect,
    /// The connection's number on the server.
    id: u32,
    /// Held while the server works for us, to the end of a result; empty once it was given up.
    conn: Arc<Mutex<Option<Conn>>>,
    bounds: Bounds,
    view: View,
    frozen: Option<Frozen>,
    /// A result is in somebody's hands.
    unread: Arc<AtomicBool>,
    over: CancellationToken,
}

/// When a view was taken.
#[derive(Clone, Copy)]
struct View {
    seen: Seen,
    ahead_of_host_ms: i64,
}

impl Transaction {
    /// Takes a view.
    ///
    /// # Errors
    /// When the connection is lost meanwhile.
    pub(in super::super) async fn begin(database: &Database, session: Session, bounds: Bounds) -> Result<Self, Error> {
        let doing = format!("taking a view of {}", database.location());
        let Session { mut conn, engine, dialect, .. } = session;
        let view = take(&mut conn).await;
        let view = view.map_err(|cause| failure::asking(&doing, &database.location(), &cause))?;
        Ok(Self {
            database: database.clone(),
            engine,
            dialect,
            id: conn.id(),
            conn: Arc::new(Mutex::new(Some(conn))),
            bounds,
            view,
            frozen: None,
            unread: Arc::default(),
            over: CancellationToken::new(),
        })
    }

    /// The server's kind, as it said itself.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// When its view was taken.
    pub fn seen(&self) -> Seen {
        self.view.seen
    }

    /// How far the server's clock is ahead of the host's, in milliseconds, give or take half a round trip.
    pub fn ahead_of_host_ms(&self) -> i64 {
        self.view.ahead_of_host_ms
    }

    /// Keeps everybody from writing to the whole server, and takes the view anew while nobody can: a dump tool whose own
    /// transaction begins before the thaw sees the same.
    ///
    /// # Errors
    /// `invalid` while it is frozen or a result is unread, `denied` without the right to (`RELOAD`), `timeout` when
    /// what goes on there did not end in time; else as a query. Then nothing is frozen, and the view is the old one.
    pub async fn freeze(&mut self, seconds_max: u32) -> Result<(), Error> {
        if self.frozen.is_some() {
            return Err(Error::new(Code::Invalid, "this transaction is frozen: thaw it first"));
        }
        if self.unread.load(Ordering::Acquire) {
            return Err(unread_result());
        }
        let doing = format!("taking a view of {}", self.database.location());
        let mut turn = self.turn(&doing).await?;
        let conn = turn.as_mut().ok_or_else(|| lost(&doing))?;
        let frozen = Frozen::take(&self.database, &self.bounds, seconds_max).await?;
        let again = async {
            conn.query_drop("ROLLBACK").await?;
            take(conn).await
        };
        let location = self.database.location();
        let taken = time::timeout(SETTLE, again).await.map_err(|_| slow(&doing));
        match taken.and_then(|taken| taken.map_err(|cause| failure::asking(&doing, &location, &cause))) {
            Ok(view) => {
                (self.view, self.frozen) = (view, Some(frozen));
                Ok(())
            }
            Err(error) => {
                // Which view it has now is not known.
                *turn = None;
                Err(error)
            }
        }
    }

    /// Lets writes go on.
    ///
    /// # Errors
    /// `invalid` when nothing is frozen, `timeout` when the freeze was over before, `unavailable` when it was lost: then
    /// what was read meanwhile is not of one instant.
    pub async fn thaw(&mut self) -> Result<(), Error> {
        match self.frozen.take() {
            Some(frozen) => frozen.thaw().await,
            None => Err(Error::new(Code::Invalid, "this transaction is not frozen")),
        }
    }

    /// Runs one `SELECT` (or `WITH`, `VALUES`, `TABLE`). Each row is a JSON array of text or null, and a line.
    /// Values are in the server's text form (bytes in hex as PostgreSQL writes them, bits as a number, times in UTC).
    ///
    /// Parameters are text, in the character set of the connection, and the server turns each into what its place wants.
    ///
    /// # Errors
    /// As [`Transaction::query`](crate::sandbox::database::Transaction::query).
    pub async fn query(
        &self,
        statement: &str,
        parameters: &[String],
    ) -> Result<Box<dyn AsyncRead + Send + Unpin>, Error> {
        if self.unread.load(Ordering::Acquire) {
            return Err(unread_result());
        }
        let doing = format!("asking {}", self.database.location());
        let invalid = |what| Error::new(Code::Invalid, format!("{doing}: {what}"));
        let statement = self.dialect.read(statement, parameters.len()).map_err(invalid)?;
        let commands = statement.commands(parameters).map_err(invalid)?;
        let turn = self.turn(&doing).await?;
        let pump = Pump {
            database: self.database.clone(),
            id: self.id,
            bounds: self.bounds.clone(),
            timeout: self.database.grant.timeout,
            over: self.over.clone(),
            doing,
        };
        let (sender, receiver) = rows::channel();
        tokio::spawn(pump.run(commands, turn, sender));
        Ok(Box::new(rows::Rows::begun(receiver, self.unread.clone()).await?))
    }

    /// Ends it. A result that is still unread ends in an error, and a freeze is over.
    ///
    /// # Errors
    /// When the connection was lost meanwhile: then its view was lost too.
    pub async fn end(mut self) -> Result<(), Error> {
        let location = self.database.location();
        let doing = format!("ending a transaction on {location}");
        self.over.cancel();
        if let Some(frozen) = self.frozen.take() {
            // Why it was over before does not matter to what is over now.
            let _ = frozen.thaw().await;
        }
        let mut conn = self.turn(&doing).await?.take().ok_or_else(|| lost(&doing))?;
        let rolled_back = time::timeout(SETTLE, conn.query_drop("ROLLBACK")).await.map_err(|_| slow(&doing))?;
        rolled_back.map_err(|cause| failure::asking(&doing, &location, &cause))?;
        let _ = time::timeout(SETTLE, conn.disconnect()).await;
        Ok(())
    }

    /// Waits until what a dropped result left behind is cleared away.
    async fn turn(&self, doing: &str) -> Result<OwnedMutexGuard<Option<Conn>>, Error> {
        let patience: Duration = SETTLE * 6;
        match time::timeout(patience, self.conn.clone().lock_owned()).await {
            Ok(turn) => Ok(turn),
            Err(_) => Err(Error::passing(Code::Unavailable, format!("{doing}: the query before it does not end"))),
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

/// Its clock is read before and after: what is seen is of a moment between.
async fn take(conn: &mut Conn) -> Result<View, mysql_async::Error> {
    let host_before = SystemTime::now();
    let before = clock(conn).await?;
    let ahead_of_host_ms = ahead_ms(before, host_before, SystemTime::now());
    conn.query_drop(BEGIN).await?;
    let after = clock(conn).await?;
    // The server's clock counts whole microseconds: what it says is up to 999 ns too early.
    Ok(View { seen: (since_1970(before, 0), since_1970(after, 999)), ahead_of_host_ms })
}

async fn clock(conn: &mut Conn) -> Result<SystemTime, mysql_async::Error> {
    let said = texts(conn, CLOCK).await?;
    let micros = said.first().and_then(|text| text.parse().ok()).unwrap_or_default();
    Ok(SystemTime::UNIX_EPOCH + Duration::from_micros(micros))
}

fn slow(doing: &str) -> Error {
    Error::passing(Code::Unavailable, format!("{doing}: no answer within {} s", SETTLE.as_secs()))
}

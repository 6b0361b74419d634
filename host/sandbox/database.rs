//! Asks a granted database: read-only transactions in which every question sees the same instant.
//!
//! What a plugin may ask for is bounded by `READ ONLY` and, above all, by the rights of the role in the grant.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use tokio::{
    io::AsyncRead,
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

use super::{fault::Code, native::Error, tls::Check};
use crate::{
    config::{Engine, SqlGrant, SslMode},
    secret::Secret,
};

#[cfg(test)]
mod asking;
mod mysql;
mod postgres;
mod rows;

/// How long a connection may take until the server is ready for questions, secrets and TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often an idle connection is tried: a firewall must not forget it while a dump runs for hours.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How long the server has to give up a query, or to end the transaction.
const SETTLE: Duration = Duration::from_secs(10);

/// When a view was taken, on the server's clock, as seconds and nanoseconds since 1970: not before the first, and
/// not after the second.
pub type Seen = ((i64, u32), (i64, u32));

/// A granted database. Making one connects to nothing.
#[derive(Clone, Debug)]
pub struct Database {
    name: String,
    grant: SqlGrant,
    /// What the server said that it is.
    said: Arc<OnceLock<Engine>>,
}

/// What ends every wait for a server.
#[derive(Clone, Debug)]
struct Bounds {
    stop: CancellationToken,
    deadline: Instant,
}

impl Bounds {
    async fn reached(&self, doing: &str) -> Error {
        tokio::select! {
            () = self.stop.cancelled() => Error::new(Code::Canceled, format!("{doing}: the run was stopped")),
            () = time::sleep_until(self.deadline) => {
                Error::new(Code::Timeout, format!("{doing}: not done when the part's time (limits.part-time) was over"))
            }
        }
    }

    /// `work`, unless it is over first.
    async fn within<T>(&self, doing: &str, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::select! {
            done = work => done,
            error = self.reached(doing) => Err(error),
        }
    }
}

impl Database {
    /// A granted database, by the grant's name.
    pub fn open(name: &str, grant: &SqlGrant) -> Self {
        Self { name: name.to_owned(), grant: grant.clone(), said: Arc::default() }
    }

    /// The server's kind. A MySQL and a MariaDB speak the same protocol, so that which of them it is, it says itself;
    /// while it cannot be asked, it is what the grant says.
    pub async fn engine(&self, stop: CancellationToken, deadline: Instant) -> Engine {
        if self.grant.engine != Engine::Postgresql && self.said.get().is_none() {
            let _ = self.server_version(stop, deadline).await;
        }
        *self.said.get().unwrap_or(&self.grant.engine)
    }

    /// `host:port/name`
    pub fn location(&self) -> String {
        format!("{}:{}/{}", self.grant.host, self.grant.port, self.grant.database)
    }

    /// The role that logs in.
    pub fn user(&self) -> &str {
        &self.grant.user
    }

    /// What the server says that it is, as in "15.14 (Debian 15.14-0+deb12u1)".
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub async fn server_version(&self, stop: CancellationToken, deadline: Instant) -> Result<String, Error> {
        let doing = format!("asking {} for its version", self.location());
        let ask = async {
            match self.grant.engine {
                Engine::Postgresql => self.connect(postgres::Session::dial).await?.version(&doing).await,
                Engine::Mysql | Engine::Mariadb => {
                    let session = self.connect(mysql::Session::dial).await?;
                    let version = session.version().to_owned();
                    session.close().await;
                    Ok(version)
                }
            }
        };
        Bounds { stop, deadline }.within(&doing, ask).await
    }

    /// Connects, and begins a read-only transaction.
    ///
    /// # Errors
    /// `unavailable` (worth another try) when nobody answers or the server has no room, `denied` for a wrong password
    /// and a certificate that is not trusted, `not-found` for a database that does not exist, `canceled`, `timeout`.
    pub async fn begin(&self, stop: CancellationToken, deadline: Instant) -> Result<Transaction, Error> {
        let bounds = Bounds { stop, deadline };
        let doing = format!("beginning a transaction on {}", self.location());
        let begin = async {
            Ok(match self.grant.engine {
                Engine::Postgresql => {
                    let session = self.connect(postgres::Session::dial).await?;
                    Transaction::Postgresql(
                        postgres::Transaction::begin(session, bounds.clone(), self.grant.timeout).await?,
                    )
                }
                Engine::Mysql | Engine::Mariadb => {
                    let session = self.connect(mysql::Session::dial).await?;
                    Transaction::Mysql(Box::new(mysql::Transaction::begin(self, session, bounds.clone()).await?))
                }
            })
        };
        bounds.within(&doing, begin).await
    }

    async fn connect<T>(&self, dial: impl AsyncFnOnce(&Self, &str) -> Result<T, Error>) -> Result<T, Error> {
        let doing = format!("connecting to {} as {}", self.location(), self.grant.user);
        match time::timeout(CONNECT_TIMEOUT, dial(self, &doing)).await {
            Ok(session) => session,
            Err(_) => {
                let seconds = CONNECT_TIMEOUT.as_secs();
                Err(Error::passing(Code::Unavailable, format!("{doing}: no answer within {seconds} s")))
            }
        }
    }

    async fn password(&self, doing: &str) -> Result<Option<Secret>, Error> {
        let Some(source) = self.grant.password.clone() else { return Ok(None) };
        let read = blocking(doing, move || source.resolve()).await?;
        read.map(Some).map_err(|cause| {
            let detail = std::error::Error::source(&cause).map_or_else(String::new, |inner| format!(": {inner}"));
            Error::new(Code::Unavailable, format!("{doing}: {cause}{detail}"))
        })
    }

    /// How much of the server's certificate is checked, as libpq does (PostgreSQL documentation, "SSL Support").
    fn check(&self) -> Check {
        match (self.grant.sslmode, &self.grant.ca) {
            (SslMode::Disable | SslMode::Prefer, _) | (SslMode::Require, None) => Check::Nothing,
            (SslMode::Require, Some(_)) | (SslMode::VerifyCa, _) => Check::Authority,
            (SslMode::VerifyFull, _) => Check::AuthorityAndName,
        }
    }
}

/// A view of one instant. Dropping it ends it, and its connection.
pub enum Transaction {
    /// On PostgreSQL.
    Postgresql(postgres::Transaction),
    /// On MySQL or MariaDB.
    Mysql(Box<mysql::Transaction>),
}

impl Transaction {
    /// The server's kind, as it said itself.
    pub fn engine(&self) -> Engine {
        match self {
            Self::Postgresql(_) => Engine::Postgresql,
            Self::Mysql(transaction) => transaction.engine(),
        }
    }

    /// When its view was taken.
    pub fn seen(&self) -> Seen {
        match self {
            Self::Postgresql(transaction) => transaction.seen(),
            Self::Mysql(transaction) => transaction.seen(),
        }
    }

    /// The name under which another session can share its view while this one lives (`pg_dump --snapshot`).
    pub fn shared_name(&self) -> Option<&str> {
        match self {
            Self::Postgresql(transaction) => Some(transaction.shared_name()),
            Self::Mysql(_) => None,
        }
    }

    /// How far the server's clock is ahead of the host's, in milliseconds, give or take half a round trip.
    pub fn ahead_of_host_ms(&self) -> i64 {
        match self {
            Self::Postgresql(transaction) => transaction.ahead_of_host_ms(),
            Self::Mysql(transaction) => transaction.ahead_of_host_ms(),
        }
    }

    /// No more writes to the server from now on, and a new view of this moment in place of the old one.
    ///
    /// # Errors
    /// `unsupported` where a view can be shared instead; else as [`mysql::Transaction::freeze`].
    pub async fn freeze(&mut self, seconds_max: u32) -> Result<(), Error> {
        match self {
            Self::Postgresql(_) => Err(no_freeze()),
            Self::Mysql(transaction) => transaction.freeze(seconds_max).await,
        }
    }

    /// Lets writes go on.
    ///
    /// # Errors
    /// `unsupported` where a view can be shared instead; else as [`mysql::Transaction::thaw`].
    pub async fn thaw(&mut self) -> Result<(), Error> {
        match self {
            Self::Postgresql(_) => Err(no_freeze()),
            Self::Mysql(transaction) => transaction.thaw().await,
        }
    }

    /// Runs one statement that reads. Each row is a JSON array of text or null, and a line.
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
        match self {
            Self::Postgresql(transaction) => transaction.query(statement, parameters).await,
            Self::Mysql(transaction) => transaction.query(statement, parameters).await,
        }
    }

    /// Ends it, and says whether it held until now. A result that is still unread ends in an error.
    ///
    /// # Errors
    /// When the connection was lost meanwhile: then its view was lost too.
    pub async fn end(self) -> Result<(), Error> {
        match self {
            Self::Postgresql(transaction) => transaction.end().await,
            Self::Mysql(transaction) => transaction.end().await,
        }
    }
}

fn no_freeze() -> Error {
    Error::new(Code::Unsupported, "PostgreSQL needs no freeze: share the transaction's view instead")
}

fn unread_result() -> Error {
    Error::new(Code::Invalid, "a result of this transaction is still unread: read it to its end or drop it")
}

fn no_row_in_time(doing: &str, timeout: Duration) -> Error {
    let seconds = timeout.as_secs_f64();
    let message = format!("{doing}: no row within {seconds} s: raise timeout in its grant if it needs longer");
    Error::new(Code::Timeout, message)
}

async fn blocking<T: Send + 'static>(doing: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|cause| Error::new(Code::Internal, format!("{doing}: {cause}")))
}

/// How far the server's clock is ahead of the host's, in milliseconds, when it said `server` between two looks at
/// the host's.
fn ahead_ms(server: SystemTime, before: SystemTime, after: SystemTime) -> i64 {
    let millis = |at: SystemTime| match at.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => since.as_millis() as i64,
        Err(until) => -(until.duration().as_millis() as i64),
    };
    millis(server) - (millis(before) + millis(after)) / 2
}

/// A moment that a server said in whole microseconds, up to `later_ns` nanoseconds later.
fn since_1970(at: SystemTime, later_ns: u32) -> (i64, u32) {
    match at.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => (since.as_secs().cast_signed(), since.subsec_nanos() + later_ns),
        Err(_) => (0, 0),
    }
}

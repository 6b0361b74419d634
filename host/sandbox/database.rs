//! Asks a granted database: read-only transactions in which every question sees the same instant.
//!
//! What a plugin may ask for is bounded by `READ ONLY` and, above all, by the rights of the role in the grant.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use tokio::time::{self, Instant};
use tokio_postgres::{Client, config::SslMode as Negotiation};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::sync::CancellationToken;

use super::{
    fault::Code,
    native::Error,
    tls::{self, Check},
};
use crate::{
    config::{Engine, SqlGrant, SslMode},
    diagnostic::causes,
};

mod failure;
mod rows;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod transaction;

pub use transaction::{Seen, Transaction};

/// How long a connection may take until the server is ready for questions, secrets and TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often an idle connection is tried: a firewall must not forget it while a dump runs for hours.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Makes text the same whoever asks, and row filters an error instead of a part of the answer (as pg_dump does); the
/// host has limits of its own for what may take how long.
const SETTINGS: &str = "SET client_encoding = 'UTF8'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; \
    SET TimeZone = 'UTC'; SET bytea_output = 'hex'; SET extra_float_digits = 1; SET row_security = off; \
    SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0";

/// PostgreSQL 17 and later have it.
const SETTINGS_LATER: &str =
    "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name = 'transaction_timeout'";

/// A granted database. Making one connects to nothing.
#[derive(Clone, Debug)]
pub struct Database {
    name: String,
    grant: SqlGrant,
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
                Error::new(Code::Timeout, format!("{doing}: not done when the part's time was over"))
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

/// A connection. The task that moves its bytes ends with it.
struct Session {
    client: Client,
    tls: MakeRustlsConnect,
    /// "localhost:5432/wiki"
    location: String,
    /// Why the connection ended, once it did so by itself.
    lost: Arc<OnceLock<String>>,
}

impl Database {
    /// A granted database, by the grant's name.
    pub fn open(name: &str, grant: &SqlGrant) -> Self {
        Self { name: name.to_owned(), grant: grant.clone() }
    }

    /// The server's kind, in the contract's word.
    pub fn engine(&self) -> &'static str {
        match self.grant.engine {
            Engine::Postgresql => "postgresql",
        }
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
        Bounds { stop, deadline }
            .within(&doing, async {
                let session = self.connect().await?;
                let row = session.client.query_one("SHOW server_version", &[]).await;
                row.and_then(|row| row.try_get(0)).map_err(|cause| session.failed(&doing, &cause))
            })
            .await
    }

    /// Connects, and begins a read-only transaction whose view others can share.
    ///
    /// # Errors
    /// `unavailable` (worth another try) when nobody answers or the server has no room, `denied` for a wrong password
    /// and a certificate that is not trusted, `not-found` for a database that does not exist, `canceled`, `timeout`.
    pub async fn begin(&self, stop: CancellationToken, deadline: Instant) -> Result<Transaction, Error> {
        let bounds = Bounds { stop, deadline };
        let doing = format!("beginning a transaction on {}", self.location());
        let begin = async {
            let session = self.connect().await?;
            transaction::begin(session, bounds.clone(), self.grant.timeout).await
        };
        bounds.within(&doing, begin).await
    }

    async fn connect(&self) -> Result<Session, Error> {
        let doing = format!("connecting to {} as {}", self.location(), self.grant.user);
        match time::timeout(CONNECT_TIMEOUT, self.dial(&doing)).await {
            Ok(session) => session,
            Err(_) => {
                let seconds = CONNECT_TIMEOUT.as_secs();
                Err(Error::passing(Code::Unavailable, format!("{doing}: no answer within {seconds} s")))
            }
        }
    }

    async fn dial(&self, doing: &str) -> Result<Session, Error> {
        let mut config = tokio_postgres::Config::new();
        config
            .host(&self.grant.host)
            .port(self.grant.port)
            .dbname(&self.grant.database)
            .user(&self.grant.user)
            .application_name("strongroom")
            .keepalives_idle(KEEPALIVE)
            .connect_timeout(CONNECT_TIMEOUT)
            .ssl_mode(self.negotiation());
        if let Some(password) = self.password(doing).await? {
            config.password(password.expose());
        }
        let (check, ca) = (self.check(), self.grant.ca.clone());
        let tls = blocking(doing, move || tls::client(check, ca.as_deref(), None)).await?;
        let tls = MakeRustlsConnect::new(tls.map_err(|what| Error::new(Code::Invalid, format!("{doing}: {what}")))?);
        let connected = config.connect(tls.clone()).await;
        let (client, connection) =
            connected.map_err(|cause| failure::connecting(doing, &self.name, &self.grant, &cause))?;
        let lost: Arc<OnceLock<String>> = Arc::default();
        let session = Session { client, tls, location: self.location(), lost: lost.clone() };
        tokio::spawn(async move {
            if let Err(cause) = connection.await {
                let _ = lost.set(causes(&cause));
            }
        });
        let set = async {
            session.client.batch_execute(SETTINGS).await?;
            session.client.execute(SETTINGS_LATER, &[]).await
        };
        set.await.map_err(|cause| session.failed(doing, &cause))?;
        Ok(session)
    }

    async fn password(&self, doing: &str) -> Result<Option<crate::secret::Secret>, Error> {
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

    /// What is said to the server. Through a socket in the file system nothing is encrypted (as in libpq).
    fn negotiation(&self) -> Negotiation {
        match self.grant.sslmode {
            _ if self.grant.host.starts_with('/') => Negotiation::Disable,
            SslMode::Disable => Negotiation::Disable,
            SslMode::Prefer => Negotiation::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Negotiation::Require,
        }
    }
}

impl Session {
    fn failed(&self, doing: &str, cause: &tokio_postgres::Error) -> Error {
        failure::asking(doing, &self.location, cause, self.lost.get())
    }
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

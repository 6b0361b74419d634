//! PostgreSQL behind a `sql` grant: how a connection to it is made.

use std::sync::{Arc, OnceLock};

use tokio_postgres::{Client, config::SslMode as Negotiation};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{CONNECT_TIMEOUT, Database, KEEPALIVE, blocking};
use crate::{
    config::SslMode,
    diagnostic::causes,
    sandbox::{fault::Code, native::Error, tls},
};

mod failure;
mod pump;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod transaction;

pub use transaction::Transaction;

/// Makes text the same whoever asks, and row filters an error instead of a part of the answer (as pg_dump does); the
/// host has limits of its own for what may take how long.
const SETTINGS: &str = "SET client_encoding = 'UTF8'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; \
    SET TimeZone = 'UTC'; SET bytea_output = 'hex'; SET extra_float_digits = 1; SET row_security = off; \
    SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0";

/// PostgreSQL 17 and later have it.
const SETTINGS_LATER: &str =
    "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name = 'transaction_timeout'";

/// A connection. The task that moves its bytes ends with it.
pub struct Session {
    client: Client,
    tls: MakeRustlsConnect,
    /// "localhost:5432/wiki"
    location: String,
    /// Why the connection ended, once it did so by itself.
    lost: Arc<OnceLock<String>>,
}

impl Session {
    /// Connects. The caller bounds it.
    ///
    /// # Errors
    /// As [`Database::begin`].
    pub async fn dial(database: &Database, doing: &str) -> Result<Self, Error> {
        let mut config = tokio_postgres::Config::new();
        config
            .host(&database.grant.host)
            .port(database.grant.port)
            .dbname(&database.grant.database)
            .user(&database.grant.user)
            .application_name("strongroom")
            .keepalives_idle(KEEPALIVE)
            .connect_timeout(CONNECT_TIMEOUT)
            .ssl_mode(negotiation(database));
        if let Some(password) = database.password(doing).await? {
            config.password(password.expose());
        }
        let (check, ca) = (database.check(), database.grant.ca.clone());
        let tls = blocking(doing, move || tls::client(check, ca.as_deref(), None)).await?;
        let tls = MakeRustlsConnect::new(tls.map_err(|what| Error::new(Code::Invalid, format!("{doing}: {what}")))?);
        let connected = config.connect(tls.clone()).await;
        let (client, connection) =
            connected.map_err(|cause| failure::connecting(doing, &database.name, &database.grant, &cause))?;
        let lost: Arc<OnceLock<String>> = Arc::default();
        let session = Session { client, tls, location: database.location(), lost: lost.clone() };
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

    /// What the server says that it is.
    pub async fn version(&self, doing: &str) -> Result<String, Error> {
        let row = self.client.query_one("SHOW server_version", &[]).await;
        row.and_then(|row| row.try_get(0)).map_err(|cause| self.failed(doing, &cause))
    }

    fn failed(&self, doing: &str, cause: &tokio_postgres::Error) -> Error {
        failure::asking(doing, &self.location, cause, self.lost.get())
    }
}

/// What is said to the server. Through a socket in the file system nothing is encrypted (as in libpq).
fn negotiation(database: &Database) -> Negotiation {
    match database.grant.sslmode {
        _ if database.grant.host.starts_with('/') => Negotiation::Disable,
        SslMode::Disable => Negotiation::Disable,
        SslMode::Prefer => Negotiation::Prefer,
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Negotiation::Require,
    }
}

//! MySQL and MariaDB behind a `sql` grant: how a connection to them is made.

use mysql_async::{Conn, DriverError, OptsBuilder, Row, SslOpts, Value, prelude::Queryable};
use tokio::time;

use super::{Database, KEEPALIVE, SETTLE, blocking};
use crate::{
    config::{Engine, SslMode},
    sandbox::{
        fault::Code,
        native::Error,
        tls::{self, Check},
    },
};

mod failure;
mod freeze;
mod pump;
mod statement;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod transaction;

use statement::Dialect;
pub use transaction::Transaction;

/// The longest row, and the longest statement: what the clients of both vendors are content with by default or less.
const PACKET_BYTES_MAX: usize = 64 << 20;

/// Makes text the same whoever asks; nothing is cut short without an error; and what may take how long is bounded by
/// the host, not by a server that closes a connection whose reader is slow or which is idle during a long dump.
const SETTINGS: &str = "SET SESSION time_zone = '+00:00', autocommit = 1, sql_select_limit = 18446744073709551615, \
    sql_big_selects = 1, group_concat_max_len = 67108864, lock_wait_timeout = 60, wait_timeout = 2592000, \
    net_write_timeout = 2592000";

/// What a consistent snapshot needs, whatever the server's default is.
const ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";

/// The vendors' names for the same things: MariaDB's system variables, and MySQL 8's.
const SETTINGS_MARIADB: &str =
    "SET SESSION max_statement_time = 0, idle_transaction_timeout = 0, idle_readonly_transaction_timeout = 0";
const SETTINGS_MYSQL: &str = "SET SESSION max_execution_time = 0";

/// A connection.
pub struct Session {
    conn: Conn,
    engine: Engine,
    version: String,
    dialect: Dialect,
}

impl Session {
    /// Connects. The caller bounds it.
    ///
    /// # Errors
    /// As [`Database::begin`].
    pub async fn dial(database: &Database, doing: &str) -> Result<Self, Error> {
        let mut conn = connect(database, doing).await?;
        let set = async {
            conn.query_drop("SET NAMES utf8mb4").await?;
            let said = texts(&mut conn, "SELECT VERSION(), @@sql_mode").await?;
            let [version, sql_mode] = <[String; 2]>::try_from(said).unwrap_or_default();
            let engine = if version.contains("MariaDB") { Engine::Mariadb } else { Engine::Mysql };
            conn.query_drop(SETTINGS).await?;
            conn.query_drop(ISOLATION).await?;
            conn.query_drop(if engine == Engine::Mariadb { SETTINGS_MARIADB } else { SETTINGS_MYSQL }).await?;
            Ok((engine, version, Dialect::of(&sql_mode)))
        };
        let (engine, version, dialect) =
            set.await.map_err(|cause| failure::asking(doing, &database.location(), &cause))?;
        let _ = database.said.set(engine);
        Ok(Self { conn, engine, version, dialect })
    }

    /// What the server says that it is.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Says good-bye, so that the server does not report a client that vanished.
    pub async fn close(self) {
        let _ = time::timeout(SETTLE, self.conn.disconnect()).await;
    }
}

/// Encrypted as the grant says: the handshake as libpq's `sslmode` means it, with the driver's own TLS.
async fn connect(database: &Database, doing: &str) -> Result<Conn, Error> {
    let plain = options(database, doing).await?;
    let refused = |cause| failure::connecting(doing, &database.name, &database.grant, &cause);
    let unchecked = || plain.clone().ssl_opts(SslOpts::default().with_danger_accept_invalid_certs(true));
    let check = match database.grant.sslmode {
        SslMode::Disable => return Conn::new(plain).await.map_err(refused),
        _ if database.grant.host.starts_with('/') => return Conn::new(plain).await.map_err(refused),
        SslMode::Prefer => match Conn::new(unchecked()).await {
            Err(mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer)) => {
                return Conn::new(plain).await.map_err(refused);
            }
            connected => return connected.map_err(refused),
        },
        _ => database.check(),
    };
    if check == Check::Nothing {
        return Conn::new(unchecked()).await.map_err(refused);
    }
    let ca = database.grant.ca.clone();
    let trusted = blocking(doing, move || tls::trusted(ca.as_deref())).await?;
    let trusted = trusted.map_err(|what| Error::new(Code::Invalid, format!("{doing}: {what}")))?;
    let roots = trusted.into_iter().map(Into::into).collect();
    let strict = SslOpts::default().with_root_certs(roots).with_disable_built_in_roots(true);
    let cause = match Conn::new(plain.clone().ssl_opts(strict.clone())).await {
        Err(cause) if check == Check::Authority => cause,
        connected => return connected.map_err(refused),
    };
    // The driver cannot leave the name out of its check: it is asked for a name that the certificate has instead.
    match tls::name_instead(&cause) {
        Some(name) => {
            let named = strict.with_danger_tls_hostname_override(Some(name));
            Conn::new(plain.ssl_opts(named)).await.map_err(refused)
        }
        None => Err(refused(cause)),
    }
}

async fn options(database: &Database, doing: &str) -> Result<OptsBuilder, Error> {
    let grant = &database.grant;
    let password = database.password(doing).await?;
    let options = OptsBuilder::default()
        .user(Some(&grant.user))
        .pass(password.as_ref().map(|password| password.expose()))
        .db_name(Some(&grant.database))
        .prefer_socket(false)
        .tcp_keepalive(Some(KEEPALIVE))
        .stmt_cache_size(0)
        .max_allowed_packet(Some(PACKET_BYTES_MAX))
        .wait_timeout(Some(0));
    Ok(match grant.host.starts_with('/') {
        true => options.socket(Some(&grant.host)),
        false => options.ip_or_hostname(&grant.host).tcp_port(grant.port),
    })
}

/// The first row, as text; what is null or no text is empty.
async fn texts(conn: &mut Conn, statement: &str) -> Result<Vec<String>, mysql_async::Error> {
    let row: Option<Row> = conn.query_first(statement).await?;
    let values = row.map(Row::unwrap).unwrap_or_default().into_iter();
    let text = |value| match value {
        Value::Bytes(bytes) => String::from_utf8(bytes).unwrap_or_default(),
        _ => String::new(),
    };
    Ok(values.map(text).collect())
}

/// Ends another connection of the same user, or what it is doing. An attempt: the server may be gone.
async fn kill(database: &Database, what: &str, id: u32) {
    let Ok(mut session) = database.connect(Session::dial).await else { return };
    let _ = time::timeout(SETTLE, session.conn.query_drop(format!("KILL {what} {id}"))).await;
    session.close().await;
}

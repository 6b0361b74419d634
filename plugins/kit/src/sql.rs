//! Questions to a granted database, in read-only transactions.

pub use crate::streams::{Row, Rows};
use crate::{Error, InputStream, Result, Timestamp, host::sql as host};

/// A granted database.
pub struct Database(host::Database);

/// The database that was granted under that name.
///
/// # Errors
/// `denied` when it is not granted, `unavailable` when it does not answer.
pub fn get(grant: &str) -> Result<Database> {
    Ok(Database(host::get(grant)?))
}

impl Database {
    /// `postgresql`, `mysql` or `mariadb`.
    pub fn engine(&self) -> String {
        self.0.engine()
    }

    /// As the server says it.
    pub fn server_version(&self) -> String {
        self.0.server_version()
    }

    /// `host:port/name` as granted.
    pub fn location(&self) -> String {
        self.0.location()
    }

    /// The role that the grant logs in as.
    pub fn user(&self) -> String {
        self.0.user()
    }

    /// A read-only transaction in which every query sees the same instant.
    ///
    /// # Errors
    /// `unavailable`, `denied` when the server refuses the log-in.
    pub fn begin(&self) -> Result<Transaction> {
        Ok(Transaction(self.0.begin()?))
    }
}

/// A view of one instant. Ends when dropped.
pub struct Transaction(host::Transaction);

impl Transaction {
    /// When its view was taken, on the server's clock: no earlier and no later.
    pub fn seen(&self) -> (Timestamp, Timestamp) {
        self.0.seen()
    }

    /// The name under which another session can share this view.
    pub fn shared_name(&self) -> Option<String> {
        self.0.shared_name()
    }

    /// MySQL and MariaDB: no writes until [`thaw`](Self::thaw) or the deadline, and a view of now. Begin the dump, read
    /// its head up to the first CREATE TABLE, thaw, then ask: the dump shows what this view shows.
    ///
    /// # Errors
    /// `denied` without the right, `timeout` when others' work does not end in time, `unsupported` elsewhere.
    pub fn freeze(&self, seconds_max: u32) -> Result<()> {
        Ok(self.0.freeze(seconds_max)?)
    }

    /// Lets writes go on.
    ///
    /// # Errors
    /// `timeout` when it was over before, `unavailable` when it was lost: the dump may be of another instant.
    pub fn thaw(&self) -> Result<()> {
        Ok(self.0.thaw()?)
    }

    /// The rows as bytes: JSON arrays of text or null, one a line. For [`crate::snapshot::expect_rows`].
    ///
    /// # Errors
    /// `invalid` while another result is unread or the statement is refused.
    pub fn query(&self, statement: &str, parameters: &[&str]) -> Result<InputStream> {
        let parameters: Vec<String> = parameters.iter().map(|value| (*value).to_owned()).collect();
        Ok(InputStream(self.0.query(statement, &parameters)?))
    }

    /// The rows, one by one.
    ///
    /// ```
    /// use strongroom_plugin::{sql, testing::Host};
    ///
    /// let _host = Host::new().rows("database", "from content", &[&[Some("7"), None]]);
    /// let view = sql::get("database")?.begin()?;
    /// let rows: Vec<_> = view.rows("select id, title from content", &[])?.collect::<strongroom_plugin::Result<_>>()?;
    /// assert_eq!(rows, [vec![Some("7".to_owned()), None]]);
    /// view.end()?;
    /// # Ok::<(), strongroom_plugin::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn rows(&self, statement: &str, parameters: &[&str]) -> Result<Rows> {
        Ok(Rows::new(self.query(statement, parameters)?))
    }

    /// The first column of the first row; nothing where there is no row or it is null.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn value(&self, statement: &str, parameters: &[&str]) -> Result<Option<String>> {
        let mut rows = self.rows(statement, parameters)?;
        let first = rows.next().transpose()?;
        Ok(first.and_then(|row| row.into_iter().next().flatten()))
    }

    /// A single number, such as a `count(*)`.
    ///
    /// # Errors
    /// As [`Self::query`]; `invalid` when it is no number.
    pub fn number(&self, statement: &str, parameters: &[&str]) -> Result<u64> {
        let value = self.value(statement, parameters)?;
        let number = value.as_deref().and_then(|value| value.parse().ok());
        number.ok_or_else(|| Error::invalid(format!("{statement:?} gave {value:?} where a number was expected")))
    }

    /// Ends it.
    ///
    /// # Errors
    /// `unavailable` when the server is gone.
    pub fn end(self) -> Result<()> {
        Ok(host::Transaction::end(self.0)?)
    }
}

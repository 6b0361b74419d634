//! Which SQL a database understands, and how it spells the names of tables.

use strongroom_plugin::{Context, Result, sql::Transaction};

/// The servers whose databases can be dumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL, which shares a view with its dump tool.
    Postgresql,
    /// MySQL and MariaDB, which are frozen while their dump tool begins.
    Mysql,
}

impl Engine {
    /// That of a view.
    pub fn of(view: &Transaction) -> Self {
        match view.shared_name() {
            Some(_) => Self::Postgresql,
            None => Self::Mysql,
        }
    }

    /// That of a dump, by its first bytes: `pg_dump` writes archives with a magic, `mysqldump` writes SQL.
    pub fn of_dump(head: &[u8]) -> Self {
        match head.starts_with(b"PGDMP") {
            true => Self::Postgresql,
            false => Self::Mysql,
        }
    }

    /// A name in SQL. On PostgreSQL it must be one that needs no quotes.
    pub fn quoted(self, name: &str) -> String {
        match self {
            Self::Postgresql => name.to_owned(),
            Self::Mysql => format!("`{}`", name.replace('`', "``")),
        }
    }

    /// Text put together; null when a piece is.
    pub fn concat(self, pieces: &[&str]) -> String {
        match self {
            Self::Postgresql => pieces.join(" || "),
            Self::Mysql => format!("concat({})", pieces.join(", ")),
        }
    }

    /// Whole numbers, rounded down.
    pub fn divided(self, number: &str, by: u32) -> String {
        match self {
            Self::Postgresql => format!("({number} / {by})"),
            Self::Mysql => format!("({number} DIV {by})"),
        }
    }
}

/// One of a product's tables as this database spells it, in SQL: on MySQL names may be in capitals, and are different then.
///
/// # Errors
/// As [`Transaction::value`].
pub fn spelled(view: &Transaction, name: &str) -> Result<String> {
    const SPELLED: &str = "SELECT table_name FROM information_schema.tables
WHERE table_schema = DATABASE() AND lower(table_name) = $1 ORDER BY 1";
    let engine = Engine::of(view);
    let found = match engine {
        Engine::Postgresql => None,
        Engine::Mysql => view.value(SPELLED, &[name]).context(format!("looking for the table {name}"))?,
    };
    Ok(engine.quoted(found.as_deref().unwrap_or(name)))
}

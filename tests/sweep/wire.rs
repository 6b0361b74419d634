//! The database server behind the proxy: a private PostgreSQL, started when it is first asked for.

use std::{io, path::PathBuf};

use super::postgres;

/// A running cluster; stopped with this process.
pub struct Server {
    pub port: u16,
}

impl Server {
    pub fn start() -> Self {
        Self { port: postgres::shared().port }
    }

    /// A new database whose table lists these names. Returns what it is called.
    pub fn database(&self, names: &[String]) -> io::Result<String> {
        let database = postgres::database();
        let rows: Vec<_> = names.iter().map(|name| format!("('{name}')")).collect();
        database
            .sql(&format!("CREATE TABLE names (name text PRIMARY KEY); INSERT INTO names VALUES {}", rows.join(", ")));
        database
            .sql("CREATE TABLE words AS SELECT number, md5(number::text) AS word FROM generate_series(1, 400) number");
        Ok(database.name)
    }

    pub fn dump_program(&self) -> io::Result<PathBuf> {
        Ok(postgres::program("pg_dump"))
    }
}

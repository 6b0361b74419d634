//! What the database says of itself: its tables, their rows, its size.

use std::collections::BTreeMap;

use strongroom_plugin::{Context, Finding, Result, sql::Transaction};

use crate::{engine::Engine, readback::Table};

/// A table whose rows a dump holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub table: Table,
    /// The same as SQL.
    quoted: String,
}

/// Ordinary tables with rows of their own: partitions count, what they are partitions of does not; views, foreign tables and
/// what belongs to an extension are not in a dump.
const TABLES: &str = "SELECT n.nspname, c.relname, format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2";

/// The same of MySQL and MariaDB, whose views are of another type; a dump names them without their schema.
const TABLES_MYSQL: &str = "SELECT '', table_name, concat('`', replace(table_name, '`', '``'), '`')
FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')
ORDER BY 2";

/// How many tables are counted in one query.
const CHUNK: usize = 50;

/// Every table whose rows a dump holds.
///
/// # Errors
/// As [`Transaction::rows`].
pub fn tables(view: &Transaction) -> Result<Vec<Listed>> {
    let doing = "listing the database's tables";
    let mut tables = Vec::new();
    let statement = match Engine::of(view) {
        Engine::Postgresql => TABLES,
        Engine::Mysql => TABLES_MYSQL,
    };
    for row in view.rows(statement, &[]).context(doing)? {
        if let [Some(schema), Some(name), Some(quoted)] = &row.context(doing)?[..] {
            let table = Table { schema: schema.clone(), name: name.clone() };
            tables.push(Listed { table, quoted: quoted.clone() });
        }
    }
    Ok(tables)
}

/// Rows per table, counted in that view.
///
/// # Errors
/// As [`Transaction::rows`]; `denied` where the role may not read a table.
pub fn count(view: &Transaction, tables: &[Listed]) -> Result<BTreeMap<Table, u64>> {
    let mut counts = BTreeMap::new();
    for chunk in tables.chunks(CHUNK) {
        let names = || format!("counting the rows of {} tables from {} on", chunk.len(), chunk[0].table);
        for row in view.rows(&count_statement(Engine::of(view), chunk), &[]).context(names())? {
            if let [Some(at), Some(rows)] = &row.context(names())?[..]
                && let Some(listed) = chunk.get(at.parse::<usize>()?)
            {
                counts.insert(listed.table.clone(), rows.parse()?);
            }
        }
    }
    Ok(counts)
}

/// PostgreSQL counts the rows of inheriting tables too, unless it is told not to.
fn count_statement(engine: Engine, chunk: &[Listed]) -> String {
    let from = if engine == Engine::Postgresql { "FROM ONLY" } else { "FROM" };
    let one = |(at, listed): (usize, &Listed)| format!("SELECT '{at}', count(*) {from} {}", listed.quoted);
    chunk.iter().enumerate().map(one).collect::<Vec<_>>().join("\nUNION ALL ")
}

/// Whether there is an (unqualified) table of that name.
pub fn holds(tables: &[Listed], name: &str) -> bool {
    tables.iter().any(|listed| match listed.table.schema.is_empty() {
        // MySQL's may be in capitals.
        true => listed.table.name.eq_ignore_ascii_case(name),
        false => listed.table.name == name,
    })
}

/// Bytes of all tables, as the server keeps them.
const SIZE: &str = "SELECT coalesce(sum(pg_table_size(c.oid)), 0)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'";

/// The same of MySQL and MariaDB, as far as the server keeps its statistics up to date.
const SIZE_MYSQL: &str = "SELECT coalesce(sum(data_length), 0) FROM information_schema.tables
WHERE table_schema = DATABASE()";

/// How large a dump will be, roughly.
///
/// # Errors
/// As [`Transaction::number`].
pub fn size(view: &Transaction) -> Result<u64> {
    match Engine::of(view) {
        Engine::Postgresql => view.number(SIZE, &[]),
        Engine::Mysql => view.number(SIZE_MYSQL, &[]),
    }
}

/// What a dump of MySQL or MariaDB does not show as it was at one instant.
///
/// # Errors
/// As [`Transaction::value`].
pub fn without_transactions(view: &Transaction, part: &str) -> Result<Option<Finding>> {
    const OTHERS: &str = "SELECT group_concat(table_name ORDER BY table_name SEPARATOR ', ')
FROM information_schema.tables WHERE table_schema = DATABASE() AND engine IS NOT NULL AND engine <> 'InnoDB'";
    let others = view.value(OTHERS, &[]).context("looking at the engines of tables")?;
    Ok(others.map(|names| {
        let message = format!("these tables are not InnoDB's, so that their rows may be of a later moment: {names}");
        Finding::warning("tables-without-transactions", part, message)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_without_those_of_inheriting_tables() {
        let listed = |name: &str| Listed {
            table: Table { schema: "public".into(), name: name.into() },
            quoted: format!("public.{name}"),
        };
        assert_eq!(
            count_statement(Engine::Postgresql, &[listed("a"), listed("\"B\"")]),
            "SELECT '0', count(*) FROM ONLY public.a\nUNION ALL SELECT '1', count(*) FROM ONLY public.\"B\""
        );
    }
}

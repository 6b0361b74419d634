//! What the database says of itself: its tables, their rows, the build that wrote it.

use std::collections::BTreeMap;

use strongroom_plugin::{Context, Result, sql::Transaction};

use crate::readback::Table;

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

/// How many tables are counted in one query.
const CHUNK: usize = 50;

/// Every table whose rows a dump holds.
///
/// # Errors
/// As [`Transaction::rows`].
pub fn tables(view: &Transaction) -> Result<Vec<Listed>> {
    let doing = "listing the database's tables";
    let mut tables = Vec::new();
    for row in view.rows(TABLES, &[]).context(doing)? {
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
        for row in view.rows(&count_statement(chunk), &[]).context(names())? {
            if let [Some(at), Some(rows)] = &row.context(names())?[..]
                && let Some(listed) = chunk.get(at.parse::<usize>()?)
            {
                counts.insert(listed.table.clone(), rows.parse()?);
            }
        }
    }
    Ok(counts)
}

fn count_statement(chunk: &[Listed]) -> String {
    let one = |(at, listed): (usize, &Listed)| format!("SELECT '{at}', count(*) FROM ONLY {}", listed.quoted);
    chunk.iter().enumerate().map(one).collect::<Vec<_>>().join("\nUNION ALL ")
}

/// Whether there is an (unqualified) table of that name.
pub fn holds(tables: &[Listed], name: &str) -> bool {
    tables.iter().any(|listed| listed.table.name == name)
}

/// The newest build number in `confversion`.
///
/// # Errors
/// As [`Transaction::value`].
pub fn build_number(view: &Transaction) -> Result<Option<u64>> {
    let number =
        view.value("SELECT max(buildnumber) FROM confversion", &[]).context("reading the table confversion")?;
    Ok(number.and_then(|number| number.parse().ok()))
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
            count_statement(&[listed("a"), listed("\"B\"")]),
            "SELECT '0', count(*) FROM ONLY public.a\nUNION ALL SELECT '1', count(*) FROM ONLY public.\"B\""
        );
    }
}

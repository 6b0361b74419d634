//! What the database says of blobs: which file each of its keys needs.
//!
//! Nuxeo's VCS keeps them in the table `content`: `data` is the key, `length` the bytes.

use std::io::Write;

use strongroom_database::{
    catalogue::{self, Listed},
    dump::{Moment, Product},
    engine::{Engine, spelled},
};
use strongroom_plugin::{
    Context, Part, Result, snapshot,
    sql::{Rows, Transaction},
};

use crate::{
    conf::blobs::{DATA, Key},
    inspect::{part, setting},
    stores::{self, Layout, Store, file_name},
};

/// The table of blobs.
pub const TABLE: &str = "content";

/// What keys of the database may mean.
#[derive(Debug, Default)]
pub struct Content {
    stores: Vec<Store>,
    /// Providers whose blobs lie in no directory.
    elsewhere: Vec<String>,
    /// A provider without a store of its own keeps its blobs somewhere in the data directory.
    data: bool,
}

impl Content {
    /// As the settings of a database's part say.
    ///
    /// # Errors
    /// `invalid` when they are not what `inspect` wrote.
    pub fn of(part: &Part) -> Result<Self> {
        let elsewhere = part.setting(setting::ELSEWHERE).unwrap_or_default().lines().map(str::to_owned).collect();
        let stores = part.setting(setting::STORES).map_or(Ok(Vec::new()), stores::all)?;
        Ok(Self { stores, elsewhere, data: part.setting(setting::DATA).is_some() })
    }

    /// The repository's own store, where its keys are digests: the host can list its files unseen.
    fn main(&self) -> Option<(&Store, usize, u32)> {
        let store = self.stores.iter().find(|store| store.provider.is_empty())?;
        match (&store.layout, store.digest()) {
            // Deeper than a digest is long, a store has another law, which `Store::paths` knows.
            (Layout::Digest { depth, .. }, Some((digits, _))) if 2 * *depth as usize <= digits => {
                Some((store, digits, *depth))
            }
            _ => None,
        }
    }

    /// The paths of which one must be there; none where the blob is kept elsewhere.
    fn paths(&self, key: &str) -> Option<Vec<String>> {
        let provider = provider(key);
        let rest = key.split_once(':').map_or(key, |(_, rest)| rest);
        if self.elsewhere.iter().any(|name| name == provider) {
            return None;
        }
        match self.stores.iter().find(|store| store.provider == provider) {
            Some(store) => Some(store.paths(rest)),
            // Without a directory for the repository's own blobs there is no list of them.
            None if provider.is_empty() => None,
            None if self.data => Some(vec![format!("{}/*/{}", part::DATA, file_name(rest))]),
            None => Some(vec![format!("{}-{provider}/{DATA}/{}", part::BLOBS, file_name(rest))]),
        }
    }

    /// One line of the list; none where nothing is expected.
    fn line(&self, row: &[Option<String>]) -> Option<serde_json::Value> {
        let [Some(document), size, Some(key)] = row else { return None };
        let paths = self.paths(key).filter(|paths| !paths.is_empty())?;
        let provider = provider(key);
        let fixed = |store: &&Store| store.provider == provider && store.layout != Layout::Flat && !store.encrypted;
        let size = size.as_ref().filter(|_| self.stores.iter().any(|store| fixed(&store)));
        let mut line = vec![serde_json::json!(format!("content {document}")), serde_json::json!(size)];
        line.extend(paths.into_iter().map(serde_json::Value::from));
        Some(line.into())
    }
}

/// The provider that a key names; the repository's own is the one without a name, or `default`.
fn provider(key: &str) -> &str {
    Key::parse(key).provider.filter(|name| *name != "default").unwrap_or_default()
}

impl Product for Content {
    fn expect(&self, view: &Transaction, tables: &[Listed], moment: Moment) -> Result<()> {
        // Only the repository's database refers to blobs.
        if !self.data && self.stores.is_empty() || !catalogue::holds(tables, TABLE) {
            return Ok(());
        }
        let doing = "listing the files of all blobs";
        let (engine, table) = (Engine::of(view), spelled(view, TABLE)?);
        let mut digits = None;
        if let Some((store, count, depth)) = self.main() {
            let rows = view.query(&digests(engine, &table, store, count, depth), &[]).context(doing)?;
            snapshot::expect_rows(&moment.subject("blobs"), moment.evidence(), &rows).context(doing)?;
            digits = Some(count);
        }
        let mut list = snapshot::expect(&moment.subject("blobs by other keys"), moment.evidence())?;
        for row in Rows::new(view.query(&others(engine, &table, digits), &[]).context(doing)?) {
            if let Some(line) = self.line(&row.context(doing)?) {
                writeln!(list, "{line}")?;
            }
        }
        list.finish().context(doing)
    }

    fn facts(&self, view: &Transaction, tables: &[Listed]) -> Result<Vec<(String, String)>> {
        if !catalogue::holds(tables, TABLE) {
            return Ok(vec![("blobs".into(), "this database lists none".into())]);
        }
        let data = column(Engine::of(view), "data");
        let statement = format!("SELECT count(DISTINCT {data}) FROM {} WHERE {data} <> ''", spelled(view, TABLE)?);
        Ok(vec![("blobs".into(), view.number(&statement, &[]).context("counting the blobs")?.to_string())])
    }
}

fn column(engine: Engine, name: &str) -> String {
    match engine {
        Engine::Postgresql => format!("\"{name}\""),
        Engine::Mysql => format!("`{name}`"),
    }
}

fn text(engine: Engine, what: &str) -> String {
    match engine {
        Engine::Postgresql => format!("CAST({what} AS text)"),
        Engine::Mysql => format!("CAST({what} AS CHAR)"),
    }
}

/// The condition that a key is a digest of that many digits.
fn is_digest(engine: Engine, data: &str, digits: usize) -> String {
    match engine {
        Engine::Postgresql => format!("{data} ~ '^[0-9a-f]{{{digits}}}$'"),
        // Most collations take capitals for the same, and MySQL 8 has no regular expressions for bytes.
        Engine::Mysql => format!(
            "({data} REGEXP '^[0-9a-f]{{{digits}}}$' AND CAST({data} AS BINARY) = CAST(lower({data}) AS BINARY))"
        ),
    }
}

/// Label and size of each key's document: where several documents share a blob, the first of them.
fn described(engine: Engine) -> (String, String) {
    let (id, length) = (text(engine, &column(engine, "id")), column(engine, "length"));
    let size = format!("CASE WHEN min({length}) = max({length}) THEN {} END", text(engine, &format!("max({length})")));
    (format!("min({id})"), size)
}

/// One SELECT whose rows say which file each digest in the repository's own store needs: label, size, path.
fn digests(engine: Engine, table: &str, store: &Store, digits: usize, depth: u32) -> String {
    let data = column(engine, "data");
    let (label, size) = described(engine);
    let size = if store.encrypted { "NULL".to_owned() } else { size };
    let root = format!("'{}/{DATA}/'", store.part);
    let directories = (0..depth).map(|level| engine.concat(&[&format!("substr({data}, {}, 2)", 2 * level + 1), "'/'"]));
    let pieces: Vec<String> = std::iter::once(root).chain(directories).chain([data.clone()]).collect();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    let (label, path) = (engine.concat(&["'content '", &label]), engine.concat(&pieces));
    format!(
        "SELECT {label},\n  {size},\n  {path}\nFROM {table} WHERE {} GROUP BY {data}",
        is_digest(engine, &data, digits)
    )
}

/// One SELECT of all other keys: document, size, key.
fn others(engine: Engine, table: &str, digits: Option<usize>) -> String {
    let data = column(engine, "data");
    let (label, size) = described(engine);
    let but = digits.map_or_else(String::new, |digits| format!(" AND NOT ({})", is_digest(engine, &data, digits)));
    format!("SELECT {label}, {size}, {data} FROM {table} WHERE {data} <> ''{but} GROUP BY {data}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(provider: &str, part: &str, layout: Layout) -> Store {
        Store { provider: provider.into(), part: part.into(), layout, encrypted: false }
    }

    fn content() -> Content {
        let digest = Layout::Digest { algorithm: "MD5".into(), depth: 2 };
        Content {
            stores: vec![store("", "blobs", digest), store("records", "blobs-records", Layout::Flat)],
            elsewhere: vec!["s3".into()],
            data: true,
        }
    }

    fn line(key: &str) -> Option<String> {
        let row = [Some("d1".to_owned()), Some("3".to_owned()), Some(key.to_owned())];
        content().line(&row).map(|line| line.to_string())
    }

    #[test]
    fn a_key_is_expected_in_the_store_of_its_provider() {
        assert_eq!(line("abcdef").unwrap(), r#"["content d1","3","blobs/data/ab/cd/abcdef"]"#);
        let records = r#"["content d1",null,"blobs-records/data/0a-1","blobs-records/0a-1"]"#;
        assert_eq!(line("records:0a-1").unwrap(), records);
        assert_eq!(line("other:0a").unwrap(), r#"["content d1",null,"data/*/0a"]"#);
        assert_eq!(line("s3:0a"), None);
        assert_eq!(line("default:abcdef"), line("abcdef"));
    }

    #[test]
    fn a_key_of_an_unknown_provider_is_expected_even_where_nothing_can_hold_it() {
        let content = Content { data: false, ..content() };
        assert_eq!(content.paths("other:0a").unwrap(), ["blobs-other/data/0a"]);
        let none = Content { elsewhere: Vec::new(), ..Content::default() };
        assert_eq!(none.paths("0a"), None);
    }

    #[test]
    fn digests_are_listed_by_the_database_itself() {
        let content = content();
        let (main, digits, depth) = content.main().unwrap();
        let statement = digests(Engine::Postgresql, "content", main, digits, depth);
        assert!(
            statement.contains(
                "'blobs/data/' || substr(\"data\", 1, 2) || '/' || substr(\"data\", 3, 2) || '/' || \"data\""
            )
        );
        assert!(statement.contains("\"data\" ~ '^[0-9a-f]{32}$' GROUP BY"));
        let statement = digests(Engine::Mysql, "`CONTENT`", main, digits, depth);
        assert!(
            statement.contains("concat('blobs/data/', concat(substr(`data`, 1, 2), '/')") && !statement.contains("||")
        );
        assert!(others(Engine::Postgresql, "content", Some(32)).contains("AND NOT (\"data\" ~"));
    }

    #[test]
    fn a_store_that_is_deeper_than_its_digests_is_listed_key_by_key() {
        let mut content = content();
        content.stores[0].layout = Layout::Digest { algorithm: "MD5".into(), depth: 17 };
        assert!(content.main().is_none());
        assert_eq!(content.paths(&"0a".repeat(16)).unwrap(), [format!("blobs/data/000/{}", "0a".repeat(16))]);
    }

    #[test]
    fn encrypted_blobs_have_no_size_that_is_known() {
        let mut content = content();
        content.stores[0].encrypted = true;
        let (main, digits, depth) = content.main().unwrap();
        assert!(digests(Engine::Postgresql, "content", main, digits, depth).contains("NULL,"));
    }
}

//! Counts the rows of each table in a dump as `pg_restore -f -` writes it: plain SQL with `COPY … FROM stdin;` blocks.

use std::collections::BTreeMap;

pub mod mysql;

/// Counts the rows of each table in SQL that comes in pieces.
pub trait Count {
    /// The next piece, of any size.
    fn feed(&mut self, bytes: &[u8]);
    /// Rows per table.
    ///
    /// # Errors
    /// Says where the SQL ended too early.
    fn finish(self) -> Result<BTreeMap<Table, u64>, Cut>;
}

/// A table as the catalogue names it, without quotes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table {
    /// Its schema; empty on MySQL and MariaDB, whose dumps hold one database.
    pub schema: String,
    /// Its own name.
    pub name: String,
}

impl std::fmt::Display for Table {
    /// As receipts and notes name it: tables of schema `public` without their schema.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.schema.as_str() {
            "" | "public" => f.write_str(&self.name),
            schema => write!(f, "{schema}.{}", self.name),
        }
    }
}

/// The longest statement line that can be a `COPY`: 1,600 columns with the longest names.
const LINE_MAX: usize = 256 << 10;

/// Takes the SQL in pieces of any size.
#[derive(Default)]
pub struct Counter {
    rows: BTreeMap<Table, u64>,
    /// A table's data is announced by a comment; text in a function body that looks like a COPY is not.
    announced: bool,
    /// The table whose data is being read, and its rows so far.
    copying: Option<(Table, u64)>,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    line_is_long: bool,
}

/// The SQL ended inside a table's data.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the dump as read back ends inside the rows of table {0}")]
pub struct Cut(String);

/// Where a dump without its last line ends.
const UNKNOWN: &str = "(unknown: its last line, \"-- Dump completed\", is missing)";

impl Count for Counter {
    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match self.copying.is_some() {
                true => self.feed_rows(bytes),
                false => self.feed_statements(bytes),
            };
        }
    }

    fn finish(self) -> Result<BTreeMap<Table, u64>, Cut> {
        match self.copying {
            Some((table, _)) => Err(Cut(table.to_string())),
            None => Ok(self.rows),
        }
    }
}

impl Counter {
    /// Lines of data: a newline inside a value is written `\n`, so that each line is a row; `\.` ends them.
    fn feed_rows<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some((_, rows)) = &mut self.copying else { return bytes };
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let ends = match self.line.is_empty() {
                true => matches!(&bytes[from..end], b"\\." | b"\\.\r"),
                false => ends_data(&mut self.line, &bytes[from..end]),
            };
            from = end + 1;
            if ends {
                self.end_of_table();
                return &bytes[from..];
            }
            *rows += 1;
        }
        // Three bytes of an unfinished line tell whether it is the last one.
        let room = 4usize.saturating_sub(self.line.len());
        self.line.extend(bytes[from..].iter().take(room));
        &[]
    }

    fn end_of_table(&mut self) {
        self.line.clear();
        if let Some((table, rows)) = self.copying.take() {
            *self.rows.entry(table).or_default() += rows;
        }
    }

    /// One line of anything else.
    fn feed_statements<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (piece, rest) = match memchr::memchr(b'\n', bytes) {
            Some(end) => (&bytes[..end], Some(&bytes[end + 1..])),
            None => (bytes, None),
        };
        if self.line.len() + piece.len() <= LINE_MAX {
            self.line.extend_from_slice(piece);
        } else {
            self.line_is_long = true;
        }
        let Some(rest) = rest else { return &[] };
        let line = std::mem::take(&mut self.line);
        if !std::mem::take(&mut self.line_is_long) {
            self.statement(&line);
        }
        rest
    }

    fn statement(&mut self, line: &[u8]) {
        if line.starts_with(b"-- Data for Name: ") {
            self.announced = true;
        } else if self.announced
            && let Some(table) = copied_table(line)
        {
            self.announced = false;
            self.copying = Some((table, 0));
        }
    }
}

/// Whether a line of data whose beginning came with an earlier piece is the last one; forgets that beginning.
fn ends_data(begin: &mut Vec<u8>, rest: &[u8]) -> bool {
    begin.extend(rest.iter().take(4));
    let ends = matches!(&begin[..], b"\\." | b"\\.\r");
    begin.clear();
    ends
}

/// The table of `COPY schema.table (columns) FROM stdin;`.
fn copied_table(line: &[u8]) -> Option<Table> {
    let line = std::str::from_utf8(line).ok()?.trim_end_matches('\r');
    let rest = line.strip_prefix("COPY ")?.strip_suffix(" FROM stdin;")?;
    let (schema, rest) = identifier(rest)?;
    let (name, rest) = identifier(rest.strip_prefix('.')?)?;
    (rest.is_empty() || rest.starts_with(" (")).then_some(Table { schema, name })
}

/// An SQL identifier at the beginning of `text`, unquoted, and what follows it.
fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(['.', ' ']).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let (piece, after) = rest.split_once('"')?;
        name.push_str(piece);
        match after.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, after)),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const DUMP: &str = "--
-- PostgreSQL database dump
--
CREATE FUNCTION public.f() RETURNS void AS $$
COPY public.fake (a) FROM stdin;
$$;
--
-- Data for Name: content; Type: TABLE DATA; Schema: public; Owner: confluence
--

COPY public.content (contentid, title) FROM stdin;
1\ta\\nb
2\t\\\\.
\\N\t\\N
\\.


--
-- Data for Name: AO_6384AB_DISCOVERED; Type: TABLE DATA; Schema: public; Owner: confluence
--

COPY public.\"AO_6384AB_DISCOVERED\" (\"KEY\") FROM stdin;
\\.


--
-- Data for Name: odd; Type: TABLE DATA; Schema: My \"schema\"; Owner: confluence
--

COPY \"My \"\"schema\"\"\".\"a.b (c\" FROM stdin;

x
\\.

SELECT pg_catalog.setval('public.s', 1, false);
";

    /// What a counter makes of SQL that comes in these pieces.
    pub(super) fn rows_of(mut counter: impl Count, pieces: &[&[u8]]) -> Result<Vec<(String, u64)>, Cut> {
        pieces.iter().for_each(|piece| counter.feed(piece));
        Ok(counter.finish()?.into_iter().map(|(table, rows)| (table.to_string(), rows)).collect())
    }

    /// The same, however the text is cut in two, and byte by byte.
    pub(super) fn assert_counted_wherever_cut<C: Count + Default>(text: &str, wanted: &[(String, u64)]) {
        let bytes = text.as_bytes();
        for cut in 0..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(rows_of(C::default(), &[head, tail]).unwrap(), wanted, "cut at {cut}");
        }
        let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(rows_of(C::default(), &pieces).unwrap(), wanted);
    }

    fn counted(pieces: &[&[u8]]) -> Result<Vec<(String, u64)>, Cut> {
        rows_of(Counter::default(), pieces)
    }

    fn wanted() -> Vec<(String, u64)> {
        vec![("My \"schema\".a.b (c".to_owned(), 2), ("AO_6384AB_DISCOVERED".to_owned(), 0), ("content".to_owned(), 3)]
    }

    #[test]
    fn rows_are_counted_per_table() {
        assert_eq!(counted(&[DUMP.as_bytes()]).unwrap(), wanted());
    }

    #[test]
    fn it_does_not_matter_where_the_pieces_are_cut() {
        assert_counted_wherever_cut::<Counter>(DUMP, &wanted());
    }

    #[test]
    fn data_that_does_not_end_is_an_error() {
        let cut = DUMP.find("\\N").unwrap();
        assert_eq!(counted(&[&DUMP.as_bytes()[..cut]]), Err(Cut("content".into())));
    }

    #[test]
    fn very_long_lines_are_neither_kept_nor_mistaken() {
        let mut counter = Counter::default();
        for _ in 0..64 {
            counter.feed(&vec![b'x'; 64 << 10]);
        }
        assert!(counter.line.len() <= LINE_MAX);
        counter.feed(b"\n");
        counter.feed(DUMP.as_bytes());
        assert_eq!(counter.finish().unwrap().len(), 3);
    }
}

//! Counts the rows of each table in a dump as `mysqldump` and `mariadb-dump` write it: `INSERT` statements.
//!
//! A line break in a value is written `\n`, so that a statement begins where a line does; what a trigger or a routine
//! consists of stands between two `DELIMITER` lines.

use std::collections::BTreeMap;

use super::{Count, Cut, Table, UNKNOWN};

/// As much of a line as tells what it is: the longest name has 64 letters.
const HEAD_BYTES: usize = 1024;

/// Takes the SQL in pieces of any size.
#[derive(Default)]
pub struct Counter {
    rows: BTreeMap<Table, u64>,
    inside: Inside,
    /// Between `DELIMITER ;;` and `DELIMITER ;`.
    routine: bool,
    completed: bool,
}

/// Where in the SQL the next byte stands.
enum Inside {
    /// A line's beginning, as far as it came.
    Head(Vec<u8>),
    /// A line that does not matter any more.
    Line,
    /// The values of an `INSERT`.
    Values(Values),
}

impl Default for Inside {
    fn default() -> Self {
        Self::Head(Vec::new())
    }
}

struct Values {
    table: String,
    rows: u64,
    /// `VALUES` has come: what stands in brackets before are the names of columns.
    begun: bool,
    depth: u32,
    /// The quote that is open.
    quote: Option<u8>,
    /// The byte before was a backslash, inside of a string.
    escaped: bool,
}

impl Count for Counter {
    fn feed(&mut self, mut bytes: &[u8]) {
        while let Some(byte) = bytes.first().copied() {
            match &mut self.inside {
                Inside::Head(_) => {
                    self.head(byte);
                    bytes = &bytes[1..];
                }
                Inside::Line => match memchr::memchr(b'\n', bytes) {
                    Some(end) => {
                        self.inside = Inside::default();
                        bytes = &bytes[end + 1..];
                    }
                    None => return,
                },
                Inside::Values(values) => {
                    let Some(rest) = values.feed(bytes) else { return };
                    *self.rows.entry(table(&values.table)).or_default() += values.rows;
                    self.inside = Inside::Line;
                    bytes = rest;
                }
            }
        }
    }

    fn finish(mut self) -> Result<BTreeMap<Table, u64>, Cut> {
        match std::mem::take(&mut self.inside) {
            Inside::Values(values) => return Err(Cut(values.table)),
            Inside::Head(head) => self.note(&head),
            Inside::Line => {}
        }
        if self.completed { Ok(self.rows) } else { Err(Cut(UNKNOWN.to_owned())) }
    }
}

impl Counter {
    /// One more byte of a line's beginning.
    fn head(&mut self, byte: u8) {
        let Inside::Head(head) = &mut self.inside else { return };
        if byte == b'\n' {
            let head = std::mem::take(head);
            return self.note(&head);
        }
        if !self.routine
            && byte != b'`'
            && let Some(table) = inserted(head)
        {
            self.inside = Inside::Values(Values::of(table, byte));
            return;
        }
        head.push(byte);
        if head.len() == HEAD_BYTES {
            let head = std::mem::take(head);
            self.note(&head);
            self.inside = Inside::Line;
        }
    }

    /// A line that holds no rows.
    fn note(&mut self, line: &[u8]) {
        if let Some(delimiter) = line.strip_prefix(b"DELIMITER ") {
            self.routine = delimiter != b";";
        } else if self.routine {
        } else if line.starts_with(b"-- Dump completed") {
            self.completed = true;
        } else if let Some((name, _)) = line.strip_prefix(b"CREATE TABLE `").and_then(name) {
            self.rows.entry(table(&name)).or_default();
        }
    }
}

fn table(name: &str) -> Table {
    Table { schema: String::new(), name: name.to_owned() }
}

/// What begins an `INSERT`, also with `--insert-ignore` and `--replace`.
const INSERTS: [&[u8]; 3] = [b"INSERT INTO `", b"INSERT  IGNORE INTO `", b"REPLACE INTO `"];

/// The table of an `INSERT` that was read up to its name.
fn inserted(head: &[u8]) -> Option<String> {
    let rest = INSERTS.iter().find_map(|begin| head.strip_prefix(*begin))?;
    let (name, after) = name(rest)?;
    after.is_empty().then_some(name)
}

/// A name up to its closing quote, and what follows it.
fn name(quoted: &[u8]) -> Option<(String, &[u8])> {
    let (mut name, mut rest) = (Vec::new(), quoted);
    loop {
        let end = memchr::memchr(b'`', rest)?;
        name.extend_from_slice(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix(b"`") {
            Some(after) => {
                name.push(b'`');
                rest = after;
            }
            None => return Some((String::from_utf8_lossy(&name).into_owned(), rest)),
        }
    }
}

impl Values {
    fn of(table: String, first: u8) -> Self {
        let mut values = Self { table, rows: 0, begun: false, depth: 0, quote: None, escaped: false };
        values.plain(first);
        values
    }

    /// What follows the statement, once it is over.
    fn feed<'a>(&mut self, mut bytes: &'a [u8]) -> Option<&'a [u8]> {
        while let Some(byte) = bytes.first().copied() {
            if std::mem::take(&mut self.escaped) {
                bytes = &bytes[1..];
            } else if let Some(quote) = self.quote {
                // A quote that is doubled ends the string and begins the next.
                let at = memchr::memchr2(quote, b'\\', bytes)?;
                match bytes[at] == quote {
                    true => self.quote = None,
                    false => self.escaped = quote != b'`',
                }
                bytes = &bytes[at + 1..];
            } else {
                bytes = &bytes[1..];
                if self.plain(byte) {
                    return Some(bytes);
                }
            }
        }
        None
    }

    /// One byte outside of quotes; whether it ends the statement.
    fn plain(&mut self, byte: u8) -> bool {
        match byte {
            b'\'' | b'`' | b'"' => self.quote = Some(byte),
            b'(' => {
                self.depth += 1;
                self.rows += u64::from(self.begun && self.depth == 1);
            }
            b')' => self.depth = self.depth.saturating_sub(1),
            b'V' if self.depth == 0 => self.begun = true,
            b';' => return self.depth == 0,
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readback::tests::{assert_counted_wherever_cut, rows_of};

    const DUMP: &str = "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump
DROP TABLE IF EXISTS `CONTENT`;
CREATE TABLE `CONTENT` (
  `V` int(11) DEFAULT NULL COMMENT 'INSERT INTO `x` VALUES (1);'
) ENGINE=InnoDB;
INSERT INTO `CONTENT` VALUES
(1,'a\\'\\'; (b',NULL),
(2,'it''s \\\\',0x00FF),(3,'V;',ST_GeomFromText('POINT(1 2)'));
INSERT INTO `CONTENT` (`V`, `a(b`) VALUES (4,'x');
CREATE TABLE `empty` (
  `a` int
);
DELIMITER ;;
/*!50003 CREATE TRIGGER t BEFORE INSERT ON `CONTENT` FOR EACH ROW
INSERT INTO `CONTENT` VALUES (1) */;;
DELIMITER ;
CREATE TABLE `odd``one` (
INSERT  IGNORE INTO `odd``one` VALUES ('\\n'),(\"x\");
-- Dump completed on 2024-02-29 12:00:00
";

    fn counted(pieces: &[&[u8]]) -> Result<Vec<(String, u64)>, Cut> {
        rows_of(Counter::default(), pieces)
    }

    fn wanted() -> Vec<(String, u64)> {
        vec![("CONTENT".to_owned(), 4), ("empty".to_owned(), 0), ("odd`one".to_owned(), 2)]
    }

    #[test]
    fn rows_are_counted_wherever_the_pieces_are_cut() {
        assert_eq!(counted(&[DUMP.as_bytes()]).unwrap(), wanted());
        assert_counted_wherever_cut::<Counter>(DUMP, &wanted());
    }

    #[test]
    fn a_dump_that_is_cut_is_an_error() {
        let inside = DUMP.find("NULL),").unwrap();
        assert_eq!(counted(&[&DUMP.as_bytes()[..inside]]), Err(Cut("CONTENT".into())));
        let between = DUMP.find("CREATE TABLE `empty`").unwrap();
        assert!(counted(&[&DUMP.as_bytes()[..between]]).unwrap_err().to_string().contains("-- Dump completed"));
    }
}

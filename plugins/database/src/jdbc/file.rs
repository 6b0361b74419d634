//! URLs of embedded databases: where their files are.

use std::ops::Range;

use super::{Vendor, splice};

/// The URL of an embedded database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUrl {
    /// H2 or HSQLDB.
    pub vendor: Vendor,
    /// What the database's files are called, without their endings (`/home/database/h2db`).
    pub stem: String,
    text: String,
    span: Range<usize>,
}

/// Addresses that are no files: other machines, other processes, memory, archives.
const OTHERS: [&str; 11] =
    ["tcp:", "ssl:", "mem:", "zip:", "hsql:", "hsqls:", "http:", "https:", "res:", "cipher:", "~"];

pub(super) fn parse(vendor: Vendor, url: &str) -> Option<FileUrl> {
    let text = url.trim();
    let mut start = match vendor {
        Vendor::H2 => "jdbc:h2:".len(),
        _ => "jdbc:hsqldb:".len(),
    };
    if text[start..].starts_with("file:") {
        start += "file:".len();
    }
    let rest = &text[start..];
    if OTHERS.iter().any(|other| rest.starts_with(other)) {
        return None;
    }
    let end = start + rest.find([';', '?']).unwrap_or(rest.len());
    let stem = text[start..end].to_owned();
    (!stem.is_empty()).then(|| FileUrl { vendor, stem, text: text.to_owned(), span: start..end })
}

impl FileUrl {
    /// The same URL for files elsewhere; options are kept as they were written.
    pub fn pointed_at(&self, stem: &str) -> String {
        splice(&self.text, &self.span, stem)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Url, Vendor};

    #[test]
    fn embedded_databases_are_found_by_their_stem() {
        let stem = |url| Url::parse(url).unwrap().file().unwrap().stem;
        assert_eq!(stem("jdbc:h2:file:/h/database/h2db;MVCC=TRUE"), "/h/database/h2db");
        assert_eq!(stem("jdbc:h2:/h/database/h2db"), "/h/database/h2db");
        assert_eq!(stem("jdbc:hsqldb:/h/database/confluencedb"), "/h/database/confluencedb");
        assert_eq!(stem("jdbc:hsqldb:file:/h/d;hsqldb.tx=mvcc"), "/h/d");
        for other in ["jdbc:h2:tcp://h/d", "jdbc:h2:mem:x", "jdbc:hsqldb:hsql://h/d", "jdbc:h2:", "jdbc:h2:~/x"] {
            assert!(Url::parse(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_rewritten_url_keeps_its_options() {
        let url = Url::parse("jdbc:h2:file:/old/database/h2db;MVCC=TRUE").unwrap().file().unwrap();
        assert_eq!(url.vendor, Vendor::H2);
        assert_eq!(url.pointed_at("/new/database/h2db"), "jdbc:h2:file:/new/database/h2db;MVCC=TRUE");
    }
}

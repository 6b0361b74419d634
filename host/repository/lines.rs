//! The two lists of a set: `.strongroom/entries.ndjson`, a line for every entry, and `SHA256SUMS`, a line for every file.

use std::io::{BufRead, BufReader, Read};

use serde::{Deserialize, Serialize};

use super::{
    Archive, Error, Item, Kind, Meta,
    catalog::{Entry, Shape},
};
use crate::{
    digest::Digest,
    name::{RawPath, text},
    plan::inspection::Attributes,
};

/// Below this lies what strongroom itself adds.
pub(super) const OWN: &str = ".strongroom";
/// The list of entries.
pub(super) const ENTRIES: &str = ".strongroom/entries.ndjson";
/// The record.
pub(super) const RECORD: &str = ".strongroom/record.json";
/// The list of sums.
pub(super) const SUMS: &str = "SHA256SUMS";

/// A line of `entries.ndjson`. Names are in printable form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub path: String,
    pub kind: Shape,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<(u32, u32)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<(i64, u32)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Attributes,
}

impl Line {
    /// Of what a draft holds.
    pub(super) fn of_entry<S>(entry: &Entry<S>) -> Self {
        let file = entry.shape == Shape::File;
        Self {
            path: text(&entry.path),
            kind: entry.shape,
            size: file.then_some(entry.size),
            sha256: file.then(|| Digest::from_bytes(entry.sha256)),
            target: (entry.shape == Shape::Symlink).then(|| text(&entry.target)),
            mode: entry.mode,
            owner: entry.owner,
            modified: entry.modified,
            attributes: entry.attributes.clone(),
        }
    }

    /// Of what a set holds.
    pub(super) fn of_item(item: &Item, sha256: Option<Digest>) -> Self {
        let (kind, target) = match &item.kind {
            Kind::File => (Shape::File, None),
            Kind::Directory => (Shape::Directory, None),
            Kind::Symlink(target) => (Shape::Symlink, Some(text(target))),
        };
        let meta = item.meta.clone();
        let size = (kind == Shape::File).then_some(item.size);
        let path = item.path.to_text();
        let (mode, owner, modified, attributes) = (meta.mode, meta.owner, meta.modified, meta.attributes);
        Self { path, kind, size, sha256, target, mode, owner, modified, attributes }
    }

    /// Names of the facts in which `found` differs from this.
    pub(super) fn differences(&self, found: &Self) -> Vec<&'static str> {
        [
            ("kind", self.kind == found.kind),
            ("size", self.size == found.size),
            ("content", self.sha256 == found.sha256),
            ("link target", self.target == found.target),
            ("mode", self.mode == found.mode),
            ("owner", self.owner == found.owner),
            ("modification time", self.modified == found.modified),
            ("attributes", self.attributes == found.attributes),
        ]
        .into_iter()
        .filter_map(|(fact, same)| (!same).then_some(fact))
        .collect()
    }
}

/// Bytes that a line of a list may take: a path and a target whose every byte is escaped, and attributes.
const LINE_MAX: u64 = 1 << 20;

/// The lines of a list in a snapshot, as they are read.
pub(super) struct Lines {
    name: &'static str,
    content: BufReader<Box<dyn Read + Send>>,
    number: u64,
}

impl Lines {
    pub(super) fn open(archive: &dyn Archive, name: &'static str) -> Result<Self, Error> {
        Ok(Self::new(name, archive.open(&RawPath::from_bytes(name.as_bytes())?, 0)?))
    }

    pub(super) fn new(name: &'static str, content: Box<dyn Read + Send>) -> Self {
        Self { name, content: BufReader::with_capacity(256 << 10, content), number: 0 }
    }

    /// The next line, without its end; none behind the last one. An error says where it is.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        let mut line = Vec::new();
        self.number += 1;
        let read = Read::take(&mut self.content, LINE_MAX).read_until(b'\n', &mut line);
        let count = read.map_err(|why| self.wrong(&why.to_string()))?;
        match line.pop() {
            Some(b'\n') => Ok(Some(line)),
            _ if count == 0 => Ok(None),
            _ => Err(self.wrong("a line without an end")),
        }
    }

    /// The same for `SHA256SUMS`.
    pub(super) fn next_sum(&mut self) -> Result<Option<(Digest, RawPath)>, String> {
        let Some(line) = self.next()? else { return Ok(None) };
        read_sum_line(&line).map(Some).ok_or_else(|| self.wrong("not a line of sha256sum"))
    }

    /// What is said of the line that was read last.
    pub(super) fn wrong(&self, why: &str) -> String {
        format!("{}, line {}: {why}; what follows was not compared", self.name, self.number)
    }
}

/// What strongroom adds is for the owner of the set.
pub(super) fn own_meta() -> Meta {
    Meta { mode: Some(0o600), ..Meta::default() }
}

/// Refuses a path that only strongroom itself may store, and one that is none.
pub(super) fn refuse_own(path: &RawPath) -> Result<(), Error> {
    if path.is_root() {
        return Err(Error::Refused("an entry needs a name".into()));
    }
    match is_own(path) {
        true => Err(Error::Refused(format!("{path}: that name is kept for strongroom itself"))),
        false => Ok(()),
    }
}

/// Whether strongroom itself adds what has that path.
pub(super) fn is_own(path: &RawPath) -> bool {
    let first = path.as_bytes().split(|byte| *byte == b'/').next();
    first == Some(OWN.as_bytes()) || first == Some(SUMS.as_bytes())
}

/// A line of `SHA256SUMS`, as GNU sha256sum writes it: where a name holds a backslash, a newline or a carriage return,
/// those are escaped and the line begins with a backslash.
pub(super) fn sum_line(sha256: &Digest, path: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(path.len());
    for byte in path {
        match byte {
            b'\\' => name.extend(b"\\\\"),
            b'\n' => name.extend(b"\\n"),
            b'\r' => name.extend(b"\\r"),
            byte => name.push(*byte),
        }
    }
    let escape: &[u8] = if name.len() > path.len() { b"\\" } else { b"" };
    [escape, sha256.to_string().as_bytes(), b"  ", &name, b"\n"].concat()
}

/// Reads a line of `SHA256SUMS`, without its newline.
fn read_sum_line(line: &[u8]) -> Option<(Digest, RawPath)> {
    let (escaped, line) = match line.strip_prefix(b"\\") {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (hex, name) = line.split_at_checked(64)?;
    let digest = std::str::from_utf8(hex).ok()?.parse().ok()?;
    let name = name.strip_prefix(b"  ")?;
    let name = if escaped { unescape(name)? } else { name.to_vec() };
    Some((digest, RawPath::from_bytes(&name).ok()?))
}

fn unescape(name: &[u8]) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::with_capacity(name.len()), name.iter());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next()? {
                b'\\' => b'\\',
                b'n' => b'\n',
                b'r' => b'\r',
                _ => return None,
            },
            byte => *byte,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_line_reads_back_whatever_the_name_is() {
        for name in [&b"plain"[..], b"a/b c", b"new\nline", b"back\\slash", b"\r", b"bad\xff"] {
            let digest = Digest::of(name);
            let line = sum_line(&digest, name);
            let (read, path) = read_sum_line(line.strip_suffix(b"\n").unwrap()).unwrap();
            assert_eq!((read, path.as_bytes()), (digest, name));
        }
        assert!(read_sum_line(b"123  short").is_none());
    }
}

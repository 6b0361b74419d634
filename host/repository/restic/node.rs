//! What a directory holds, as restic's trees say it
//! (<https://restic.readthedocs.io/en/stable/100_references.html#trees-and-data>), and our items.
//!
//! What a tree has no field for stands in a field of our own, `strongroom`, in the few nodes that need it; restic passes
//! over it.

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    plan::inspection::Attributes,
    repository::{Identity, Kind, Meta, Print},
};

/// A directory's content.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Tree {
    pub nodes: Vec<Node>,
}

/// One thing in it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Node {
    /// As Go's `strconv.Quote` writes it, without the quotes.
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub mode: u32,
    #[serde(default)]
    pub mtime: String,
    #[serde(default)]
    pub atime: String,
    #[serde(default)]
    pub ctime: String,
    #[serde(default)]
    pub uid: u32,
    #[serde(default)]
    pub gid: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub inode: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub device_id: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub size: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub links: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linktarget: Option<String>,
    /// The target's raw bytes, where they are not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linktarget_raw: Option<String>,
    #[serde(default)]
    pub content: Option<Vec<Digest>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtree: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strongroom: Option<Box<Own>>,
}

/// What trees have no field for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Own {
    /// Of content in more than one blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Attributes,
    /// Facts that nobody told: `modified`, `mode`, `owner`. What stands in their fields is made up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// It only leads to something that was stored.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub implied: bool,
}

fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Go's `os.FileMode`: the type bits, then set-uid, set-gid and sticky, elsewhere than `st_mode` has them.
const GO_DIRECTORY: u32 = 1 << 31;
const GO_SYMLINK: u32 = 1 << 27;
const GO_SPECIAL: [(u32, u32); 3] = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];

impl Node {
    /// Of an entry. `identity`: how its source looked.
    pub(super) fn new(name: &[u8], kind: &Kind, meta: &Meta, identity: Option<&Identity>) -> Self {
        let (word, type_bits, default_mode) = match kind {
            Kind::File => ("file", 0, 0o600),
            Kind::Directory => ("dir", GO_DIRECTORY, 0o700),
            Kind::Symlink(_) => ("symlink", GO_SYMLINK, 0o777),
        };
        let modified = meta.modified.unwrap_or_default();
        let (uid, gid) = meta.owner.unwrap_or_default();
        let mtime = time(modified.0, modified.1);
        let changed = identity.map_or_else(|| mtime.clone(), |identity| time_ns(identity.changed_ns));
        let mut node = Self {
            name: quote(name),
            kind: word.to_owned(),
            mode: type_bits | go_mode(meta.mode.unwrap_or(default_mode)),
            atime: mtime.clone(),
            ctime: changed,
            mtime,
            uid,
            gid,
            inode: identity.map_or(0, |identity| identity.inode),
            device_id: identity.map_or(0, |identity| identity.device),
            links: u64::from(*kind != Kind::Directory),
            ..Self::default()
        };
        if let Kind::Symlink(target) = kind {
            node.linktarget = Some(String::from_utf8_lossy(target).into_owned());
            node.linktarget_raw = std::str::from_utf8(target).is_err().then(|| base64(target));
        }
        let told =
            [("modified", meta.modified.is_some()), ("mode", meta.mode.is_some()), ("owner", meta.owner.is_some())];
        let unknown = told.iter().filter(|(_, told)| !told).map(|(fact, _)| (*fact).to_owned()).collect();
        node.own(Own { attributes: meta.attributes.clone(), unknown, ..Own::default() });
        node
    }

    /// Of a directory that was never stored, and leads to something that was.
    pub(super) fn implied(name: &[u8]) -> Self {
        let mut node = Self::new(name, &Kind::Directory, &Meta::default(), None);
        node.own(Own { implied: true, ..Own::default() });
        node
    }

    /// Whether nobody stored it.
    pub(super) fn is_implied(&self) -> bool {
        self.strongroom.as_ref().is_some_and(|own| own.implied)
    }

    /// Notes what has no field.
    fn own(&mut self, own: Own) {
        self.strongroom = (own != Own::default()).then(|| Box::new(own));
    }

    /// Notes content.
    pub(super) fn holds(&mut self, size: u64, content: Vec<Digest>, sha256: Digest) {
        if content.len() > 1 {
            let mut own = self.strongroom.take().map(|own| *own).unwrap_or_default();
            own.sha256 = Some(sha256);
            self.own(own);
        }
        self.size = size;
        self.content = Some(content);
    }

    /// The SHA-256 of its content, where the node tells it.
    pub(super) fn sha256(&self) -> Option<Digest> {
        match self.content.as_deref() {
            None | Some([]) => Some(Digest::of(b"")),
            Some([only]) => Some(*only),
            Some(_) => self.strongroom.as_ref()?.sha256,
        }
    }

    /// What tells its content from another's.
    pub(super) fn print(&self) -> Print {
        let sha256 = self.sha256();
        let names = self.content.as_deref().unwrap_or_default();
        let blobs = || Digest::of(&names.iter().flat_map(|id| *id.as_bytes()).collect::<Vec<u8>>());
        // Where there is one blob its name says all.
        Print { sha256, blobs: (names.len() > 1).then(blobs) }
    }

    /// What it is; none: neither file, directory nor link.
    pub(super) fn kind(&self) -> Option<Kind> {
        Some(match self.kind.as_str() {
            "file" => Kind::File,
            "dir" => Kind::Directory,
            "symlink" => Kind::Symlink(match &self.linktarget_raw {
                Some(raw) => unbase64(raw)?,
                None => self.linktarget.clone().unwrap_or_default().into_bytes(),
            }),
            _ => return None,
        })
    }

    /// What is kept beside its content.
    pub(super) fn meta(&self) -> Meta {
        let own = self.strongroom.as_deref().cloned().unwrap_or_default();
        let known = |fact: &str| !own.unknown.iter().any(|unknown| unknown == fact);
        Meta {
            modified: known("modified").then(|| parse_time(&self.mtime)).flatten(),
            mode: known("mode").then(|| unix_mode(self.mode)),
            owner: known("owner").then_some((self.uid, self.gid)),
            attributes: own.attributes,
        }
    }

    /// Whether its source looked like that.
    pub(super) fn looked(&self, identity: &Identity) -> bool {
        self.size == identity.size
            && self.inode == identity.inode
            && parse_time(&self.mtime).map(in_ns) == Some(identity.modified_ns)
            && parse_time(&self.ctime).map(in_ns) == Some(identity.changed_ns)
    }

    /// Its name's raw bytes.
    pub(super) fn raw_name(&self) -> Option<Vec<u8>> {
        unquote(&self.name)
    }
}

fn go_mode(mode: u32) -> u32 {
    GO_SPECIAL.iter().filter(|(unix, _)| mode & unix != 0).fold(mode & 0o777, |bits, (_, go)| bits | go)
}

fn unix_mode(mode: u32) -> u32 {
    GO_SPECIAL.iter().filter(|(_, go)| mode & go != 0).fold(mode & 0o777, |bits, (unix, _)| bits | unix)
}

/// RFC 3339, as Go reads it. What lies outside the years 1 to 9999 is moved to their ends.
fn time(seconds: i64, nanoseconds: u32) -> String {
    const FIRST: i64 = -62_135_596_800;
    const LAST: i64 = 253_402_200_000;
    let at = jiff::Timestamp::new(seconds.clamp(FIRST, LAST), nanoseconds.min(999_999_999) as i32);
    at.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

fn time_ns(ns: i128) -> String {
    let (seconds, rest) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
    time(i64::try_from(seconds).unwrap_or_default(), rest as u32)
}

fn parse_time(text: &str) -> Option<(i64, u32)> {
    let at: jiff::Timestamp = text.parse().ok()?;
    let ns = at.as_nanosecond();
    Some((ns.div_euclid(1_000_000_000) as i64, ns.rem_euclid(1_000_000_000) as u32))
}

fn in_ns((seconds, nanoseconds): (i64, u32)) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// Go's `strconv.Quote` without the quotes. Go leaves what is printable as it is; any text that it reads back to the same
/// bytes does.
fn quote(name: &[u8]) -> String {
    let mut quoted = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '"' => quoted.push_str("\\\""),
                '\\' => quoted.push_str("\\\\"),
                '\u{0}'..='\u{1f}' | '\u{7f}' => quoted.push_str(&format!("\\x{:02x}", letter as u32)),
                letter => quoted.push(letter),
            }
        }
        chunk.invalid().iter().for_each(|byte| quoted.push_str(&format!("\\x{byte:02x}")));
    }
    quoted
}

/// Reads what Go's `strconv.Quote` wrote.
fn unquote(quoted: &str) -> Option<Vec<u8>> {
    let (mut name, mut rest) = (Vec::with_capacity(quoted.len()), quoted.chars());
    let mut buffer = [0; 4];
    while let Some(letter) = rest.next() {
        if letter != '\\' {
            name.extend(letter.encode_utf8(&mut buffer).as_bytes());
            continue;
        }
        let digits = |rest: &mut std::str::Chars<'_>, count: usize| {
            let digits: String = rest.take(count).collect();
            u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == count)
        };
        match rest.next()? {
            'a' => name.push(7),
            'b' => name.push(8),
            'f' => name.push(12),
            'n' => name.push(b'\n'),
            'r' => name.push(b'\r'),
            't' => name.push(b'\t'),
            'v' => name.push(11),
            '\\' => name.push(b'\\'),
            '"' => name.push(b'"'),
            'x' => name.push(digits(&mut rest, 2)? as u8),
            letter @ ('u' | 'U') => {
                let letter = char::from_u32(digits(&mut rest, if letter == 'u' { 4 } else { 8 })?)?;
                name.extend(letter.encode_utf8(&mut buffer).as_bytes());
            }
            _ => return None,
        }
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_whatever_it_is() {
        let all: Vec<u8> = (1..=255).collect();
        for name in [&b"plain"[..], "grün \u{1f600}".as_bytes(), b"\"quoted\"\\", b"bad\xff\xfe", &all] {
            assert_eq!(unquote(&quote(name)).as_deref(), Some(name), "{name:?}");
        }
        // As Go writes them.
        assert_eq!(
            unquote(r"\a\b\f\n\r\t\v\x00\u00e9\U0001f600").unwrap(),
            "\u{7}\u{8}\u{c}\n\r\t\u{b}\0é😀".as_bytes()
        );
        for broken in ["\\", "\\x1", "\\q", "\\ud800"] {
            assert_eq!(unquote(broken), None, "{broken}");
        }
    }

    #[test]
    fn facts_read_back_and_what_nobody_told_stays_untold() {
        let identity =
            Identity { device: 1, inode: 2, size: 3, modified_ns: -1, changed_ns: 1_700_000_000_000_000_005 };
        let attributes = vec![("sparse".to_owned(), "yes".to_owned())];
        let meta = Meta { modified: Some((-1, 999_999_999)), mode: Some(0o6751), owner: Some((4, 5)), attributes };
        let mut node = Node::new(b"name", &Kind::File, &meta, Some(&identity));
        node.holds(3, vec![Digest::of(b"a"), Digest::of(b"b")], Digest::of(b"ab"));
        let read: Node = serde_json::from_slice(&serde_json::to_vec(&node).unwrap()).unwrap();
        assert_eq!((read.meta(), read.kind(), read.sha256()), (meta, Some(Kind::File), Some(Digest::of(b"ab"))));
        assert!(read.looked(&identity));
        assert!(!read.looked(&Identity { changed_ns: 6, ..identity }));
        let untold = Node::new(b"name", &Kind::Symlink(b"to\xff".to_vec()), &Meta::default(), None);
        let read: Node = serde_json::from_slice(&serde_json::to_vec(&untold).unwrap()).unwrap();
        assert_eq!((read.meta(), read.kind()), (Meta::default(), Some(Kind::Symlink(b"to\xff".to_vec()))));
    }
}

//! Names of things in a snapshot: raw bytes as the file system has them, and their printable form.
//!
//! In JSON and WIT a byte that is not part of valid UTF-8 is written `\xHH`, and every backslash `\\`,
//! so that each name has exactly one printable form and nothing is lost.

use std::{ffi::OsStr, fmt, os::unix::ffi::OsStrExt, path::Path};

/// A relative path, `/` between its names, in raw bytes. Empty means "here".
///
/// It never holds an empty name, `.`, `..`, a leading slash or a NUL: what was parsed once can be
/// joined and opened without asking again.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RawPath(Vec<u8>);

/// Why bytes are not a [`RawPath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// Begins with a slash.
    #[error("{0:?} is absolute")]
    Absolute(String),
    /// Holds `..`.
    #[error("{0:?} leads out of its directory")]
    Escapes(String),
    /// Holds an empty name, `.` or NUL.
    #[error("{0:?} has an empty name, \".\" or NUL in it")]
    Malformed(String),
    /// A `\` that is followed neither by `\` nor by `xHH`.
    #[error("{0:?} has a backslash that is neither \\\\ nor \\xHH")]
    Escape(String),
}

impl RawPath {
    /// The empty path.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// Checks raw bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadPath> {
        if bytes.is_empty() {
            return Ok(Self::root());
        }
        if bytes[0] == b'/' {
            return Err(BadPath::Absolute(text(bytes)));
        }
        for name in bytes.split(|byte| *byte == b'/') {
            match name {
                b".." => return Err(BadPath::Escapes(text(bytes))),
                b"" | b"." => return Err(BadPath::Malformed(text(bytes))),
                _ if name.contains(&0) => return Err(BadPath::Malformed(text(bytes))),
                _ => {}
            }
        }
        Ok(Self(bytes.to_vec()))
    }

    /// Reads the printable form. `""` and `"."` mean "here".
    pub fn from_text(printable: &str) -> Result<Self, BadPath> {
        match printable {
            "" | "." => Ok(Self::root()),
            _ => Self::from_bytes(&untext(printable).ok_or_else(|| BadPath::Escape(printable.to_owned()))?),
        }
    }

    /// The printable form.
    pub fn to_text(&self) -> String {
        text(&self.0)
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// For the operating system. The empty path is `.`.
    pub fn as_path(&self) -> &Path {
        if self.0.is_empty() { Path::new(".") } else { Path::new(OsStr::from_bytes(&self.0)) }
    }

    /// True for the empty path.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// `self/below`; either may be empty.
    pub fn join(&self, below: &RawPath) -> Self {
        match (self.is_root(), below.is_root()) {
            (true, _) => below.clone(),
            (_, true) => self.clone(),
            _ => Self([&self.0[..], b"/", &below.0[..]].concat()),
        }
    }

    /// What of `self` lies below `base`: `Some("")` when they are equal.
    pub fn below(&self, base: &RawPath) -> Option<RawPath> {
        if base.is_root() {
            return Some(self.clone());
        }
        match self.0.strip_prefix(&base.0[..])? {
            b"" => Some(Self::root()),
            rest => rest.strip_prefix(b"/").map(|rest| Self(rest.to_vec())),
        }
    }

    /// Its first `count` names, or all where there are fewer.
    pub fn leading(&self, count: usize) -> RawPath {
        let ends = self.0.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let end = ends.chain([self.0.len()]).nth(count.saturating_sub(1)).unwrap_or(self.0.len());
        RawPath(self.0[..end].to_vec())
    }

    /// The directory that it lies in; none for the empty path.
    pub fn parent(&self) -> Option<RawPath> {
        if self.is_root() {
            return None;
        }
        let cut = self.0.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Some(Self(self.0[..cut].to_vec()))
    }

    /// The last name.
    pub fn file_name(&self) -> &[u8] {
        self.0.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }
}

impl fmt::Display for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl fmt::Debug for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_text())
    }
}

/// The printable form of raw bytes (a whole path, a single name or a link's target).
pub fn text(bytes: &[u8]) -> String {
    let mut printable = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        printable.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            printable.push_str(&format!("\\x{byte:02x}"));
        }
    }
    printable
}

/// The raw bytes of a printable form; none when an escape in it is malformed.
pub fn untext(printable: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(printable.len());
    let mut rest = printable.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        match tail {
            [b'\\', tail @ ..] => {
                bytes.push(b'\\');
                rest = tail;
            }
            [b'x', high, low, tail @ ..] => {
                let digit = |digit: u8| char::from(digit).to_digit(16);
                bytes.push((digit(*high)? * 16 + digit(*low)?) as u8);
                rest = tail;
            }
            _ => return None,
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_one_printable_form_and_comes_back() {
        for bytes in [&b"a/b"[..], b"caf\xc3\xa9", b"bad\xff\xfe", b"back\\slash", b"new\nline \"quoted\"", b"\\x41"] {
            let path = RawPath::from_bytes(bytes).unwrap();
            assert_eq!(RawPath::from_text(&path.to_text()).unwrap(), path);
        }
        assert_eq!(RawPath::from_bytes(b"bad\xff").unwrap().to_text(), "bad\\xff");
        assert!(RawPath::from_text("a\\q").is_err());
    }

    #[test]
    fn nothing_that_leads_elsewhere_is_a_path() {
        for bytes in [&b"/etc"[..], b"..", b"a/../b", b"a//b", b"./a", b"a/", b"a\0b"] {
            assert!(RawPath::from_bytes(bytes).is_err(), "{bytes:?}");
        }
        assert!(RawPath::from_text("\\x2e\\x2e/etc").is_err());
    }

    #[test]
    fn join_and_below_are_inverse() {
        let (base, tail) = (RawPath::from_text("a/b").unwrap(), RawPath::from_text("c").unwrap());
        assert_eq!(base.join(&tail).below(&base), Some(tail));
        assert_eq!(base.below(&base), Some(RawPath::root()));
        assert_eq!(RawPath::from_text("a/bc").unwrap().below(&base), None);
        assert_eq!(base.parent(), Some(RawPath::from_text("a").unwrap()));
    }
}

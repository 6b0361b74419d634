//! Cuts a properties file into logical lines: comments, and assignments with their continuation lines.

use std::ops::Range;

/// The logical lines of a file that are not blank.
pub(super) struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    number: u32,
}

/// One of them.
pub(super) struct Line<'a> {
    /// The number of its first line, from 1.
    pub(super) number: u32,
    pub(super) kind: Kind<'a>,
    /// The first byte behind it and its line ending.
    pub(super) after: usize,
}

pub(super) enum Kind<'a> {
    /// From its `#` or `!` on.
    Comment(&'a [u8]),
    Assignment(Pieces),
}

/// An assignment, continuation lines joined, escapes not decoded.
pub(super) struct Pieces {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
    pub(super) tail: Range<usize>,
    pub(super) spot: Option<Range<usize>>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, number: 1 }
    }

    fn skip_blanks(&mut self) {
        while let Some(byte) = self.bytes.get(self.at) {
            match ending(self.bytes, self.at) {
                0 if is_blank(*byte) => self.at += 1,
                0 => return,
                length => {
                    self.at += length;
                    self.number = self.number.saturating_add(1);
                }
            }
        }
    }

    fn comment(&self) -> (Kind<'a>, usize) {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| is_ending(*byte)).unwrap_or(rest.len());
        (Kind::Comment(&rest[..length]), self.at + length)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        self.skip_blanks();
        let number = self.number;
        let (kind, end) = match self.bytes.get(self.at)? {
            b'#' | b'!' => self.comment(),
            _ => {
                let pieces = assignment(self.bytes, self.at);
                let end = pieces.tail.end;
                (Kind::Assignment(pieces), end)
            }
        };
        self.number = number.saturating_add(endings(&self.bytes[self.at..end]));
        self.at = end;
        Some(Line { number, kind, after: end + ending(self.bytes, end) })
    }
}

fn assignment(bytes: &[u8], start: usize) -> Pieces {
    let mut text = Joined { bytes, at: start, escaped: false };
    let mut key = Vec::new();
    let mut escaped = false;
    let mut next = loop {
        match text.next() {
            Some((at, byte)) if !escaped && (is_blank(byte) || is_separator(byte)) => break Some((at, byte)),
            Some((_, byte)) => {
                escaped = byte == b'\\' && !escaped;
                key.push(byte);
            }
            None => break None,
        }
    };
    let key_end = next.map_or(text.at, |(at, _)| at);
    let mut separated = false;
    while let Some((_, byte)) = next
        && (is_blank(byte) || (is_separator(byte) && !separated))
    {
        separated |= is_separator(byte);
        next = text.next();
    }
    let value_at = next.map_or(text.at, |(at, _)| at);
    let value = next.into_iter().chain(&mut text).map(|(_, byte)| byte).collect();
    let end = text.at;
    Pieces { key, value, tail: key_end..end, spot: separated.then_some(value_at..end) }
}

/// The bytes of one logical line with their offsets; a backslash before a line ending, the ending and the next line's
/// indentation are not among them.
struct Joined<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether the byte before is a backslash that escapes.
    escaped: bool,
}

impl Iterator for Joined<'_> {
    type Item = (usize, u8);

    fn next(&mut self) -> Option<(usize, u8)> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            if is_ending(byte) {
                return None;
            }
            let escapes = byte == b'\\' && !self.escaped;
            let next = self.at + 1;
            let length = if escapes { ending(self.bytes, next) } else { 0 };
            if length == 0 {
                let at = std::mem::replace(&mut self.at, next);
                self.escaped = escapes;
                return Some((at, byte));
            }
            self.at = next + length;
            while self.bytes.get(self.at).is_some_and(|byte| is_blank(*byte)) {
                self.at += 1;
            }
        }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\x0c')
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'=' | b':')
}

fn is_ending(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// The length of the line ending at that place: 0 where none is.
pub(in super::super) fn ending(bytes: &[u8], at: usize) -> usize {
    match (bytes.get(at), bytes.get(at.saturating_add(1))) {
        (Some(b'\r'), Some(b'\n')) => 2,
        (Some(b'\r' | b'\n'), _) => 1,
        _ => 0,
    }
}

fn endings(bytes: &[u8]) -> u32 {
    let lone = |at: &usize| bytes[*at] == b'\n' && (*at == 0 || bytes[at - 1] != b'\r');
    let count = (0..bytes.len()).filter(|at| bytes[*at] == b'\r' || lone(at)).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

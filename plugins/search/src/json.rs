//! Passes over JSON as strictly as a parser does, and makes nothing of it: a document is kept as it came, so all there is
//! to know is where it ends and that it is one. Texts are passed over sixteen bytes at a time.
//!
//! <https://www.rfc-editor.org/rfc/rfc8259>; what is read is taken exactly where `serde_json` takes it.

use std::{borrow::Cow, fmt};

use wide::u8x16;

/// A place where what stands there cannot stand, or where the bytes end too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrong {
    /// How many bytes are before it.
    pub at: usize,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is no JSON from byte {} on", self.at)
    }
}

/// Goes over bytes from their beginning. That they are UTF-8 is for others to see.
pub struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    breaks: bool,
}

impl<'a> Scanner<'a> {
    /// At the beginning.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, breaks: false }
    }

    /// How many bytes were passed over.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Whether a line ended among what was passed over since this was asked last: between two tokens, it can nowhere else.
    pub fn breaks(&mut self) -> bool {
        std::mem::take(&mut self.breaks)
    }

    /// The next byte that is no blank; none at the end.
    pub fn peek(&mut self) -> Option<u8> {
        loop {
            match *self.bytes.get(self.at)? {
                b' ' | b'\t' => {}
                b'\n' | b'\r' => self.breaks = true,
                byte => return Some(byte),
            }
            self.at += 1;
        }
    }

    /// Passes over that byte.
    ///
    /// # Errors
    /// When another one is next.
    pub fn token(&mut self, token: u8) -> Result<(), Wrong> {
        match self.peek() {
            Some(byte) if byte == token => {
                self.at += 1;
                Ok(())
            }
            _ => self.wrong(),
        }
    }

    /// Passes over a text, and returns what is between its quotes, as it is written.
    ///
    /// # Errors
    /// When none is next.
    pub fn text(&mut self) -> Result<&'a [u8], Wrong> {
        self.token(b'"')?;
        let begin = self.at;
        loop {
            self.at += plain(self.bytes.get(self.at..).unwrap_or_default());
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    let text = self.bytes.get(begin..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => self.escape()?,
                _ => return self.wrong(),
            }
        }
    }

    /// Passes over a value, and returns it as it is written.
    ///
    /// # Errors
    /// When none is next.
    pub fn value(&mut self) -> Result<&'a [u8], Wrong> {
        self.peek();
        let begin = self.at;
        let mut open = Nesting::default();
        while self.begins(&mut open)? || self.goes_on(&mut open)? {}
        Ok(self.bytes.get(begin..self.at).unwrap_or_default())
    }

    /// Passes over a value, or into it where something is in it: then true.
    fn begins(&mut self, open: &mut Nesting) -> Result<bool, Wrong> {
        match self.peek() {
            Some(b'"') => drop(self.text()?),
            Some(b'{') => {
                self.at += 1;
                if self.peek() != Some(b'}') {
                    open.push(true);
                    return self.key().map(|()| true);
                }
                self.at += 1;
            }
            Some(b'[') => {
                self.at += 1;
                if self.peek() != Some(b']') {
                    open.push(false);
                    return Ok(true);
                }
                self.at += 1;
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word(b"true")?,
            Some(b'f') => self.word(b"false")?,
            Some(b'n') => self.word(b"null")?,
            _ => return self.wrong(),
        }
        Ok(false)
    }

    /// Behind a value: passes over the ends of what ends with it. True where another value follows.
    fn goes_on(&mut self, open: &mut Nesting) -> Result<bool, Wrong> {
        while let Some(is_object) = open.top() {
            match (self.peek(), is_object) {
                (Some(b','), _) => {
                    self.at += 1;
                    return if is_object { self.key().map(|()| true) } else { Ok(true) };
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    open.pop();
                }
                _ => return self.wrong(),
            }
        }
        Ok(false)
    }

    fn key(&mut self) -> Result<(), Wrong> {
        self.text()?;
        self.token(b':')
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Wrong> {
        if !self.bytes.get(self.at..).unwrap_or_default().starts_with(word) {
            return self.wrong();
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Wrong> {
        self.skip(|byte| byte == b'-');
        // A zero in front of other digits is none.
        if !self.skip(|byte| byte == b'0') {
            self.digits()?;
        } else if self.next_is(|byte| byte.is_ascii_digit()) {
            return self.wrong();
        }
        if self.skip(|byte| byte == b'.') {
            self.digits()?;
        }
        if self.skip(|byte| matches!(byte, b'e' | b'E')) {
            self.skip(|byte| matches!(byte, b'+' | b'-'));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Wrong> {
        if !self.skip(|byte| byte.is_ascii_digit()) {
            return self.wrong();
        }
        while self.skip(|byte| byte.is_ascii_digit()) {}
        Ok(())
    }

    fn next_is(&self, is: impl Fn(u8) -> bool) -> bool {
        self.bytes.get(self.at).is_some_and(|byte| is(*byte))
    }

    fn skip(&mut self, is: impl Fn(u8) -> bool) -> bool {
        let skips = self.next_is(is);
        self.at += usize::from(skips);
        skips
    }

    fn escape(&mut self) -> Result<(), Wrong> {
        // Where one is, others often follow.
        while self.skip(|byte| byte == b'\\') {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            self.at += match rest {
                [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 1,
                [b'u', a, b, c, d, ..] if [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit) => 5,
                _ => return self.wrong(),
            };
        }
        Ok(())
    }

    fn wrong<T>(&self) -> Result<T, Wrong> {
        Err(Wrong { at: self.at })
    }
}

/// How many of the first bytes stand for themselves in a text: neither quote nor backslash nor control byte.
pub fn plain(bytes: &[u8]) -> usize {
    let (quote, backslash, control) = (u8x16::splat(b'"'), u8x16::splat(b'\\'), u8x16::splat(0x1f));
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<16>) {
        let chunk = u8x16::from(*chunk);
        let special = chunk.simd_eq(quote) | chunk.simd_eq(backslash) | chunk.min(control).simd_eq(chunk);
        match special.to_bitmask() {
            0 => at += 16,
            special => return at + special.trailing_zeros() as usize,
        }
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| **byte > 0x1f && !matches!(byte, b'"' | b'\\')).count()
}

/// What a text says that stands between its quotes as [`Scanner::text`] returned it; none where it is no text after all, by
/// its escapes or its UTF-8.
pub fn said(text: &[u8]) -> Option<Cow<'_, str>> {
    if !text.contains(&b'\\') {
        return std::str::from_utf8(text).ok().map(Cow::Borrowed);
    }
    let quoted = [b"\"", text, b"\""].concat();
    serde_json::from_slice(&quoted).ok().map(Cow::Owned)
}

/// Appends a text with its quotes, as `serde_json` writes it.
///
/// # Errors
/// Never: what can be read can be written.
pub fn write_text(text: &str, into: &mut Vec<u8>) -> serde_json::Result<()> {
    if plain(text.as_bytes()) < text.len() {
        return serde_json::to_writer(into, text);
    }
    into.push(b'"');
    into.extend_from_slice(text.as_bytes());
    into.push(b'"');
    Ok(())
}

/// Which objects (true) and lists (false) are open, one in the other; only those beyond the first 64 take memory.
#[derive(Default)]
struct Nesting {
    /// The innermost is last.
    bits: u64,
    depth: usize,
    outer: Vec<u64>,
}

impl Nesting {
    fn top(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.bits & 1 == 1)
    }

    fn push(&mut self, is_object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.bits);
        }
        self.bits = self.bits << 1 | u64::from(is_object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.bits >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.bits = self.outer.pop().unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests;

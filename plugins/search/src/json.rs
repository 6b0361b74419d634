//! Passes over JSON as strictly as a parser does, and makes nothing of it.
//!
//! A document is kept as it came, so all there is to know is where it ends and that it is one. Each document of an index
//! passes through here, in a guest whose every loop looks at a clock: what is usual (one blank, a short text) is done
//! without one, sixteen bytes at a time.
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
        let byte = self.next();
        (self.at < self.bytes.len()).then_some(byte)
    }

    /// The same; zero, which can stand nowhere, at the end.
    #[inline(always)]
    fn next(&mut self) -> u8 {
        let mut byte = self.byte();
        if byte == b' ' {
            self.at += 1;
            byte = self.byte();
        }
        if byte <= b' ' {
            (self.at, self.breaks) = behind_blanks(self.bytes, self.at, self.breaks);
            byte = self.byte();
        }
        byte
    }

    #[inline(always)]
    fn byte(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or_default()
    }

    /// Passes over that byte.
    ///
    /// # Errors
    /// When another one is next.
    #[inline(always)]
    pub fn token(&mut self, token: u8) -> Result<(), Wrong> {
        if self.next() != token {
            return self.wrong();
        }
        self.at += 1;
        Ok(())
    }

    /// Passes over a text, and returns what is between its quotes, as it is written.
    ///
    /// # Errors
    /// When none is next.
    #[inline(always)]
    pub fn text(&mut self) -> Result<&'a [u8], Wrong> {
        self.token(b'"')?;
        let begin = self.at;
        self.at = text_end(self.bytes, begin);
        if self.byte() != b'"' {
            return self.wrong();
        }
        self.at += 1;
        Ok(self.bytes.get(begin..self.at - 1).unwrap_or_default())
    }

    /// Passes over a value, and returns it as it is written.
    ///
    /// # Errors
    /// When none is next.
    pub fn value(&mut self) -> Result<&'a [u8], Wrong> {
        self.next();
        // A copy, which can be held in registers.
        let mut ahead = Self { ..*self };
        let passed = ahead.pass();
        let begin = std::mem::replace(self, ahead).at;
        passed.map(|()| self.bytes.get(begin..self.at).unwrap_or_default())
    }

    #[inline(always)]
    fn pass(&mut self) -> Result<(), Wrong> {
        let mut open = Nesting::default();
        'value: loop {
            let begin = self.next();
            if begin == b'"' {
                self.text()?;
            } else if begin.is_ascii_digit() || begin == b'-' {
                self.number()?;
            } else if begin == b'{' {
                self.at += 1;
                if self.next() != b'}' {
                    open.push(true);
                    self.key()?;
                    continue 'value;
                }
                self.at += 1;
            } else if begin == b'[' {
                self.at += 1;
                if self.next() != b']' {
                    open.push(false);
                    continue 'value;
                }
                self.at += 1;
            } else {
                self.word()?;
            }
            // Something goes on behind it, or ends with it.
            while let Some(is_object) = open.top() {
                let byte = self.next();
                if byte == b',' {
                    self.at += 1;
                    if is_object {
                        self.key()?;
                    }
                    continue 'value;
                }
                if byte != if is_object { b'}' } else { b']' } {
                    return self.wrong();
                }
                self.at += 1;
                open.pop();
            }
            return Ok(());
        }
    }

    #[inline(always)]
    fn key(&mut self) -> Result<(), Wrong> {
        self.text()?;
        self.token(b':')
    }

    fn word(&mut self) -> Result<(), Wrong> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let word = ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word.as_bytes()));
        self.at += word.map_or_else(|| self.wrong(), |word| Ok(word.len()))?;
        Ok(())
    }

    #[inline(always)]
    fn number(&mut self) -> Result<(), Wrong> {
        self.skip(|byte| byte == b'-');
        // A zero in front of other digits is none.
        if !self.skip(|byte| byte == b'0') {
            self.digits()?;
        } else if self.byte().is_ascii_digit() {
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

    #[inline(always)]
    fn digits(&mut self) -> Result<(), Wrong> {
        if !self.skip(|byte| byte.is_ascii_digit()) {
            return self.wrong();
        }
        while self.skip(|byte| byte.is_ascii_digit()) {}
        Ok(())
    }

    #[inline(always)]
    fn skip(&mut self, is: impl Fn(u8) -> bool) -> bool {
        let skips = is(self.byte());
        self.at += usize::from(skips);
        skips
    }

    fn wrong<T>(&self) -> Result<T, Wrong> {
        Err(Wrong { at: self.at })
    }
}

#[cold]
fn behind_blanks(bytes: &[u8], mut at: usize, mut breaks: bool) -> (usize, bool) {
    while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = bytes.get(at) {
        breaks |= matches!(byte, b'\n' | b'\r');
        at += 1;
    }
    (at, breaks)
}

/// Where the quote is that ends a text, or what cannot stand in one.
#[inline(always)]
fn text_end(bytes: &[u8], at: usize) -> usize {
    if let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let special = special(chunk);
        let end = at + special.trailing_zeros() as usize;
        if special > 0 && bytes.get(end) == Some(&b'"') {
            return end;
        }
    }
    long_text_end(bytes, at)
}

#[inline(never)]
fn long_text_end(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at += plain(bytes.get(at..).unwrap_or_default());
        // Where one is escaped, others often follow.
        while let Some([b'\\', rest @ ..]) = bytes.get(at..) {
            at += match rest {
                [b'u', a, b, c, d, ..] if [a, b, c, d].into_iter().all(|byte| HEX[usize::from(*byte)]) => 6,
                [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
                _ => return at,
            };
            if bytes.get(at) == Some(&b'"') {
                return at;
            }
        }
        if bytes.get(at).is_none_or(|byte| *byte == b'"' || *byte <= 0x1f) {
            return at;
        }
    }
}

/// Which bytes are digits of a hexadecimal number.
const HEX: [bool; 256] = {
    let mut hex = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        hex[byte] = (byte as u8).is_ascii_hexdigit();
        byte += 1;
    }
    hex
};

/// A bit for each byte that does not stand for itself in a text: quote, backslash and control bytes.
#[inline(always)]
fn special(chunk: &[u8; 16]) -> u32 {
    let chunk = u8x16::from(*chunk);
    let control = u8x16::splat(0x1f);
    let quotes = chunk.simd_eq(u8x16::splat(b'"')) | chunk.simd_eq(u8x16::splat(b'\\'));
    (quotes | chunk.min(control).simd_eq(chunk)).to_bitmask()
}

/// How many of the first bytes stand for themselves in a text.
pub fn plain(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        match special(chunk) {
            0 => at += 16,
            special => return at + special.trailing_zeros() as usize,
        }
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| **byte > 0x1f && !matches!(byte, b'"' | b'\\')).count()
}

/// Whether bytes are UTF-8: most have nothing but ASCII, which is seen at once.
pub fn is_utf8(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<16>();
    let any = chunks.iter().fold(u8x16::splat(0), |any, chunk| any | u8x16::from(*chunk));
    (any.to_bitmask() == 0 && rest.is_ascii()) || std::str::from_utf8(bytes).is_ok()
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

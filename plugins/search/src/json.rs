//! Passes over JSON: finds where a value ends, and makes nothing of it.
//!
//! A document is kept as it came, so all there is to know is where it ends, and that it is one line or can be made one. Its
//! engine has parsed it before it took it, and will again when it gets it back, so here only the structure counts: texts
//! end, and as much is closed as was opened. Whatever `serde_json` takes is taken, to the same end; words, numbers and
//! escapes are for those to judge who want to know what they say, and for who verifies a set. Each document of an index
//! passes through here, in a guest whose every loop looks at a clock: so what is usual (one blank, a short text) is done
//! without one, and what is long 64 bytes at a time.
//!
//! <https://www.rfc-editor.org/rfc/rfc8259>

use std::{borrow::Cow, fmt};

use wide::u8x16;

use self::structure::{BLOCK_BYTES, Met, Structure};

mod structure;

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
        let first = self.next();
        let begin = self.at;
        match first {
            b'"' => self.text().map(drop),
            b'{' | b'[' => self.structure(),
            _ => self.word(),
        }?;
        Ok(self.bytes.get(begin..self.at).unwrap_or_default())
    }

    fn structure(&mut self) -> Result<(), Wrong> {
        self.at += 1;
        let mut structure = Structure::open();
        let met = loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let met = match rest.first_chunk() {
                Some(block) => structure.pass(block),
                None => structure.pass(&padded(rest)),
            };
            match met {
                None if rest.len() < BLOCK_BYTES => break Met::Wrong(rest.len()),
                None => self.at += BLOCK_BYTES,
                Some(met) => break met,
            }
        };
        self.breaks |= structure.breaks;
        let (Met::End(length) | Met::Wrong(length)) = met;
        self.at += length;
        if matches!(met, Met::End(_)) { Ok(()) } else { self.wrong() }
    }

    /// A number, or one of three names.
    fn word(&mut self) -> Result<(), Wrong> {
        let rest = self.bytes.get(self.at..).unwrap_or_default().iter();
        let length = rest.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')).count();
        self.at += length;
        if length > 0 { Ok(()) } else { self.wrong() }
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
        match bytes.get(at) {
            Some(b'\\') => at = bytes.len().min(at + 2),
            _ => return at,
        }
    }
}

/// With blanks behind it.
fn padded(rest: &[u8]) -> [u8; BLOCK_BYTES] {
    let mut block = [b' '; BLOCK_BYTES];
    block.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    block
}

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

#[cfg(test)]
mod tests;

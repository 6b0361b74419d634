//! Escapes of a properties file, both ways.

use std::fmt::Write as _;

use super::Charset;

/// The text with `\t`, `\n`, `\r`, `\f`, `\uXXXX` decoded and other backslashes dropped. None where Java refuses it.
pub(super) fn decode(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    // In UTF-16, since one character may be escaped as the two halves of a pair.
    let mut units = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match (character, if character == '\\' { rest.next() } else { None }) {
            ('\\', Some('u')) => units.push(four_digits(&mut rest)?),
            ('\\', Some(escaped)) => push(&mut units, plain(escaped)),
            ('\\', None) => {}
            _ => push(&mut units, character),
        }
    }
    Some(String::from_utf16_lossy(&units))
}

fn push(units: &mut Vec<u16>, character: char) {
    units.extend_from_slice(character.encode_utf16(&mut [0; 2]));
}

fn plain(escaped: char) -> char {
    match escaped {
        't' => '\t',
        'n' => '\n',
        'r' => '\r',
        'f' => '\u{c}',
        other => other,
    }
}

fn four_digits(rest: &mut std::str::Chars<'_>) -> Option<u16> {
    let mut value = 0;
    for _ in 0..4 {
        value = value * 16 + rest.next()?.to_digit(16)?;
    }
    u16::try_from(value).ok()
}

/// The text as a value that the launcher reads as the same: no more is escaped than must be, because the launcher
/// compares what stands in the file with what it read.
pub(in super::super) fn encode(text: &str, charset: Charset) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{c}' => out.push_str("\\f"),
            // Other charsets keep the one that they are recognised by.
            _ if character < ' ' || (!character.is_ascii() && charset != Charset::Utf8) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing into a String cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            _ => out.push(character),
        }
    }
    out
}

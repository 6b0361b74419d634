//! Reads and rewrites `confluence-init.properties`, by the rules of Java properties files.

use std::ops::Range;

/// The key that names the home directory.
pub const HOME: &str = "confluence.home";

/// One live assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Decoded.
    pub key: String,
    /// Decoded; blanks at its end are gone, as Confluence trims a path.
    pub value: String,
    /// Where the value stands, as written.
    span: Range<usize>,
}

/// Every live assignment, in order: comments and empty lines are no assignments.
pub fn assignments(file: &[u8]) -> Vec<Assignment> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < file.len() {
        let line = logical_line(file, at);
        at = line.end;
        all.extend(assignment(file, line));
    }
    all
}

/// The values that are given to `key`; the last one counts.
pub fn values(file: &[u8], key: &str) -> Vec<String> {
    assignments(file).into_iter().filter(|one| one.key == key).map(|one| one.value).collect()
}

/// The file with the last live value of `key` replaced; none when it has no such line.
pub fn rewrite(file: &[u8], key: &str, value: &str) -> Option<Vec<u8>> {
    let span = assignments(file).into_iter().rfind(|one| one.key == key)?.span;
    Some([&file[..span.start], escape(value).as_bytes(), &file[span.end..]].concat())
}

/// From `start` to behind the line's end, continued lines included; a comment is never continued.
fn logical_line(file: &[u8], start: usize) -> Range<usize> {
    let comment = matches!(file[start..].trim_ascii_start().first(), Some(b'#' | b'!'));
    let mut at = start;
    loop {
        let end = memchr::memchr(b'\n', &file[at..]).map_or(file.len(), |length| at + length + 1);
        let text = trim_line_end(&file[at..end]);
        let backslashes = text.iter().rev().take_while(|byte| **byte == b'\\').count();
        if comment && first_line_is_comment(file, start) || backslashes % 2 == 0 || end == file.len() {
            return start..end;
        }
        at = end;
    }
}

fn first_line_is_comment(file: &[u8], start: usize) -> bool {
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\x0c');
    let skipped = file[start..].iter().take_while(blank).count();
    matches!(file.get(start + skipped), Some(b'#' | b'!'))
}

fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn assignment(file: &[u8], line: Range<usize>) -> Option<Assignment> {
    if first_line_is_comment(file, line.start) {
        return None;
    }
    let text = trim_line_end(&file[line.clone()]);
    let blank = |byte: u8| matches!(byte, b' ' | b'\t' | b'\x0c');
    let begin = text.iter().position(|byte| !blank(*byte) && !matches!(byte, b'\r' | b'\n'))?;
    let mut end = begin;
    while end < text.len() && !blank(text[end]) && !matches!(text[end], b'=' | b':') {
        end += if text[end] == b'\\' { 2 } else { 1 };
    }
    let end = end.min(text.len());
    let mut value = end + text[end..].iter().take_while(|byte| blank(**byte)).count();
    if matches!(text.get(value), Some(b'=' | b':')) {
        value += 1;
        value += text[value..].iter().take_while(|byte| blank(**byte)).count();
    }
    Some(Assignment {
        key: unescape(&text[begin..end]),
        value: unescape(&text[value..]).trim_end().to_owned(),
        span: line.start + value..line.start + text.len(),
    })
}

/// Java reads these files as ISO-8859-1; operators write UTF-8: whichever fits.
fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

fn unescape(raw: &[u8]) -> String {
    let text = decode(raw);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match rest.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\x0c'),
            Some('u') => {
                let digits: String = rest.clone().take(4).collect();
                if let Ok(unit) = u32::from_str_radix(&digits, 16) {
                    out.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
                    rest.nth(3);
                }
            }
            // A continued line: its indentation does not count.
            Some('\r' | '\n') => rest = rest.as_str().trim_start().chars(),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for (at, character) in value.chars().enumerate() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            ' ' if at == 0 => out.push_str("\\ "),
            _ if character.is_ascii() => out.push(character),
            _ => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXTURE: &[u8] =
        include_bytes!("../fixtures/a-cluster-pg-9x/install/confluence/WEB-INF/classes/confluence-init.properties");

    #[test]
    fn commented_samples_are_ignored_and_the_last_live_line_wins() {
        assert_eq!(values(FIXTURE, HOME), ["/var/atlassian/application-data/confluence"]);
        let file = b"confluence.home=/one\n!confluence.home=/no\n  # confluence.home=/no\nconfluence.home : /two  \n";
        assert_eq!(values(file, HOME), ["/one", "/two"]);
    }

    #[test]
    fn escapes_separators_and_continued_lines_are_understood() {
        let windows = br"confluence.home=c\:\\data\\confluence";
        assert_eq!(values(windows, HOME), [r"c:\data\confluence"]);
        assert_eq!(values(b"confluence.home /a\\\n    /b\r\n", HOME), ["/a/b"]);
        assert_eq!(values(b"confluence.home=/caf\\u00e9\n", HOME), ["/café"]);
        assert_eq!(values(b"confluence.home=/caf\xe9", HOME), ["/café"]);
        assert_eq!(values(b"# a comment ends with its line \\\nconfluence.home=/h\n", HOME), ["/h"]);
        assert_eq!(values(b"\n\nconfluence\\.home=/h\nempty\n", HOME), ["/h"]);
        assert!(values(b"confluence.homes=/h\n", HOME).is_empty());
        assert_eq!(values(b"confluence.home=\\", HOME), [""]);
    }

    #[test]
    fn a_rewrite_touches_one_value() {
        let out = rewrite(FIXTURE, HOME, "/new/home").unwrap();
        let old = String::from_utf8(FIXTURE.to_vec()).unwrap();
        let new =
            old.replace("confluence.home=/var/atlassian/application-data/confluence", "confluence.home=/new/home");
        assert_eq!(out, new.as_bytes());
        assert_eq!(
            rewrite(b"a=1\r\nb=2", "b", r"é\").unwrap(),
            br"a=1
b=\u00E9\\"
                .iter()
                .flat_map(|byte| if *byte == b'\n' { vec![b'\r', b'\n'] } else { vec![*byte] })
                .collect::<Vec<_>>()
        );
        assert_eq!(rewrite(b"a=1", "b", "x"), None);
    }
}

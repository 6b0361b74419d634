//! Sets single keys of a `nuxeo.conf`, in the user's part and in the generated block; every other byte stays as it was.
//!
//! A value in the generated block overrides the user's line, so one that is set in one place only would be lost.

use super::{
    expand,
    properties::{Assignment, BadProperties, Properties, encode, ending, trim},
};

/// Why a file cannot be rewritten, in words that follow its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRewrite {
    /// It cannot be read.
    #[error(transparent)]
    Properties(#[from] BadProperties),
    /// A value that the launcher would not read as it was given.
    #[error("{0} cannot be set to a value that begins or ends with a blank: Nuxeo drops it")]
    Blank(String),
    /// A value in which the launcher replaces something.
    #[error("{0} cannot be set to a value that holds a reference to the environment: Nuxeo replaces it")]
    Environment(String),
    /// A name that no property has.
    #[error("{0:?} is no name of a property")]
    Key(String),
    /// Read back, the new file does not say what it should.
    #[error("{0} would not be read back as it was written: set it by hand")]
    ReadBack(String),
}

/// The file with those keys set to those texts, which Nuxeo reads as they are given: references in them are escaped.
///
/// The last assignment of a key outside the block and the last one in it are replaced; a key that is nowhere gets a
/// line of its own before the block. An assignment that has the value already keeps its spelling.
///
/// # Errors
/// When the file cannot be read, or a value cannot be written so that Nuxeo reads it.
pub fn set(bytes: &[u8], edits: &[(&str, &str)]) -> Result<Vec<u8>, BadRewrite> {
    let file = Properties::parse(bytes)?;
    let mut patches = Vec::new();
    let mut added = String::new();
    let newline = first_ending(bytes);
    for (key, value) in last_of_each(edits) {
        check(key, value)?;
        let raw = expand::literal(value);
        let text = encode(&raw, file.charset);
        let places = [false, true].map(|block| last(&file, key, block));
        if places.iter().all(Option::is_none) {
            added.push_str(&format!("{key}={text}{newline}"));
        }
        for place in places.into_iter().flatten().filter(|place| place.value != raw) {
            patches.push(match &place.spot {
                Some(spot) => (spot.clone(), text.clone()),
                None => (place.tail.clone(), format!("={text}")),
            });
        }
    }
    if !added.is_empty() {
        patches.push((file.room..file.room, format!("{}{added}", gap(bytes, file.room, newline))));
    }
    let out = apply(bytes, patches);
    read_back(&file, &Properties::parse(&out)?, edits)?;
    Ok(out)
}

/// Of two edits of one key the later one.
fn last_of_each<'a>(edits: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    let later = |at: usize, key: &str| edits[at + 1..].iter().any(|(other, _)| *other == key);
    edits.iter().enumerate().filter(move |(at, (key, _))| !later(*at, key)).map(|(_, edit)| *edit)
}

fn last<'a>(file: &'a Properties, key: &str, block: bool) -> Option<&'a Assignment> {
    file.assignments.iter().rev().find(|one| one.key == key && one.block == block)
}

fn check(key: &str, value: &str) -> Result<(), BadRewrite> {
    let plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    if key.is_empty() || key == "JAVA_OPTS" || !key.chars().all(plain) {
        return Err(BadRewrite::Key(key.to_owned()));
    }
    if trim(value) != value {
        return Err(BadRewrite::Blank(key.to_owned()));
    }
    if expand::asks_environment(value) {
        return Err(BadRewrite::Environment(key.to_owned()));
    }
    Ok(())
}

/// The line ending that the file uses.
fn first_ending(bytes: &[u8]) -> &'static str {
    match bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        Some(at) if ending(bytes, at) == 2 => "\r\n",
        Some(at) if bytes[at] == b'\r' => "\r",
        _ => "\n",
    }
}

/// What must stand before a new line: nothing, unless the line before has no end yet.
fn gap(bytes: &[u8], room: usize, newline: &str) -> String {
    let before = &bytes[..room];
    if before.is_empty() || before.ends_with(b"\n") || before.ends_with(b"\r") {
        return String::new();
    }
    let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
    // A backslash at the very end would make the new line a continuation of it.
    newline.repeat(1 + backslashes % 2)
}

fn apply(bytes: &[u8], mut patches: Vec<(std::ops::Range<usize>, String)>) -> Vec<u8> {
    patches.sort_by_key(|(range, _)| range.start);
    let mut out = Vec::with_capacity(bytes.len() + 256);
    let mut from = 0;
    for (range, text) in patches {
        out.extend_from_slice(&bytes[from..range.start]);
        out.extend_from_slice(text.as_bytes());
        from = range.end;
    }
    out.extend_from_slice(&bytes[from..]);
    out
}

/// Every key must say what it said before, or what was asked for.
fn read_back(old: &Properties, new: &Properties, edits: &[(&str, &str)]) -> Result<(), BadRewrite> {
    let edited = |key: &str| edits.iter().any(|(name, _)| *name == key);
    let others = |file: &'_ Properties| -> Vec<_> {
        let rest = file.assignments.iter().filter(|one| !edited(&one.key));
        rest.map(|one| (one.key.clone(), one.value.clone(), one.block)).collect()
    };
    let (before, after) = (others(old), others(new));
    if before != after {
        let moved = before.into_iter().zip(after).find(|(old, new)| old != new);
        return Err(BadRewrite::ReadBack(moved.map_or_else(|| "the last property".to_owned(), |(old, _)| old.0)));
    }
    for (key, value) in last_of_each(edits) {
        let raw = expand::literal(value);
        let says = |block| last(new, key, block).is_none_or(|one| one.value == raw);
        if !says(false) || !says(true) || new.get(key).is_none() {
            return Err(BadRewrite::ReadBack(key.to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::properties::{BLOCK_BEGIN, BLOCK_END};

    const A: &str = include_str!("../../fixtures/a/nuxeo.conf");

    fn rewrite(text: &str, edits: &[(&str, &str)]) -> String {
        let out = set(text.as_bytes(), edits).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(set(&out, edits).as_ref(), Ok(&out), "done twice, it changes nothing");
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn both_places_are_set_and_every_other_byte_stays() {
        let out = rewrite(A, &[("nuxeo.url", "https://new.example/nuxeo"), ("nuxeo.db.host", "db9")]);
        let wanted = A
            .replace("https://dam.example/nuxeo", "https://new.example/nuxeo")
            .replace("https://dam2.example/nuxeo", "https://new.example/nuxeo")
            .replace("=db1.dam.example", "=db9");
        assert_eq!(out, wanted);
        assert!(out.contains("#nuxeo.db.host=old-db.dam.example"), "a commented value is a comment");
    }

    #[test]
    fn a_key_that_is_only_in_the_block_is_set_there() {
        let out = rewrite(A, &[("server.crypt.key", "bmV3")]);
        assert_eq!(out, A.replace("Zml4dHVyZS1rZXktMTZieQ==", "bmV3"));
    }

    #[test]
    fn a_key_that_is_nowhere_is_added_before_the_block() {
        let out = rewrite(A, &[("nuxeo.cluster.nodeid", "n2"), ("x", "y")]);
        let last = "server.status.key=status-fixture\n";
        assert_eq!(out, A.replace(last, &format!("{last}nuxeo.cluster.nodeid=n2\nx=y\n")));
    }

    #[test]
    fn a_file_without_a_block_gets_the_key_at_its_end() {
        assert_eq!(rewrite("", &[("a", "1")]), "a=1\n");
        assert_eq!(rewrite("b=2", &[("a", "1")]), "b=2\na=1\n");
        assert_eq!(rewrite("b=2\r\n\r\n", &[("a", "1")]), "b=2\r\na=1\r\n\r\n");
        assert_eq!(rewrite("b=2\rc=3\r", &[("a", "1")]), "b=2\rc=3\ra=1\r");
        assert_eq!(rewrite("# x", &[("a", "1")]), "# x\na=1\n");
        assert_eq!(rewrite("b=2\\", &[("a", "1")]), "b=2\\\n\na=1\n", "the backslash must not swallow the new line");
        assert_eq!(rewrite("b=2\\\\", &[("a", "1")]), "b=2\\\\\na=1\n");
        let block = format!("{BLOCK_BEGIN}\nb=2\n{BLOCK_END}\n");
        assert_eq!(rewrite(&block, &[("a", "1")]), format!("a=1\n{block}"));
        let open = format!("a=1\\\n\n\n{BLOCK_BEGIN}\n");
        assert_eq!(rewrite(&open, &[("c", "1")]), format!("a=1\\\n\nc=1\n\n{BLOCK_BEGIN}\n"));
    }

    #[test]
    fn only_the_assignment_that_counts_is_changed() {
        assert_eq!(rewrite("a=1\n# a=0\na = 2\n", &[("a", "3")]), "a=1\n# a=0\na = 3\n");
        let after = format!("a=1\n{BLOCK_BEGIN}\na=2\n{BLOCK_END}\na=3\n");
        let wanted = format!("a=1\n{BLOCK_BEGIN}\na=9\n{BLOCK_END}\na=9\n");
        assert_eq!(rewrite(&after, &[("a", "9")]), wanted);
        assert_eq!(rewrite("a=1\n", &[("a", "2"), ("a", "3")]), "a=3\n");
    }

    #[test]
    fn every_form_of_assignment_is_replaced() {
        for (form, wanted) in [
            ("a:1", "a:x"),
            ("a : 1  ", "a : x"),
            ("a 1", "a=x"),
            ("a", "a=x"),
            ("a=", "a=x"),
            ("a=one\\\n  two\\\n  three\nb=2", "a=x\nb=2"),
            ("a=\\\n  one\nb=2", "a=\\\n  x\nb=2"),
            (" a\\\n =1\n", " a\\\n =x\n"),
            ("JAVA_OPTS=1\nJAVA_OPTS=2\na=1", "JAVA_OPTS=1\nJAVA_OPTS=2\na=x"),
        ] {
            assert_eq!(rewrite(form, &[("a", "x")]), wanted, "{form:?}");
        }
        assert_eq!(rewrite("a=1\nb=2\n", &[("a", "")]), "a=\nb=2\n");
    }

    #[test]
    fn values_are_escaped_so_that_they_are_read_back() {
        for value in [
            "a\\b",
            "a\nb\r\tc\u{c}\u{1}d",
            "é€😀",
            "p=q:r#s!t",
            "#x",
            "=x",
            "a  b",
            "${a}",
            "$${a}$",
            "{$$eA==}",
            "\\",
        ] {
            for file in [&b"a=old\n"[..], b"a old", b"\xc3\xa9=1\na:old", b"# caf\xe9\na=old\n", b"b=1"] {
                let out = set(file, &[("a", value)]).unwrap_or_else(|error| panic!("{value:?}: {error}"));
                let read = Properties::parse(&out).unwrap();
                let raw = &read.get("a").unwrap().value;
                assert_eq!(expand::references(raw, |_| Some("replaced")).text, value, "{out:?}");
                assert_eq!(read.charset, Properties::parse(file).unwrap().charset);
            }
        }
        assert_eq!(
            rewrite("a=caf\\u00e9", &[("a", "café")]),
            "a=caf\\u00e9",
            "what says it already keeps its spelling"
        );
    }

    #[test]
    fn what_nuxeo_would_not_read_as_given_is_refused() {
        let refused = |key, value| set(b"a=1\n", &[(key, value)]).unwrap_err();
        assert_eq!(refused("a", " x"), BadRewrite::Blank("a".into()));
        assert_eq!(refused("a", "x\n"), BadRewrite::Blank("a".into()));
        assert_eq!(refused("a", "${env:HOME}"), BadRewrite::Environment("a".into()));
        for key in ["", "JAVA_OPTS", "a b", "a=b", "#a", "a\nb", "é"] {
            assert_eq!(refused(key, "x"), BadRewrite::Key(key.into()));
        }
        assert_eq!(set(b"\\u1", &[]).unwrap_err(), BadRewrite::Properties(BadProperties::Escape(1)));
    }

    #[test]
    fn a_change_that_would_change_how_other_bytes_are_read_is_refused() {
        // Without the lone byte of `a`, the rest would be read as UTF-8.
        let file = b"a=\xe9\nb=\xc3\xa9\n";
        assert_eq!(set(file, &[("a", "x")]).unwrap_err(), BadRewrite::ReadBack("b".into()));
        assert_eq!(set(b"a=\xe9\nb=c\n", &[("a", "x")]).unwrap(), b"a=x\nb=c\n");
    }

    #[test]
    fn fixtures_that_are_set_to_what_they_say_stay_as_they_are() {
        for text in [
            A,
            include_str!("../../fixtures/b/nuxeo.conf"),
            include_str!("../../fixtures/c/nuxeo.conf"),
            include_str!("../../fixtures/d/nuxeo.conf"),
        ] {
            let file = Properties::parse(text.as_bytes()).unwrap();
            let plain = file.assignments.iter().filter(|one| !one.value.contains("${") && !one.block);
            let same: Vec<_> = plain.map(|one| (one.key.as_str(), one.value.as_str())).collect();
            let same: Vec<_> = same.into_iter().filter(|(key, _)| *key != "nuxeo.url").collect();
            assert_eq!(rewrite(text, &same), text);
        }
    }
}

//! One document: as an engine gives it, and as the two lines of a bulk request.

use std::{borrow::Cow, fmt::Display};

use serde::{Deserialize, de::IgnoredAny};
use simdutf8::basic::from_utf8;
use strongroom_plugin::{Error, Result};

use crate::json::{self, Scanner, Wrong};

/// What is kept of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document<'a> {
    /// `_id`
    pub id: &'a str,
    /// `_version`
    pub version: u64,
    /// `_routing`
    pub routing: Option<&'a str>,
    /// `_source`, byte by byte as it came, on one line; `{}` where the index keeps none.
    pub source: &'a [u8],
}

/// What stands for the source of a document whose index keeps none.
pub const NO_SOURCE: &[u8] = b"{}";

/// A document among what a search found.
#[derive(Debug)]
pub struct Hit<'a> {
    index: Cow<'a, str>,
    id: Cow<'a, str>,
    version: u64,
    routing: Option<Cow<'a, str>>,
    parent: bool,
    /// With what it is written in, and whether that is several lines.
    source: Option<(&'a [u8], bool)>,
    sort: Option<&'a str>,
}

impl<'a> Hit<'a> {
    /// Reads one, which must be of `index`.
    ///
    /// # Errors
    /// `corrupt` when it is none; `unsupported` for children of Elasticsearch 5 and before.
    pub fn parse(bytes: &'a [u8], index: &str) -> Result<Self> {
        let wrong =
            |why: &dyn Display| Error::corrupt(format!("the engine answers with a document that is none: {why}"));
        match Members::read(bytes).map_err(|error| wrong(&error))? {
            (members, length) if length == bytes.len() => members.hit().map_err(|why| wrong(&why))?.checked(index),
            (_, length) => Err(wrong(&Wrong { at: length })),
        }
    }

    /// The one that `bytes` begin with, and how long it is; none where they end before its end, or begin with none:
    /// in what is cut off, these cannot be told apart, and no object is whole before its last brace.
    ///
    /// # Errors
    /// As [`Self::parse`], where it is one.
    pub fn first(bytes: &'a [u8], index: &str) -> Result<Option<(Self, usize)>> {
        let Ok((members, length)) = Members::read(bytes) else { return Ok(None) };
        match members.hit() {
            Ok(hit) => Ok(Some((hit.checked(index)?, length))),
            Err(_) => Ok(None),
        }
    }

    fn checked(self, index: &str) -> Result<Self> {
        if self.index != index {
            return Err(Error::corrupt(format!("the engine was asked for {index}, and answers of {}", self.index)));
        }
        match self.parent {
            true => Err(Error::unsupported(format!("the document {:?} has a _parent: it cannot be kept", self.id))),
            false => Ok(self),
        }
    }

    /// What is kept of it. `line` holds a source that came on several lines.
    pub fn document<'b>(&'b self, line: &'b mut Vec<u8>) -> Document<'b> {
        let source = match self.source {
            Some((source, false)) => source,
            Some((source, true)) => on_one_line(source, line),
            None => NO_SOURCE,
        };
        Document { id: &self.id, version: self.version, routing: self.routing.as_deref(), source }
    }

    /// What tells it from all others of its index: with a routing of one's own, two shards may each have one of an id.
    pub fn key(&self) -> (&str, Option<&str>) {
        (&self.id, self.routing.as_deref())
    }

    /// Whether the index keeps it.
    pub fn has_source(&self) -> bool {
        self.source.is_some()
    }

    /// Where it stands in its order, for the question after it.
    pub fn sort(&self) -> Option<&'a str> {
        self.sort
    }
}

/// The members of a hit as they are written.
#[derive(Default)]
struct Members<'a> {
    index: Option<&'a [u8]>,
    id: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    routing: Option<&'a [u8]>,
    parent: Option<&'a [u8]>,
    source: Option<&'a [u8]>,
    sort: Option<&'a [u8]>,
    /// Whether the source has several lines.
    lines: bool,
}

impl<'a> Members<'a> {
    /// Those of the object that the bytes begin with, and its length.
    fn read(bytes: &'a [u8]) -> Result<(Self, usize), Wrong> {
        let (mut members, mut scanner) = (Self::default(), Scanner::new(bytes));
        scanner.token(b'{')?;
        if scanner.peek() != Some(b'}') {
            loop {
                let key = scanner.text()?;
                scanner.token(b':')?;
                scanner.peek();
                scanner.breaks();
                let value = scanner.value()?;
                let slot = match key {
                    b"_index" => &mut members.index,
                    b"_id" => &mut members.id,
                    b"_version" => &mut members.version,
                    b"_routing" => &mut members.routing,
                    b"_parent" => &mut members.parent,
                    b"_source" => {
                        members.lines = scanner.breaks();
                        &mut members.source
                    }
                    b"sort" => &mut members.sort,
                    // What it says is nobody's to know without looking closer, which no engine has made necessary.
                    _ if key.contains(&b'\\') => return Err(Wrong { at: scanner.at() }),
                    _ => &mut None,
                };
                if slot.replace(value).is_some() {
                    return Err(Wrong { at: scanner.at() });
                }
                if scanner.peek() != Some(b',') {
                    break;
                }
                scanner.token(b',')?;
            }
        }
        scanner.token(b'}')?;
        let length = scanner.at();
        // No byte of a character is a quote, so what is whole is whole in each text.
        match from_utf8(bytes.get(..length).unwrap_or_default()) {
            Ok(_) => Ok((members, length)),
            Err(_) => Err(Wrong { at: length }),
        }
    }

    /// What they say.
    fn hit(self) -> Result<Hit<'a>, &'static str> {
        let set = |value: Option<&'a [u8]>| value.filter(|value| *value != b"null");
        let text = |value: &'a [u8]| json::said(value.strip_prefix(b"\"")?.strip_suffix(b"\"")?);
        let plain = |value: &'a [u8]| std::str::from_utf8(value).ok();
        let version = self.version.and_then(plain).and_then(|version| version.parse().ok());
        Ok(Hit {
            index: self.index.and_then(text).ok_or("its _index is no text")?,
            id: self.id.and_then(text).ok_or("its _id is no text")?,
            version: version.ok_or("its _version is no number")?,
            routing: set(self.routing).map(|routing| text(routing).ok_or("its _routing is no text")).transpose()?,
            parent: set(self.parent).is_some(),
            source: set(self.source).map(|source| (source, self.lines)),
            sort: set(self.sort).and_then(plain),
        })
    }
}

/// In valid JSON a line can only end between two tokens, where a blank means the same.
fn on_one_line<'a>(source: &[u8], line: &'a mut Vec<u8>) -> &'a [u8] {
    line.clear();
    line.extend(source.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
    line
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Action<'a> {
    #[serde(borrow)]
    index: Meta<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta<'a> {
    #[serde(rename = "_id", borrow)]
    id: Cow<'a, str>,
    version: u64,
    #[serde(borrow)]
    version_type: Cow<'a, str>,
    #[serde(default, borrow)]
    routing: Option<Cow<'a, str>>,
}

/// The version is the one that is given, not one more than what is there.
const VERSION_TYPE: &str = "external";

impl Document<'_> {
    /// Appends the first of the two lines of a bulk request; the second is the source.
    ///
    /// # Errors
    /// Never: what can be read can be written.
    pub fn write_action(&self, lines: &mut Vec<u8>) -> Result<()> {
        lines.extend_from_slice(br#"{"index":{"_id":"#);
        json::write_text(self.id, lines)?;
        lines.extend_from_slice(br#","version":"#);
        serde_json::to_writer(&mut *lines, &self.version)?;
        lines.extend_from_slice(br#","version_type":"external""#);
        if let Some(routing) = self.routing {
            lines.extend_from_slice(br#","routing":"#);
            json::write_text(routing, lines)?;
        }
        lines.extend_from_slice(b"}}");
        lines.push(b'\n');
        Ok(())
    }
}

/// The first line of a document in a snapshot, read.
pub struct Head<'a>(Meta<'a>);

impl<'a> Head<'a> {
    /// Reads it.
    ///
    /// # Errors
    /// `corrupt` when it is none.
    pub fn parse(line: &'a [u8]) -> Result<Self> {
        let action: Action = serde_json::from_slice(line)
            .map_err(|error| Error::corrupt(format!("a line that is no action: {error}")))?;
        match &*action.index.version_type {
            VERSION_TYPE => Ok(Self(action.index)),
            other => Err(Error::corrupt(format!("an action with the version type {other:?}"))),
        }
    }

    /// The document's id.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The document, its second line read, too: all of it, where an export looks at its structure only.
    ///
    /// # Errors
    /// `corrupt` when that is no JSON object.
    pub fn with<'b>(&'b self, source: &'b [u8]) -> Result<Document<'b>> {
        let wrong = |why: String| Error::corrupt(format!("the source of the document {:?} {why}", self.0.id));
        if source.first() != Some(&b'{') {
            return Err(wrong("is no JSON object".into()));
        }
        let text = from_utf8(source).map_err(|error| wrong(format!("is no JSON: {error}")))?;
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| wrong(format!("is no JSON: {error}")))?;
        Ok(Document { id: &self.0.id, version: self.0.version, routing: self.0.routing.as_deref(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIT: &str = r#"{"_index":"i","_id":"ä\"1","_version":3,"_score":null,"_routing":"r","_source":{ "n":1.10,
"é": [1, 2] },"sort":[7]}"#;

    fn write(document: &Document, lines: &mut Vec<u8>) {
        document.write_action(lines).unwrap();
        lines.extend_from_slice(document.source);
        lines.push(b'\n');
    }

    #[test]
    fn a_source_is_kept_byte_by_byte_on_one_line() {
        let hit = Hit::parse(HIT.as_bytes(), "i").unwrap();
        let mut line = Vec::new();
        let document = hit.document(&mut line);
        assert_eq!(document.source, r#"{ "n":1.10, "é": [1, 2] }"#.as_bytes());
        let mut lines = Vec::new();
        write(&document, &mut lines);
        let expected = r#"{"index":{"_id":"ä\"1","version":3,"version_type":"external","routing":"r"}}
{ "n":1.10, "é": [1, 2] }
"#;
        assert_eq!(String::from_utf8(lines).unwrap(), expected);
    }

    #[test]
    fn a_hit_that_is_cut_anywhere_is_not_read_yet_and_a_whole_one_to_its_end() {
        let numbers = r#""n":[-1.5e+7,0,true,null,"\ud83d\ude00\"",-0.1]"#;
        let whole = HIT.replace(r#""n":1.10"#, numbers);
        for end in 0..whole.len() {
            assert!(Hit::first(&whole.as_bytes()[..end], "i").unwrap().is_none(), "{}", &whole[..end]);
        }
        for behind in ["", ",", "]}}", "-"] {
            let text = format!("{whole}{behind}");
            let (hit, length) = Hit::first(text.as_bytes(), "i").unwrap().expect("it is whole");
            assert_eq!((hit.key(), length), (("ä\"1", Some("r")), whole.len()));
        }
    }

    #[test]
    fn what_was_written_is_read_as_the_same_document() {
        for routing in [None, Some("r\u{1}")] {
            let document = Document { id: "a\nb", version: 4711, routing, source: br#"{"a":null}"# };
            let mut lines = Vec::new();
            write(&document, &mut lines);
            let mut lines = lines.split(|byte| *byte == b'\n');
            let head = Head::parse(lines.next().unwrap()).unwrap();
            assert_eq!(head.with(lines.next().unwrap()).unwrap(), document);
        }
    }

    #[test]
    fn a_document_of_another_index_and_one_with_a_parent_are_refused() {
        assert!(Hit::parse(HIT.as_bytes(), "j").unwrap_err().message.contains("answers of i"));
        let child = HIT.replace("\"_score\":null", "\"_parent\":\"p\"");
        assert!(Hit::parse(child.as_bytes(), "i").unwrap_err().message.contains("_parent"));
        let without = HIT.replace("\"_version\":3,", "");
        assert!(Hit::parse(without.as_bytes(), "i").is_err(), "a version is part of it");
    }

    #[test]
    fn a_hit_that_says_something_twice_or_what_makes_no_sense_is_refused() {
        let changes = [
            ("\"_score\":null", "\"_id\":\"b\""),
            ("\"_score\":null", "\"_source\":{}"),
            ("\"_score\"", "\"_sourc\\u0065\""),
            ("\"ä\\\"1\"", "1"),
            ("\"ä\\\"1\"", "null"),
            ("\"ä\\\"1\"", "\"\\ud800\""),
            (":3,", ":3.0,"),
            (":3,", ":-3,"),
            (":3,", ":\"3\","),
            ("\"r\"", "[]"),
            ("[1, 2]", "[1, 2"),
            ("[1, 2]", "[1, 2]\\"),
            ("[1, 2]", "\"1\t2\""),
            ("\"sort\":[7]", "\"sort\":[7],"),
        ];
        for (from, to) in changes {
            let text = HIT.replace(from, to);
            assert!(text != HIT && Hit::parse(text.as_bytes(), "i").is_err(), "{to}");
            assert!(Hit::first(text.as_bytes(), "i").unwrap().is_none(), "{to}");
        }
        assert!(Hit::parse(format!("{HIT} ").as_bytes(), "i").is_err(), "nothing is behind it");
        let mut bytes = HIT.as_bytes().to_vec();
        let at = HIT.find('é').unwrap();
        bytes[at] = b'\xff';
        assert!(Hit::parse(&bytes, "i").is_err(), "it is UTF-8");
        let hit = HIT.replace("\"r\"", "null").replace("\"_score\"", "\"_parent\"");
        assert_eq!(Hit::parse(hit.as_bytes(), "i").unwrap().key(), ("ä\"1", None));
    }

    #[test]
    fn lines_that_are_no_document_are_refused() {
        for line in [
            "",
            "{}",
            r#"{"index":{}}"#,
            r#"{"index":{"_id":"a","version":1,"version_type":"internal"}}"#,
            r#"{"index":{"_id":"a","version":1,"version_type":"external","if_seq_no":1}}"#,
            r#"{"index":{"_id":"a","version":-1,"version_type":"external"}}"#,
            r#"{"delete":{"_id":"a","version":1,"version_type":"external"}}"#,
        ] {
            assert!(Head::parse(line.as_bytes()).is_err(), "{line}");
        }
        let head = Head::parse(br#"{"index":{"_id":"a","version":1,"version_type":"external"}}"#).unwrap();
        for source in [
            "",
            "1",
            "[]",
            r#"{"a":1"#,
            r#"{"a":1}}"#,
            "{}\0",
            "{} x",
            "{\"a\":\"\t\"}",
            r#"{"a":02}"#,
            r#"{"a":tru}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":[}]}"#,
            r#"{"a" 1}"#,
        ] {
            assert!(head.with(source.as_bytes()).is_err(), "{source}");
        }
        assert!(head.with(b"{\"a\":\"\xff\"}").is_err(), "it is UTF-8");
        let deep = format!("{}1{}", "{\"a\":[".repeat(100_000), "]}".repeat(100_000));
        assert!(head.with(deep.as_bytes()).is_ok(), "as deep as it likes");
    }
}

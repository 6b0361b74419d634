//! Whatever `serde_json` takes is taken, to the same end, and all else as by a reader of one byte after the other: examples,
//! each of them cut and changed anywhere, and texts made by chance.

use serde_json::value::RawValue;

use super::*;

/// The value that the text begins with, as `serde_json` sees it.
fn parsed(text: &[u8]) -> Option<&str> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>();
    values.next()?.ok().map(RawValue::get)
}

/// The object or list that the bytes begin with, and whether it has several lines.
fn bytewise(text: &[u8]) -> Option<(&[u8], bool)> {
    let (mut depth, mut in_text, mut escaped, mut breaks) = (0, false, false, false);
    for (at, byte) in text.iter().enumerate() {
        match (in_text, byte) {
            (true, 0..=0x1f) => return None,
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_text = !in_text,
            (true, _) => {}
            (false, b'\n' | b'\r') => breaks = true,
            (false, b'\\' | 0..=0x1f) if *byte != b'\t' => return None,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']') if depth > 1 => depth -= 1,
            (false, b'}' | b']') => return Some((&text[..=at], breaks)),
            _ => {}
        }
    }
    None
}

fn assert_same(text: &[u8]) {
    let mut scanner = Scanner::new(text);
    let found = scanner.value().ok();
    let shown = String::from_utf8_lossy(text);
    if let Some(parsed) = parsed(text) {
        assert_eq!(found.map(String::from_utf8_lossy).as_deref(), Some(parsed), "{shown:?}");
    }
    let text = text.trim_ascii_start();
    if text.first().is_some_and(|byte| b"{[".contains(byte)) {
        let mut scanner = Scanner::new(text);
        let found = scanner.value().ok().map(|value| (value, scanner.breaks()));
        assert_eq!(found, bytewise(text), "{shown:?}");
    }
}

const VALUES: &[&str] = &[
    "0",
    "-0",
    "-",
    "01",
    "-01",
    "1.",
    ".5",
    "1.5",
    "-1.5e+7",
    "1e",
    "1e-",
    "1E05",
    "+1",
    "0x1",
    "1.e1",
    "12345678901234567890123",
    "true",
    "false",
    "null",
    "tru",
    "nulll",
    "True",
    "NaN",
    "",
    " ",
    "\"\"",
    "\"",
    "\"a",
    "\"\\\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\ud800\"",
    "\"\\uDFFF\\u0000\"",
    "\"\u{7f}é\u{2028}🗄️\"",
    "\"\u{1f}\"",
    "\"\n\"",
    "\"\t\"",
    "'a'",
    "[]",
    "[ ]",
    "[1,]",
    "[,]",
    "[1 2]",
    "[1,2",
    "]",
    "}",
    ",",
    "{}",
    "{ }",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{a:1}",
    "{1:1}",
    "{\"a\" : 1 }",
    "{\"a\":1 \"b\":2}",
    "[}",
    "{]",
    "[{\"a\":[}]]",
    "[[[[]]]]",
    "{\"a\":{\"b\":[{\"c\":[]},{}]}}",
    "\u{feff}{}",
    "[1]x",
    "{}{}",
    "1,2",
    "/**/1",
    "[1,//\n2]",
];

const WHOLE: &str = r#" {"a": [1, -2.50e+10 ,true,false,null, "" ],"b\\\"\u00e9":"a text that is longer than sixteen bytes, \/ and goes on",
"é🗄️":{"x":{},"y":[ ],"z":[[1],{"q":"\ud83d\ude00\ud800"}]} , "last":0}"#;

#[test]
fn values_are_taken_as_by_a_parser() {
    VALUES.iter().for_each(|value| assert_same(value.as_bytes()));
    for value in VALUES {
        assert_same(format!("[{value},0]").as_bytes());
        assert_same(format!("{{\"a\":{value}}}").as_bytes());
        assert_same(format!(" {value}\n,").as_bytes());
    }
}

#[test]
fn a_value_that_is_cut_or_changed_anywhere_is_taken_as_by_a_parser() {
    let whole = WHOLE.as_bytes();
    assert_eq!(parsed(whole), Some(WHOLE.trim_start()));
    for at in 0..whole.len() {
        assert_same(&whole[..at]);
        for byte in (0..=0x30).chain([b'9', b'e', b'u', b':', b'[', b']', b'\\', b'{', b'}', 0x7f, 0x80, 0xc3, 0xff]) {
            let mut changed = whole.to_vec();
            changed[at] = byte;
            assert_same(&changed);
        }
    }
}

#[test]
fn it_does_not_matter_where_blocks_meet() {
    const ESCAPED: &str = r#"["\\\"]}",""","\",{"\"":"{[\"},"é\\"]"#;
    for before in 0..130 {
        let padding = "p".repeat(before);
        for whole in [WHOLE, ESCAPED, "{}", "[[],[]]", "[\n1]", "[\"\n\"]", "[\u{1}]", "[\\]"] {
            let text = format!("{{\"{padding}\":{whole}}}");
            assert_same(text.as_bytes());
            assert_same(&text.as_bytes()[..text.len() - 1]);
            assert_same(format!("{text}\n\"\\").as_bytes());
        }
    }
}

#[test]
fn what_is_not_closed_or_is_cut_in_a_text_is_no_value() {
    for text in ["{", "[", "[{", "[{}", "{\"a\":\"}", "{\"a\":\"\\\"}", "\"", "\"\\", "\"a\\\"", "", " ", ",", "}", "]"]
    {
        let mut scanner = Scanner::new(text.as_bytes());
        assert!(scanner.value().is_err(), "{text:?}");
        assert!(scanner.at() <= text.len(), "{text:?}");
    }
}

#[test]
fn texts_made_by_chance_are_taken_as_by_a_parser() {
    const PIECES: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"a\":",
        "\\",
        "\\n",
        "\\u00e9",
        "\\ud8",
        "0",
        "1",
        "-",
        ".",
        "e",
        "+",
        "true",
        "false",
        "null",
        " ",
        "\n",
        "é",
        "\u{1}",
        "{\"k\":",
        "[1,",
        "\"a longer text \\\" than sixteen\"",
        "2.5e3",
    ];
    let (mut state, mut valid) = (0x2545_f491_4f6c_dd1d_u64, 0);
    for _ in 0..200_000 {
        let mut text = String::new();
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut dice = state;
        for _ in 0..2 + (state >> 60) {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.push_str(PIECES[(dice >> 33) as usize % PIECES.len()]);
        }
        assert_same(text.as_bytes());
        valid += usize::from(parsed(text.as_bytes()).is_some());
    }
    assert!(valid > 10_000, "{valid} of them are values");
}

#[test]
fn values_in_values_may_be_as_deep_as_they_like() {
    for depth in [1, 63, 64, 65, 127, 128, 129, 1000, 100_000] {
        let text = format!("{}1{}", "[{\"a\":".repeat(depth), "}]".repeat(depth));
        assert_eq!(Scanner::new(text.as_bytes()).value(), Ok(text.as_bytes()), "{depth}");
        assert!(Scanner::new(&text.as_bytes()[..text.len() - 1]).value().is_err(), "{depth}");
    }
}

#[test]
fn a_line_that_ends_between_tokens_is_seen_and_one_that_is_escaped_is_none() {
    for (text, breaks) in [("{\"a\":\n1}", true), ("{\"a\\n\":1}", false), ("[1,\r2]", true), ("[ ]", false)] {
        let mut scanner = Scanner::new(text.as_bytes());
        scanner.value().unwrap();
        assert_eq!((scanner.breaks(), scanner.breaks()), (breaks, false), "{text:?}");
    }
}

#[test]
fn texts_are_read_and_written_as_by_a_parser() {
    let long = "x".repeat(40);
    for text in ["", "a", "é🗄️\u{2028}\u{7f}", "a\"b", "back\\slash", "\u{0}\u{1f}", "sixteen bytes !\n", &long] {
        let mut written = Vec::new();
        write_text(text, &mut written).unwrap();
        assert_eq!(written, serde_json::to_vec(text).unwrap());
        let between = Scanner::new(&written).text().unwrap();
        assert_eq!(said(between).as_deref(), Some(text));
    }
    assert_eq!(said(br"\u00e9\ud83d\ude00").as_deref(), Some("é😀"));
    for wrong in [&br"\ud800"[..], br"\ud800x", b"\xff", b"a\\n\xc3"] {
        assert_eq!(said(wrong), None);
    }
}

//! Files as Java reads them.

use super::*;

fn read(text: &str) -> Properties {
    Properties::parse(text.as_bytes()).unwrap()
}

fn pairs(text: &str) -> Vec<(String, String)> {
    read(text).assignments.into_iter().map(|one| (one.key, one.value)).collect()
}

fn value(text: &str) -> String {
    let all = pairs(text);
    assert_eq!(all.len(), 1, "{all:?}");
    all.into_iter().next().unwrap().1
}

#[test]
fn every_separator_is_read() {
    for text in
        ["a=1", "a:1", "a 1", "a\t1", " a = 1", "a  :  1", "a\x0c1", "a\\\n  =1", "a = \\\n 1", "a=1 \t ", "\na=1"]
    {
        assert_eq!(pairs(text), [("a".to_owned(), "1".to_owned())], "{text:?}");
    }
    assert_eq!(value("a==1"), "=1");
    assert_eq!(value("a = :1"), ":1");
    assert_eq!(pairs("a"), [("a".to_owned(), String::new())]);
    assert_eq!(pairs("a\\ b\\=c\\:d=1"), [("a b=c:d".to_owned(), "1".to_owned())]);
    assert_eq!(pairs("=1"), [(String::new(), "1".to_owned())]);
}

#[test]
fn comments_are_no_assignments_and_do_not_continue() {
    assert_eq!(pairs("# a=1\n! b=2\n  #c=3\\\nd=4\n"), [("d".to_owned(), "4".to_owned())]);
    assert_eq!(value("a=1#2"), "1#2");
    assert_eq!(value("a=1\\\n#2"), "1#2");
}

#[test]
fn continuation_lines_are_joined_and_their_indentation_dropped() {
    assert_eq!(value("a=x \\\n\t  y\\\r\n z"), "x yz");
    assert_eq!(value("a=x\\\\\n").as_str(), "x\\");
    assert_eq!(pairs("a=x\\\\\nb=y").len(), 2);
    assert_eq!(pairs("a=x\\\n\nb=y"), [("a".to_owned(), "x".to_owned()), ("b".to_owned(), "y".to_owned())]);
    assert_eq!(value("a=x\\"), "x");
    assert_eq!(pairs("\\\n#a=1"), [("#a".to_owned(), "1".to_owned())]);
}

#[test]
fn escapes_are_decoded_and_the_value_trimmed() {
    assert_eq!(value("a=caf\\u00e9"), "café");
    assert_eq!(value("a=\\uD83D\\uDE00"), "😀");
    assert_eq!(value("a=\\uD83Dx"), "\u{fffd}x");
    assert_eq!(value("a=\\q\\=\\\\n\\n."), "q=\\n\n.");
    assert_eq!(value("a=\\  x \\t"), "x");
    assert_eq!(Properties::parse(b"a=1\nb=\\u12").unwrap_err(), BadProperties::Escape(2));
    assert_eq!(Properties::parse(b"a=C:\\users").unwrap_err(), BadProperties::Escape(1));
}

#[test]
fn lines_are_numbered_through_every_ending_and_continuation() {
    let file = read("a=1\r\n\r\nb=2\\\r\n  3\rc=4\n# x\nd=5");
    let lines: Vec<_> = file.assignments.iter().map(|one| (one.key.as_str(), one.line)).collect();
    assert_eq!(lines, [("a", 1), ("b", 3), ("c", 5), ("d", 7)]);
}

#[test]
fn the_last_assignment_counts_and_the_others_are_kept() {
    let file = read("a=1\nb=2\na=3\n");
    assert_eq!(file.get("a").map(|one| (one.value.as_str(), one.line)), Some(("3", 3)));
    assert_eq!(file.assignments.len(), 3);
}

#[test]
fn the_generated_block_is_told_from_the_users_lines() {
    let file = read(&format!("a=1\n  {BLOCK_BEGIN} \n#a=0\na=2\n{BLOCK_END}\nb=3\n"));
    let places: Vec<_> = file.assignments.iter().map(|one| (one.value.as_str(), one.block)).collect();
    assert_eq!(places, [("1", false), ("2", true), ("3", false)]);
    assert!(file.block);
    let file = read(&format!("x=\\\n{BLOCK_BEGIN}\na=1\n"));
    assert!(!file.block, "a continuation line is part of a value");
    let file = read(&format!("{BLOCK_BEGIN}\na=1\n"));
    assert!(file.assignments[0].block, "a block that does not end lasts to the end of the file");
}

#[test]
fn java_opts_are_apart() {
    let file = read("JAVA_OPTS=-Xmx4g\nJAVA_OPTS=$JAVA_OPTS -Dx=y\na=1\n");
    assert_eq!(file.assignments.len(), 1);
    let options: Vec<_> = file.java_opts.iter().map(|one| one.value.as_str()).collect();
    assert_eq!(options, ["-Xmx4g", "$JAVA_OPTS -Dx=y"]);
}

#[test]
fn the_first_charset_that_fits_is_used() {
    assert_eq!(read("a=x").charset, Charset::Ascii);
    let file = read("a=é");
    assert_eq!((file.charset, file.assignments[0].value.as_str()), (Charset::Utf8, "é"));
    let file = Properties::parse(b"a=caf\xe9 \xc3\xa9").unwrap();
    assert_eq!((file.charset, file.assignments[0].value.as_str()), (Charset::Latin1, "café Ã©"));
}

#[test]
fn a_byte_order_mark_belongs_to_the_first_key_as_it_does_in_java() {
    let file = read("\u{feff}a=1\nb=2\n");
    assert_eq!(file.assignments[0].key, "\u{feff}a");
    assert!(file.get("a").is_none() && file.get("b").is_some());
}

#[test]
fn hostile_files_are_read_within_bounds_or_refused() {
    let long = format!("a={}", "x".repeat(BYTES_MAX - 2));
    assert_eq!(value(&long).len(), BYTES_MAX - 2);
    let longer = vec![b'\\'; 10 << 20];
    assert_eq!(Properties::parse(&longer).unwrap_err(), BadProperties::TooLarge(10 << 20));
    let many = "k=v\n".repeat(ASSIGNMENTS_MAX);
    assert_eq!(read(&many).assignments.len(), ASSIGNMENTS_MAX);
    assert_eq!(Properties::parse(format!("{many}k=v").as_bytes()).unwrap_err(), BadProperties::TooMany);
    assert_eq!(pairs(&"\\\n".repeat(1 << 20)).len(), 1);
    for text in ["", "\\", "=", "\r", "\n\r\r\n", "a\\", "a=\\\r", ":\\\n", "\0=\0"] {
        let _ = Properties::parse(text.as_bytes()).unwrap();
    }
}

#[test]
fn any_bytes_are_read_or_refused_and_spots_lie_within_the_file() {
    // A small generator of its own: the same bytes on every run.
    let mut state = 0x9e37_79b9_u32;
    for _ in 0..2000 {
        let bytes: Vec<u8> = (0..40)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                b"\\\\\n\r =:#!au0\xe9\xc3"[(state >> 24) as usize % 14]
            })
            .collect();
        let Ok(file) = Properties::parse(&bytes) else { continue };
        assert!(file.room <= bytes.len());
        for one in &file.assignments {
            assert!(bytes.get(one.tail.clone()).is_some(), "{bytes:?}");
            assert!(one.spot.as_ref().is_none_or(|spot| bytes.get(spot.clone()).is_some()), "{bytes:?}");
        }
    }
}

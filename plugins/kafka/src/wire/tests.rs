//! Values as they are written and read.

use super::{Reader, Writer, put_signed, put_unsigned};

fn signed(value: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_signed(&mut bytes, value);
    bytes
}

#[test]
fn signed_numbers_are_written_as_the_protocol_documents_them() {
    assert_eq!(signed(0), [0]);
    assert_eq!(signed(-1), [1]);
    assert_eq!(signed(1), [2]);
    assert_eq!(signed(150), [0xac, 0x02]);
    assert_eq!(signed(-150), [0xab, 0x02]);
}

#[test]
fn numbers_of_any_size_come_back() {
    let edges = (0..63).flat_map(|bits| [(1 << bits) - 1, 1 << bits, -(1i64 << bits)]).chain([i64::MIN, i64::MAX]);
    for value in edges {
        assert_eq!(Reader::new(&signed(value), false).varlong().unwrap(), value);
    }
}

#[test]
fn a_number_longer_than_its_type_is_refused() {
    let long = [&[0xff; 9][..], &[0x02]].concat();
    assert!(Reader::new(&long, false).unsigned().unwrap_err().to_string().contains("64 bits"));
    assert!(Reader::new(&[0x80; 20], false).unsigned().is_err());
    let error = Reader::new(&signed(i64::from(i32::MAX) + 1), false).varint().unwrap_err();
    assert!(error.to_string().contains("32 bits"), "{error}");
}

#[test]
fn a_length_beyond_the_end_is_refused() {
    assert!(Reader::new(&[0x7f, 0xff, b'a'], false).text().is_err());
    assert!(Reader::new(&[0x7f, 0xff, 0xff, 0xff, 1], false).bytes().is_err());
    assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f, 1], true).bytes().is_err());
    assert!(Reader::new(&signed(7), false).varint_bytes().is_err());
}

#[test]
fn a_count_beyond_the_bytes_that_follow_is_refused_before_anything_is_read() {
    let mut reader = Reader::new(&[0x7f, 0xff, 0xff, 0xff, 0, 0], false);
    let mut seen = 0;
    let read = reader.list(|_| {
        seen += 1;
        Ok(())
    });
    assert!(read.is_err());
    assert_eq!(seen, 0);
}

#[test]
fn a_negative_length_is_refused_and_one_below_zero_is_null() {
    assert!(Reader::new(&[0xff, 0xfe], false).text().unwrap_err().to_string().contains("-2"));
    assert_eq!(Reader::new(&[0xff, 0xff], false).nullable_text().unwrap(), None);
    assert_eq!(Reader::new(&[0], true).nullable_text().unwrap(), None);
    assert_eq!(Reader::new(&signed(-1), false).varint_bytes().unwrap(), None);
    assert!(Reader::new(&signed(-2), false).varint_bytes().is_err());
}

#[test]
fn what_is_written_is_read_in_both_encodings() {
    for flexible in [false, true] {
        let mut writer = Writer::default();
        writer.flexible(flexible).text("dam-audit").null().bytes(b"\x00\x01").bool(true).i16(-7).tags();
        writer.list([3, 4].iter(), |writer, number| {
            writer.i32(*number);
        });
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes, flexible);
        assert_eq!(reader.text().unwrap(), "dam-audit");
        assert_eq!(reader.nullable_text().unwrap(), None);
        assert_eq!(reader.bytes().unwrap(), [0, 1]);
        assert!(reader.bool().unwrap());
        assert_eq!(reader.i16().unwrap(), -7);
        reader.tags().unwrap();
        assert_eq!(reader.list(Reader::i32).unwrap(), [3, 4]);
        reader.end().unwrap();
    }
}

#[test]
fn tagged_fields_are_passed_over_and_never_believed() {
    assert_eq!(Reader::new(&[1, 5, 2, 9, 9, 42], true).tags().map(|()| 0).unwrap(), 0);
    let mut endless = Vec::new();
    put_unsigned(&mut endless, u64::MAX);
    assert!(Reader::new(&endless, true).tags().is_err());
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    assert!(Reader::new(&[0, 1, 0xff], false).text().unwrap_err().to_string().contains("UTF-8"));
}

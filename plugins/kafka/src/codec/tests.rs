//! What codecs make of bytes that are theirs, and of others.

use std::io::Read as _;

use super::{Codec, snappy};

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

fn unpacked(codec: Codec, packed: &[u8], bytes_max: u64) -> Result<Vec<u8>, String> {
    let mut plain = Vec::new();
    let mut source = codec.unpack(packed, bytes_max).map_err(|error| error.to_string())?;
    source.read_to_end(&mut plain).map_err(|error| error.to_string())?;
    Ok(plain)
}

#[test]
fn the_lowest_bits_of_the_attributes_name_the_codec() {
    for codec in CODECS {
        assert_eq!(Codec::of(codec.number() | 0x38), Some(codec), "{}", codec.name());
    }
    assert_eq!(Codec::of(5), None);
    assert_eq!(Codec::of(-1), None);
}

#[test]
fn nothing_is_unpacked_beyond_the_bound() {
    for codec in CODECS {
        let packed = codec.pack(&vec![7; 100_000]).unwrap();
        assert_eq!(unpacked(codec, &packed, 100_000).unwrap().len(), 100_000);
        let error = unpacked(codec, &packed, 99_999).unwrap_err();
        assert!(error.contains("may be unpacked") || error.contains("says that it holds"), "{codec:?}: {error}");
    }
}

#[test]
fn bytes_that_are_not_the_codec_s_are_refused() {
    for codec in CODECS.into_iter().skip(1) {
        assert!(unpacked(codec, &[0xab; 100], 1 << 20).is_err(), "{codec:?}");
    }
}

#[test]
fn snappy_without_the_java_client_s_framing_is_read() {
    let bare = snap::raw::Encoder::new().compress_vec(b"records of librdkafka").unwrap();
    assert_eq!(unpacked(Codec::Snappy, &bare, 1 << 20).unwrap(), b"records of librdkafka");
}

#[test]
fn a_zstd_frame_that_asks_for_too_much_memory_is_refused() {
    // Magic, no content size, a window of 2^(10 + exponent), and an empty last block.
    let frame = |exponent: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, exponent << 3, 1, 0, 0];
    assert!(unpacked(Codec::Zstd, &frame(13), 16 << 20).unwrap().is_empty());
    for exponent in [15, 17, 31] {
        let error = unpacked(Codec::Zstd, &frame(exponent), 24 << 20).unwrap_err();
        assert!(error.contains("indow"), "{error}");
    }
}

#[test]
fn a_snappy_block_that_lies_about_its_length_is_refused() {
    let packed = snappy::pack(&vec![1; 70_000]).unwrap();
    for length in 1..40 {
        assert!(unpacked(Codec::Snappy, &packed[..packed.len() - length], 1 << 20).is_err(), "{length} bytes less");
    }
    let mut huge = packed.clone();
    huge[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(unpacked(Codec::Snappy, &huge, 1 << 20).is_err());
    // A bare block that says that it holds 4 GiB.
    let error = unpacked(Codec::Snappy, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0], 1 << 20).unwrap_err();
    assert!(error.contains("4294967295"), "{error}");
}

//! How the protocol writes values: numbers in network order, texts and lists behind their lengths.
//!
//! Newer versions of a request are *flexible* (KIP-482): lengths are unsigned varints one too high, and tagged fields
//! follow each structure. A [`Reader`] and a [`Writer`] know which of the two they are in.

mod reader;
mod writer;

pub(crate) use self::{reader::Reader, writer::Writer};

/// Appends a number of any size, seven bits a byte, the lowest first.
pub(crate) fn put_unsigned(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// Appends a signed number so that small ones are short whatever their sign (zigzag).
pub(crate) fn put_signed(into: &mut Vec<u8>, value: i64) {
    put_unsigned(into, ((value << 1) ^ (value >> 63)) as u64);
}

/// What [`put_signed`] wrote.
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests;

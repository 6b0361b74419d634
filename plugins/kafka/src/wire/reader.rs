//! Reads the values of an answer or of a record. Lengths and counts are never believed before the bytes are there.

use super::unzigzag;
use crate::{Error, Result};

/// What is still to be read.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    flexible: bool,
}

fn short() -> Error {
    Error::corrupt("the answer ends in the middle of a value")
}

macro_rules! numbers {
    ($($name:ident)*) => {
        $(pub(crate) fn $name(&mut self) -> Result<$name> {
            let (value, rest) = self.rest.split_first_chunk().ok_or_else(short)?;
            self.rest = rest;
            Ok($name::from_be_bytes(*value))
        })*
    };
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], flexible: bool) -> Self {
        Self { rest: bytes, flexible }
    }

    numbers! { i8 i16 i32 i64 u32 }

    pub(crate) fn bool(&mut self) -> Result<bool> {
        Ok(self.i8()? != 0)
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(short)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.i8()? as u8;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Error::corrupt("a number is longer than 64 bits"))
    }

    /// A number of at most 64 bits, either sign.
    pub(crate) fn varlong(&mut self) -> Result<i64> {
        Ok(unzigzag(self.unsigned()?))
    }

    /// A number of at most 32 bits, either sign.
    pub(crate) fn varint(&mut self) -> Result<i32> {
        i32::try_from(self.varlong()?).map_err(|_| Error::corrupt("a number is longer than 32 bits"))
    }

    /// Bytes behind their length as records write it; -1 is null.
    pub(crate) fn varint_bytes(&mut self) -> Result<Option<&'a [u8]>> {
        match self.varint()? {
            -1 => Ok(None),
            length => self.take(size(length.into())?).map(Some),
        }
    }

    /// A length or a count: in a flexible answer one more than it says, and 0 for null.
    fn length(&mut self, fixed: impl FnOnce(&mut Self) -> Result<i64>) -> Result<Option<usize>> {
        let length = match self.flexible {
            true => i64::try_from(self.unsigned()?).unwrap_or(i64::MAX) - 1,
            false => fixed(self)?,
        };
        match length {
            -1 => Ok(None),
            length => size(length).map(Some),
        }
    }

    pub(crate) fn nullable_text(&mut self) -> Result<Option<&'a str>> {
        let Some(length) = self.length(|this| Ok(this.i16()?.into()))? else { return Ok(None) };
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map(Some).map_err(|_| Error::corrupt("a text is not UTF-8"))
    }

    pub(crate) fn text(&mut self) -> Result<&'a str> {
        self.nullable_text()?.ok_or_else(|| Error::corrupt("a text is missing"))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.length(|this| Ok(this.i32()?.into()))?;
        self.take(length.unwrap_or(0))
    }

    /// How many items follow; none of a list that is null. Each takes a byte at least.
    pub(crate) fn count(&mut self) -> Result<usize> {
        let count = self.length(|this| Ok(this.i32()?.into()))?.unwrap_or(0);
        match count <= self.rest.len() {
            true => Ok(count),
            false => Err(short()),
        }
    }

    pub(crate) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        (0..self.count()?).map(|_| item(self)).collect()
    }

    /// Passes over the tagged fields that end a structure of a flexible answer.
    pub(crate) fn tags(&mut self) -> Result<()> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.unsigned()? {
            self.unsigned()?;
            let length = self.unsigned()?;
            self.take(usize::try_from(length).map_err(|_| short())?)?;
        }
        Ok(())
    }

    /// Nothing may follow.
    pub(crate) fn end(&self) -> Result<()> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(Error::corrupt(format!("{left} bytes follow where the answer should end"))),
        }
    }
}

fn size(length: i64) -> Result<usize> {
    usize::try_from(length).map_err(|_| Error::corrupt(format!("a length is {length}")))
}

//! Writes the values of a request.

use strongroom_plugin::Error as Cause;

use super::put_unsigned;
use crate::Result;

/// A request so far.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    flexible: bool,
    too_long: bool,
}

macro_rules! numbers {
    ($($name:ident)*) => {
        $(pub(crate) fn $name(&mut self, value: $name) -> &mut Self {
            self.bytes.extend_from_slice(&value.to_be_bytes());
            self
        })*
    };
}

impl Writer {
    numbers! { i8 i16 i32 i64 u32 }

    /// From here on values are written as flexible requests have them, or not.
    pub(crate) fn flexible(&mut self, flexible: bool) -> &mut Self {
        self.flexible = flexible;
        self
    }

    pub(crate) fn bool(&mut self, value: bool) -> &mut Self {
        self.i8(value.into())
    }

    /// Bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// A text. With one longer than the protocol knows, 32,767 bytes, the request cannot be sent.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        let bytes = text.as_bytes();
        self.too_long |= bytes.len() > i16::MAX as usize;
        match self.flexible {
            true => put_unsigned(&mut self.bytes, bytes.len() as u64 + 1),
            false => drop(self.i16(bytes.len() as i16)),
        }
        self.raw(bytes)
    }

    /// No text.
    pub(crate) fn null(&mut self) -> &mut Self {
        match self.flexible {
            true => self.raw(&[0]),
            false => self.i16(-1),
        }
    }

    /// Bytes behind their length. A request is shorter than 2 GiB: its frame's length is checked when it is sent.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len()).raw(bytes)
    }

    /// How many items follow.
    pub(crate) fn count(&mut self, count: usize) -> &mut Self {
        match self.flexible {
            true => put_unsigned(&mut self.bytes, count as u64 + 1),
            false => drop(self.i32(count as i32)),
        }
        self
    }

    pub(crate) fn list<T>(
        &mut self,
        items: impl ExactSizeIterator<Item = T>,
        mut item: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.count(items.len());
        items.for_each(|value| item(self, value));
        self
    }

    /// The end of a structure, without tagged fields.
    pub(crate) fn tags(&mut self) -> &mut Self {
        match self.flexible {
            true => self.raw(&[0]),
            false => self,
        }
    }

    /// The whole request, if it is one.
    ///
    /// # Errors
    /// `limit` when a text in it is too long.
    pub(crate) fn into_request(self) -> Result<Vec<u8>> {
        match self.too_long {
            true => Err(Cause::limit("a name or a value is longer than 32,767 bytes, and Kafka knows none").into()),
            false => Ok(self.bytes),
        }
    }

    /// What was written, where no text is in it.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

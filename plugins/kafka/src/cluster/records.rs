//! The batches of a fetch, one after the other, while their records are still in the host.

use std::io::Read as _;

use strongroom_plugin::{Error as Cause, InputStream};

use super::fetch::Fetched;
use crate::{Error, Header, Result, batch::HEADER_BYTES};

/// A batch whose header was read.
pub struct Piece {
    /// What it says of itself.
    pub header: Header,
    /// The same as it came.
    pub raw: [u8; HEADER_BYTES],
    /// The bytes behind the header, [`Header::body_bytes`] of them, to be handed on or read: none of them is checked yet
    /// ([`Header::is_proved_by`], [`crate::Records::of`]). Dropping it passes over them.
    pub body: InputStream,
}

impl Piece {
    /// The whole batch, taken into the plugin.
    ///
    /// # Errors
    /// `limit` when it is longer than `bytes_max`; what ended the connection ([`Error::is_lost`]).
    pub fn bytes(mut self, bytes_max: u64) -> Result<Vec<u8>> {
        let bytes = self.header.bytes();
        if bytes > bytes_max {
            let message = format!("the batch at offset {} has {bytes} bytes", self.header.base_offset);
            return Err(Cause::limit(format!("{message}, and {bytes_max} are allowed")).into());
        }
        let mut batch = self.raw.to_vec();
        (&mut self.body).take(self.header.body_bytes()).read_to_end(&mut batch).map_err(Error::cut_off)?;
        match batch.len() as u64 == bytes {
            true => Ok(batch),
            false => Err(Error::cut_off(Cause::corrupt("the connection ended inside a batch"))),
        }
    }
}

impl Fetched {
    /// The next whole batch; none behind the last. The one before must be consumed or dropped.
    ///
    /// The first batch may begin before the offset that was asked for, and the last may be cut off by the broker: then it
    /// is passed over, and comes with the next fetch.
    ///
    /// # Errors
    /// `corrupt` when the batches do not lead on from where they were asked for, so that reading on would never end;
    /// `limit` when the first one does not fit into what was asked for; what ended the connection ([`Error::is_lost`]).
    pub fn next_piece(&mut self) -> Result<Option<Piece>> {
        if self.left < HEADER_BYTES as u64 {
            return self.cut_off();
        }
        let mut raw = [0; HEADER_BYTES];
        self.records.read_exact(&mut raw).map_err(Error::cut_off)?;
        self.left -= HEADER_BYTES as u64;
        let header = Header::parse(&raw)?;
        if header.body_bytes() > self.left {
            return self.cut_off();
        }
        if header.next_offset() <= self.position || header.base_offset < self.last_base {
            return Err(Error::corrupt(format!(
                "the broker was asked for offset {}, and gives the batch at {}",
                self.position, header.base_offset
            )));
        }
        self.left -= header.body_bytes();
        (self.position, self.last_base) = (header.next_offset(), header.next_offset());
        let body = self.records.take_first(header.body_bytes())?;
        Ok(Some(Piece { header, raw, body }))
    }

    /// The end, where at least one batch came before it or there was nothing at all.
    fn cut_off(&mut self) -> Result<Option<Piece>> {
        if self.position == self.asked && self.bytes > 0 {
            let message = format!("the batch at offset {} does not fit into what was asked for", self.asked);
            return Err(Cause::limit(message).into());
        }
        self.left = 0;
        Ok(None)
    }

    /// Where to fetch next: behind the last batch that was given.
    pub fn position(&self) -> i64 {
        self.position
    }
}

//! The answer to a search, read while it comes: its hits one after the other, and everything around them at the end.
//!
//! An answer may be far longer than what a plugin may hold; a hit may not. So the members of the object and of its `hits`
//! are told apart without being parsed, whatever their order, and what stands in `hits.hits` is read piece by piece.

use memchr::memchr2;
use serde::Deserialize;
use strongroom_plugin::{Error, InputStream, Result};

use crate::{client::Shards, document::Hit};

/// The longest hit: an engine takes up to 100 MB, a plugin has 64 MiB of memory for everything.
pub const HIT_BYTES_MAX: usize = 20 << 20;
/// The longest rest of an answer.
const AROUND_BYTES_MAX: usize = 1 << 20;
const CHUNK_BYTES: u32 = 1 << 20;

/// An answer that is being read.
pub struct Page {
    stream: InputStream,
    buffer: Vec<u8>,
    /// What of the buffer was handed on or kept.
    start: usize,
    /// How far the buffer was looked at.
    at: usize,
    /// Everything but the hits.
    around: Vec<u8>,
    /// How many objects are open around what is looked at: the answer, and its `hits`.
    level: usize,
    ended: bool,
}

/// Why a page ended early.
#[derive(Debug)]
pub enum Stopped {
    /// What the documents are for: there is no use in reading on.
    By(Error),
    /// The engine, or the way to it.
    Reading(Error),
}

impl From<Stopped> for Error {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::By(error) | Stopped::Reading(error) => error,
        }
    }
}

/// What stands around the hits.
#[derive(Debug, Default, Deserialize)]
pub struct Around {
    /// The id under which the view goes on.
    pub pit_id: Option<String>,
    /// The id under which the scroll goes on.
    #[serde(rename = "_scroll_id")]
    pub scroll_id: Option<String>,
    /// Whether the engine gave up before its end.
    pub timed_out: Option<bool>,
    /// Who took part.
    #[serde(rename = "_shards")]
    pub shards: Option<Shards>,
    #[serde(default)]
    hits: Hits,
}

#[derive(Debug, Default, Deserialize)]
struct Hits {
    total: Option<Total>,
}

/// A number until Elasticsearch 6, an object since 7.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Total {
    Number(u64),
    Counted { value: u64, relation: String },
}

impl Around {
    /// How many there are, where that was counted to the end.
    pub fn total(&self) -> Option<u64> {
        match self.hits.total.as_ref()? {
            Total::Number(value) => Some(*value),
            Total::Counted { value, relation } => (relation == "eq").then_some(*value),
        }
    }

    /// Insists that every shard of which something is said has answered in time.
    ///
    /// # Errors
    /// As [`Self::whole`].
    pub fn whole_so_far(&self) -> Result<()> {
        let said = Self { timed_out: self.timed_out.or(Some(false)), ..Self::default() };
        Self { shards: Some(self.shards.clone().unwrap_or_default()), ..said }.whole()
    }

    /// Insists that every shard has answered in time.
    ///
    /// # Errors
    /// `unavailable`, worth another try, when one has not; `corrupt` when the answer does not say so.
    pub fn whole(&self) -> Result<()> {
        const DOING: &str = "reading documents";
        match (self.timed_out, &self.shards) {
            (Some(false), Some(shards)) => shards.whole(DOING),
            (Some(true), _) => Err(Error::unavailable(format!("{DOING}: the engine gave up in time")).retryable()),
            _ => Err(Error::corrupt(format!("{DOING}: the engine does not say which shards have answered"))),
        }
    }
}

impl Page {
    /// Reads up to the first hit.
    ///
    /// # Errors
    /// `corrupt` when it is no answer to a search; what ended the stream.
    pub fn open(stream: InputStream) -> Result<Self> {
        let mut page = Self { stream, buffer: Vec::new(), start: 0, at: 0, around: Vec::new(), level: 0, ended: false };
        page.token(b'{')?;
        page.level = 1;
        page.members()?;
        Ok(page)
    }

    /// What stood before the hits.
    ///
    /// # Errors
    /// `corrupt` when it makes no sense.
    pub fn before(&self) -> Result<Around> {
        let mut before = self.around.clone();
        if !self.ended {
            before.extend_from_slice(b"]}}");
        }
        around(&before)
    }

    /// Reads the hits, one after the other; `each` is given each one and its bytes.
    ///
    /// # Errors
    /// [`Stopped::Reading`]: `limit` when one is longer than [`HIT_BYTES_MAX`], as [`Self::open`].
    /// [`Stopped::By`]: what is no document of `index`; errors of `each`.
    pub fn hits(&mut self, index: &str, each: &mut dyn FnMut(&Hit, u64) -> Result<()>) -> Result<(), Stopped> {
        while !self.ended {
            match self.peek().map_err(Stopped::Reading)? {
                b'{' => self.hit(index, each)?,
                b',' => self.at += 1,
                b']' => self.end_hits().map_err(Stopped::Reading)?,
                other => return Err(Stopped::Reading(unexpected(other))),
            }
        }
        Ok(())
    }

    /// Most hits are in the buffer to their ends: these are looked at once.
    fn hit(&mut self, index: &str, each: &mut dyn FnMut(&Hit, u64) -> Result<()>) -> Result<(), Stopped> {
        self.start = self.at;
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        if let Some((hit, length)) = Hit::first(rest, index).map_err(Stopped::By)? {
            self.at += length;
            self.start = self.at;
            return each(&hit, length as u64).map_err(Stopped::By);
        }
        self.value().map_err(Stopped::Reading)?;
        let bytes = self.buffer.get(self.start..self.at).unwrap_or_default();
        self.start = self.at;
        let hit = Hit::parse(bytes, index).map_err(Stopped::By)?;
        each(&hit, bytes.len() as u64).map_err(Stopped::By)
    }

    fn end_hits(&mut self) -> Result<()> {
        self.start = self.at;
        self.token(b']')?;
        self.members()?;
        if self.ended { Ok(()) } else { Err(Error::corrupt("the engine's answer has hits twice")) }
    }

    /// Everything but the hits, when there are no more; the answer's own end was seen.
    ///
    /// # Errors
    /// `corrupt` when it makes no sense or goes on; what ended the stream.
    pub fn end(mut self) -> Result<Around> {
        loop {
            if self.buffer.iter().skip(self.at).any(|byte| !byte.is_ascii_whitespace()) {
                return Err(Error::corrupt("the engine's answer goes on behind its end"));
            }
            self.buffer = self.stream.read_chunk(CHUNK_BYTES)?;
            self.at = 0;
            if self.buffer.is_empty() {
                return around(&self.around);
            }
        }
    }

    /// Passes over the members of what is open, to the first hit or to the end.
    fn members(&mut self) -> Result<()> {
        while self.level > 0 {
            match self.peek()? {
                b'}' => {
                    self.token(b'}')?;
                    self.level -= 1;
                }
                b',' => self.token(b',')?,
                b'"' => {
                    if self.member()? {
                        return Ok(());
                    }
                }
                other => return Err(unexpected(other)),
            }
        }
        self.ended = true;
        Ok(())
    }

    /// Passes over one member, or into it where it is `hits`. True where the next thing is a hit.
    fn member(&mut self) -> Result<bool> {
        // Reading on may move what is in the buffer, but not against its start.
        let key = self.at - self.start;
        self.value()?;
        let is_hits = self.buffer.get(self.start + key..self.at) == Some(b"\"hits\"");
        self.keep()?;
        self.token(b':')?;
        match (self.level, is_hits, self.peek()?) {
            (1, true, b'{') => {
                self.token(b'{')?;
                self.level = 2;
            }
            (2, true, b'[') => {
                self.token(b'[')?;
                return Ok(true);
            }
            _ => {
                self.value()?;
                self.keep()?;
            }
        }
        Ok(false)
    }

    /// Takes that byte.
    fn token(&mut self, token: u8) -> Result<()> {
        match self.peek()? {
            byte if byte == token => {
                self.at += 1;
                self.keep()
            }
            other => Err(unexpected(other)),
        }
    }

    /// Keeps what was looked at.
    fn keep(&mut self) -> Result<()> {
        self.around.extend_from_slice(self.buffer.get(self.start..self.at).unwrap_or_default());
        self.start = self.at;
        match self.around.len() > AROUND_BYTES_MAX {
            true => Err(Error::limit(format!("the engine's answer says more than {AROUND_BYTES_MAX} bytes of itself"))),
            false => Ok(()),
        }
    }

    /// The next byte that is no blank.
    fn peek(&mut self) -> Result<u8> {
        loop {
            match self.buffer.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(byte) => return Ok(*byte),
                None => self.more()?,
            }
        }
    }

    /// Passes over the value that begins here; it stays in the buffer.
    fn value(&mut self) -> Result<()> {
        let mut depth = 0_usize;
        loop {
            let Some(byte) = self.buffer.get(self.at) else {
                self.more()?;
                continue;
            };
            match byte {
                b'"' => {
                    self.text()?;
                    if depth == 0 {
                        return Ok(());
                    }
                    continue;
                }
                b'{' | b'[' => depth += 1,
                // The end of a number or a word in front of what closes or goes on.
                b'}' | b']' | b',' if depth == 0 => return Ok(()),
                b'}' | b']' if depth == 1 => {
                    self.at += 1;
                    return Ok(());
                }
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Passes over a text with its quotes.
    fn text(&mut self) -> Result<()> {
        self.at += 1;
        loop {
            let rest = self.buffer.get(self.at..).unwrap_or_default();
            match memchr2(b'"', b'\\', rest).map(|at| (at, rest.get(at))) {
                Some((at, Some(b'"'))) => {
                    self.at += at + 1;
                    return Ok(());
                }
                // What is escaped may not have come yet; no end of a text hides behind it.
                Some((at, _)) => self.at += at + 2,
                None => {
                    self.at = self.at.max(self.buffer.len());
                    self.more()?;
                }
            }
        }
    }

    /// Takes in more of the stream; what was handed on makes room for it.
    fn more(&mut self) -> Result<()> {
        let chunk = self.stream.read_chunk(CHUNK_BYTES)?;
        if chunk.is_empty() {
            return Err(Error::corrupt("the engine's answer ends before its end"));
        }
        self.buffer.drain(..self.start);
        self.at -= self.start;
        self.start = 0;
        let length = self.buffer.len() + chunk.len();
        if length > HIT_BYTES_MAX + CHUNK_BYTES as usize {
            return Err(Error::limit(format!(
                "a document is longer than {} MiB, more than a plugin can hold: {}",
                HIT_BYTES_MAX >> 20,
                excerpt(&self.buffer)
            )));
        }
        if length > self.buffer.capacity() {
            // In three steps, for growing by doubling could take more than the plugin has.
            let room =
                [4 << 20, 10 << 20, HIT_BYTES_MAX + CHUNK_BYTES as usize].into_iter().find(|room| *room >= length);
            self.buffer.reserve_exact(room.unwrap_or(length) - self.buffer.len());
        }
        self.buffer.extend_from_slice(&chunk);
        Ok(())
    }
}

fn around(bytes: &[u8]) -> Result<Around> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::corrupt(format!("the engine's answer makes no sense: {error}: {}", excerpt(bytes))))
}

fn unexpected(byte: u8) -> Error {
    Error::corrupt(format!("the engine's answer makes no sense: {:?} where it cannot stand", char::from(byte)))
}

fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..bytes.len().min(200)).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests;

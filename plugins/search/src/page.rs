//! The answer to a search, read while it comes: its hits one after the other, and everything around them at the end.
//!
//! An answer may be far longer than what a plugin may hold; a hit may not. So the answer is split without being parsed:
//! the members of the object and of its `hits` are told apart, whatever their order, and what stands in `hits.hits` is
//! handed on piece by piece.

use memchr::memchr2;
use serde::Deserialize;
use strongroom_plugin::{Error, InputStream, Result};

use crate::client::Shards;

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

    /// The next hit.
    ///
    /// # Errors
    /// `limit` when it is longer than [`HIT_BYTES_MAX`]; as [`Self::open`].
    pub fn next_hit(&mut self) -> Result<Option<&[u8]>> {
        if self.ended {
            return Ok(None);
        }
        loop {
            match self.peek()? {
                b'{' => {
                    self.start = self.at;
                    self.value()?;
                    let hit = self.start..self.at;
                    self.start = self.at;
                    return Ok(self.buffer.get(hit));
                }
                b',' => self.at += 1,
                b']' => {
                    self.start = self.at;
                    self.token(b']')?;
                    self.members()?;
                    return match self.ended {
                        true => Ok(None),
                        false => Err(Error::corrupt("the engine's answer has hits twice")),
                    };
                }
                other => return Err(unexpected(other)),
            }
        }
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
mod tests {
    use strongroom_plugin::{streams, testing::Host};

    use super::*;

    /// As it came, in pieces that end anywhere.
    fn stream(text: &str, piece: usize) -> InputStream {
        let (mut out, input) = streams::pipe().unwrap();
        for bytes in text.as_bytes().chunks(piece) {
            std::io::Write::write_all(&mut out, bytes).unwrap();
        }
        out.finish().unwrap();
        input
    }

    fn read(text: &str) -> Result<(Vec<String>, Around)> {
        let mut page = Page::open(stream(text, text.len().max(1)))?;
        let mut hits = Vec::new();
        while let Some(hit) = page.next_hit()? {
            hits.push(String::from_utf8(hit.to_vec())?);
        }
        Ok((hits, page.end()?))
    }

    const ANSWER: &str = r#"{"pit_id":"p","took":1,"timed_out":false,"_shards":{"total":2,"successful":2,"skipped":0,
"failed":0},"hits":{"total":{"value":2,"relation":"eq"},"max_score":null,"hits":[{"_id":"}]\"","x":[{"y":"\\"}]}, {}]}}
"#;

    #[test]
    fn hits_are_split_from_what_stands_around_them() {
        let _host = Host::new();
        let (hits, around) = read(ANSWER).unwrap();
        assert_eq!(hits, [r#"{"_id":"}]\"","x":[{"y":"\\"}]}"#, "{}"]);
        assert_eq!((around.pit_id.as_deref(), around.total()), (Some("p"), Some(2)));
        around.whole().unwrap();
    }

    #[test]
    fn members_may_come_in_any_order_and_a_nested_hits_is_none() {
        let _host = Host::new();
        let text = r#"{"x":{"hits":{"hits":[9]}},"hits":{"y":{"hits":[8]},"hits":[{"a":{"hits":[7]}}],"total":1},
            "_shards":{"total":1,"successful":1,"failed":0},"timed_out":false}"#;
        let (hits, around) = read(text).unwrap();
        assert_eq!((hits, around.total()), (vec![r#"{"a":{"hits":[7]}}"#.to_owned()], Some(1)));
        around.whole().unwrap();
    }

    #[test]
    fn an_answer_without_hits_has_none() {
        let _host = Host::new();
        let (hits, around) = read(r#"{"timed_out":false,"_shards":{"total":1,"successful":1,"failed":0}}"#).unwrap();
        assert!(hits.is_empty() && around.total().is_none());
    }

    #[test]
    fn an_answer_that_is_cut_anywhere_is_refused() {
        let _host = Host::new();
        let whole = ANSWER.trim_end();
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{}", &whole[..end]);
        }
        assert!(read(&format!("{ANSWER} x")).unwrap_err().message.contains("behind its end"));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let _host = Host::new();
        for text in ["[]", "null", r#"{"hits":{"hits":[1]}}"#, r#"{"hits":{"hits":[]},"hits":{"hits":[]}}"#, "{\"a\"}"]
        {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_answer_of_many_pieces_is_read_as_one() {
        let _host = Host::new();
        let long = "é\\\"".repeat(1 << 20);
        let text = ANSWER.replace("\"_id\":\"", &format!("\"_id\":\"{long}"));
        let (hits, _) = read(&text).unwrap();
        assert_eq!(
            (hits.len(), hits[0].len()),
            (2, ANSWER.find(", {}").unwrap() - ANSWER.find("{\"_id").unwrap() + long.len())
        );
    }

    #[test]
    fn a_hit_that_is_too_long_and_a_rest_that_is_too_long_are_refused() {
        let _host = Host::new();
        let long = "x".repeat(HIT_BYTES_MAX + (2 << 20));
        assert_eq!(
            read(&ANSWER.replace("\"_id\":\"", &format!("\"_id\":\"{long}"))).unwrap_err().code,
            strongroom_plugin::ErrorCode::Limit
        );
        let text = ANSWER.replace("\"p\"", &format!("\"{}\"", "x".repeat(2 << 20)));
        assert_eq!(read(&text).unwrap_err().code, strongroom_plugin::ErrorCode::Limit);
    }

    #[test]
    fn failed_shards_a_timeout_and_silence_about_them_are_errors() {
        for (from, to) in [
            ("\"failed\":0", "\"failed\":1"),
            ("\"successful\":2", "\"successful\":1"),
            ("\"timed_out\":false", "\"timed_out\":true"),
            ("\"timed_out\":false,", ""),
            ("\"_shards\"", "\"shards\""),
        ] {
            let _host = Host::new();
            assert!(read(&ANSWER.replace(from, to)).unwrap().1.whole().is_err(), "{to}");
        }
        let _host = Host::new();
        let guess = ANSWER.replace("\"relation\":\"eq\"", "\"relation\":\"gte\"");
        assert_eq!(read(&guess).unwrap().1.total(), None, "a number that is a lower bound is no count");
    }
}

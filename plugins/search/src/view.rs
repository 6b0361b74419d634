//! All documents of an index as of one moment: a point in time where the engine has them, else a scroll.
//!
//! Both hold the files of that moment on the engine and end by themselves, [`KEEP_ALIVE`] after the last question, so
//! that a run that dies leaves nothing behind.

use serde::Deserialize;
use serde_json::{Value, json};
use strongroom_plugin::{Error, Result, http::encoded};

use crate::{
    client::{Client, Question, Shards},
    document::Hit,
    engine::PointInTime,
    index::Index,
    page::{Around, Page},
    size::Size,
};

mod lane;
mod pit;
mod scroll;
#[cfg(test)]
mod tests;

/// How long a view stays without a question: several are opened at once and read one after the other.
pub const KEEP_ALIVE: &str = "30m";
/// What an answer should have, in bytes: longer ones make the engine hold much, shorter ones cost more questions.
const PAGE_BYTES: u64 = 4 << 20;
/// The fewest documents of a page.
const PAGE_MIN: u64 = 10;

/// How documents are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The most documents that are asked for at a time: the engine's own limit is 10,000 unless it is set otherwise.
    pub page: u64,
    /// How many questions are under way at a time.
    pub slices: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { page: 10_000, slices: 4 }
    }
}

/// What is done with each document; an error of it ends the reading.
pub type Each<'e> = dyn FnMut(&Hit) -> Result<()> + 'e;

/// The documents of one index, as of the moment when it was opened.
pub struct View<'c> {
    client: &'c Client,
    index: String,
    total: u64,
    kind: Kind,
}

enum Kind {
    /// A point in time, and how it was opened.
    Pit(PointInTime, String),
    /// A scroll: its first page is under way.
    Scroll(Option<Box<scroll::First>>),
}

impl<'c> View<'c> {
    /// Fixes the moment: what was written to the index before is in the view, what comes later is not.
    ///
    /// # Errors
    /// When a shard does not answer.
    pub fn open(client: &'c Client, index: &str, pace: Pace) -> Result<Self> {
        Index::refresh(client, index)?;
        let (kind, total) = match client.engine().point_in_time() {
            Some(way) => {
                let id = pit::open(client, way, index)?;
                let total = pit::count(client, &id)?;
                (Kind::Pit(way, id), total)
            }
            None => {
                let (first, total) = scroll::open(client, index, pace)?;
                (Kind::Scroll(Some(Box::new(first))), total)
            }
        };
        Ok(Self { client, index: index.to_owned(), total, kind })
    }

    /// How many documents there are, as the engine counts them.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What made it possible, for people.
    pub fn way(&self) -> &'static str {
        match self.kind {
            Kind::Pit(..) => "point in time",
            Kind::Scroll(_) => "scroll",
        }
    }

    /// Reads all of it, once. `index` says how many shards there are.
    ///
    /// # Errors
    /// What the engine says when it was asked often enough; `corrupt` when a document comes twice; those of `each`.
    pub fn read(&mut self, index: &Index, pace: Pace, each: &mut Each) -> Result<()> {
        match &mut self.kind {
            Kind::Pit(_, id) => pit::read(self.client, (id, self.total), index, pace, each),
            Kind::Scroll(first) => {
                let first = first.take().ok_or_else(|| Error::invalid("a scroll can be read once"))?;
                scroll::read(self.client, *first, &self.index, each)
            }
        }
    }

    /// Lets the engine forget it. It does so itself, later, where this fails.
    pub fn close(self) {
        if let Kind::Pit(way, id) = &self.kind {
            let _ = pit::close(self.client, *way, id);
        }
    }
}

/// How many documents of that size make a page.
fn page_size(documents: u64, bytes: u64, most: u64) -> u64 {
    let mean = (bytes / documents.max(1)).max(1);
    (PAGE_BYTES / mean).clamp(PAGE_MIN.min(most), most)
}

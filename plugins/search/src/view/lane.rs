//! The documents of one shard in their order, page by page. Each page begins behind the last document that came, so a
//! page that broke off is asked for again from where it broke.

use serde_json::value::RawValue;
use strongroom_plugin::http::Exchange;

use super::*;
use crate::client::{Patience, accepted, lost};

/// How many documents the first page has: nobody knows yet how long they are.
const FIRST_PAGE: u64 = 500;

pub(super) struct Lane {
    /// Which slice of how many.
    slice: (u32, u32),
    /// Where the last document stood: as the engine says it, and the number that it begins with.
    after: Option<(Box<RawValue>, i64)>,
    /// The last place that belongs to it.
    last: Option<i64>,
    /// How many documents came, and their bytes.
    came: (u64, u64),
    pub(super) patience: Patience,
}

/// What came of a page.
pub(super) struct Came {
    /// The view's new id.
    pub(super) id: Option<String>,
    /// Whether there may be another page.
    pub(super) more: bool,
}

/// Why a page ended early.
pub(super) enum Stopped {
    /// What the documents are for: there is no use in reading on.
    By(Error),
    /// The engine, or the way to it.
    Reading(Error),
}

impl Lane {
    pub(super) fn new(slice: u32, of: u32) -> Self {
        Self { slice: (slice, of), after: None, last: None, came: (0, 0), patience: Patience::default() }
    }

    /// The only shard, from behind one place up to another.
    pub(super) fn range(behind: Option<i64>, last: Option<i64>) -> Result<Self> {
        let after = |place: i64| Ok::<_, Error>((RawValue::from_string(format!("[{place}]"))?, place));
        Ok(Self { after: behind.map(after).transpose()?, last, ..Self::new(0, 1) })
    }

    fn is_done(&self) -> bool {
        let place = self.after.as_ref().map(|(_, place)| *place);
        place.zip(self.last).is_some_and(|(place, last)| place >= last)
    }

    /// Asks for the next page.
    pub(super) fn ask(self, client: &Client, id: &str, pace: Pace) -> Result<(Self, Exchange)> {
        let (documents, bytes) = self.came;
        let size = match documents {
            0 => FIRST_PAGE.min(pace.page),
            _ => page_size(documents, bytes, pace.page),
        };
        // No more than there may be.
        let behind = self.after.as_ref().map_or(-1, |(_, place)| *place);
        let left = self.last.and_then(|last| u64::try_from(last.saturating_sub(behind)).ok());
        let size = left.map_or(size, |left| size.min(left.max(1)));
        let mut body = json!({
            "size": size, "track_total_hits": false, "version": true, "sort": [{ client.engine().order(): "asc" }]
        });
        if let (slice, of @ 2..) = self.slice {
            body["slice"] = json!({ "id": slice, "max": of });
        }
        if let Some((after, _)) = &self.after {
            body["search_after"] = serde_json::from_str(after.get())?;
        }
        let exchange = client.start(&pit::search(body, id)?)?;
        Ok((self, exchange))
    }

    /// Reads a page. One without documents is the end: a short one may be followed by another.
    pub(super) fn page(&mut self, exchange: Exchange, index: &str, each: &mut Each) -> Result<Came, Stopped> {
        let reading = |error| Stopped::Reading(lost(error));
        let response = exchange.wait().map_err(reading)?;
        let response = accepted(response).map_err(Stopped::Reading)?;
        let mut page = Page::open(response.body()).map_err(reading)?;
        // Of a page that lacks a shard, nothing is taken.
        page.before().and_then(|around| around.whole_so_far()).map_err(reading)?;
        let (mut count, mut ended) = (0_u64, false);
        while let Some(bytes) = page.next_hit().map_err(reading)? {
            let hit = Hit::parse(bytes, index).map_err(Stopped::By)?;
            let place = place(&hit).map_err(Stopped::By)?;
            if self.after.as_ref().is_some_and(|(_, last)| place.1 <= *last) {
                let message = "the engine's documents do not come in their order: one may have come twice";
                return Err(Stopped::By(Error::corrupt(message)));
            }
            if self.last.is_some_and(|last| place.1 > last) {
                ended = true;
                continue;
            }
            each(&hit).map_err(Stopped::By)?;
            self.after = Some(place);
            self.came = (self.came.0 + 1, self.came.1.saturating_add(bytes.len() as u64));
            count += 1;
        }
        let around = page.end().map_err(reading)?;
        around.whole().map_err(Stopped::By)?;
        self.patience = Patience::default();
        Ok(Came { id: around.pit_id, more: count > 0 && !ended && !self.is_done() })
    }
}

fn place(hit: &Hit) -> Result<(Box<RawValue>, i64)> {
    let wrong = || Error::corrupt("the engine does not say where a document stands in its order");
    let sort = hit.sort().ok_or_else(wrong)?;
    let numbers: Vec<serde_json::Number> = serde_json::from_str(sort.get())?;
    let first = numbers.first().and_then(serde_json::Number::as_i64).ok_or_else(wrong)?;
    Ok((sort.to_owned(), first))
}

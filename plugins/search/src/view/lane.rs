//! The documents of one shard in their order, page by page. Each page begins behind the last document that came, so a
//! page that broke off is asked for again from where it broke.

use strongroom_plugin::http::Exchange;

use super::*;
use crate::{
    client::{Patience, accepted, lost},
    page::Stopped,
};

/// How many documents the first page has: nobody knows yet how long they are.
const FIRST_PAGE: u64 = 500;

pub(super) struct Lane {
    /// Which slice of how many.
    slice: (u32, u32),
    /// Where the last document stood: the number that its order begins with, and all of it as the engine says it.
    after: Option<(i64, String)>,
    /// The last place that belongs to it.
    last: Option<i64>,
    /// About so many documents lie in so many places of the index.
    density: (u64, u64),
    pub(super) patience: Patience,
}

/// What came of a page.
pub(super) struct Came {
    /// How many documents, and their bytes.
    pub(super) documents: (u64, u64),
    /// The view's new id.
    pub(super) id: Option<String>,
    /// Whether there may be another page.
    pub(super) more: bool,
}

impl Lane {
    /// A shard of how many, from behind one place up to another.
    pub(super) fn new(slice: (u32, u32), behind: Option<i64>, last: Option<i64>, density: (u64, u64)) -> Self {
        let after = behind.map(|place| (place, format!("[{place}]")));
        Self { slice, after, last, density, patience: Patience::default() }
    }

    fn place(&self) -> Option<i64> {
        self.after.as_ref().map(|(place, _)| *place)
    }

    fn likely(&self, places: u64) -> u64 {
        let (documents, all) = self.density;
        let share = u128::from(places) * u128::from(documents) / u128::from(all.max(1));
        let share = u64::try_from(share).unwrap_or(u64::MAX).min(places);
        share.saturating_add(share / 16).saturating_add(PAGE_MIN)
    }

    fn is_done(&self) -> bool {
        self.place().zip(self.last).is_some_and(|(place, last)| place >= last)
    }

    /// That document came.
    fn now_behind(&mut self, hit: &Hit, place: i64) {
        let (number, whole) = self.after.get_or_insert_default();
        *number = place;
        whole.clear();
        whole.push_str(hit.sort().unwrap_or_default());
    }

    /// Asks for the next page; so many documents of so many bytes have come in all lanes.
    pub(super) fn ask(self, client: &Client, id: &str, pace: Pace, came: (u64, u64)) -> Result<(Self, Exchange)> {
        let size = match came {
            (0, _) => FIRST_PAGE.min(pace.page),
            (documents, bytes) => page_size(documents, bytes, pace.page),
        };
        // Not many more than there are likely to be.
        let behind = self.place().unwrap_or_else(|| client.engine().first_place(self.slice.0) - 1);
        let left = self.last.and_then(|last| u64::try_from(last.saturating_sub(behind)).ok());
        let size = left.map_or(size, |left| size.min(self.likely(left)));
        let mut body = json!({
            "size": size, "track_total_hits": false, "version": true, "sort": [{ client.engine().order(): "asc" }]
        });
        if let (slice, of @ 2..) = self.slice {
            body["slice"] = json!({ "id": slice, "max": of });
        }
        if let Some((_, after)) = &self.after {
            body["search_after"] = serde_json::from_str(after)?;
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
        let (mut count, mut length, mut ended) = (0_u64, 0_u64, false);
        let read = page.hits(index, &mut |hit, bytes| {
            let place = place(hit)?;
            if self.place().is_some_and(|last| place <= last) {
                let message = "the engine's documents do not come in their order: one may have come twice";
                return Err(Error::corrupt(message));
            }
            if self.last.is_some_and(|last| place > last) {
                ended = true;
                return Ok(());
            }
            each(hit)?;
            self.now_behind(hit, place);
            (count, length) = (count + 1, length.saturating_add(bytes));
            Ok(())
        });
        read.map_err(|stopped| match stopped {
            Stopped::Reading(error) => reading(error),
            by => by,
        })?;
        let around = page.end().map_err(reading)?;
        around.whole().map_err(Stopped::By)?;
        self.patience = Patience::default();
        Ok(Came { documents: (count, length), id: around.pit_id, more: count > 0 && !ended && !self.is_done() })
    }
}

/// The number that its order begins with.
fn place(hit: &Hit) -> Result<i64> {
    let first = || {
        let sort = hit.sort()?.strip_prefix('[')?;
        let end = sort.bytes().position(|byte| matches!(byte, b',' | b']'))?;
        sort.get(..end)?.trim_ascii().parse().ok()
    };
    first().ok_or_else(|| Error::corrupt("the engine does not say where a document stands in its order"))
}

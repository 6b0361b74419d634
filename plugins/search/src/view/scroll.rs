//! A scroll, for engines without points in time: one after another, for every scroll has a moment of its own, and
//! without asking again, for a page that was lost is passed over by the next.

use std::collections::HashSet;

use super::*;
use crate::client::accepted;

/// Up to so many documents, one that comes twice is seen at once; beyond, when the index is restored.
const WATCHED_MAX: usize = 1_000_000;

/// The first page, still to be read.
pub(super) struct First {
    page: Page,
}

pub(super) fn open(client: &Client, index: &str, pace: Pace) -> Result<(First, u64)> {
    let size = size(client, index, pace)?;
    let mut body = json!({ "size": size, "version": true, "sort": ["_doc"] });
    if !client.engine().has_types() {
        // Below 7 everything is counted.
        body["track_total_hits"] = true.into();
    }
    let path = format!("/{}/_search?scroll={KEEP_ALIVE}", encoded(index));
    let question = Question::post(path).json(&body)?;
    client.patiently(|| {
        let page = page(client, &question)?;
        let around = page.before()?;
        around.whole_so_far()?;
        let total =
            around.total().ok_or_else(|| Error::corrupt("the engine does not count the documents of a scroll"))?;
        Ok((First { page }, total))
    })
}

/// Fixed for all pages, so by what the index takes on disk, where documents are packed to a fraction.
fn size(client: &Client, index: &str, pace: Pace) -> Result<u64> {
    const PACKED: u64 = 4;
    let Size { documents, bytes, .. } = Size::ask(client, index)?;
    Ok(page_size(documents, bytes.saturating_mul(PACKED), pace.page))
}

fn page(client: &Client, question: &Question) -> Result<Page> {
    Page::open(accepted(client.start(question)?.wait()?)?.body())
}

pub(super) fn read(client: &Client, first: First, index: &str, each: &mut Each) -> Result<()> {
    let mut seen = Seen::default();
    let mut page_now = first.page;
    loop {
        let mut count = 0_u64;
        page_now.before()?.whole_so_far()?;
        page_now.hits(index, &mut |hit, _| {
            seen.once(hit)?;
            count += 1;
            each(hit)
        })?;
        let around = page_now.end()?;
        around.whole()?;
        let id = around.scroll_id.ok_or_else(|| Error::corrupt("the engine does not say how a scroll goes on"))?;
        if count == 0 {
            return close(client, &id);
        }
        let question = Question::post("/_search/scroll").json(&json!({ "scroll": KEEP_ALIVE, "scroll_id": id }))?;
        page_now = client.patiently(|| page(client, &question)).map_err(expired)?;
    }
}

fn expired(error: Error) -> Error {
    match error.is_not_found() {
        true => error.context(format!("the engine has forgotten the scroll, {KEEP_ALIVE} after the last question")),
        false => error,
    }
}

/// It ends by itself where this fails.
fn close(client: &Client, id: &str) -> Result<()> {
    let question = Question::delete("/_search/scroll").json(&json!({ "scroll_id": [id] }))?;
    let _ = client.ask_once::<serde::de::IgnoredAny>(&question);
    Ok(())
}

/// Which documents have come.
#[derive(Default)]
struct Seen(HashSet<u64>);

impl Seen {
    fn once(&mut self, hit: &Hit) -> Result<()> {
        use std::hash::{DefaultHasher, Hash, Hasher};
        if self.0.len() >= WATCHED_MAX {
            return Ok(());
        }
        let mut hasher = DefaultHasher::new();
        hit.key().hash(&mut hasher);
        match self.0.insert(hasher.finish()) {
            true => Ok(()),
            false => Err(Error::corrupt(format!("the engine gives the document {:?} twice", hit.key().0))),
        }
    }
}

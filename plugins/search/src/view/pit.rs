//! A point in time, read in lanes, each of one shard or of a range in it, so that the place of a document in its shard
//! (`_doc`) orders all of a lane, and nothing is asked twice or passed over whatever has to be asked again.
//!
//! As many slices as there are shards make each slice one shard, without looking at a document (`SliceBuilder` of both
//! engines).

use std::collections::VecDeque;

use super::{lane::Lane, *};
use crate::page::Stopped;

/// The fewest places of a range: below, several cost more than they save.
const RANGE_MIN: i64 = 1000;

pub(super) fn open(client: &Client, way: PointInTime, index: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Opened {
        #[serde(alias = "pit_id")]
        id: String,
        #[serde(rename = "_shards")]
        shards: Option<Shards>,
    }
    let index = encoded(index);
    let path = match way {
        PointInTime::Elasticsearch => format!("/{index}/_pit?keep_alive={KEEP_ALIVE}"),
        PointInTime::OpenSearch => {
            format!("/{index}/_search/point_in_time?keep_alive={KEEP_ALIVE}&allow_partial_pit_creation=false")
        }
    };
    // Asked twice, there are two, and the first ends by itself.
    let opened: Opened = client.ask(&Question::post(path).repeating())?;
    if let Some(shards) = opened.shards {
        shards.whole("opening a point in time")?;
    }
    Ok(opened.id)
}

pub(super) fn close(client: &Client, way: PointInTime, id: &str) -> Result<()> {
    let question = match way {
        PointInTime::Elasticsearch => Question::delete("/_pit").json(&json!({ "id": id }))?,
        PointInTime::OpenSearch => Question::delete("/_search/point_in_time").json(&json!({ "pit_id": [id] }))?,
    };
    // Once: it ends by itself where nobody hears it.
    client.ask_once::<serde::de::IgnoredAny>(&question).map(drop)
}

/// A search in the view; shards that fail make it fail.
pub(super) fn search(mut body: Value, id: &str) -> Result<Question> {
    body["pit"] = json!({ "id": id, "keep_alive": KEEP_ALIVE });
    Question::post("/_search?allow_partial_search_results=false").repeating().json(&body)
}

pub(super) fn count(client: &Client, id: &str) -> Result<u64> {
    let question = search(json!({ "size": 0, "track_total_hits": true }), id)?;
    client.patiently(|| {
        let around: Around = client.ask_once(&question)?;
        around.whole()?;
        around.total().ok_or_else(|| Error::corrupt("the engine does not count the documents of a point in time"))
    })
}

/// A lane for each range of places, several to a shard where there are fewer shards than twice the pages that are asked
/// for at a time: so the engine looks for pages all the while that others are stored.
fn lanes(client: &Client, index: &Index, pace: Pace, total: u64) -> Result<VecDeque<Lane>> {
    let (shards, slices) = (index.shards.max(1), u32::try_from(pace.slices).unwrap_or(1));
    let ranges = i64::from(if slices > 1 { slices.saturating_mul(2).div_ceil(shards) } else { 1 });
    let places = if ranges > 1 { places(client, &index.name)? } else { 0 };
    let length = places / (i64::from(shards) * ranges);
    let ranges = if length < RANGE_MIN { 1 } else { ranges };
    let lane = |range: i64, shard: u32| {
        let begin = client.engine().first_place(shard);
        let first = (range > 0).then(|| begin + range * length - 1);
        let last = (range + 1 < ranges).then(|| begin + (range + 1) * length - 1);
        Lane::new((shard, index.shards), first, last, (total, places.unsigned_abs()))
    };
    Ok((0..ranges).flat_map(|range| (0..index.shards).map(move |shard| lane(range, shard))).collect())
}

/// About how many places there are: of documents, nested and deleted ones included. The last range has no end, so nothing
/// depends on it but how long the ranges are.
fn places(client: &Client, index: &str) -> Result<i64> {
    let Size { documents, removed, .. } = Size::ask(client, index)?;
    Ok(documents.saturating_add(removed).try_into().unwrap_or(i64::MAX))
}

/// `id` of a view with so many documents.
pub(super) fn read(
    client: &Client,
    (id, total): (&mut String, u64),
    index: &Index,
    pace: Pace,
    each: &mut Each,
) -> Result<()> {
    let mut waiting = lanes(client, index, pace, total)?;
    let (mut under_way, mut came) = (VecDeque::new(), (0_u64, 0_u64));
    loop {
        while under_way.len() < pace.slices.max(1)
            && let Some(lane) = waiting.pop_front()
        {
            under_way.push_back(lane.ask(client, id, pace, came)?);
        }
        let Some((mut lane, exchange)) = under_way.pop_front() else { return Ok(()) };
        match lane.page(exchange, &index.name, each) {
            Ok(page) => {
                came = (came.0 + page.documents.0, came.1.saturating_add(page.documents.1));
                if let Some(new) = page.id {
                    *id = new;
                }
                if page.more {
                    // The lane that has waited longest is next.
                    waiting.push_back(lane);
                }
            }
            Err(Stopped::By(error)) => return Err(error),
            Err(Stopped::Reading(error)) => {
                lane.patience.after(error)?;
                waiting.push_back(lane);
            }
        }
    }
}

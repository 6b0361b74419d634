//! The search index of a site that keeps it in OpenSearch: which indices are its own, and what of them counts.
//!
//! Each kind is an index with the time of its making behind its name, `confluence-content_1699999999999`, and an alias
//! without it; where an index could not be deleted, old ones remain (<https://jira.atlassian.com/browse/CONFSERVER-101500>).

use std::collections::BTreeSet;

use strongroom_plugin::Result;
use strongroom_search::{Client, Index, Reach, made::Made, restore::Wanted, store::Manifest, view::Pace};

use crate::{describe::grant, settings::Settings};

/// What the names of all of Confluence's indices begin with.
const PREFIX: &str = "confluence-";

/// The granted engine.
///
/// # Errors
/// As [`Reach::connect`].
pub fn reach(settings: &Settings) -> Result<Reach> {
    Reach::connect(grant::OPENSEARCH, grant::SNAPSHOTS, settings.snapshots_location.as_deref(), Pace::default())
}

/// All of Confluence's indices. What says how far the journal was read comes first: where each index is saved as of a
/// moment of its own, it must not be newer than any other.
///
/// # Errors
/// What the engine says.
pub fn indices(client: &Client) -> Result<Vec<Index>> {
    let mut indices = Index::beginning(client, PREFIX)?;
    indices.sort_by_key(|index| !index.name.contains("journal"));
    Ok(indices)
}

/// What a restore brings back: everything but what an older making left over.
pub fn wanted(manifests: &[Manifest]) -> Wanted {
    let in_use: BTreeSet<&str> =
        manifests.iter().filter(|one| !one.aliases.is_empty()).filter_map(|one| kind(&one.index)).collect();
    let is_left_over =
        |one: &&Manifest| one.aliases.is_empty() && kind(&one.index).is_some_and(|kind| in_use.contains(kind));
    let only = manifests.iter().filter(|one| !is_left_over(one)).map(|one| one.index.clone()).collect();
    Wanted { only: Some(only), together: true, ..Wanted::default() }
}

/// `confluence-content` of `confluence-content_1699999999999`.
fn kind(index: &str) -> Option<&str> {
    let (kind, made) = index.rsplit_once('_')?;
    (!made.is_empty() && made.bytes().all(|byte| byte.is_ascii_digit())).then_some(kind)
}

/// Removes what a run that has died left on the engine.
///
/// # Errors
/// When the engine does not answer: it is tried again later.
pub fn release(data: &[u8]) -> Result<()> {
    let made = Made::of(data)?;
    made.remove(&Reach::connect(grant::OPENSEARCH, grant::SNAPSHOTS, None, Pace::default())?)
}

//! Stores the search index before the database is read: from directories, or out of OpenSearch.

use strongroom_database::{embedded::stop, trees::sum};
use strongroom_plugin::{Error, Outcome, Part, Result, TreeOptions, context, dirs, snapshot, tree};
use strongroom_search::{Index, save};

use super::note;
use crate::{
    index::Places,
    inspect::{index::SNAPSHOT, setting},
    opensearch,
    settings::Settings,
};

pub(super) fn backup(part: &Part) -> Result<Outcome> {
    if let Some(way) = part.setting(setting::WAY) {
        return engine(part, way);
    }
    let places = Places::parse(part.expect_setting(setting::PLACES)?)?;
    stopped(&places)?;
    // Copies come and go while Confluence runs; its own files do not while it is stopped.
    let options = if places.are_live() { TreeOptions::default() } else { TreeOptions::default().tolerant() };
    let mut reports = Vec::new();
    for (name, at) in places.all() {
        reports.push(snapshot::put_subtree(name, &dirs::get(&at.grant)?, &at.path, &options)?);
    }
    stopped(&places)?;
    context::set_note(note::PLACES, &places.to_json())?;
    let report = sum(reports);
    tree::noted(part, report.stored)?;
    Ok(tree::outcome(&report))
}

/// Lucene's own files are worth something only while nobody changes them.
fn stopped(places: &Places) -> Result<()> {
    if !places.are_live() {
        return Ok(());
    }
    match places.used()? {
        Some(who) => Err(Error::other(format!("{who}: {}", stop("Confluence")))),
        None => Ok(()),
    }
}

/// All indices of an OpenSearch. Where a reindex puts new ones into their places meanwhile, some would be of one making and
/// some of another.
fn engine(part: &Part, way: &str) -> Result<Outcome> {
    let reach = opensearch::reach(&Settings::read()?)?;
    let before = opensearch::indices(&reach.client)?;
    if before.is_empty() {
        return Err(Error::not_found("the engine has no index confluence-*: make a new plan"));
    }
    let names: Vec<String> = before.iter().map(|index| index.name.clone()).collect();
    let outcome = match way {
        SNAPSHOT => save::snapshot(&reach, part, &names, Outcome::new(""))?,
        _ => save::export(&reach, &names, Outcome::new(""))?,
    };
    if !same(&before, &opensearch::indices(&reach.client)?) {
        let message =
            "Confluence made indices anew while they were saved, a reindex is under way: run again when it is done";
        return Err(Error::other(message));
    }
    let aliases: usize = before.iter().map(|index| index.aliases.len()).sum();
    Ok(outcome.fact("aliases", aliases.to_string()))
}

fn same(before: &[Index], after: &[Index]) -> bool {
    let key = |index: &Index| (index.uuid.clone(), index.aliases.clone());
    before.iter().map(key).eq(after.iter().map(key))
}

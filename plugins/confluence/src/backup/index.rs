//! Stores what of the search index lies in directories, before the database is read.

use strongroom_database::{embedded::stop, trees::sum};
use strongroom_plugin::{Error, Outcome, Part, Result, TreeOptions, context, dirs, snapshot, tree};

use super::note;
use crate::{index::Places, inspect::setting};

pub(super) fn backup(part: &Part) -> Result<Outcome> {
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
    match if places.are_live() { places.used()? } else { None } {
        Some(who) => Err(Error::other(format!("{who}: {}", stop("Confluence")))),
        None => Ok(()),
    }
}

//! What of the search index becomes a part, and why the rest does not.

use strongroom_database::embedded::stop;
use strongroom_plugin::{Finding, Inspection, Part, Result, Stage};

use super::{part, setting};
use crate::{
    index::{self, Choice, Places},
    site::Site,
};

/// The part, with what is to be said of it.
///
/// # Errors
/// When a home cannot be looked at.
pub(super) fn look(site: &Site, seen: &mut Inspection) -> Result<Option<Part>> {
    Ok(match index::choose(site)? {
        Choice::Snapshots(places) => {
            let summary = "the copies of its index that Confluence makes every day, older than the database";
            Some(part(&places, summary))
        }
        Choice::Files(places) => {
            seen.findings.extend(files(site, &places)?);
            Some(part(&places, "Lucene's index with its journal, copied while Confluence is stopped"))
        }
        Choice::Nothing(why) => {
            let message = format!("the search index is not saved, reindex after a restore: {why}");
            seen.findings.push(Finding::info("search-not-captured", "search", message));
            None
        }
    })
}

fn part(places: &Places, summary: &str) -> Part {
    let shown: Vec<_> = places.located().iter().map(ToString::to_string).collect();
    let part = Part::new(part::SEARCH_INDEX, Stage::Positions)
        .summary(format!("{}: {summary}", shown.join(" and ")))
        .set(setting::PLACES, places.to_json());
    let mut grants: Vec<_> = places.located().into_iter().map(|at| at.grant).collect();
    grants.sort_unstable();
    grants.dedup();
    grants.into_iter().fold(part, |part, grant| part.uses(format!("dirs.{grant}")))
}

/// Files can be copied while nobody has them open, and the two of them together.
fn files(site: &Site, places: &Places) -> Result<Option<Finding>> {
    if !places.are_pair() {
        let message = format!(
            "search-index is files, and index and journal are not both in a granted directory ({}): set auto or none",
            site.search
        );
        return Ok(Some(Finding::blocker("index-missing", part::SEARCH_INDEX, message)));
    }
    Ok(places.used()?.map(|who| {
        let message =
            format!("Lucene's files can only be copied while Confluence is stopped, and {who}: {}", stop("Confluence"));
        Finding::blocker("index-in-use", part::SEARCH_INDEX, message)
    }))
}

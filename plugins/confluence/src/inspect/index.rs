//! What of the search index becomes a part, and why the rest does not.

use strongroom_database::embedded::stop;
use strongroom_plugin::{Finding, Inspection, Part, Result, Stage};
use strongroom_search::{
    Reach, size,
    way::{self, Way},
};

use super::{part, setting};
use crate::{
    describe::grant,
    index::{self, Choice, Places},
    opensearch,
    site::Site,
};

/// Values of the setting `way`.
pub(crate) const SNAPSHOT: &str = "snapshot";
const EXPORT: &str = "export";

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
        Choice::Engine => Some(engine(site, seen)?),
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

/// The indices of an OpenSearch that is granted: whoever grants it wants them saved.
fn engine(site: &Site, seen: &mut Inspection) -> Result<Part> {
    let part = Part::new(part::SEARCH_INDEX, Stage::Positions).uses(format!("http.{}", grant::OPENSEARCH));
    let reach = match opensearch::reach(&site.settings) {
        Ok(reach) => reach,
        Err(error) => {
            let message =
                format!("OpenSearch cannot be asked, give its search index up with search-index = \"none\": {error}");
            seen.findings.push(Finding::blocker("search-unreachable", part::SEARCH_INDEX, message));
            return Ok(part.set(setting::WAY, EXPORT));
        }
    };
    let chosen = way::choose(Way::Auto, &reach)?;
    let summary = indices(&reach, seen)?;
    Ok(match chosen.way {
        Way::Snapshot => part
            .summary(format!("the engine's snapshot of {summary}: {}", chosen.why))
            .uses(format!("dirs.{}", grant::SNAPSHOTS))
            .set(setting::WAY, SNAPSHOT),
        Way::Export | Way::Auto => {
            part.summary(format!("{summary}, document by document: {}", chosen.why)).set(setting::WAY, EXPORT)
        }
    })
}

/// What there is, in a few words.
fn indices(reach: &Reach, seen: &mut Inspection) -> Result<String> {
    let engine = reach.client.engine();
    let indices = opensearch::indices(&reach.client)?;
    for index in &indices {
        let aliases: Vec<_> = index.aliases.keys().map(String::as_str).collect();
        let behind =
            if aliases.is_empty() { "behind no alias".into() } else { format!("behind {}", aliases.join(", ")) };
        seen.facts.push((format!("index {}", index.name), behind));
    }
    if indices.is_empty() {
        let message = format!(
            "{engine} ({}) has no index confluence-*: is http.{} the engine that {} names?",
            engine.cluster,
            grant::OPENSEARCH,
            crate::site::CFG
        );
        seen.findings.push(Finding::blocker("index-missing", part::SEARCH_INDEX, message));
    }
    let aliases: usize = indices.iter().map(|index| index.aliases.len()).sum();
    let aliases = size::said(aliases, "alias", "aliases");
    Ok(format!("{} and {aliases} of {engine} ({})", size::indices(indices.len()), engine.cluster))
}

//! What is in the way of a backup, or must be known to read it.

use strongroom_plugin::Finding;

use super::part;
use crate::site::Site;

/// Everything that the files alone tell.
pub(super) fn findings(site: &Site) -> Vec<Finding> {
    let mut findings = Vec::new();
    if site.cfg.get("access.mode") == Some("READ_ONLY") {
        let message = "the site is in read-only mode, and so will a restored one be";
        findings.push(Finding::info("read-only-mode", "site", message));
    }
    findings
}

/// Contradicting build numbers of home and database: Confluence does not start with such a pair.
pub(super) fn builds(home: Option<u64>, database: Option<u64>) -> Option<Finding> {
    if home == database {
        return None;
    }
    let shown = |build: Option<u64>| build.map_or("none".to_owned(), |build| build.to_string());
    let message = format!(
        "confluence.cfg.xml has build {}, the database has {}: is this the home's database, or is an upgrade under way?",
        shown(home),
        shown(database)
    );
    Some(Finding::warning("build-contradiction", part::DATABASE, message))
}

/// The granted database and the one that the site uses.
pub(super) fn locations(site: &Site, granted: &str) -> Option<Finding> {
    let used = site.database.server()?;
    let message =
        format!("the grant sql.database is {granted}, confluence.cfg.xml says {}: are they the same?", used.location());
    (!used.is_at(granted)).then(|| Finding::warning("database-contradiction", part::DATABASE, message))
}

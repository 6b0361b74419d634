//! What lies directly in the homes and in `shared-home`: left out, or saved though not known.

use strongroom_plugin::{Context, Finding, Result, dirs};

use super::part;
use crate::{
    describe::grant,
    grants,
    home::{self, Class, Selection},
    site::{Located, Site, below},
};

/// How many names a finding lists.
const NAMES_MAX: usize = 50;

/// One finding for each reason to leave entries out, one for those that are not known, and one for each of the
/// operator's names that nothing comes of.
///
/// # Errors
/// When a home cannot be listed.
pub(super) fn findings(site: &Site, own: &[Located]) -> Result<Vec<Finding>> {
    let selection = Selection::of(&site.settings);
    let mut by_reason: Vec<(&str, Vec<String>)> = Vec::new();
    let mut unknown = Vec::new();
    let has_part =
        |entry: &Entry| own.iter().any(|at| at.grant == entry.grant && below(&at.path, &entry.path).is_some());
    for entry in entries(site)?.into_iter().filter(|entry| !has_part(entry)) {
        match selection.reason(&entry.path, entry.class) {
            None if entry.class == Class::Unknown => unknown.push(entry.shown),
            None => {}
            Some(reason) => match by_reason.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, names)) => names.push(entry.shown),
                None => by_reason.push((reason, vec![entry.shown])),
            },
        }
    }
    let left = |(reason, names): (&str, Vec<String>)| {
        Finding::info("left-out", part::HOME, format!("not saved, {reason}: {}", listed(&names)))
    };
    let mut findings: Vec<Finding> = by_reason.into_iter().map(left).collect();
    if !unknown.is_empty() {
        let message = format!("saved, though Confluence is not known to make them: {}", listed(&unknown));
        findings.push(Finding::info("unknown-entry", part::HOME, message));
    }
    findings.extend(includes(site)?);
    Ok(findings)
}

/// Something directly in a home.
struct Entry {
    grant: String,
    /// Below that home.
    path: String,
    shown: String,
    class: Class,
}

fn entries(site: &Site) -> Result<Vec<Entry>> {
    let mut all = list(grant::HOME, "")?;
    all.extend(list(grant::HOME, home::SHARED)?);
    if let Some(cluster) = &site.cluster {
        if grants::has("dirs", grant::SHARED_HOME) {
            all.extend(list(grant::SHARED_HOME, "")?);
        }
        for node in &cluster.nodes {
            all.extend(list(&node.grant, "")?);
        }
    }
    Ok(all)
}

fn list(grant: &str, base: &str) -> Result<Vec<Entry>> {
    let dir = dirs::get(grant)?;
    if !base.is_empty() && dir.find(base)?.is_none_or(|stat| stat.kind != dirs::Kind::Directory) {
        return Ok(Vec::new());
    }
    let one = |entry: Result<dirs::Entry>| {
        let name = entry.context(format!("listing dirs.{grant}"))?.name;
        let class = home::class(&name);
        let path = if base.is_empty() { name } else { format!("{base}/{name}") };
        let shown = if grant == grant::HOME { path.clone() } else { format!("dirs.{grant}/{path}") };
        Ok(Entry { grant: grant.to_owned(), path, shown, class })
    };
    dir.entries(base).map(one).collect()
}

/// Names of `home-includes` that lie nowhere, or that no mode saves.
fn includes(site: &Site) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for path in &site.settings.home_includes {
        let top = path.strip_prefix("shared-home/").unwrap_or(path).split('/').next().unwrap_or_default();
        let why = match home::class(top) {
            Class::Index | Class::Never => "is never saved",
            Class::OwnPart => "has its own part",
            _ if is_anywhere(site, path)? => continue,
            _ => "is in no home",
        };
        findings.push(Finding::warning(
            "include-unused",
            part::HOME,
            format!("home-includes names {path}, which {why}"),
        ));
    }
    Ok(findings)
}

fn is_anywhere(site: &Site, path: &str) -> Result<bool> {
    let nodes = site.cluster.iter().flat_map(|cluster| &cluster.nodes).map(|node| node.grant.as_str());
    for grant in [grant::HOME, grant::SHARED_HOME].into_iter().chain(nodes) {
        if grants::has("dirs", grant) && dirs::get(grant)?.exists(path)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn listed(names: &[String]) -> String {
    let shown = names[..names.len().min(NAMES_MAX)].join(", ");
    match names.len().checked_sub(NAMES_MAX) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

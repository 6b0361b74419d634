//! What becomes a part, and what each leaves to the others.

use strongroom_database::{embedded::Embedded, located::pattern};
use strongroom_plugin::{Part, Stage};

use super::{part, setting};
use crate::{
    describe::grant,
    embedded, grants,
    site::{Located, Site},
};

/// What lies in a granted directory and has a part of its own nevertheless.
pub(super) fn own(site: &Site, attachments: Option<&Located>) -> Vec<Located> {
    let database = embedded::of(site).ok().flatten().map(|database| database.at);
    let cipher = site.cipher.files.iter().filter_map(|file| file.at.clone());
    attachments.cloned().into_iter().chain(database).chain(cipher).collect()
}

/// The parts of a backup.
pub(super) fn parts(site: &Site, attachments: Option<&Located>, own: &[Located], estimate: Option<u64>) -> Vec<Part> {
    let files = embedded::of(site).ok().flatten();
    let mut parts = vec![database(site, files.as_ref(), estimate)];
    if let Some(at) = attachments {
        let part = Part::new(part::ATTACHMENTS, Stage::Files).ahead().summary(site.attachments());
        let part = part.uses(format!("dirs.{}", at.grant)).set(setting::GRANT, &at.grant);
        parts.push(part.set(setting::PATH, &at.path));
    }
    let without = format!("{} without what has its own part", site.home.path);
    parts.push(tree(part::HOME, grant::HOME, without, own));
    if let Some(cluster) = &site.cluster {
        if cluster.shared_cfg.is_some() {
            let shared = cluster.shared.as_deref().unwrap_or("the shared home");
            let summary = format!("{shared} without what has its own part");
            parts.push(tree(part::SHARED_HOME, grant::SHARED_HOME, summary, own));
        }
        for node in &cluster.nodes {
            let summary = format!("the home of node {}", node.name().unwrap_or("without a name"));
            parts.push(tree(&node.grant, &node.grant, summary, own));
        }
    }
    parts.extend(secrets(site));
    if grants::has("dirs", grant::INSTALL) {
        let summary = "the installation directory without work, temp and logs";
        parts.push(Part::new(part::INSTALL, Stage::Files).summary(summary).uses("dirs.install"));
    }
    // A directory that is the attachments', as a whole, is that part already.
    let is_own = |name: &String| own.iter().any(|at| at.grant == *name && at.path.is_empty());
    for name in grants::externals().into_iter().filter(|name| !is_own(name)) {
        let summary = grants::path(&name).unwrap_or_default();
        parts.push(tree(&name, &name, summary, own));
    }
    parts
}

fn database(site: &Site, embedded: Option<&Embedded>, estimate: Option<u64>) -> Part {
    let part = Part::new(part::DATABASE, Stage::Database);
    if let Some(database) = embedded {
        let summary = format!("{}, copied while Confluence is stopped", site.database.shown());
        let part = part.summary(summary).uses("dirs.home");
        let part = match database.at.grant.as_str() {
            grant::HOME => part,
            other => part.uses(format!("dirs.{other}")),
        };
        return part.set(setting::EMBEDDED, database.vendor.name());
    }
    let mut part = part
        .summary(format!("{}, dumped in one view and read back", site.database.shown()))
        .uses("sql.database")
        .uses("tools.dump")
        .uses("tools.read-dump");
    part.bytes_estimate = estimate;
    part
}

/// A granted directory without what other parts hold of it.
fn tree(name: &str, grant: &str, summary: String, own: &[Located]) -> Part {
    let excludes: Vec<String> =
        own.iter().filter(|at| at.grant == grant && !at.path.is_empty()).map(|at| pattern(&at.path)).collect();
    let part = Part::new(name, Stage::Files).summary(summary).uses(format!("dirs.{grant}"));
    if excludes.is_empty() { part } else { part.set(setting::EXCLUDE, excludes.join("\n")) }
}

fn secrets(site: &Site) -> Option<Part> {
    let required = site.secrets_required();
    let cipher: Vec<&Located> = site.cipher.files.iter().filter_map(|file| file.at.as_ref()).collect();
    if required.is_empty() && site.secrets.is_empty() && cipher.is_empty() {
        return None;
    }
    let all: Vec<String> = site.secrets.iter().chain(cipher.iter().copied()).map(ToString::to_string).collect();
    let mut part = Part::new(part::SECRETS, Stage::Files).summary(all.join(", "));
    let mut used: Vec<&str> = site.secrets.iter().chain(cipher.iter().copied()).map(|at| at.grant.as_str()).collect();
    used.push(grant::HOME);
    used.sort_unstable();
    used.dedup();
    for grant in used {
        part = part.uses(format!("dirs.{grant}"));
    }
    let cipher: Vec<String> = cipher.iter().map(|at| format!("{}/{}", at.grant, at.path)).collect();
    let part = part.set(setting::REQUIRED, required.join(" "));
    Some(if cipher.is_empty() { part } else { part.set(setting::CIPHER, cipher.join("\n")) })
}

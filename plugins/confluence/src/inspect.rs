//! Looks at a running site for a backup: what there is, what is in the way, what becomes a part.

use strongroom_plugin::{Finding, Inspection, Result, Severity, dirs};

use self::facts::facts;
use crate::{
    describe::{self, grant},
    grants,
    site::{Located, Place, Site},
};

pub(crate) mod cluster;
mod connection;
mod database;
mod entries;
mod facts;
mod fitness;
mod homeless;
pub(crate) mod index;
mod parts;
mod secrets;

pub use secrets::missing;

/// Names of parts.
pub mod part {
    /// The dump.
    pub const DATABASE: &str = "database";
    /// The attachment directory.
    pub const ATTACHMENTS: &str = "attachments";
    /// The home directory without what has a part of its own.
    pub const HOME: &str = "home";
    /// `keys/`, `secured/`, `secrets-config.yaml`, and cipher files.
    pub const SECRETS: &str = "secrets";
    /// The shared home of a cluster.
    pub const SHARED_HOME: &str = super::grant::SHARED_HOME;
    /// The installation directory.
    pub const INSTALL: &str = "install";
    /// What of the search index can be brought back.
    pub const SEARCH_INDEX: &str = "search-index";
}

/// Keys of part settings.
pub mod setting {
    /// The directory grant that a part lies in.
    pub const GRANT: &str = "grant";
    /// The path below that grant.
    pub const PATH: &str = "path";
    /// Names that must be there.
    pub const REQUIRED: &str = "required";
    /// Patterns of what a directory leaves to other parts, one a line.
    pub const EXCLUDE: &str = "exclude";
    /// Set where the database is embedded: its product.
    pub const EMBEDDED: &str = "embedded";
    /// Cipher files, each as its grant, a slash and its path, one a line.
    pub const CIPHER: &str = "cipher";
    /// Where Lucene's index is: a JSON object of [`crate::index::Places`].
    pub const PLACES: &str = "places";
    /// Set where OpenSearch has the search index: the way in which it is saved.
    pub const WAY: &str = "way";
}

/// What a backup would do.
///
/// # Errors
/// When the home's configuration cannot be read, or the database does not answer.
pub fn inspect() -> Result<Inspection> {
    if let Some(seen) = homeless::inspect()? {
        return Ok(seen);
    }
    let site = Site::read()?;
    let mut seen = Inspection::of([]);
    seen.facts = facts(&site);
    seen.findings.extend(site.findings.iter().cloned());
    seen.findings.extend(fitness::findings(&site));
    cluster::look(&site, &mut seen);
    connection::look(&site, &mut seen)?;
    secrets::look(&site, &mut seen);
    let attachments = attachments(&site, &mut seen)?;
    let index = index::look(&site, &mut seen)?;
    let mut own = parts::own(&site, attachments.as_ref());
    own.extend(crate::index::own(&site)?);
    seen.findings.extend(entries::findings(&site, &own)?);
    database::wants(&site, &mut seen);
    let blocked = seen.findings.iter().any(|finding| finding.severity == Severity::Blocker);
    let estimate = if blocked || site.database.file().is_some() { None } else { database::look(&site, &mut seen)? };
    seen.parts = index.into_iter().chain(parts::parts(&site, attachments.as_ref(), &own, estimate)).collect();
    Ok(seen)
}

/// Where the attachments are; without a grant for it that is asked for.
fn attachments(site: &Site, seen: &mut Inspection) -> Result<Option<Located>> {
    let path = site.attachments();
    let whole = || Located { grant: grant::ATTACHMENTS.to_owned(), path: String::new() };
    let granted = grants::has("dirs", grant::ATTACHMENTS).then(whole);
    let place = match site.place(&path)? {
        Place::Granted(grant, below) if is_link(&grant, &below)? => granted,
        Place::Granted(grant, path) => Some(Located { grant, path }),
        Place::Outside => granted,
    };
    if place.is_none() {
        let message = format!(
            "attachments.dir is {path}, outside every granted directory (or a link): grant dirs.{}",
            grant::ATTACHMENTS
        );
        seen.findings.push(Finding::blocker("attachments-outside", part::ATTACHMENTS, message));
        seen.wants.push(describe::attachments(&path));
    }
    Ok(place)
}

/// A link leads out of what was granted, or might.
fn is_link(grant: &str, path: &str) -> Result<bool> {
    let dir = dirs::get(grant)?;
    Ok(!path.is_empty() && dir.find(path)?.is_some_and(|stat| stat.kind == dirs::Kind::Symlink))
}

#[cfg(test)]
mod tests;

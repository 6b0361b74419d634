//! Looks at a running site for a backup: what there is, what is in the way, what becomes a part.

use strongroom_plugin::{Finding, Inspection, Part, Result, Severity, Stage, dirs};

use self::facts::facts;
use crate::{
    describe::{self, grant},
    grants, home,
    site::{Place, Site},
};

mod database;
mod entries;
mod facts;
mod fitness;
mod homeless;

pub use fitness::missing;

/// Names of parts.
pub mod part {
    /// The dump.
    pub const DATABASE: &str = "database";
    /// The attachment directory.
    pub const ATTACHMENTS: &str = "attachments";
    /// The home directory without what has a part of its own.
    pub const HOME: &str = "home";
    /// `keys/`, `secured/` and `secrets-config.yaml`.
    pub const SECRETS: &str = "secrets";
    /// The installation directory.
    pub const INSTALL: &str = "install";
}

/// Keys of part settings.
pub mod setting {
    /// The directory grant that a part lies in.
    pub const GRANT: &str = "grant";
    /// The path below that grant.
    pub const PATH: &str = "path";
    /// Names that must be there.
    pub const REQUIRED: &str = "required";
    /// A further path that the home leaves to another part.
    pub const EXCLUDE: &str = "exclude";
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
    seen.findings.extend(entries::findings()?);
    let attachments = attachments(&site, &mut seen)?;
    let blocked = seen.findings.iter().any(|finding| finding.severity == Severity::Blocker);
    let estimate = if blocked { None } else { database::look(&site, &mut seen)? };
    seen.parts = parts(&site, attachments, estimate);
    Ok(seen)
}

/// Where the attachments are; without a grant for it that is asked for.
fn attachments(site: &Site, seen: &mut Inspection) -> Result<Option<(String, String)>> {
    let path = site.attachments();
    let granted = grants::has("dirs", grant::ATTACHMENTS).then(|| (grant::ATTACHMENTS.to_owned(), String::new()));
    let place = match site.place(&path)? {
        Place::Granted(grant, below) if is_link(&grant, &below)? => granted,
        Place::Granted(grant, below) => Some((grant, below)),
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

fn parts(site: &Site, attachments: Option<(String, String)>, estimate: Option<u64>) -> Vec<Part> {
    let mut dump = Part::new(part::DATABASE, Stage::Database)
        .summary(format!("{}, dumped in one view and read back", site.database.shown()))
        .uses("sql.database")
        .uses("tools.dump")
        .uses("tools.read-dump");
    dump.bytes_estimate = estimate;
    let mut parts = vec![dump];
    let mut home =
        Part::new(part::HOME, Stage::Files).summary(format!("{} without what has its own part", site.home.path));
    if let Some((grant, path)) = attachments {
        if grant == grant::HOME && path != home::ATTACHMENTS {
            home = home.set(setting::EXCLUDE, format!("/{path}"));
        }
        let part = Part::new(part::ATTACHMENTS, Stage::Files).ahead().summary(site.attachments());
        parts.push(part.uses(format!("dirs.{grant}")).set(setting::GRANT, grant).set(setting::PATH, path));
    }
    parts.push(home.uses("dirs.home"));
    let required = site.secrets_required();
    if !required.is_empty() || !site.secrets.is_empty() {
        let part = Part::new(part::SECRETS, Stage::Files).summary(site.secrets.join(", ")).uses("dirs.home");
        parts.push(part.set(setting::REQUIRED, required.join(" ")));
    }
    if grants::has("dirs", grant::INSTALL) {
        let summary = "the installation directory without work, temp and logs";
        parts.push(Part::new(part::INSTALL, Stage::Files).summary(summary).uses("dirs.install"));
    }
    for name in grants::externals() {
        let summary = grants::path(&name).unwrap_or_default();
        parts.push(Part::new(&name, Stage::Files).summary(summary).uses(format!("dirs.{name}")));
    }
    parts
}

#[cfg(test)]
mod tests;

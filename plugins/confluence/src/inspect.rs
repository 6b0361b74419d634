//! Looks at a running site for a backup: what there is, what is in the way, what becomes a part.

use strongroom_plugin::{Context, ErrorCode, Finding, Inspection, Part, Result, Stage, dirs, sql};

use self::facts::facts;
use crate::{
    catalogue,
    describe::{self, grant},
    grants,
    home::{self, Class},
    site::{Place, Site},
};

mod facts;
mod fitness;

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
    let site = Site::read()?;
    let mut seen = Inspection::of([]);
    seen.facts = facts(&site);
    seen.findings.extend(site.findings.iter().cloned());
    seen.findings.extend(fitness::findings(&site));
    seen.findings.extend(left_out()?);
    let attachments = attachments(&site, &mut seen)?;
    let blocked = seen.findings.iter().any(|finding| finding.severity == strongroom_plugin::Severity::Blocker);
    let estimate = if blocked { None } else { database(&site, &mut seen)? };
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

/// Asks the database lightly: is it this site's, how large is it.
fn database(site: &Site, seen: &mut Inspection) -> Result<Option<u64>> {
    let database = match sql::get(grant::DATABASE) {
        Ok(database) => database,
        Err(error) if error.code == ErrorCode::Denied => return Ok(None),
        Err(error) => return Err(error),
    };
    let location = database.location();
    let view = database.begin().context(format!("looking at the database {location}"))?;
    let mut fact = |key: &str, value: String| seen.facts.push((key.into(), value));
    fact("database server", database.server_version());
    let tables = catalogue::tables(&view)?;
    fact("tables", tables.len().to_string());
    let size = view.number("SELECT coalesce(sum(pg_table_size(c.oid)), 0) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'", &[])?;
    match catalogue::holds(&tables, "confversion") && catalogue::holds(&tables, "content") {
        true => {
            let build = catalogue::build_number(&view)?;
            fact("database build number", build.map_or("none".into(), |build| build.to_string()));
            seen.findings.extend(fitness::builds(site.cfg.build_number, build));
        }
        false => {
            let message = format!("{location} has no tables content and confversion: it is not a Confluence database");
            seen.findings.push(Finding::blocker("not-confluence", part::DATABASE, message));
        }
    }
    seen.findings.extend(fitness::locations(site, &location));
    view.end()?;
    Ok(Some(size))
}

/// What lies directly in the home and in its `shared-home`: left out, or saved though not known.
///
/// # Errors
/// When the home cannot be listed.
pub fn left_out() -> Result<Vec<Finding>> {
    let dir = dirs::get(grant::HOME)?;
    let mut by_reason: Vec<(&str, Vec<String>)> = Vec::new();
    let mut unknown = Vec::new();
    for base in ["", home::SHARED] {
        if !base.is_empty() && dir.find(base)?.is_none_or(|stat| stat.kind != dirs::Kind::Directory) {
            continue;
        }
        for entry in dir.entries(base) {
            let entry = entry.context("listing the home directory")?;
            let shown = if base.is_empty() { entry.name.clone() } else { format!("{base}/{}", entry.name) };
            let class = home::class(&entry.name);
            match (home::reason(class), by_reason.iter_mut().find(|(reason, _)| Some(*reason) == home::reason(class))) {
                (Some(_), Some((_, names))) => names.push(shown),
                (Some(reason), None) => by_reason.push((reason, vec![shown])),
                (None, _) if class == Class::Unknown => unknown.push(shown),
                (None, _) => {}
            }
        }
    }
    let left = |(reason, names): (&str, Vec<String>)| {
        Finding::info("left-out", part::HOME, format!("not saved, {reason}: {}", names.join(", ")))
    };
    let mut findings: Vec<Finding> = by_reason.into_iter().map(left).collect();
    if !unknown.is_empty() {
        let message = format!("saved, though Confluence is not known to make them: {}", unknown.join(", "));
        findings.push(Finding::info("unknown-entry", part::HOME, message));
    }
    Ok(findings)
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

//! Looks at a snapshot and at the target, and says what a restore would do and what is in its way.

use strongroom_plugin::{
    Context, ErrorCode, Finding, Inspection, Need, Part, Result, Stage, archive, context, dirs, sql,
};

use super::target::{self, Target, archived_cfg};
use crate::{
    catalogue,
    cipher::PASSWORD,
    describe::{self, grant},
    grants::{self, Address},
    home::{self, Class},
    inspect::part,
    jdbc::Vendor,
    paths::Paths,
    triple,
};

/// What a restore would do.
///
/// # Errors
/// When the snapshot's configuration cannot be read, or the target database does not answer.
pub fn inspect() -> Result<Inspection> {
    let mut seen = Inspection::of([]);
    for name in archive::parts()? {
        match name.as_str() {
            part::DATABASE if !target::is_embedded()? => database(&mut seen)?,
            _ => directory(&name, &mut seen)?,
        }
    }
    configuration(&mut seen)?;
    Ok(seen)
}

fn database(seen: &mut Inspection) -> Result<()> {
    seen.parts.push(
        Part::new(part::DATABASE, Stage::Database)
            .summary("the dump into an empty database")
            .uses("sql.database")
            .uses("tools.restore"),
    );
    if !grants::has("tools", grant::RESTORE) {
        let message = "a dump is loaded by pg_restore: grant tools.restore";
        seen.findings.push(Finding::blocker("restore-tool", part::DATABASE, message));
        seen.wants.push(describe::restore());
    }
    let target = match sql::get(grant::DATABASE) {
        Ok(target) => target,
        Err(error) if error.code == ErrorCode::Denied => return Ok(()),
        Err(error) => return Err(error),
    };
    let location = target.location();
    seen.findings.extend(vendor(&target.engine())?);
    let view = target.begin().context(format!("looking at the database {location}"))?;
    let tables = catalogue::tables(&view)?.len();
    view.end()?;
    seen.facts.push(("target database".into(), format!("{location}, {tables} tables")));
    seen.findings.extend(occupied(
        part::DATABASE,
        &format!("the database {location}"),
        &format!("{tables} tables"),
        tables == 0,
    ));
    Ok(())
}

/// A dump of one product is nothing to another.
fn vendor(engine: &str) -> Result<Option<Finding>> {
    let Some(cfg) = archived_cfg()? else { return Ok(None) };
    let by_url = cfg.get("hibernate.connection.url").and_then(Vendor::of_url);
    let old = by_url.or_else(|| cfg.get("hibernate.dialect").and_then(Vendor::of_dialect));
    let (Some(old), Some(new)) = (old, Vendor::of_engine(engine)) else { return Ok(None) };
    let message =
        format!("the site's database is {}, the granted one is {}: grant one of the same kind", old.name(), new.name());
    Ok((old != new).then(|| Finding::blocker("vendor-changed", part::DATABASE, message)))
}

fn directory(name: &str, seen: &mut Inspection) -> Result<()> {
    let targets = Target::all(name)?;
    let shown = |target: &Target| match target.to.path.as_str() {
        "" => format!("dirs.{}", target.to.grant),
        path => format!("dirs.{}, {path}", target.to.grant),
    };
    let stage = if name == part::DATABASE { Stage::Database } else { Stage::Files };
    let all: Vec<String> = targets.iter().map(shown).collect();
    let mut part = Part::new(name, stage).summary(format!("into {}", all.join(" and ")));
    for target in &targets {
        part = part.uses(format!("dirs.{}", target.to.grant));
    }
    seen.parts.push(part);
    for target in &targets {
        place(name, target, seen)?;
    }
    Ok(())
}

/// One of a part's places.
fn place(name: &str, target: &Target, seen: &mut Inspection) -> Result<()> {
    let uses = format!("dirs.{}", target.to.grant);
    let grants = context::grants();
    let Some(granted) = grants.find("dirs", &target.to.grant) else {
        let message =
            format!("this part goes into a directory that is not granted: grant {uses} with access = \"write\"");
        seen.findings.push(Finding::blocker("target-missing", name, message));
        let suggestion = "path = \"/path/to/an/empty/directory\"\naccess = \"write\"\n";
        seen.wants.push(Need::dirs_write(&target.to.grant).because("a restore writes there").suggest(suggestion));
        return Ok(());
    };
    if granted.display.ends_with(", read") {
        let message = format!("{uses} is granted to be read: set access = \"write\"");
        seen.findings.push(Finding::blocker("target-read-only", name, message));
    }
    let empty = free(name, target)?;
    seen.findings.extend(occupied(name, &granted.display, "entries of this part", empty));
    Ok(())
}

/// Whether a part's own place is empty: several parts go into one home.
fn free(name: &str, target: &Target) -> Result<bool> {
    let dir = match dirs::get(&target.to.grant) {
        Ok(dir) => dir,
        // It will be made.
        Err(error) if error.is_not_found() => return Ok(true),
        Err(error) => return Err(error),
    };
    let below = |path: &str| -> Result<Vec<String>> {
        let names: Result<Vec<String>> = dir.entries(path).map(|entry| Ok(entry?.name)).collect();
        match names {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            names => names,
        }
    };
    let in_home = target.to.grant == grant::HOME && target.to.path.is_empty();
    let shared = if in_home { below(home::SHARED)? } else { Vec::new() };
    let is_home = in_home || name == part::SHARED_HOME || grants::is_one_of(name, grant::NODE);
    let own = |entry: &String| match name {
        part::SECRETS => triple::NAMES.contains(&entry.as_str()),
        _ if is_home => home::class(entry) != Class::OwnPart && entry != home::SHARED,
        _ => true,
    };
    Ok(!below(&target.to.path)?.iter().chain(&shared).any(own))
}

/// Nothing that is there is overwritten unless the operator says so.
fn occupied(part: &str, target: &str, what: &str, empty: bool) -> Option<Finding> {
    if empty {
        return None;
    }
    let message = format!("{target} holds {what} already");
    Some(match context::overwrite() {
        true => Finding::warning("target-not-empty", part, format!("{message}: they may be overwritten, as you asked")),
        false => Finding::blocker(
            "target-not-empty",
            part,
            format!("{message}: choose an empty one, or restore with --overwrite"),
        ),
    })
}

/// What the restored configuration will say.
fn configuration(seen: &mut Inspection) -> Result<()> {
    let Some(cfg) = archived_cfg()? else { return Ok(()) };
    let mut fact = |key: &str, value: String| seen.facts.push((key.into(), value));
    fact("build number", cfg.build_number.map_or("unknown".into(), |build| build.to_string()));
    let target = Paths::of_target()?;
    let home = |paths: Option<&Paths>| paths.and_then(|paths| paths.get(grant::HOME)).unwrap_or("unknown").to_owned();
    fact("home", format!("{}, was {}", home(Some(&target)), home(Paths::noted()?.as_ref())));
    let has_password = cfg.get(PASSWORD).is_some_and(|password| !password.is_empty());
    if has_password && !grants::has("secrets", grant::PASSWORD) {
        let message =
            "confluence.cfg.xml will keep its database password: grant secrets.database-password if it is another one";
        seen.findings.push(Finding::info("password-kept", part::HOME, message));
    }
    if grants::has("sql", grant::DATABASE)
        && let Some(address) = Address::granted()?
        && address.host.starts_with('/')
    {
        let message =
            format!("confluence.cfg.xml will keep its database URL: Java cannot use the socket in {}", address.host);
        seen.findings.push(Finding::warning("url-kept", part::HOME, message));
    }
    Ok(())
}

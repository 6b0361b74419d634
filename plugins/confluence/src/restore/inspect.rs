//! Looks at a snapshot and at the target, and says what a restore would do and what is in its way.

use strongroom_database::{restore as dump, trees::Target};
use strongroom_plugin::{Finding, Inspection, Part, Result, Stage, archive};

use super::target::{self, archived_cfg};
use crate::{
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
            part::DATABASE if !target::is_embedded()? => {
                dump::inspect(part::DATABASE, &describe::needs(), vendor()?, &mut seen)?
            }
            _ => directory(&name, &mut seen)?,
        }
    }
    configuration(&mut seen)?;
    Ok(seen)
}

/// The vendor whose database was saved, as the snapshot's configuration names it.
fn vendor() -> Result<Option<Vendor>> {
    let Some(cfg) = archived_cfg()? else { return Ok(None) };
    let by_url = cfg.get("hibernate.connection.url").and_then(Vendor::of_url);
    Ok(by_url.or_else(|| cfg.get("hibernate.dialect").and_then(Vendor::of_dialect)))
}

fn directory(name: &str, seen: &mut Inspection) -> Result<()> {
    let targets = target::all(name)?;
    let shown = |target: &Target| match target.to.path.as_str() {
        "" => format!("dirs.{}", target.to.grant),
        path => format!("dirs.{}, {path}", target.to.grant),
    };
    let stage = if name == part::DATABASE { Stage::Database } else { Stage::Files };
    let all: Vec<String> = targets.iter().map(shown).collect();
    let part = Part::new(name, stage).summary(format!("into {}", all.join(" and ")));
    dump::into_directories(part, &targets, seen, |target| free(name, target))
}

/// Whether a part's own place is empty: several parts go into one home.
fn free(name: &str, target: &Target) -> Result<bool> {
    let Some(dir) = target.to.dir()? else { return Ok(true) };
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
        && let Some(address) = Address::granted(grant::DATABASE)?
        && address.host.starts_with('/')
    {
        let message =
            format!("confluence.cfg.xml will keep its database URL: Java cannot use the socket in {}", address.host);
        seen.findings.push(Finding::warning("url-kept", part::HOME, message));
    }
    Ok(())
}

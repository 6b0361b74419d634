//! Stores the parts that are directories.

use strongroom_plugin::{
    Error, Finding, Outcome, Part, Pass, Result, TreeOptions, context,
    dirs::{self, Kind},
    snapshot, tree,
};

use super::note;
use crate::{describe::grant, home, inspect::setting, install, paths::Paths, site::Site};

/// Attachments come and go while they are read; whether one is missing is told by the database's own list.
pub(super) fn attachments(part: &Part, pass: Pass) -> Result<Outcome> {
    let (name, path) = (part.expect_setting(setting::GRANT)?, part.expect_setting(setting::PATH)?);
    let dir = dirs::get(name)?;
    if !path.is_empty() && dir.find(path)?.is_none_or(|stat| stat.kind != Kind::Directory) {
        let finding =
            Finding::warning("attachments-absent", &part.name, format!("there is no directory {path} in dirs.{name}"));
        tree::noted(part, 0)?;
        return Ok(Outcome::new("no attachment directory").receipt("entries", 0, 0).finding(finding));
    }
    let report = snapshot::put_subtree("", &dir, path, &TreeOptions::default().tolerant())?;
    if pass == Pass::InStage {
        tree::noted(part, report.stored)?;
    }
    Ok(tree::outcome(&report))
}

pub(super) fn home(part: &Part) -> Result<Outcome> {
    let site = Site::read()?;
    context::set_note(note::PATHS, &Paths::of_site(&site).to_json())?;
    let excludes = home::excludes().into_iter().chain(part.setting(setting::EXCLUDE).map(str::to_owned));
    let options = TreeOptions::default().excluding(excludes).tolerant();
    // `confluence.cfg.xml` holds the database's password.
    Ok(tree::backup(part, &dirs::get(grant::HOME)?, &options)?.holding_secrets())
}

pub(super) fn install(part: &Part) -> Result<Outcome> {
    let dir = dirs::get(grant::INSTALL)?;
    let outcome = tree::backup(part, &dir, &TreeOptions::default().excluding(install::excludes()).tolerant())?;
    let mut left = Vec::new();
    for name in install::LEFT_OUT {
        if dir.find(name)?.is_some() {
            left.push(name);
        }
    }
    if left.is_empty() {
        return Ok(outcome);
    }
    let message = format!("not saved, made anew by Tomcat: {}", left.join(", "));
    Ok(outcome.finding(Finding::info("left-out", &part.name, message)))
}

pub(super) fn external(part: &Part) -> Result<Outcome> {
    if !part.name.starts_with(grant::EXTERNAL) {
        return Err(Error::invalid(format!("Confluence has no part {:?}: make a new plan", part.name)));
    }
    tree::backup(part, &dirs::get(&part.name)?, &TreeOptions::default().tolerant())
}

//! Stores the parts that are directories.

use strongroom_plugin::{
    Error, Finding, Outcome, Part, Pass, Result, TreeOptions, context,
    dirs::{self, Kind},
    snapshot, tree,
};

use super::note;
use crate::{
    describe::grant,
    grants,
    home::Selection,
    inspect::{cluster, part, setting},
    install,
    paths::Paths,
    settings::Settings,
    site::Site,
};

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

/// This node's home. A cluster is complete with the homes of all its nodes: they are counted here.
pub(super) fn home(part: &Part) -> Result<Outcome> {
    let site = Site::read()?;
    context::set_note(note::PATHS, &Paths::of_site(&site).to_json())?;
    // `confluence.cfg.xml` holds the database's password.
    let outcome = tree::backup(part, &dirs::get(grant::HOME)?, &Selection::of(&site.settings).options(excludes(part)))?
        .holding_secrets();
    Ok(match cluster::counted(&site) {
        Some((expected, granted)) => outcome.receipt("homes of nodes", expected, granted),
        None => outcome,
    })
}

fn excludes(part: &Part) -> Vec<String> {
    part.setting(setting::EXCLUDE).unwrap_or_default().lines().map(str::to_owned).collect()
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

/// The shared home, the homes of other nodes, and directories that the operator adds.
pub(super) fn other(part: &Part) -> Result<Outcome> {
    let settings = Settings::read()?;
    let is_home = part.name == part::SHARED_HOME || grants::is_one_of(&part.name, grant::NODE);
    let options = match is_home {
        true => Selection::of(&settings).options(excludes(part)),
        false if grants::is_one_of(&part.name, grant::EXTERNAL) => {
            TreeOptions::default().excluding(excludes(part)).tolerant()
        }
        false => return Err(Error::invalid(format!("Confluence has no part {:?}: make a new plan", part.name))),
    };
    tree::backup(part, &dirs::get(&part.name)?, &options)
}

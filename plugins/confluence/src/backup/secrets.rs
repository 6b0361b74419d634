//! Stores the site's secrets as one unit: all that are required, or the part fails.

use strongroom_plugin::{
    Error, Meta, Outcome, Part, Result, TreeOptions, context,
    dirs::{self, Kind},
    snapshot, tree,
};

use super::note;
use crate::{
    inspect::{self, setting},
    site::{Located, Site},
    triple,
};

pub(super) fn backup(part: &Part) -> Result<Outcome> {
    let site = Site::read()?;
    let required: Vec<&str> = part.setting(setting::REQUIRED).unwrap_or_default().split_whitespace().collect();
    let missing = inspect::missing(&required, &site.secrets);
    if !missing.is_empty() {
        let message = format!(
            "{} must be there for this version and configuration, and are in no home of a node and no shared home",
            missing.join(", ")
        );
        return Err(Error::not_found(message));
    }
    let cipher = cipher_files(part)?;
    let (mut expected, mut stored) = (0, 0);
    for located in site.secrets.iter().chain(&cipher) {
        let (seen, kept) = store(located)?;
        expected += seen;
        stored += kept;
    }
    context::set_note(note::SECRETS, &required.join(" "))?;
    let names: Vec<String> = cipher.iter().map(triple::stored_at).collect();
    context::set_note(note::CIPHER, &names.join("\n"))?;
    tree::noted(part, stored)?;
    let all: Vec<String> = site.secrets.iter().chain(&cipher).map(ToString::to_string).collect();
    let needed = (required.len() + cipher.len()) as u64;
    let outcome = Outcome::new(all.join(", ")).receipt("entries", expected, stored).holding_secrets();
    Ok(outcome.receipt("secrets required", needed, needed - missing.len() as u64))
}

/// What `inspect` found of an encrypted password.
fn cipher_files(part: &Part) -> Result<Vec<Located>> {
    let one = |line: &str| {
        let (grant, path) =
            line.split_once('/').ok_or_else(|| Error::invalid(format!("{line:?} is no cipher file")))?;
        Ok(Located { grant: grant.to_owned(), path: path.to_owned() })
    };
    part.setting(setting::CIPHER).unwrap_or_default().lines().map(one).collect()
}

/// Entries seen and entries stored. Keys do not change while Confluence runs: if one does, the part fails.
fn store(located: &Located) -> Result<(u64, u64)> {
    let dir = dirs::get(&located.grant)?;
    let (path, target) = (&located.path, triple::stored_at(located));
    let stat = dir.stat(path)?;
    if stat.kind == Kind::Directory {
        let report = snapshot::put_subtree(&target, &dir, path, &TreeOptions::default())?;
        return Ok((report.expected, report.stored));
    }
    snapshot::put(&target, dir.open(path)?, &Meta::from(&stat))?;
    Ok((1, 1))
}

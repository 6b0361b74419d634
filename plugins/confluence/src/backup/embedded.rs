//! Copies the files of an embedded database while it is proven that nobody uses them.

use strongroom_plugin::{
    Error, Finding, Instant, InstantKind, Outcome, Part, Result, Severity, TreeOptions, context, dirs, snapshot, tree,
};

use super::note;
use crate::{
    embedded::{Embedded, STOP, Seen},
    inspect::{connection, parts},
    site::Site,
};

pub(super) fn backup(part: &Part) -> Result<Outcome> {
    let database = Embedded::of(&Site::read()?)?;
    let database = &database.ok_or_else(|| Error::invalid("the site has no embedded database: make a new plan"))?;
    let files = stopped(database)?;
    let asked = context::now();
    snapshot::fix_instant(&Instant {
        not_before: asked,
        not_after: asked,
        kind: InstantKind::Stopped,
        clock: "host".into(),
        ahead_of_host_ms: 0,
        attributes: Vec::new(),
    })?;
    let dir = dirs::get(&database.at.grant)?;
    let mut findings = Vec::new();
    // With their directory, whose owner must be Confluence's again.
    let only = TreeOptions::default().including(files.iter().map(|file| parts::pattern(&file.name)));
    let report = snapshot::put_subtree("", &dir, &database.at.path, &only)?;
    for file in &files {
        findings.extend(connection::health(database, &file.name, file.size)?);
    }
    if stopped(database)? != files {
        return Err(Error::other(
            "the database's files changed while they were copied: Confluence was started meanwhile",
        ));
    }
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    context::set_note(note::EMBEDDED, &names.join("\n"))?;
    tree::noted(part, report.stored)?;
    let count = files.len() as u64;
    let damaged = findings.iter().filter(|finding| finding.severity == Severity::Blocker).count() as u64;
    let outcome = Outcome::new(names.join(", ")).receipt("entries", count, report.files);
    let unread = Finding::info("embedded-unread", &part.name, "rows of an embedded database are not counted");
    Ok(outcome.receipt("sound files", count, count - damaged).findings(findings).finding(unread))
}

/// The files as they are, while nobody uses them.
fn stopped(database: &Embedded) -> Result<Vec<Seen>> {
    let files = database.files()?;
    if files.is_empty() {
        return Err(Error::not_found(format!("there are no files {}.* in {}", database.stem, database.at)));
    }
    match database.used()? {
        Some(who) => Err(Error::other(format!("{who}: {STOP}"))),
        None => Ok(files),
    }
}

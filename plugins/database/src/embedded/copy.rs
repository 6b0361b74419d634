//! Copies the files of an embedded database while it is proven that nobody uses them.

use strongroom_plugin::{
    Error, Finding, Instant, InstantKind, Outcome, Part, Result, Severity, TreeOptions, context, dirs, snapshot, tree,
};

use super::{Embedded, NOTE, Seen, health, stop};
use crate::located::pattern;

/// Copies the files, and proves before and after that nobody uses them.
///
/// # Errors
/// When somebody does, or that cannot be told; when the files change or cannot be read.
pub fn backup(part: &Part, database: &Embedded) -> Result<Outcome> {
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
    // With their directory, whose owner must be the product's again.
    let only = TreeOptions::default().including(files.iter().map(|file| pattern(&file.name)));
    let report = snapshot::put_subtree("", &dir, &database.at.path, &only)?;
    for file in &files {
        findings.extend(health(database, &part.name, file)?);
    }
    if stopped(database)? != files {
        let message =
            format!("the database's files changed while they were copied: {} ran meanwhile", database.product);
        return Err(Error::other(message));
    }
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    context::set_note(NOTE, &names.join("\n"))?;
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
        Some(who) => Err(Error::other(format!("{who}: {}", stop(database.product)))),
        None => Ok(files),
    }
}

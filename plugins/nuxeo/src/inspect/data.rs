//! The data directory and what belongs to it elsewhere: transient stores, and streams that are files.

use strongroom_database::located::{Located, below, pattern};
use strongroom_plugin::{Finding, Inspection, Need, Part, Result, Stage};

use super::{part, search, setting, stores::Stores};
use crate::{
    conf::effective::{Database, Engine},
    describe,
    instance::Instance,
};

/// Directories of Chronicle that say how far a group has read.
const POSITIONS: &str = "offset-*/";
/// What Nuxeo makes anew.
const LEFT_OUT: [&str; 3] = ["/tmp", "/cache", "*.tmp"];

pub(super) fn look(instance: &Instance, stores: &Stores, seen: &mut Inspection) -> Result<Vec<Part>> {
    let directories = &instance.effective.directories;
    let mut parts = Vec::new();
    let Some(data) = instance.place(&directories.data) else {
        let want = describe::data(&directories.data);
        outside("data-outside", part::DATA, &directories.data, want, seen);
        return Ok(parts);
    };
    let mut own: Vec<Located> = stores.found.iter().map(|(_, at)| at.clone()).collect();
    let mut excludes: Vec<String> = LEFT_OUT.iter().map(|pattern| (*pattern).to_owned()).collect();
    parts.extend(transient(instance, seen)?.inspect(|part| own.extend(place(part))));
    parts.extend(streams(instance, &mut excludes, seen)?);
    own.extend(embedded(instance));
    if let Some(files) = search::look(instance, &data, seen)? {
        own.push(files.at);
        parts.extend(files.part);
    }
    let own = own.iter().filter_map(|at| instance.paths.path(&at.grant, &at.path));
    excludes.extend(own.filter_map(|path| Some(pattern(within(instance, &path)?))));
    let summary = format!("{} without what has its own part", directories.data);
    parts.push(tree(part::DATA, Stage::Files, &data, summary).set(setting::EXCLUDE, excludes.join("\n")));
    Ok(parts)
}

/// The files of an embedded database, which have their own part.
fn embedded(instance: &Instance) -> Option<Located> {
    let file = instance.effective.databases.iter().find_map(|database| match database {
        Database::Sql(sql) if sql.engine == Engine::H2 && !sql.incidental => sql.file(),
        _ => None,
    })?;
    let (directory, _) = file.stem.rsplit_once('/')?;
    instance.place(directory)
}

/// What of a place lies below another one.
pub(super) fn inside<'a>(at: &'a Located, base: &Located) -> Option<&'a str> {
    let rest = if base.path.is_empty() { Some(at.path.as_str()) } else { below(&at.path, &base.path) };
    rest.filter(|rest| at.grant == base.grant && !rest.is_empty())
}

/// What of a path lies below the data directory, whatever it was granted as.
fn within<'a>(instance: &Instance, path: &'a str) -> Option<&'a str> {
    below(path, &instance.effective.directories.data).filter(|rest| !rest.is_empty())
}

fn place(part: &Part) -> Option<Located> {
    Some(Located::new(part.setting(setting::GRANT)?, part.setting(setting::PATH)?))
}

/// A part that is a directory.
pub(super) fn tree(name: &str, stage: Stage, at: &Located, summary: String) -> Part {
    let part = Part::new(name, stage).summary(summary).uses(format!("dirs.{}", at.grant));
    part.set(setting::GRANT, &at.grant).set(setting::PATH, &at.path)
}

fn outside(code: &str, part: &str, path: &str, want: Need, seen: &mut Inspection) {
    let message = format!("{path} lies outside every granted directory (or behind a link): grant dirs.{}", want.name);
    seen.findings.push(Finding::blocker(code, part, message));
    seen.wants.push(want);
}

/// A part of the queues where large records wait in it; else what can be lost.
fn transient(instance: &Instance, seen: &mut Inspection) -> Result<Option<Part>> {
    let path = &instance.effective.directories.transientstores;
    let needed = instance.effective.overflow.needs_transient_stores();
    let Some(at) = instance.place(path) else {
        if needed {
            outside("transient-outside", part::TRANSIENT, path, describe::transient(path), seen);
        } else {
            let message = format!(
                "{path} lies outside every granted directory and is not saved: nothing waits in it that must survive"
            );
            seen.findings.push(Finding::info("transient-outside", part::TRANSIENT, message));
        }
        return Ok(None);
    };
    if !needed && instance.present(path)?.is_none() {
        return Ok(None);
    }
    Ok(Some(tree(part::TRANSIENT, Stage::Files, &at, format!("{path}, the transient stores"))))
}

/// Positions must be older than the database, the queues newer.
fn streams(instance: &Instance, excludes: &mut Vec<String>, seen: &mut Inspection) -> Result<Vec<Part>> {
    let Some(path) = &instance.effective.chronicle else { return Ok(Vec::new()) };
    let Some(at) = instance.place(path) else {
        outside("stream-outside", part::STREAM, path, describe::stream(path), seen);
        return Ok(Vec::new());
    };
    let summary = format!("how far each group has read the queues in {path}");
    let mut parts = vec![tree(part::POSITIONS, Stage::Positions, &at, summary).set(setting::INCLUDE, POSITIONS)];
    match within(instance, path) {
        Some(rest) => excludes.push(format!("{}/**/{POSITIONS}", pattern(rest))),
        None => {
            let summary = format!("{path}, Chronicle queues");
            parts.push(tree(part::STREAM, Stage::Files, &at, summary).set(setting::EXCLUDE, POSITIONS));
        }
    }
    Ok(parts)
}

//! What the configuration consists of, and what it says to the steps after this one.

use strongroom_database::located::Located;
use strongroom_plugin::{Finding, Inspection, Need, Part, Result, Stage};

use super::{data::inside, part, setting};
use crate::{
    backup::note,
    conf::effective::AuditIndex,
    describe::{self, grant},
    instance::{Instance, TEMPLATES},
};

pub(super) fn look(instance: &Instance, seen: &mut Inspection) -> Result<()> {
    let mut items = vec![instance.conf.clone()];
    items.extend(beside(instance)?);
    items.extend(directories(instance)?);
    for path in files(instance) {
        match instance.present(&path)? {
            Some(at) => items.push(at),
            None => missing(&path, seen),
        }
    }
    let items = outermost(items);
    let lines: Vec<String> = items.iter().map(|at| format!("{}/{}", at.grant, at.path)).collect();
    let mut part =
        Part::new(part::CONFIGURATION, Stage::Files).ahead().summary("nuxeo.conf, templates, packages and keys");
    let mut used: Vec<&str> = items.iter().map(|at| at.grant.as_str()).collect();
    used.sort_unstable();
    used.dedup();
    part = used.into_iter().fold(part, |part, grant| part.uses(format!("dirs.{grant}")));
    part = part.set(setting::ITEMS, lines.join("\n"));
    for (key, value) in notes(instance) {
        part = part.set(format!("{}{key}", setting::NOTE), value);
    }
    seen.parts.push(part);
    Ok(())
}

/// What a container appends to `nuxeo.conf`.
fn beside(instance: &Instance) -> Result<Option<Located>> {
    let at = Located::new(&instance.conf.grant, "conf.d");
    Ok((at.grant == grant::CONFIGURATION && at.find()?.is_some()).then_some(at))
}

fn directories(instance: &Instance) -> Result<Vec<Located>> {
    let effective = &instance.effective;
    let templates = format!("{}/{TEMPLATES}", effective.home.trim_end_matches('/'));
    let mut paths = vec![templates, effective.directories.config.clone(), effective.directories.packages.clone()];
    paths.extend(effective.chain.templates.iter().filter(|one| one.included()).map(|one| one.path.clone()));
    let mut found = Vec::new();
    for path in paths {
        found.extend(instance.present(&path)?.filter(|at| !at.path.is_empty() || at.grant != grant::HOME));
    }
    Ok(found)
}

/// Without these the instance cannot read what it has encrypted, or cannot connect.
fn files(instance: &Instance) -> Vec<String> {
    let effective = &instance.effective;
    let mut files: Vec<String> = effective.key_files.iter().map(|file| file.path.clone()).collect();
    files.extend(effective.encrypted.files.iter().cloned());
    files.sort_unstable();
    files.dedup();
    files
}

fn missing(path: &str, seen: &mut Inspection) {
    let message =
        format!("the configuration names {path}, which lies in no granted directory or is not there: it is not saved");
    seen.findings.push(Finding::warning("file-outside", part::CONFIGURATION, message));
    let directory = path.rsplit_once('/').map_or("/", |(directory, _)| directory);
    let name = format!("{}-keys", grant::TEMPLATES);
    if !directory.is_empty() && seen.wants.iter().all(|want| want.name != name) {
        seen.wants.push(Need { name, many: false, ..describe::templates(directory) });
    }
}

/// Without what lies in another one of them.
fn outermost(items: Vec<Located>) -> Vec<Located> {
    let mut kept: Vec<Located> = Vec::new();
    for at in &items {
        let covered = items.iter().any(|other| other != at && (inside(at, other).is_some()));
        if !covered && !kept.contains(at) {
            kept.push(at.clone());
        }
    }
    kept
}

fn notes(instance: &Instance) -> Vec<(&'static str, String)> {
    let effective = &instance.effective;
    let mut notes = vec![
        (note::PATHS, instance.paths.to_json()),
        (note::CONF, format!("{}/{}", instance.conf.grant, instance.conf.path)),
    ];
    notes.extend(effective.version.map(|version| (note::VERSION, version.to_string())));
    if effective.kafka.enabled {
        let servers: Vec<String> = effective.kafka.servers.iter().map(ToString::to_string).collect();
        let prefixes: Vec<&str> = effective.kafka.prefixes().collect();
        notes.push((note::KAFKA_PREFIX, effective.kafka.prefix.clone()));
        notes.push((note::KAFKA_BOOTSTRAP, servers.join(",")));
        notes.push((note::KAFKA_PREFIXES, prefixes.join("\n")));
    }
    if let AuditIndex::Must(index) = &effective.search.audit {
        notes.push((note::AUDIT_INDEX, index.clone()));
    }
    notes.extend(effective.search.uid_index.clone().map(|index| (note::UIDGEN_INDEX, index)));
    notes
}

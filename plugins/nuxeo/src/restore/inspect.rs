//! Looks at a snapshot and at the target, and says what a restore would do and what is in its way.

use strongroom_database::{dump::DUMP, engine::Engine, grants, jdbc::Vendor, restore as dump, trees::Target};
use strongroom_plugin::{Finding, Inspection, Part, Result, Stage, archive, context};

use super::target::{self, below_of};
use crate::{
    backup::note,
    describe::{self, grant, needs_of},
    inspect::part,
};

/// How many files of the configuration are looked for in the target.
const LOOKED_FOR_MAX: usize = 1000;

/// What a restore would do.
///
/// # Errors
/// When the snapshot cannot be read, or the target database does not answer.
pub fn inspect() -> Result<Inspection> {
    let mut seen = Inspection::of([]);
    for name in archive::parts()? {
        match name.as_str() {
            part::MONGODB => mongodb(&mut seen),
            name if part::is_database(name) && target::is_dump(name)? => {
                dump::inspect(name, &needs_of(name), vendor(name)?, &mut seen)?;
            }
            name => directory(name, &mut seen)?,
        }
    }
    if let Some(version) = context::note(note::VERSION)? {
        seen.facts.push(("version".into(), format!("{version}: install the same one")));
    }
    Ok(seen)
}

/// The vendor whose database was saved, by its dump.
fn vendor(name: &str) -> Result<Option<Vendor>> {
    Ok(Some(match Engine::of_dump(&archive::open(name, DUMP)?.peek(5)?) {
        Engine::Postgresql => Vendor::Postgresql,
        Engine::Mysql => Vendor::Mysql,
    }))
}

fn mongodb(seen: &mut Inspection) {
    let uses = format!("tools.{}", grant::MONGORESTORE);
    let part = Part::new(part::MONGODB, Stage::Database).summary("the dump into MongoDB").uses(&uses);
    seen.parts.push(part);
    if !grants::has("tools", grant::MONGORESTORE) {
        let message = format!("a dump of MongoDB is loaded by mongorestore: grant {uses}");
        seen.findings.push(Finding::blocker("restore-tool", part::MONGODB, message));
        seen.wants.push(describe::mongorestore());
    }
}

fn directory(name: &str, seen: &mut Inspection) -> Result<()> {
    let targets = target::all(name)?;
    let stage = match name {
        part::POSITIONS => Stage::Positions,
        name if part::is_database(name) => Stage::Database,
        _ => Stage::Files,
    };
    let all: Vec<String> = targets.iter().map(|target| target.to.to_string()).collect();
    let part = Part::new(name, stage).summary(format!("into {}", all.join(" and ")));
    dump::into_directories(part, &targets, seen, |target| free(name, target))
}

/// Whether a part's own place is empty. The configuration goes among the files of an installation: only its own count. The
/// positions come after the queues that they belong to.
fn free(name: &str, target: &Target) -> Result<bool> {
    if name == part::POSITIONS {
        return Ok(true);
    }
    let Some(dir) = target.to.dir()? else { return Ok(true) };
    if name == part::CONFIGURATION {
        for item in archive::items(name, &target.from).take(LOOKED_FOR_MAX) {
            let item = item?;
            let below = item.path.strip_prefix(&target.from).unwrap_or_default().trim_start_matches('/');
            if matches!(item.kind, archive::Kind::File) && dir.exists(below)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    let others = others(name, target)?;
    for entry in dir.entries(&target.to.path) {
        match entry {
            Err(error) if error.is_not_found() => return Ok(true),
            Err(error) => return Err(error),
            Ok(entry) if others.contains(&entry.name) => {}
            Ok(_) => return Ok(false),
        }
    }
    Ok(true)
}

/// Entries of a part's place on the way to the places of other parts.
fn others(name: &str, target: &Target) -> Result<Vec<String>> {
    let mut others = Vec::new();
    for other in archive::parts()?.into_iter().filter(|other| other != name && other != part::CONFIGURATION) {
        if part::is_database(&other) && target::is_dump(&other)? {
            continue;
        }
        let place = target::place(&other)?;
        if let Some(rest) = below_of(&place, &target.to) {
            others.extend(rest.split('/').next().filter(|first| !first.is_empty()).map(str::to_owned));
        }
    }
    Ok(others)
}

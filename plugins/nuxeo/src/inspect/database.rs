//! Which databases become parts, whether they can be saved, and whether they are this instance's.

use strongroom_database::{
    catalogue, embedded as stopped,
    engine::Engine as Spoken,
    grants,
    needs::{self, DATABASE, Names, READ_DUMP},
};
use strongroom_plugin::{Context, ErrorCode, Finding, Inspection, Part, Result, Severity, Stage, context, sql};

use super::{facts::shown, part, setting, stores::Stores};
use crate::{
    conf::effective::{Database, Engine, Mongo, Sql},
    content,
    describe::{self, grant, needs_of},
    embedded,
    instance::Instance,
};

/// VCS's own table, beside that of blobs.
const HIERARCHY: &str = "hierarchy";

pub(super) fn look(instance: &Instance, stores: &Stores, seen: &mut Inspection) -> Result<()> {
    let databases = &instance.effective.databases;
    // The first part of all pauses the consumer, before anything is fixed.
    let mut pause = pause(instance, seen);
    for (at, database) in databases.iter().enumerate() {
        let repository = at == 0;
        let part = match database {
            Database::Mongo(mongo) => Some(mongodb(mongo, seen)),
            Database::Sql(sql) if sql.incidental => None,
            Database::Sql(sql) if sql.engine == Engine::H2 => files(instance, sql, seen)?,
            Database::Sql(sql) => Some(server(sql, repository, seen)?),
        };
        let Some(part) = part else { continue };
        let part = if repository { of_repository(part, stores)? } else { part };
        // Nothing is deleted while Nuxeo is stopped.
        let paused = std::mem::take(&mut pause) && part.setting(setting::EMBEDDED).is_none();
        let pausing = |part: Part| part.uses(format!("http.{}", grant::MANAGEMENT)).set(setting::PAUSE, "yes");
        seen.parts.push(if paused { pausing(part) } else { part });
    }
    for name in others() {
        let part = of_grant(&name, &name, "a further database, dumped in one view and read back");
        let bytes = asked(&name, None, seen)?;
        seen.parts.push(with_estimate(part, bytes));
    }
    if databases.is_empty() {
        let message = "nuxeo.conf and its templates name no database that is known";
        seen.findings.push(Finding::blocker("vendor", DATABASE, message));
    }
    Ok(())
}

/// Whether the consumer that deletes blobs is to be paused.
fn pause(instance: &Instance, seen: &mut Inspection) -> bool {
    let gc = instance.effective.blob_gc;
    let granted = grants::has("http", grant::MANAGEMENT);
    if gc.at_once {
        let message = "Nuxeo may delete a blob as soon as no document uses it";
        seen.findings.push(match granted {
            true => {
                let message = format!("{message}: its consumer is paused during the run");
                Finding::info("gc-immediate", part::BLOBS, message)
            }
            false => {
                let message = format!(
                    "{message}: grant http.{}, so that its consumer is paused during a run; else what is missing is found out afterwards",
                    grant::MANAGEMENT
                );
                Finding::warning("gc-immediate", part::BLOBS, message)
            }
        });
        if !granted {
            let url = instance.effective.url.split("/nuxeo").next().unwrap_or_default();
            seen.wants.push(describe::management(url));
        }
    }
    granted && gc.enabled
}

fn of_repository(part: Part, stores: &Stores) -> Result<Part> {
    let part = part.set(setting::STORES, stores.to_setting()?).set(setting::DATA, "yes");
    Ok(if stores.elsewhere.is_empty() { part } else { part.set(setting::ELSEWHERE, stores.elsewhere.join("\n")) })
}

/// Further granted databases: their grants are called like their parts.
fn others() -> Vec<String> {
    let named = context::grants().sql().map(|granted| granted.name);
    named.filter(|name| name != DATABASE && part::is_database(name)).collect()
}

fn mongodb(mongo: &Mongo, seen: &mut Inspection) -> Part {
    let uses = format!("tools.{}", grant::MONGODUMP);
    if !grants::has("tools", grant::MONGODUMP) {
        let message = format!("the repository is in MongoDB at {}: grant {uses}", mongo.shown);
        seen.findings.push(Finding::blocker("mongodb-missing", part::MONGODB, message));
        seen.wants.push(describe::mongodump());
    }
    let message = "a dump of MongoDB is saved as its tool writes it: nothing in it is counted, so that the set is never called proven";
    seen.findings.push(Finding::warning("mongodb-unproven", part::MONGODB, message));
    let summary = format!("{}, as mongodump writes it", shown(&Database::Mongo(mongo.clone())));
    Part::new(part::MONGODB, Stage::Database).summary(summary).uses(uses)
}

/// The embedded database, which is copied while Nuxeo is stopped.
fn files(instance: &Instance, sql: &Sql, seen: &mut Inspection) -> Result<Option<Part>> {
    let place = sql.file().and_then(|file| {
        let (directory, stem) = file.stem.rsplit_once('/')?;
        Some((instance.place(directory)?, stem.to_owned()))
    });
    let Some((at, stem)) = place else {
        let message = format!("the files of {} lie in no granted directory", sql.shown);
        seen.findings.push(Finding::blocker("embedded-outside", DATABASE, message));
        return Ok(None);
    };
    let database = embedded::at(at, &stem);
    stopped::inspect(&database, DATABASE, seen)?;
    let at = &database.at;
    let summary = format!("{} {at}, copied while Nuxeo is stopped", sql.engine.name());
    let part = Part::new(DATABASE, Stage::Database).summary(summary).uses(format!("dirs.{}", at.grant));
    let part = part.set(setting::GRANT, &at.grant).set(setting::PATH, &at.path);
    Ok(Some(part.set(setting::EMBEDDED, stem)))
}

fn server(sql: &Sql, repository: bool, seen: &mut Inspection) -> Result<Part> {
    let part =
        of_grant(DATABASE, DATABASE, &format!("{} {}, dumped in one view and read back", sql.engine.name(), sql.shown));
    if !matches!(sql.engine, Engine::Postgresql | Engine::Mysql | Engine::Mariadb) {
        let message = format!(
            "the database is {}, and only PostgreSQL, MySQL, MariaDB and MongoDB can be saved",
            sql.engine.name()
        );
        seen.findings.push(Finding::blocker("vendor", DATABASE, message));
        return Ok(part);
    }
    if sql.server().is_none() {
        let message = format!("the database URL cannot be read: {}", sql.shown);
        seen.findings.push(Finding::blocker("database-url", DATABASE, message));
    }
    wants(sql, seen);
    if seen.findings.iter().any(|finding| finding.severity == Severity::Blocker) {
        return Ok(part);
    }
    Ok(with_estimate(part, asked(DATABASE, Some((sql, repository)), seen)?))
}

fn of_grant(name: &str, grant: &str, summary: &str) -> Part {
    let names = Names::of(grant);
    let part = Part::new(name, Stage::Database).summary(summary).uses(format!("sql.{}", names.database));
    part.uses(format!("tools.{}", names.dump)).uses(format!("tools.{READ_DUMP}"))
}

fn with_estimate(part: Part, bytes: Option<u64>) -> Part {
    Part { bytes_estimate: bytes, ..part }
}

/// Asks for what a database server's dump needs: nothing is saved without it.
fn wants(sql: &Sql, seen: &mut Inspection) {
    let mysql = sql.engine != Engine::Postgresql;
    let (scheme, port) = if mysql { ("mysql", 3306) } else { ("postgresql", 5432) };
    let location = sql.server().filter(|url| url.hosts.len() == 1).map(|url| url.location());
    let location = location.unwrap_or_else(|| format!("localhost:{port}/nuxeo"));
    let needed = needs_of(DATABASE);
    let mut all = vec![("sql", needed.database(&format!("{scheme}://backup@{location}"))), ("tools", needed.dump())];
    all.extend((!mysql).then(|| ("tools", needs::read_dump())));
    seen.wants.extend(all.into_iter().filter(|(kind, want)| !grants::has(kind, &want.name)).map(|(_, want)| want));
}

/// Asks a granted database lightly: is it this instance's, how large is it.
fn asked(name: &str, configured: Option<(&Sql, bool)>, seen: &mut Inspection) -> Result<Option<u64>> {
    let database = match sql::get(name) {
        Ok(database) => database,
        Err(error) if error.code == ErrorCode::Denied => return Ok(None),
        Err(error) => return Err(error),
    };
    let location = database.location();
    let doing = format!("looking at the database {location}");
    if let Some((sql, _)) = configured {
        seen.findings.extend(contradiction(sql, &location));
    }
    let view = database.begin().context(&doing)?;
    seen.facts.push((format!("{name} server"), database.server_version()));
    if Spoken::of(&view) == Spoken::Mysql {
        seen.findings.extend(catalogue::without_transactions(&view, name)?);
    }
    let tables = catalogue::tables(&view)?;
    seen.facts.push((format!("{name} tables"), tables.len().to_string()));
    let known = catalogue::holds(&tables, content::TABLE) && catalogue::holds(&tables, HIERARCHY);
    if configured.is_some_and(|(_, repository)| repository) && !known {
        let message = format!(
            "{location} has no tables {} and {HIERARCHY}: it is not the database of a Nuxeo repository",
            content::TABLE
        );
        seen.findings.push(Finding::blocker("not-nuxeo", name, message));
    }
    let size = catalogue::size(&view).context(doing)?;
    view.end()?;
    Ok(Some(size))
}

/// The granted database and the one that the instance uses.
fn contradiction(sql: &Sql, granted: &str) -> Option<Finding> {
    let used = sql.server()?;
    let message =
        format!("the grant sql.{DATABASE} is {granted}, nuxeo.conf says {}: are they the same?", used.location());
    (!used.is_at(granted)).then(|| Finding::warning("database-contradiction", DATABASE, message))
}

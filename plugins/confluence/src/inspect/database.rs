//! Asks the database lightly: is it this site's, how large is it.

use strongroom_database::{catalogue, engine::Engine, needs};
use strongroom_plugin::{
    Context, ErrorCode, Finding, Inspection, Result,
    sql::{self, Transaction},
};

use super::{fitness, part};
use crate::{
    build,
    describe::{self, grant},
    grants,
    jdbc::Vendor,
    site::Site,
};

/// Adds what it finds; bytes that a dump will have, roughly.
pub(super) fn look(site: &Site, seen: &mut Inspection) -> Result<Option<u64>> {
    let database = match sql::get(grant::DATABASE) {
        Ok(database) => database,
        Err(error) if error.code == ErrorCode::Denied => return Ok(None),
        Err(error) => return Err(error),
    };
    let location = database.location();
    let other = fitness::locations(site, &location);
    let view = match (database.begin(), &other) {
        (Ok(view), _) => view,
        // Not the site's own database: the grant is wrong rather than the server down.
        (Err(error), Some(_)) => {
            let message = format!("{}, and confluence.cfg.xml names another database", error.message);
            seen.findings.push(Finding::blocker("database-unreachable", part::DATABASE, message));
            return Ok(None);
        }
        (Err(error), None) => return Err(error.context(format!("looking at the database {location}"))),
    };
    seen.findings.extend(other);
    seen.facts.push(("database server".into(), database.server_version()));
    match Engine::of(&view) {
        // Nothing can be read back without it.
        Engine::Postgresql if grants::has("tools", grant::DUMP) && !grants::has("tools", grant::READ_DUMP) => {
            seen.wants.push(needs::read_dump());
        }
        Engine::Postgresql => {}
        Engine::Mysql => seen.findings.extend(catalogue::without_transactions(&view, part::DATABASE)?),
    }
    let size = contents(site, &location, &view, seen)?;
    view.end()?;
    Ok(Some(size))
}

/// Asks for what a database server's dump needs: nothing is saved without it.
pub(super) fn wants(site: &Site, seen: &mut Inspection) {
    if site.database.vendor().is_some_and(Vendor::embedded) {
        return;
    }
    let location = site.database.server().filter(|url| url.hosts.len() == 1).map(|url| url.location());
    let at = |scheme: &str, port: u16| match &location {
        Some(location) => format!("{scheme}://backup@{location}"),
        None => format!("{scheme}://backup@localhost:{port}/confluence"),
    };
    let mysql = site.database.vendor() == Some(Vendor::Mysql);
    let url = if mysql { at("mysql", 3306) } else { at("postgresql", 5432) };
    let wanted = describe::needs();
    let mut all = vec![("sql", wanted.database(&url)), ("tools", wanted.dump())];
    if !mysql {
        all.push(("tools", needs::read_dump()));
    }
    seen.wants.extend(all.into_iter().filter(|(kind, want)| !grants::has(kind, &want.name)).map(|(_, want)| want));
}

fn contents(site: &Site, location: &str, view: &Transaction, seen: &mut Inspection) -> Result<u64> {
    let tables = catalogue::tables(view)?;
    seen.facts.push(("tables".into(), tables.len().to_string()));
    if catalogue::holds(&tables, "confversion") && catalogue::holds(&tables, "content") {
        let build = build::number(view)?;
        seen.facts.push(("database build number".into(), build.map_or("none".into(), |build| build.to_string())));
        seen.findings.extend(fitness::builds(site.cfg.build_number, build));
    } else {
        let message = format!("{location} has no tables content and confversion: it is not a Confluence database");
        seen.findings.push(Finding::blocker("not-confluence", part::DATABASE, message));
    }
    catalogue::size(view).context(format!("looking at the database {location}"))
}

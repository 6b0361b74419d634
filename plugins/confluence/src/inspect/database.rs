//! Asks the database lightly: is it this site's, how large is it.

use strongroom_plugin::{
    Context, ErrorCode, Finding, Inspection, Result,
    sql::{self, Transaction},
};

use super::{fitness, part};
use crate::{
    catalogue,
    describe::{self, grant},
    engine::Engine,
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
            seen.wants.push(describe::read_dump());
        }
        Engine::Postgresql => {}
        Engine::Mysql => seen.findings.extend(mysql(&view)?),
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
    let mut all = vec![("sql", describe::database(&url)), ("tools", describe::dump())];
    if !mysql {
        all.push(("tools", describe::read_dump()));
    }
    seen.wants.extend(all.into_iter().filter(|(kind, want)| !grants::has(kind, &want.name)).map(|(_, want)| want));
}

/// What a dump of MySQL or MariaDB does not show as it was at one instant.
fn mysql(view: &Transaction) -> Result<Option<Finding>> {
    const OTHERS: &str = "SELECT group_concat(table_name ORDER BY table_name SEPARATOR ', ')
FROM information_schema.tables WHERE table_schema = DATABASE() AND engine IS NOT NULL AND engine <> 'InnoDB'";
    let others = view.value(OTHERS, &[]).context("looking at the engines of tables")?;
    Ok(others.map(|names| {
        let message = format!("these tables are not InnoDB's, so that their rows may be of a later moment: {names}");
        Finding::warning("tables-without-transactions", part::DATABASE, message)
    }))
}

fn contents(site: &Site, location: &str, view: &Transaction, seen: &mut Inspection) -> Result<u64> {
    let tables = catalogue::tables(view)?;
    seen.facts.push(("tables".into(), tables.len().to_string()));
    if catalogue::holds(&tables, "confversion") && catalogue::holds(&tables, "content") {
        let build = catalogue::build_number(view)?;
        seen.facts.push(("database build number".into(), build.map_or("none".into(), |build| build.to_string())));
        seen.findings.extend(fitness::builds(site.cfg.build_number, build));
    } else {
        let message = format!("{location} has no tables content and confversion: it is not a Confluence database");
        seen.findings.push(Finding::blocker("not-confluence", part::DATABASE, message));
    }
    catalogue::size(view).context(format!("looking at the database {location}"))
}

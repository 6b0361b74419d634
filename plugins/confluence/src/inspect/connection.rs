//! Whether the database is one that can be saved, by what the files say of it.

use strongroom_database::embedded as stopped;
use strongroom_plugin::{Finding, Inspection, Result};

use super::part;
use crate::{embedded, install::Version, jdbc::Vendor, site::Site};

/// What is in the way, and what must be known.
///
/// # Errors
/// When the files of an embedded database cannot be looked at.
pub(super) fn look(site: &Site, seen: &mut Inspection) -> Result<()> {
    seen.findings.extend(datasource(site));
    seen.findings.extend(server(site));
    if site.database.vendor().is_some_and(Vendor::embedded) && site.database.file().is_some() {
        embedded(site, seen)?;
    }
    Ok(())
}

fn blocker(code: &str, message: String) -> Option<Finding> {
    Some(Finding::blocker(code, part::DATABASE, message))
}

/// Tomcat's datasource is saved and rewritten with the installation.
fn datasource(site: &Site) -> Option<Finding> {
    let database = &site.database;
    let name = database.datasource.as_ref()?;
    if database.from.is_empty() {
        let message = format!(
            "the connection is Tomcat's datasource {name}, and no conf/server.xml of a granted installation holds it: grant dirs.install"
        );
        return blocker("datasource-missing", message);
    }
    let message =
        format!("the connection is Tomcat's datasource {name}, which Confluence no longer supports from 8.0 on");
    (site.version()? >= Version(8, 0)).then(|| Finding::warning("datasource-unsupported", part::DATABASE, message))
}

fn server(site: &Site) -> Option<Finding> {
    let database = &site.database;
    if database.datasource.is_some() && database.from.is_empty() {
        return None;
    }
    match (database.by_url, database.by_dialect) {
        (Some(url), Some(dialect)) if url != dialect => {
            let (url, dialect) = (url.name(), dialect.name());
            let message =
                format!("the database URL names {url}, hibernate.dialect names {dialect}: correct {}", database.from);
            blocker("vendor-contradiction", message)
        }
        (Some(Vendor::Postgresql | Vendor::Mysql), _) => match database.server() {
            Some(_) => None,
            None => blocker("database-url", format!("the database URL cannot be read: {}", database.shown())),
        },
        (Some(vendor), _) if vendor.embedded() => match database.file() {
            Some(_) => None,
            None => blocker("database-url", format!("the database URL names no files: {}", database.shown())),
        },
        (Some(vendor), _) => blocker(
            "vendor",
            format!("the database is {}, and only PostgreSQL, MySQL and MariaDB can be saved", vendor.name()),
        ),
        (None, _) => blocker("vendor", "confluence.cfg.xml names no database that is known".into()),
    }
}

/// Files can be copied while nobody has them open, and never otherwise.
fn embedded(site: &Site, seen: &mut Inspection) -> Result<()> {
    match embedded::of(site) {
        Ok(Some(database)) => stopped::inspect(&database, part::DATABASE, seen),
        Ok(None) => Ok(()),
        Err(error) => {
            seen.findings.extend(blocker("embedded-outside", error.message));
            Ok(())
        }
    }
}

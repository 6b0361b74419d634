//! What is in the way of a backup, or must be known to read it.

use strongroom_plugin::Finding;

use super::part;
use crate::{grants, jdbc::Vendor, site::Site};

/// Everything that the files alone tell.
pub(super) fn findings(site: &Site) -> Vec<Finding> {
    let mut findings = Vec::new();
    if site.clustered() {
        let message = "this is one node of a cluster, whose shared home and other nodes this version cannot save";
        findings.push(Finding::blocker("cluster", "site", message));
    }
    findings.extend(database(site));
    findings.extend(secrets(site));
    findings.extend(cipher_files(site));
    if site.cfg.get("search.platform") == Some("opensearch") {
        let message = "the search index is in OpenSearch and is not captured: rebuild it after a restore";
        findings.push(Finding::info("search-not-captured", "search", message));
    }
    if site.cfg.get("access.mode") == Some("READ_ONLY") {
        let message = "the site is in read-only mode, and so will a restored one be";
        findings.push(Finding::info("read-only-mode", "site", message));
    }
    findings
}

fn database(site: &Site) -> Option<Finding> {
    let database = &site.database;
    let blocker = |code, message: String| Some(Finding::blocker(code, part::DATABASE, message));
    if let Some(datasource) = &database.datasource {
        let message = format!(
            "the connection is Tomcat's datasource {datasource} in conf/server.xml, which a restore cannot rewrite yet"
        );
        return blocker("datasource", message);
    }
    match (database.by_url, database.by_dialect) {
        (Some(url), Some(dialect)) if url != dialect => {
            let (url, dialect) = (url.name(), dialect.name());
            let message = format!(
                "hibernate.connection.url names {url}, hibernate.dialect names {dialect}: correct confluence.cfg.xml"
            );
            blocker("vendor-contradiction", message)
        }
        (Some(Vendor::Postgresql), _) => match database.postgresql() {
            Some(_) => None,
            None => blocker("database-url", format!("the database URL cannot be read: {}", database.shown())),
        },
        (Some(vendor), _) if vendor.embedded() => blocker(
            "embedded-database",
            format!("{} lives in the home and can only be saved while Confluence is stopped", vendor.name()),
        ),
        // Its URL is compared with the grant by people.
        (Some(Vendor::Mysql), _) => None,
        (Some(vendor), _) => blocker(
            "vendor",
            format!("the database is {}, and only PostgreSQL, MySQL and MariaDB can be saved", vendor.name()),
        ),
        (None, _) => blocker("vendor", "confluence.cfg.xml names no database that is known".into()),
    }
}

/// Contradicting build numbers of home and database: Confluence does not start with such a pair.
pub(super) fn builds(home: Option<u64>, database: Option<u64>) -> Option<Finding> {
    if home == database {
        return None;
    }
    let shown = |build: Option<u64>| build.map_or("none".to_owned(), |build| build.to_string());
    let message = format!(
        "confluence.cfg.xml has build {}, the database has {}: is this the home's database, or is an upgrade under way?",
        shown(home),
        shown(database)
    );
    Some(Finding::warning("build-contradiction", part::DATABASE, message))
}

/// The granted database and the one that the site uses.
pub(super) fn locations(site: &Site, granted: &str) -> Option<Finding> {
    let used = site.database.postgresql()?;
    let same = used.hosts.iter().any(|(host, port)| {
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        granted == format!("{host}:{port}/{}", used.database)
    });
    let message =
        format!("the grant sql.database is {granted}, confluence.cfg.xml says {}: are they the same?", used.location());
    (!same).then(|| Finding::warning("database-contradiction", part::DATABASE, message))
}

fn secrets(site: &Site) -> Option<Finding> {
    let missing = missing(&site.secrets_required(), &site.secrets);
    let message =
        format!("{} must be there and are in neither home nor shared-home: this part will fail", missing.join(", "));
    (!missing.is_empty() && !site.clustered()).then(|| Finding::warning("secrets-missing", part::SECRETS, message))
}

/// Which of the required names no path ends with.
pub fn missing<'a>(required: &[&'a str], present: &[String]) -> Vec<&'a str> {
    let there = |name: &str| present.iter().any(|path| path.rsplit('/').next() == Some(name));
    required.iter().copied().filter(|name| !there(name)).collect()
}

/// An encrypted password is of use only together with the files that it names.
fn cipher_files(site: &Site) -> Option<Finding> {
    site.cfg.get("jdbc.password.decrypter.classname")?;
    let message = match grants::externals().is_empty() {
        true => {
            "the database password is encrypted: grant the directory of its cipher files as dirs.external-cipher, or give the password anew when restoring"
        }
        false => "the database password is encrypted: its cipher files must be in one of the dirs.external-… grants",
    };
    Some(Finding::warning("password-encrypted", part::DATABASE, message))
}

//! What was found and where, for people. No value in here is a secret.

use crate::{
    jdbc::{self, Vendor},
    site::{CFG, Site},
    triple,
};

pub(super) fn facts(site: &Site) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut fact = |key: &str, value: String| facts.push((key.to_owned(), value));
    let version = |version: &String| format!("{version} (pom.properties)");
    fact("version", site.version.as_ref().map_or("unknown (no pom.properties)".into(), version));
    fact("build number", site.cfg.build_number.map_or("unknown".into(), |build| format!("{build} ({CFG})")));
    fact("home", format!("{} ({})", site.home.path, site.home.from));
    cluster(site, &mut fact);
    database(site, &mut fact);
    fact("attachments", site.attachments());
    fact("search", search(site));
    let required = site.secrets_required();
    let place = if site.clustered() { " in the shared home" } else { "" };
    fact(
        "secrets required",
        if required.is_empty() { "none".into() } else { format!("{}{place}", required.join(", ")) },
    );
    fact("secrets found", if site.secrets.is_empty() { "none".into() } else { site.secrets.join(", ") });
    fact("secret properties", triple::secret_properties(&site.cfg).join(", "));
    facts
}

fn cluster(site: &Site, fact: &mut impl FnMut(&str, String)) {
    let value = |name: &str| site.cfg.get(name).filter(|value| !value.is_empty());
    if !site.clustered() {
        return fact("clustered", "no".into());
    }
    let peers = value("confluence.cluster.peers").map_or(0, |peers| peers.split(',').count());
    fact("clustered", format!("yes, {peers} peers"));
    if let Some((node, from)) = &site.node {
        fact("node", format!("{node} ({from})"));
    }
    if let Some(shared) = value("confluence.cluster.home").or(value("shared-home")) {
        fact("shared home", shared.to_owned());
    }
}

fn database(site: &Site, fact: &mut impl FnMut(&str, String)) {
    let database = &site.database;
    fact("database", format!("{} ({})", database.shown(), database.from));
    fact("database user", database.user.clone().unwrap_or_else(|| "unknown".into()));
    if let Some(url) = database.server() {
        let names = url.parameters;
        fact("database URL parameters", if names.is_empty() { "none".into() } else { names.join(", ") });
    }
    if let (Some(Vendor::Oracle), Some(user)) = (database.vendor(), &database.user) {
        fact("database schema", user.clone());
    }
    if let Some(datasource) = &database.datasource {
        fact("datasource", datasource.clone());
    }
}

fn search(site: &Site) -> String {
    match site.cfg.get("search.platform") {
        Some("opensearch") => {
            let urls = site.cfg.get("opensearch.http.url").unwrap_or_default();
            let urls: Vec<String> = urls.split(',').map(|url| jdbc::mask(url.trim())).collect();
            format!("OpenSearch at {}: not captured", urls.join(", "))
        }
        _ => "Lucene, on this node: not captured".into(),
    }
}

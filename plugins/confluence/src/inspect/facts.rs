//! What was found and where, for people. No value in here is a secret.

use crate::{
    cipher,
    jdbc::Vendor,
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
    fact("search", site.search.to_string());
    let required = site.secrets_required();
    let place = if site.cluster.is_some() { " in the shared home" } else { "" };
    fact(
        "secrets required",
        if required.is_empty() { "none".into() } else { format!("{}{place}", required.join(", ")) },
    );
    let found: Vec<String> = site.secrets.iter().map(ToString::to_string).collect();
    fact("secrets found", if found.is_empty() { "none".into() } else { found.join(", ") });
    fact("secret properties", triple::secret_properties(&site.cfg).join(", "));
    facts
}

fn cluster(site: &Site, fact: &mut impl FnMut(&str, String)) {
    let value = |name: &str| site.cfg.get(name).filter(|value| !value.is_empty());
    let Some(cluster) = &site.cluster else { return fact("clustered", "no".into()) };
    let peers = value("confluence.cluster.peers").map_or(0, |peers| peers.split(',').count());
    fact("clustered", format!("yes, {peers} peers"));
    if let Some((node, from)) = &site.node {
        fact("node", format!("{node} ({from})"));
    }
    for node in &cluster.nodes {
        fact(&format!("dirs.{}", node.grant), format!("node {}", node.name().unwrap_or("without a name")));
    }
    if let Some(shared) = &cluster.shared {
        fact("shared home", shared.clone());
    }
}

fn database(site: &Site, fact: &mut impl FnMut(&str, String)) {
    let database = &site.database;
    let from = if database.from.is_empty() { "found nowhere" } else { &database.from };
    fact("database", format!("{} ({from})", database.shown()));
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
    if site.cfg.get(cipher::DECRYPTER).is_some_and(|class| !class.is_empty()) {
        let files: Vec<&str> = site.cipher.files.iter().map(|file| file.path.as_str()).collect();
        fact("cipher files", if files.is_empty() { "none".into() } else { files.join(", ") });
    }
}

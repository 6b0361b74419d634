//! Conclusions from whole sample sites.

use strongroom_plugin::{Inspection, Severity, testing::Host};

use super::*;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

fn fact<'a>(seen: &'a Inspection, key: &str) -> &'a str {
    seen.facts.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
}

fn codes(seen: &Inspection, severity: Severity) -> Vec<&str> {
    seen.findings.iter().filter(|one| one.severity == severity).map(|one| one.code.as_str()).collect()
}

fn whole(seen: &Inspection) -> String {
    format!("{seen:?}")
}

#[test]
fn a_cluster_is_understood_and_refused() {
    let site = format!("{FIXTURES}/a-cluster-pg-9x");
    let _host = Host::new().dir("install", format!("{site}/install")).dir("home", format!("{site}/node1"));
    let seen = inspect().unwrap();
    assert_eq!(fact(&seen, "version"), "9.2.4 (pom.properties)");
    let home = "/var/atlassian/application-data/confluence";
    assert_eq!(fact(&seen, "home"), format!("{home} ({})", crate::install::INIT));
    assert_eq!(fact(&seen, "clustered"), "yes, 2 peers");
    assert_eq!(fact(&seen, "node"), "kb-node-1 (confluence.cfg.xml and bin/setenv.sh)");
    assert_eq!(fact(&seen, "shared home"), "/srv/confluence/shared-home");
    assert_eq!(fact(&seen, "database"), "PostgreSQL db1.kb.example:5433/confluence_prod (confluence.cfg.xml)");
    assert_eq!(fact(&seen, "database user"), "confluence_rw");
    assert_eq!(fact(&seen, "database URL parameters"), "targetServerType, ApplicationName");
    let search = "OpenSearch at https://os1.kb.example:9200, https://os2.kb.example:9200: not captured";
    assert_eq!(fact(&seen, "search"), search);
    assert_eq!(fact(&seen, "secrets required"), "keys, secured, secrets-config.yaml in the shared home");
    assert!(fact(&seen, "secret properties").contains("synchrony.service.authtoken (placeholder)"));
    assert_eq!(codes(&seen, Severity::Blocker), ["cluster"]);
    assert!(codes(&seen, Severity::Info).contains(&"search-not-captured"));
    for secret in ["p&ss<w0rd", "fixture-cluster-secret", "FIXTURE-", "fixture-os-pass"] {
        assert!(!whole(&seen).contains(secret), "{secret}");
    }
}

#[test]
fn attachments_outside_the_home_are_asked_for() {
    let cfg = include_str!("../../fixtures/b-single-pg-85/confluence.cfg.xml");
    let host =
        Host::new().files("install", &[]).files("home", &[("confluence.cfg.xml", cfg), ("backups/site/x.zip", "x")]);
    let seen = inspect().unwrap();
    assert_eq!(fact(&seen, "version"), "unknown (no pom.properties)");
    assert_eq!(fact(&seen, "build number"), "9012 (confluence.cfg.xml)");
    assert_eq!(fact(&seen, "database"), "PostgreSQL [2001:db8::5]:5432/confluence (confluence.cfg.xml)");
    assert_eq!(fact(&seen, "secrets required"), "none");
    assert_eq!(fact(&seen, "attachments"), "/mnt/big/attachments");
    assert_eq!(codes(&seen, Severity::Blocker), ["attachments-outside"]);
    assert_eq!(seen.wants[0].name, "attachments");
    assert!(seen.wants[0].suggestion.contains("path = \"/mnt/big/attachments\""));
    let left = seen.findings.iter().find(|one| one.code == "left-out").unwrap();
    assert!(left.message.ends_with(": backups"), "{}", left.message);
    assert!(seen.parts.iter().all(|part| part.name != part::SECRETS && part.name != part::ATTACHMENTS));
    drop(host);

    let _host = single(Host::new()).files("attachments", &[]);
    let seen = inspect().unwrap();
    assert_eq!(codes(&seen, Severity::Blocker), [""; 0]);
    assert_eq!(codes(&seen, Severity::Warning), [""; 0]);
    let part = seen.parts.iter().find(|part| part.name == part::ATTACHMENTS).unwrap();
    assert!(part.ahead);
    assert_eq!((part.setting(setting::GRANT), part.setting(setting::PATH)), (Some("attachments"), Some("")));
    assert_eq!(seen.parts[0].bytes_estimate, Some(8192));
    let required = seen.parts.iter().find(|part| part.name == part::SECRETS).unwrap();
    assert_eq!(required.setting(setting::REQUIRED), Some("keys"));
}

/// Sample b with its database behind it, and with `keys/`.
fn single(host: Host) -> Host {
    let cfg = include_str!("../../fixtures/b-single-pg-85/confluence.cfg.xml");
    let row = |name| [Some("public"), Some(name), Some(name)];
    host.files("install", &[])
        .files("home", &[("confluence.cfg.xml", cfg), ("keys/a.key", "x")])
        .display("dirs", "home", "/var/confluence, read")
        .location("database", "[2001:db8::5]:5432/confluence")
        .rows("database", "pg_table_size", &[&[Some("8192")]])
        .rows("database", "relpersistence", &[&row("confversion"), &row("content")])
        .rows("database", "from confversion", &[&[Some("9012")]])
}

#[test]
fn what_contradicts_is_found() {
    let init =
        ("confluence/WEB-INF/classes/confluence-init.properties", "confluence.home=/one\nconfluence.home=/two\n");
    let script = ("bin/setenv.sh", "CATALINA_OPTS=\"-Dconfluence.home=/three $CATALINA_OPTS\"\n");
    let cfg =
        include_str!("../../fixtures/b-single-pg-85/confluence.cfg.xml").replace("PostgreSQLDialect", "MySQLDialect");
    let _host = Host::new().files("install", &[init, script]).files("home", &[("confluence.cfg.xml", &cfg)]);
    let seen = inspect().unwrap();
    assert_eq!(fact(&seen, "home"), "/three (bin/setenv.sh)");
    assert_eq!(codes(&seen, Severity::Warning), ["home-contradiction"; 3]);
    assert!(codes(&seen, Severity::Blocker).contains(&"vendor-contradiction"));
}

#[test]
fn another_database_or_build_is_found() {
    let host = single(Host::new()).files("attachments", &[]).location("database", "elsewhere:5432/confluence");
    assert_eq!(codes(&inspect().unwrap(), Severity::Warning), ["database-contradiction"]);
    drop(host);
    let _host = Host::new().rows("database", "from confversion", &[&[Some("8999")]]);
    let _host = single(_host).files("attachments", &[]);
    assert_eq!(codes(&inspect().unwrap(), Severity::Warning), ["build-contradiction"]);
}

#[test]
fn a_datasource_is_understood_and_refused() {
    let site = format!("{FIXTURES}/f-datasource-57");
    let _host = Host::new().dir("install", format!("{site}/install")).dir("home", format!("{site}/home"));
    let seen = inspect().unwrap();
    assert_eq!(fact(&seen, "database"), "PostgreSQL db57.example:5432/conf57 (conf/server.xml)");
    assert_eq!(fact(&seen, "database user"), "conf57");
    assert_eq!(fact(&seen, "datasource"), "jdbc/confluence");
    assert_eq!(codes(&seen, Severity::Blocker), ["datasource"]);
    assert!(!whole(&seen).contains("ds&fixture"));
}

#[test]
fn an_embedded_database_is_refused() {
    let _host = Host::new().dir("home", format!("{FIXTURES}/h-h2-79"));
    assert!(codes(&inspect().unwrap(), Severity::Blocker).contains(&"embedded-database"));
}

#[test]
fn a_broken_configuration_is_named() {
    let cut = "<confluence-configuration><properties><property name=\"a\">";
    let bomb = "<!DOCTYPE l [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><confluence-configuration>&b;</confluence-configuration>";
    let external = "<!DOCTYPE l [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><confluence-configuration>&a;</confluence-configuration>";
    let unknown = "<confluence-configuration><properties><property name=\"a\">&b;</property></properties></confluence-configuration>";
    let doctype = "it declares a document type, which may define or fetch entities: remove the <!DOCTYPE> declaration";
    for (content, why) in [
        (cut, "it ends inside <property>: the file is truncated, restore it from the last good copy"),
        (bomb, doctype),
        (external, doctype),
        (unknown, "it refers to the entity &b; which is not one of XML's own five"),
    ] {
        let _host = Host::new().files("home", &[("confluence.cfg.xml", content)]);
        let error = inspect().unwrap_err();
        assert_eq!(error.to_string(), format!("reading confluence.cfg.xml in the home directory: {why}"));
    }
}

#[test]
fn a_home_that_is_not_granted_is_asked_for_where_the_installation_says_it_is() {
    let init = ("confluence/WEB-INF/classes/confluence-init.properties", "confluence.home=/srv/wiki\n");
    let host = Host::new().files("install", &[init]);
    let seen = inspect().unwrap();
    assert_eq!(codes(&seen, Severity::Blocker), ["home-missing"]);
    assert!(seen.wants[0].suggestion.contains("path = \"/srv/wiki\""));
    let _host = host.files("home", &[]);
    assert_eq!(inspect().unwrap().wants.len(), 1);
    let _host = Host::new().files("home", &[]);
    let seen = inspect().unwrap();
    assert!(seen.findings[0].message.contains("there is no confluence.cfg.xml in /"), "{:?}", seen.findings);
    assert!(seen.wants.is_empty());
}

#[test]
fn the_database_is_asked_for_where_the_configuration_says_it_is() {
    let cfg = include_str!("../../fixtures/b-single-pg-85/confluence.cfg.xml");
    let host = Host::new().files("home", &[("confluence.cfg.xml", cfg)]).files("attachments", &[]);
    let _host = host.display("dirs", "home", "/var/confluence, read");
    let seen = inspect().unwrap();
    assert_eq!(seen.wants[0].name, "database");
    assert!(seen.wants[0].suggestion.contains("postgresql://backup@[2001:db8::5]:5432/confluence"));
}

#[test]
fn unknown_entries_and_a_linked_attachment_directory_are_reported() {
    let cfg =
        include_str!("../../fixtures/b-single-pg-85/confluence.cfg.xml").replace("/mnt/big/", "${confluenceHome}/");
    let files =
        [("confluence.cfg.xml", cfg.as_str()), ("my-scripts/x", ""), ("shared-home/thumbnails/x", ""), ("lock", "")];
    let host = Host::new().files("home", &files);
    std::os::unix::fs::symlink("/elsewhere", host.path("home").join("attachments")).unwrap();
    let seen = inspect().unwrap();
    assert_eq!(codes(&seen, Severity::Blocker), ["attachments-outside"]);
    let message =
        |code| seen.findings.iter().filter(|one| one.code == code).map(|one| one.message.clone()).collect::<Vec<_>>();
    assert!(message("unknown-entry")[0].ends_with(": my-scripts"));
    assert_eq!(message("left-out").len(), 2);
    assert!(message("left-out").iter().any(|one| one.ends_with(": shared-home/thumbnails")));
}

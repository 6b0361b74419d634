//! Sample sites of every kind, from Confluence 5.7 to 9: what is concluded from each, and what a restore makes of it.

use strongroom_plugin::{
    Inspection, Part, Pass, Plugin, Purpose, Severity, Stage,
    context::Operation,
    dirs::Usage,
    testing::{Host, proven},
};

use crate::{
    Confluence,
    backup::{backup, note},
    cfg::Cfg,
    inspect::{part, setting},
    restore::restore,
};

mod cipher;
mod cluster;
mod embedded;
mod index;
mod modes;
mod opensearch;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
const CFG: &str = "confluence.cfg.xml";
const URL: &str = "hibernate.connection.url";

fn inspect() -> Inspection {
    Confluence.inspect(Purpose::Backup).unwrap()
}

fn fact<'a>(seen: &'a Inspection, key: &str) -> &'a str {
    seen.facts.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
}

fn codes(seen: &Inspection, severity: Severity) -> Vec<&str> {
    seen.findings.iter().filter(|one| one.severity == severity).map(|one| one.code.as_str()).collect()
}

fn blockers(seen: &Inspection) -> Vec<&str> {
    codes(seen, Severity::Blocker)
}

fn parts(seen: &Inspection) -> Vec<&str> {
    seen.parts.iter().map(|part| part.name.as_str()).collect()
}

fn part_of<'a>(seen: &'a Inspection, name: &str) -> &'a Part {
    seen.parts.iter().find(|part| part.name == name).unwrap_or_else(|| panic!("no part {name}"))
}

/// The grant that was asked for, with its lines.
fn want<'a>(seen: &'a Inspection, name: &str) -> &'a str {
    seen.wants.iter().find(|want| want.name == name).map_or("", |want| &want.suggestion)
}

/// A sample's home directory, where Confluence sees it at `/var/confluence`.
fn home(sample: &str, others: &[(&str, &str)]) -> Host {
    let cfg = std::fs::read_to_string(format!("{FIXTURES}/{sample}/{CFG}")).unwrap();
    let files: Vec<(&str, &str)> = [(CFG, cfg.as_str())].into_iter().chain(others.iter().copied()).collect();
    Host::new().files("home", &files).display("dirs", "home", "/var/confluence, read")
}

/// An empty target, at `/new` for Confluence, for a snapshot of a site that was at `/var/confluence`.
fn target(cfg: &str) -> Host {
    Host::new()
        .operation(Operation::Restore)
        .target("home", &[])
        .display("dirs", "home", "/new, write")
        .note(note::PATHS, "{\"home\":\"/var/confluence\"}")
        .archived("home", CFG, cfg)
}

fn sample_cfg(sample: &str) -> String {
    std::fs::read_to_string(format!("{FIXTURES}/{sample}/{CFG}")).unwrap()
}

fn restored(host: &Host, grant: &str) -> Cfg {
    Cfg::parse(host.file(grant, CFG).unwrap().as_bytes()).unwrap()
}

fn tree(name: &str) -> Part {
    Part::new(name, Stage::Files)
}

#[test]
fn b_attachments_outside_the_home_are_asked_for() {
    let host = home("b-single-pg-85", &[("backups/site/x.zip", "x")]).files("install", &[]);
    let seen = inspect();
    assert_eq!(fact(&seen, "version"), "unknown (no pom.properties)");
    assert_eq!(fact(&seen, "build number"), "9012 (confluence.cfg.xml)");
    assert_eq!(fact(&seen, "database"), "PostgreSQL [2001:db8::5]:5432/confluence (confluence.cfg.xml)");
    assert_eq!(fact(&seen, "secrets required"), "none");
    assert_eq!(fact(&seen, "attachments"), "/mnt/big/attachments");
    assert_eq!(blockers(&seen), ["attachments-outside"]);
    assert!(want(&seen, "attachments").contains("path = \"/mnt/big/attachments\""));
    let left = seen.findings.iter().find(|one| one.code == "left-out").unwrap();
    assert!(left.message.ends_with(": backups"), "{}", left.message);
    assert!(!parts(&seen).contains(&part::SECRETS) && !parts(&seen).contains(&part::ATTACHMENTS));
    drop(host);
    // `keys/` is required where it is, the version being unknown.
    let _host = home("b-single-pg-85", &[("keys/k", "k")]).files("attachments", &[("v4/5/0/5/5.1", "a")]);
    let seen = inspect();
    assert!(blockers(&seen).is_empty());
    assert_eq!(part_of(&seen, part::SECRETS).setting(setting::REQUIRED), Some("keys"));
    let attachments = part_of(&seen, part::ATTACHMENTS);
    assert_eq!(
        (attachments.setting(setting::GRANT), attachments.setting(setting::PATH)),
        (Some("attachments"), Some(""))
    );
}

#[test]
fn b_attachments_in_a_further_granted_directory_are_its_part_and_come_back_there() {
    let big = Host::new().files("x", &[("attachments/v4/5/0/5/5.1", "a"), ("other/o", "o")]);
    let mount = big.path("x");
    let cfg = sample_cfg("b-single-pg-85").replace("/mnt/big", mount.to_str().unwrap());
    let host = Host::new().files("home", &[(CFG, &cfg)]).display("dirs", "home", "/var/confluence, read");
    let host = host.dir("external-big", &mount);
    let seen = inspect();
    assert!(blockers(&seen).is_empty(), "{:?}", seen.findings);
    let attachments = part_of(&seen, part::ATTACHMENTS);
    assert_eq!(attachments.setting(setting::GRANT), Some("external-big"));
    assert!(proven(&backup(part_of(&seen, "external-big"), Pass::InStage).unwrap().receipts));
    assert!(host.stored("other/o").is_some() && host.stored("attachments/v4/5/0/5/5.1").is_none());
    drop(host);
    let paths = serde_json::json!({ "home": "/var/confluence", "external-big": mount.to_str().unwrap() });
    let host = Host::new().files("home", &[(CFG, &cfg)]).dir("external-big", mount.join("attachments"));
    assert_eq!(parts(&inspect()), ["database", "attachments", "home"]);
    drop(host);
    let host = target(&cfg)
        .note(note::PATHS, &paths.to_string())
        .target("external-big", &[])
        .display("dirs", "external-big", "/new/big, write")
        .archived("attachments", "v4/5/0/5/5.1", "a");
    restore(&tree("attachments")).unwrap();
    restore(&tree("home")).unwrap();
    assert_eq!(host.file("external-big", "attachments/v4/5/0/5/5.1").as_deref(), Some("a"));
    assert_eq!(restored(&host, "home").get("attachments.dir"), Some("/new/big/attachments"));
}

#[test]
fn c_mysql_is_understood_and_its_url_keeps_its_parameters() {
    let _host = home("c-mysql-7x", &[("attachments/x", "")]);
    let seen = inspect();
    assert_eq!(fact(&seen, "database"), "MySQL db-mysql:3306/confluence (confluence.cfg.xml)");
    assert_eq!(fact(&seen, "database URL parameters"), "useUnicode, characterEncoding, sessionVariables");
    let host = target(&sample_cfg("c-mysql-7x")).location("database", "db2:3307/wiki2");
    let host = host.archived("database", strongroom_database::dump::DUMP, "d").rows("database", "relpersistence", &[]);
    assert!(blockers(&Confluence.inspect(Purpose::Restore).unwrap()).contains(&"vendor-changed"));
    restore(&tree("home")).unwrap();
    let wanted = "jdbc:mysql://db2:3307/wiki2?useUnicode=true&characterEncoding=utf8&sessionVariables=default_storage_engine%3DInnoDB";
    assert_eq!(restored(&host, "home").get(URL), Some(wanted));
}

#[test]
fn d_sql_server_is_understood_with_instance_port_and_database() {
    let _host = home("d-mssql-8x", &[("attachments/x", "")]);
    let seen = inspect();
    assert_eq!(fact(&seen, "database"), "SQL Server mssql01\\INST1:14330/confluence (confluence.cfg.xml)");
    assert_eq!(fact(&seen, "database URL parameters"), "databaseName, encrypt, trustServerCertificate");
    assert_eq!(blockers(&seen), ["vendor"]);
    let host = target(&sample_cfg("d-mssql-8x").replace("databaseName=", "DATABASENAME="));
    let _host = host.location("database", "db2:1433/wiki2");
    restore(&tree("home")).unwrap();
    let wanted = "jdbc:sqlserver://db2:1433;DATABASENAME=wiki2;encrypt=true;trustServerCertificate=false";
    assert_eq!(restored(&_host, "home").get(URL), Some(wanted));
}

#[test]
fn e_oracle_is_understood_with_service_and_schema() {
    let _host = home("e-oracle-8x", &[("attachments/x", "")]);
    let seen = inspect();
    assert_eq!(fact(&seen, "database"), "Oracle ora01.example:1521/CONFPDB (confluence.cfg.xml)");
    assert_eq!(fact(&seen, "database schema"), "CONFLUENCE");
    assert_eq!(blockers(&seen), ["vendor"]);
}

fn datasource() -> Host {
    let site = format!("{FIXTURES}/f-datasource-57");
    Host::new().dir("install", format!("{site}/install")).dir("home", format!("{site}/home"))
}

#[test]
fn f_a_datasource_is_found_in_the_configuration_of_tomcat() {
    let host = datasource();
    let seen = inspect();
    assert_eq!(fact(&seen, "database"), "PostgreSQL db57.example:5432/conf57 (conf/server.xml)");
    assert_eq!(fact(&seen, "database user"), "conf57");
    assert_eq!(fact(&seen, "datasource"), "jdbc/confluence");
    assert_eq!((blockers(&seen), codes(&seen, Severity::Warning)), (vec![], vec![]));
    assert!(want(&seen, "database").contains("@db57.example:5432/conf57"));
    assert!(!format!("{seen:?}").contains("ds&fixture"));
    drop(host);
    // A descriptor of its own, and a version that does not support it.
    let context = "<Context><Resource name=\"jdbc/confluence\" url=\"jdbc:postgresql://other/c\"/></Context>";
    let files = [("conf/Catalina/localhost/ROOT.xml", context), (crate::install::POM, "version=8.0.0\n")];
    let host = datasource().files("install", &files);
    let seen = inspect();
    assert_eq!(fact(&seen, "database"), "PostgreSQL other:5432/c (conf/Catalina/localhost/ROOT.xml)");
    assert_eq!(codes(&seen, Severity::Warning), ["datasource-unsupported"]);
    drop(host);
    let _host = Host::new().dir("home", format!("{FIXTURES}/f-datasource-57/home"));
    assert_eq!(blockers(&inspect()), ["datasource-missing"]);
}

#[test]
fn f_a_restore_rewrites_the_configuration_of_tomcat_and_not_that_of_the_home() {
    let site = format!("{FIXTURES}/f-datasource-57");
    let server = std::fs::read_to_string(format!("{site}/install/conf/server.xml")).unwrap();
    let cfg = sample_cfg("f-datasource-57/home");
    let host = target(&cfg)
        .target("install", &[])
        .location("database", "db2:5433/wiki2")
        .database_user("database", "wiki_rw")
        .secret("database-password", "n\"w\n")
        .archived("install", "conf/server.xml", server.as_str());
    restore(&tree("home")).unwrap();
    assert_eq!(host.file("home", CFG).unwrap(), cfg);
    let outcome = restore(&tree("install")).unwrap();
    let wanted = server
        .replace("db57.example:5432/conf57", "db2:5433/wiki2")
        .replace("\"conf57\"", "\"wiki_rw\"")
        .replace("ds&amp;fixture", "n&quot;w");
    assert_eq!(host.file("install", "conf/server.xml").unwrap(), wanted);
    let fact = outcome.facts.iter().find(|(key, _)| key == "rewritten in conf/server.xml").unwrap();
    assert_eq!(fact.1, "username, password, url");
    assert!(!format!("{outcome:?}").contains("n\"w"));
}

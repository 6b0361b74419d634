//! Conclusions from whole sample sites.

use strongroom_plugin::{Inspection, Severity, testing::Host};

use super::*;

fn fact<'a>(seen: &'a Inspection, key: &str) -> &'a str {
    seen.facts.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
}

fn codes(seen: &Inspection, severity: Severity) -> Vec<&str> {
    seen.findings.iter().filter(|one| one.severity == severity).map(|one| one.code.as_str()).collect()
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

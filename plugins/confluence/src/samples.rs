//! Sample sites of every kind, from Confluence 5.7 to 9: what is concluded from each, and what a restore makes of it.

use strongroom_plugin::{
    Inspection, Part, Purpose, Severity, Stage,
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
use strongroom_plugin::{Pass, Plugin};

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

const CLUSTER: &str = "a-cluster-pg-9x";

/// Sample a with its shared home and, as `dirs.node-2`, its other node.
fn cluster() -> Host {
    let site = format!("{FIXTURES}/{CLUSTER}");
    let node = std::fs::read_to_string(format!("{site}/node2.{CFG}")).unwrap();
    let shared = std::fs::read_to_string(format!("{site}/shared/{CFG}")).unwrap();
    let shared = [
        (CFG, shared.as_str()),
        ("keys/k", "k"),
        ("secured/s", "s"),
        ("secrets-config.yaml", "y"),
        ("attachments/v4/5/0/5/5.1", "a"),
        ("thumbnails/t", "t"),
        ("config/cache.properties", "c"),
    ];
    Host::new()
        .dir("install", format!("{site}/install"))
        .dir("home", format!("{site}/node1"))
        .files("node-2", &[(CFG, &node), ("lock", "")])
        .files("shared-home", &shared)
        .display("dirs", "home", "/var/atlassian/application-data/confluence, read")
        .display("dirs", "shared-home", "/mnt/confluence-shared, read")
        .location("database", "db1.kb.example:5433/confluence_prod")
        .rows("database", "pg_table_size", &[&[Some("8192")]])
        .rows(
            "database",
            "relpersistence",
            &[
                &[Some("public"), Some("confversion"), Some("confversion")],
                &[Some("public"), Some("content"), Some("content")],
            ],
        )
        .rows("database", "from confversion", &[&[Some("9111")]])
}

#[test]
fn a_a_cluster_is_understood() {
    let _host = cluster();
    let seen = inspect();
    assert_eq!(fact(&seen, "version"), "9.2.4 (pom.properties)");
    let home = "/var/atlassian/application-data/confluence";
    assert_eq!(fact(&seen, "home"), format!("{home} ({})", crate::install::INIT));
    assert_eq!(fact(&seen, "clustered"), "yes, 2 peers");
    assert_eq!(fact(&seen, "node"), "kb-node-1 (confluence.cfg.xml and bin/setenv.sh)");
    assert_eq!(fact(&seen, "dirs.node-2"), "node kb-node-2");
    assert_eq!(fact(&seen, "shared home"), "/srv/confluence/shared-home");
    assert_eq!(fact(&seen, "database"), "PostgreSQL db1.kb.example:5433/confluence_prod (confluence.cfg.xml)");
    assert_eq!(fact(&seen, "database user"), "confluence_rw");
    assert_eq!(fact(&seen, "database URL parameters"), "targetServerType, ApplicationName");
    let search = "OpenSearch at https://os1.kb.example:9200, https://os2.kb.example:9200: not captured";
    assert_eq!(fact(&seen, "search"), search);
    assert_eq!(fact(&seen, "secrets required"), "keys, secured, secrets-config.yaml in the shared home");
    assert_eq!(
        fact(&seen, "secret properties"),
        "atlassian.license.message, confluence.cluster.authentication.secret, hibernate.connection.password, \
         jwt.private.key, opensearch.password, synchrony.service.authtoken (placeholder)"
    );
    assert_eq!(fact(&seen, "attachments"), "/srv/confluence/shared-home/attachments");
    let cfg = Cfg::parse(sample_cfg(&format!("{CLUSTER}/node1")).as_bytes()).unwrap();
    assert_eq!(cfg.get("hibernate.connection.password"), Some("p&ss<w0rd\"1"));
    assert_eq!((blockers(&seen), codes(&seen, Severity::Warning)), (vec![], vec![]));
    assert!(codes(&seen, Severity::Info).contains(&"search-not-captured"));
    assert_eq!(parts(&seen), ["database", "attachments", "home", "shared-home", "node-2", "secrets", "install"]);
    assert_eq!(part_of(&seen, part::SECRETS).setting(setting::REQUIRED), Some("keys secured secrets-config.yaml"));
    let whole = format!("{seen:?}");
    for secret in ["p&ss<w0rd", "fixture-cluster-secret", "FIXTURE-", "fixture-os-pass"] {
        assert!(!whole.contains(secret), "{secret}");
    }
}

#[test]
fn a_each_directory_of_a_cluster_is_a_part_and_its_secrets_are_one() {
    let host = cluster();
    let seen = inspect();
    let stored = |name: &str| {
        let outcome = backup(part_of(&seen, name), Pass::InStage).unwrap();
        assert!(proven(&outcome.receipts), "{name}: {:?}", outcome.receipts);
        outcome
    };
    let home = stored(part::HOME);
    assert!(home.receipts.iter().any(|one| one.subject == "homes of nodes" && (one.expected, one.actual) == (2, 2)));
    let host = host.stored_as_archive("home");
    stored("node-2");
    assert_eq!(host.stored_paths(), [CFG]);
    let host = host.stored_as_archive("node-2");
    stored(part::SHARED_HOME);
    assert_eq!(host.stored_paths(), ["config", "config/cache.properties", CFG]);
    let host = host.stored_as_archive("shared-home");
    stored(part::ATTACHMENTS);
    assert!(host.stored("v4/5/0/5/5.1").is_some());
    let host = host.stored_as_archive("attachments");
    stored(part::SECRETS);
    assert!(host.stored("dirs/shared-home/keys/k").is_some());
    assert!(host.stored("dirs/shared-home/secrets-config.yaml").is_some());
}

#[test]
fn a_cluster_without_its_shared_home_or_a_node_is_refused() {
    let site = format!("{FIXTURES}/{CLUSTER}");
    let alone = || Host::new().dir("install", format!("{site}/install")).dir("home", format!("{site}/node1"));
    let _host = alone();
    let seen = inspect();
    assert_eq!(blockers(&seen), ["shared-home-missing", "nodes-missing", "attachments-outside"]);
    assert!(want(&seen, "shared-home").contains("path = \"/srv/confluence/shared-home\""));
    let _host = alone().dir("node-2", format!("{site}/node1")).files("shared-home", &[("x", "")]);
    assert_eq!(blockers(&inspect()), ["shared-home-missing", "node-twice"]);
    let _host = alone().files("node-2", &[]).dir("shared-home", format!("{site}/shared"));
    assert_eq!(blockers(&inspect()), ["node-missing"]);
    let multicast = sample_cfg(&format!("{CLUSTER}/node1")).replace(".cluster.peers", ".cluster.address");
    let _host = Host::new().files("home", &[(CFG, &multicast)]).dir("shared-home", format!("{site}/shared"));
    assert!(blockers(&inspect()).contains(&"nodes-unknown"));
}

#[test]
fn a_node_that_is_left_out_is_named_and_the_snapshot_is_not_complete() {
    let site = format!("{FIXTURES}/{CLUSTER}");
    let host = Host::new().dir("home", format!("{site}/node1")).dir("shared-home", format!("{site}/shared"));
    let host = host.config(&serde_json::json!({ "nodes-left-out": ["kb-node-2"] }));
    let seen = inspect();
    assert!(!blockers(&seen).contains(&"nodes-missing"));
    assert!(codes(&seen, Severity::Warning).contains(&"node-left-out"));
    let outcome = backup(part_of(&seen, part::HOME), Pass::InStage).unwrap();
    let homes = outcome.receipts.iter().find(|one| one.subject == "homes of nodes").unwrap();
    assert_eq!((homes.expected, homes.actual), (2, 1));
    drop(host);
}

#[test]
fn a_nodes_that_contradict_each_other_are_found() {
    let site = format!("{FIXTURES}/{CLUSTER}");
    let other = std::fs::read_to_string(format!("{site}/node2.{CFG}")).unwrap().replace("FIXTURE-PRIVATE", "OTHER");
    let _host = cluster().files("node-2", &[(CFG, &other)]);
    let seen = inspect();
    let found = seen.findings.iter().find(|one| one.code == "node-contradiction").unwrap();
    assert!(found.message.ends_with("in jwt.private.key"), "{}", found.message);
}

#[test]
fn a_every_copy_of_a_cluster_s_configuration_names_the_target() {
    let site = format!("{FIXTURES}/{CLUSTER}");
    let read = |path: &str| std::fs::read_to_string(format!("{site}/{path}")).unwrap();
    let (one, two, shared) =
        (read("node1/confluence.cfg.xml"), read("node2.confluence.cfg.xml"), read("shared/confluence.cfg.xml"));
    let host = Host::new()
        .operation(Operation::Restore)
        .target("home", &[])
        .target("node-2", &[])
        .target("shared-home", &[])
        .display("dirs", "home", "/new/home, write")
        .display("dirs", "node-2", "/mnt/node-2, write")
        .display("dirs", "shared-home", "/mnt/shared, write")
        .config(&serde_json::json!({ "shared-home": "/srv/new-shared" }))
        .note(
            note::PATHS,
            "{\"home\":\"/var/home\",\"node-2\":\"/mnt/x\",\"shared-home\":\"/srv/confluence/shared-home\"}",
        )
        .location("database", "db2:5433/wiki2")
        .database_user("database", "wiki_rw")
        .secret("database-password", "n&w")
        .archived("home", CFG, one.as_str())
        .archived("node-2", CFG, two.as_str())
        .archived("shared-home", CFG, shared.as_str())
        .archived("attachments", "v4/5/0/5/5.1", "a")
        .archived("secrets", "dirs/shared-home/keys/k", "k");
    let changed = |old: &str| {
        old.replace("db1.kb.example:5433/confluence_prod", "db2:5433/wiki2")
            .replace(">confluence_rw<", ">wiki_rw<")
            .replace("p&amp;ss&lt;w0rd\"1", "n&amp;w")
            .replace(">/srv/confluence/shared-home<", ">/srv/new-shared<")
    };
    for (name, old) in [("home", &one), ("node-2", &two), ("shared-home", &shared)] {
        assert!(proven(&restore(&tree(name)).unwrap().receipts));
        assert_eq!(host.file(name, CFG).unwrap(), changed(old), "{name}");
    }
    restore(&tree("attachments")).unwrap();
    restore(&tree("secrets")).unwrap();
    assert_eq!(host.file("shared-home", "attachments/v4/5/0/5/5.1").as_deref(), Some("a"));
    assert_eq!(host.file("shared-home", "keys/k").as_deref(), Some("k"));
    assert_eq!(host.file("home", "dirs/shared-home/keys/k"), None);
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
fn f_a_datasource_is_found_in_tomcat_s_configuration() {
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
fn f_a_restore_rewrites_tomcat_s_configuration_and_not_the_home_s() {
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

/// A home with an embedded database of a real make, and nobody in sight.
fn embedded(sample: &str, files: &str, usage: Usage) -> Host {
    let host = home(sample, &[("attachments/x", "x"), ("lock", ""), ("database/confluencedb.lck", "l")]);
    for file in std::fs::read_dir(format!("{FIXTURES}/embedded/{files}")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), host.path("home").join("database").join(file.file_name())).unwrap();
    }
    host.in_use("home", "", usage)
}

#[test]
fn g_hsqldb_is_copied_while_nobody_uses_it_and_never_otherwise() {
    let host = embedded("g-hsqldb-57", "hsqldb-1.8", Usage::Free);
    let seen = inspect();
    assert_eq!(fact(&seen, "database files"), "confluencedb.properties, confluencedb.script in database");
    assert_eq!((blockers(&seen), codes(&seen, Severity::Warning)), (vec![], vec![]));
    assert_eq!(parts(&seen), ["database", "attachments", "home"]);
    assert!(part_of(&seen, part::DATABASE).uses.iter().all(|uses| uses == "dirs.home"));
    let outcome = backup(part_of(&seen, part::DATABASE), Pass::InStage).unwrap();
    assert!(proven(&outcome.receipts), "{:?}", outcome.receipts);
    assert_eq!(host.stored_paths(), ["confluencedb.properties", "confluencedb.script"]);
    assert_eq!(host.fixed_instant().unwrap().kind, strongroom_plugin::InstantKind::Stopped);
    let host = host.stored_as_archive("database");
    backup(part_of(&seen, part::HOME), Pass::InStage).unwrap();
    assert_eq!(host.stored_paths(), [CFG]);
    for usage in [Usage::Unknown, Usage::Used("pid 4711 java".into())] {
        let host = embedded("g-hsqldb-57", "hsqldb-1.8", Usage::Free).in_use("home", "lock", usage);
        assert_eq!(blockers(&inspect()), ["embedded-in-use"]);
        let error = backup(part_of(&seen, part::DATABASE), Pass::InStage).unwrap_err();
        assert!(error.message.contains("stop Confluence"), "{error}");
        assert!(host.stored_paths().is_empty());
    }
}

#[test]
fn h_h2_is_copied_while_nobody_uses_it_and_comes_back_where_it_was() {
    for make in ["h2-1.4", "h2-2", "h2-pagestore"] {
        let host = embedded("h-h2-79", make, Usage::Free);
        let seen = inspect();
        assert!(fact(&seen, "database").starts_with("H2 jdbc:h2:file:/var/confluence/database/h2db"));
        assert_eq!((blockers(&seen), codes(&seen, Severity::Warning)), (vec![], vec![]), "{make}");
        let outcome = backup(part_of(&seen, part::DATABASE), Pass::InStage).unwrap();
        assert!(proven(&outcome.receipts));
        let noted = host.noted(note::EMBEDDED).unwrap();
        let content = host.stored(&noted).unwrap();
        drop(host);
        let host = target(&sample_cfg("h-h2-79"))
            .note(note::EMBEDDED, &noted)
            .note("entries database", "1")
            .secret("database-password", "for a server only")
            .archived("database", &noted, content.clone());
        let seen = Confluence.inspect(Purpose::Restore).unwrap();
        assert!(blockers(&seen).is_empty(), "{:?}", seen.findings);
        restore(&Part::new(part::DATABASE, Stage::Database)).unwrap();
        restore(&tree("home")).unwrap();
        assert_eq!(std::fs::read(host.path("home").join("database").join(&noted)).unwrap(), content);
        assert_eq!(host.file("home", CFG).unwrap(), sample_cfg("h-h2-79"));
        let verified = crate::verify::verify(&Part::new(part::DATABASE, Stage::Database)).unwrap();
        assert!(proven(&verified.receipts), "{:?}", verified.receipts);
        let _host = host.archived("database", &noted, &content[..content.len() - 1000]);
        let verified = crate::verify::verify(&Part::new(part::DATABASE, Stage::Database)).unwrap();
        assert!(!proven(&verified.receipts) && verified.findings[0].code == "embedded-damaged");
    }
}

#[test]
fn h_an_embedded_database_that_was_not_closed_or_is_damaged_is_named() {
    let _host = embedded("h-h2-79", "h2-2-killed", Usage::Free);
    assert_eq!(codes(&inspect(), Severity::Warning), ["embedded-unclean"]);
    let host = embedded("h-h2-79", "h2-2", Usage::Free);
    std::fs::write(host.path("home").join("database/h2db.mv.db"), "").unwrap();
    assert_eq!(blockers(&inspect()), ["embedded-damaged"]);
    drop(host);
    let _host = home("h-h2-79", &[]).in_use("home", "", Usage::Free);
    assert_eq!(blockers(&inspect()), ["embedded-missing"]);
    let cfg = sample_cfg("h-h2-79").replace("${confluenceHome}/database", "/elsewhere");
    let _host = Host::new().files("home", &[(CFG, &cfg)]).display("dirs", "home", "/var/confluence, read");
    assert_eq!(blockers(&inspect()), ["embedded-outside"]);
}

#[test]
fn h_the_url_of_an_embedded_database_follows_its_files() {
    let host = target(&sample_cfg("h-h2-79").replace("${confluenceHome}", "/var/confluence"));
    restore(&tree("home")).unwrap();
    assert_eq!(restored(&host, "home").get(URL), Some("jdbc:h2:file:/new/database/h2db"));
}

const SEALED: &str = "javax.crypto.SealedObject_1710000000000";
const KEY: &str = "javax.crypto.spec.SecretKeySpec_1710000000000";

#[test]
fn i_cipher_files_are_asked_for_where_the_password_names_them() {
    let host = home("i-encrypted-9x", &[("attachments/x", ""), ("keys/k", "k")]);
    let seen = inspect();
    assert_eq!(fact(&seen, "cipher files"), format!("/var/atlassian/secrets/{KEY}, /var/atlassian/secrets/{SEALED}"));
    assert_eq!(blockers(&seen), ["cipher-files-missing", "cipher-files-missing"]);
    assert_eq!(seen.wants.iter().filter(|want| want.name == "external-cipher").count(), 1);
    assert!(want(&seen, "external-cipher").contains("path = \"/var/atlassian/secrets\""));
    drop(host);
    let unnamed = sample_cfg("i-encrypted-9x").replace("{\"sealedObjectFilePath\"", "{}").replace("FilePath", "");
    let _host = Host::new().files("home", &[(CFG, &unnamed)]).display("dirs", "home", "/var/confluence, read");
    let seen = inspect();
    let found = seen.findings.iter().find(|one| one.code == "cipher-files-missing").unwrap();
    assert!(found.message.contains("cipher-files of the step's config"), "{}", found.message);
}

#[test]
fn i_cipher_files_are_one_with_the_other_secrets_and_come_back_with_their_paths() {
    let ciphers = Host::new().files("x", &[(SEALED, "sealed"), (KEY, "key"), ("other", "o")]);
    let directory = ciphers.path("x");
    let cfg = sample_cfg("i-encrypted-9x").replace("/var/atlassian/secrets", directory.to_str().unwrap());
    let host = Host::new().files("home", &[(CFG, &cfg), ("keys/k", "k")]).dir("external-cipher", &directory);
    let seen = inspect();
    assert!(blockers(&seen).is_empty(), "{:?}", seen.findings);
    let outcome = backup(part_of(&seen, part::SECRETS), Pass::InStage).unwrap();
    assert!(proven(&outcome.receipts));
    assert!(host.stored("keys/k").is_some());
    assert_eq!(host.stored(&format!("dirs/external-cipher/{SEALED}")).unwrap(), b"sealed");
    let noted = host.noted(note::CIPHER).unwrap();
    let host = host.stored_as_archive("secrets");
    backup(part_of(&seen, "external-cipher"), Pass::InStage).unwrap();
    assert_eq!(host.stored_paths(), ["other"]);
    std::fs::remove_file(directory.join(KEY)).unwrap();
    assert_eq!(blockers(&inspect()), ["cipher-files-missing"]);
    assert!(backup(part_of(&seen, part::SECRETS), Pass::InStage).is_err());
    drop(host);

    let paths = serde_json::json!({ "home": "/var/confluence", "external-cipher": directory.to_str().unwrap() });
    let snapshot = || {
        let host =
            target(&cfg).note(note::PATHS, &paths.to_string()).note(note::CIPHER, &noted).note(note::SECRETS, "");
        host.target("external-cipher", &[])
            .display("dirs", "external-cipher", "/new/secrets, write")
            .archived("secrets", "keys/k", "k")
            .archived("secrets", &format!("dirs/external-cipher/{SEALED}"), "sealed")
            .archived("secrets", &format!("dirs/external-cipher/{KEY}"), "key")
    };
    let host = snapshot();
    restore(&tree("secrets")).unwrap();
    restore(&tree("home")).unwrap();
    assert_eq!(host.file("external-cipher", KEY).as_deref(), Some("key"));
    assert_eq!(host.file("home", "keys/k").as_deref(), Some("k"));
    let restored_cfg = restored(&host, "home");
    let value = restored_cfg.get("hibernate.connection.password").unwrap();
    assert_eq!(crate::cipher::paths(value), [format!("/new/secrets/{KEY}"), format!("/new/secrets/{SEALED}")]);
    assert!(restored_cfg.get(crate::cipher::DECRYPTER).is_some());
    let verified = crate::verify::verify(&tree("secrets")).unwrap();
    assert!(
        verified.receipts.iter().any(|one| one.subject == "secrets required" && one.expected == 2 && one.actual == 2)
    );

    let host = snapshot().secret("database-password", "plain");
    restore(&tree("home")).unwrap();
    let restored_cfg = restored(&host, "home");
    assert_eq!(restored_cfg.get("hibernate.connection.password"), Some("plain"));
    assert_eq!(restored_cfg.get(crate::cipher::DECRYPTER), None);
}

//! Sample a: a cluster, its shared home and its nodes.

use super::*;

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
fn a_cluster_is_understood() {
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
    let search = "OpenSearch at https://os1.kb.example:9200, https://os2.kb.example:9200";
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
fn a_every_copy_of_the_configuration_names_the_target() {
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

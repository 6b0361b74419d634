//! What is concluded from instances of every kind, as `fixtures/a` to `e` configure them.

use strongroom_plugin::{
    Part, Pass, Plugin, Purpose, Severity, Stage,
    dirs::Usage,
    testing::{Host, proven},
};

use super::*;
use crate::{
    Nuxeo,
    backup::{backup, note},
    stores::{Layout, SETTING, Store},
};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
const HELLO: &str = "data/5d/41/5d41402abc4b2a76b9719d911017c592";

fn look() -> Inspection {
    Nuxeo.inspect(Purpose::Backup).unwrap()
}

fn conf(sample: &str) -> String {
    std::fs::read_to_string(format!("{FIXTURES}/{sample}/{}", instance::CONF)).unwrap()
}

/// A sample whose Nuxeo sees its home at `/opt/nuxeo`, and these files in its home and its data directory.
fn sample(sample: &str, home: &[(&str, &str)], data: &[(&str, &str)]) -> Host {
    let conf = conf(sample);
    Host::new()
        .files("configuration", &[(instance::CONF, &conf)])
        .display("dirs", "configuration", "/etc/nuxeo, read")
        .files("home", home)
        .display("dirs", "home", "/opt/nuxeo, read")
        .files("data", data)
}

/// A database that is a repository's.
fn repository(host: Host, location: &str) -> Host {
    let row = |name| [Some("public"), Some(name), Some(name)];
    host.rows("database", "relpersistence", &[&row("content"), &row("hierarchy")])
        .rows("database", "pg_table_size", &[&[Some("4096")]])
        .location("database", location)
        .tool("dump", "")
        .tool("read-dump", "")
}

fn fact<'a>(seen: &'a Inspection, key: &str) -> &'a str {
    seen.facts.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
}

fn codes(seen: &Inspection, severity: Severity) -> Vec<&str> {
    seen.findings.iter().filter(|one| one.severity == severity).map(|one| one.code.as_str()).collect()
}

fn names(seen: &Inspection) -> Vec<&str> {
    seen.parts.iter().map(|part| part.name.as_str()).collect()
}

fn part<'a>(seen: &'a Inspection, name: &str) -> &'a Part {
    seen.parts.iter().find(|part| part.name == name).unwrap_or_else(|| panic!("no part {name}"))
}

fn noted(seen: &Inspection, key: &str) -> Option<String> {
    part(seen, part::CONFIGURATION).setting(&format!("{}{key}", setting::NOTE)).map(str::to_owned)
}

fn a() -> Host {
    let data = [
        ("binaries/config.xml", "<binary-store><digest>SHA-256</digest><depth>3</depth></binary-store>"),
        ("transientstores/x", "x"),
        ("avro/a.avsc", "a"),
        ("tmp/t", "t"),
        ("instance.clid", "i"),
    ];
    let home = [("packages/.packages", "p"), ("bin/nuxeoctl", "")];
    repository(sample("a", &home, &data), "db1.dam.example:5432/nuxeo_prod")
}

#[test]
fn a_server_with_kafka_and_a_search_engine_is_understood() {
    let host = a().note("x", "");
    let seen = look();
    assert!(codes(&seen, Severity::Blocker).is_empty(), "{:?}", seen.findings);
    assert_eq!(names(&seen), ["database", "blobs", "transient", "data", "configuration"]);
    let store: Store = serde_json::from_str(part(&seen, "blobs").setting(SETTING).unwrap()).unwrap();
    assert_eq!(store.layout, Layout::Digest { algorithm: "SHA-256".into(), depth: 3 });
    assert!(part(&seen, "blobs").ahead && part(&seen, "configuration").ahead);
    for (key, value) in [
        (note::KAFKA_PREFIX, "dam-"),
        (note::KAFKA_BOOTSTRAP, "k1.dam.example:9092,k2.dam.example:9092"),
        (note::KAFKA_PREFIXES, "dam-"),
        (note::AUDIT_INDEX, "dam-audit"),
        (note::UIDGEN_INDEX, "dam-uidgen"),
        (note::CONF, "configuration/nuxeo.conf"),
    ] {
        assert_eq!(noted(&seen, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(codes(&seen, Severity::Warning), ["unset-environment", "audit-index", "file-outside"]);
    let infos = codes(&seen, Severity::Info);
    for code in ["encrypted-values", "streams-elsewhere", "records-overflow", "sequence-index", "version-unknown"] {
        assert!(infos.contains(&code), "{code}: {infos:?}");
    }
    let url = "https://dam2.example/nuxeo from nuxeo.conf line 43, in the generated block, overrides line 10";
    assert_eq!(fact(&seen, "nuxeo.url"), url);
    let whole = format!("{seen:?}");
    for secret in ["kafka-fixture", "jwt-fixture", "es-fixture", "changeit-fixture", "status-fixture", "Zml4dHVyZS1"] {
        assert!(!whole.contains(secret), "{secret}");
    }
    backup(part(&seen, "data"), Pass::InStage).unwrap();
    let files: Vec<String> = host.stored_paths().into_iter().filter(|path| host.stored(path).is_some()).collect();
    assert_eq!(files, ["avro/a.avsc", "instance.clid"]);
    let host = host.stored_as_archive("data");
    assert!(proven(&backup(part(&seen, "configuration"), Pass::Ahead).unwrap().receipts));
    let files: Vec<String> = host.stored_paths().into_iter().filter(|path| host.stored(path).is_some()).collect();
    assert_eq!(files, ["dirs/configuration/nuxeo.conf", "dirs/home/packages/.packages"]);
}

#[test]
fn b_everything_embedded_must_be_stopped() {
    let files = [
        ("bin/nuxeo.conf", &*conf("b")),
        ("nxserver/data/h2/nuxeo.mv.db", "not closed"),
        ("nxserver/data/elasticsearch/nodes/x", "x"),
        ("nxserver/data/stream/audit/offset-g/x.cq4", "p"),
        ("nxserver/data/stream/audit/P-00/x.cq4", "r"),
    ];
    let host = || Host::new().files("home", &files).display("dirs", "home", "/opt/nuxeo, read");
    let running = host();
    let seen = look();
    assert_eq!(codes(&seen, Severity::Blocker), ["embedded-in-use", "embedded-damaged"]);
    let warnings = codes(&seen, Severity::Warning);
    assert_eq!(warnings, ["defaults-in-use", "search-embedded", "audit-index"]);
    assert_eq!(names(&seen), ["database", "blobs", "stream-positions", "data", "configuration"]);
    assert_eq!(part(&seen, "stream-positions").stage, Stage::Positions);
    let excludes = part(&seen, "data").setting(setting::EXCLUDE).unwrap();
    for excluded in ["/h2", "/binaries", "/stream/**/offset-*/", "/elasticsearch"] {
        assert!(excludes.lines().any(|line| line == excluded), "{excluded}: {excludes}");
    }
    drop(running);
    let _host = host().in_use("home", "", Usage::Free);
    let seen = look();
    assert_eq!(codes(&seen, Severity::Blocker), ["embedded-damaged"], "it is no file of H2");
    assert_eq!(names(&seen), ["database", "blobs", "stream-positions", "search", "data", "configuration"]);
    assert!(!codes(&seen, Severity::Warning).contains(&"audit-index"), "its files are saved");
    assert_eq!(noted(&seen, note::KAFKA_PREFIX), None);
    assert_eq!(noted(&seen, note::AUDIT_INDEX).as_deref(), Some("nuxeo-audit"), "both flags are true");
    assert_eq!(noted(&seen, note::UIDGEN_INDEX).as_deref(), Some("nuxeo-uidgen"));
}

#[test]
fn b_a_stopped_embedded_database_is_copied_and_comes_back() {
    let database = std::fs::read(format!("{FIXTURES}/../../database/fixtures/embedded/h2-2/h2db.mv.db")).unwrap();
    let host = Host::new().files("home", &[("bin/nuxeo.conf", &conf("b")), ("nxserver/data/h2/x", "")]);
    let host = host.display("dirs", "home", "/opt/nuxeo, read").in_use("home", "", Usage::Free);
    std::fs::write(host.path("home").join("nxserver/data/h2/nuxeo.mv.db"), &database).unwrap();
    let seen = look();
    assert!(codes(&seen, Severity::Blocker).is_empty(), "{:?}", seen.findings);
    assert!(proven(&backup(part(&seen, "database"), Pass::InStage).unwrap().receipts));
    assert_eq!(host.stored_paths(), ["nuxeo.mv.db"]);
    let place = host.noted(&note::place("database")).unwrap();
    drop(host);
    let host =
        Host::new().target("home", &[]).target("data", &[]).archived("database", "nuxeo.mv.db", database.clone());
    let host = host.note(&note::place("database"), &place).note(&note::place("data"), "home/nxserver/data");
    assert!(proven(&Nuxeo.restore(part(&seen, "database")).unwrap().receipts));
    assert_eq!(std::fs::read(host.path("data").join("h2/nuxeo.mv.db")).unwrap(), database);
}

#[test]
fn c_mongodb_with_encrypted_blobs_is_saved_by_its_tool() {
    let host = sample("c", &[], &[]).files("binaries", &[(HELLO, "NUXEOCRYPT")]);
    let seen = look();
    assert_eq!(codes(&seen, Severity::Blocker), ["transient-outside", "mongodb-missing"]);
    assert!(codes(&seen, Severity::Warning).contains(&"gc-immediate"));
    let wants: Vec<&str> = seen.wants.iter().map(|want| want.name.as_str()).collect();
    assert_eq!(wants, ["transientstores", "management", "mongodump", "templates-keys"]);
    let _host = host.files("transientstores", &[]).tool("mongodump", "").answer("management", "PUT", "/", 204, "");
    let seen = look();
    assert!(codes(&seen, Severity::Blocker).is_empty(), "{:?}", seen.findings);
    assert_eq!(part(&seen, "mongodb").setting(setting::PAUSE), Some("yes"));
    assert!(codes(&seen, Severity::Info).contains(&"gc-immediate"));
    let store: Store = serde_json::from_str(part(&seen, "blobs").setting(SETTING).unwrap()).unwrap();
    assert!(store.encrypted);
    assert_eq!(noted(&seen, note::AUDIT_INDEX), None, "the audit log is in MongoDB");
    assert!(!format!("{seen:?}").contains("ngo-fixture") && !format!("{seen:?}").contains("aes-fixture"));
}

#[test]
fn d_the_audit_index_of_2025_is_named_whatever_older_keys_say() {
    let _host = sample("d", &[], &[]).tool("mongodump", "").config(&serde_json::json!({ "version": "2025.1" }));
    let seen = look();
    assert_eq!(noted(&seen, note::AUDIT_INDEX).as_deref(), Some("nuxeo-audit"));
    assert_eq!(noted(&seen, note::VERSION).as_deref(), Some("2025.1"));
    assert!(!names(&seen).contains(&"stream-positions"), "2025 has no Chronicle");
}

#[test]
fn e_directories_elsewhere_are_asked_for() {
    let conf = conf("e");
    let _host = Host::new().files("home", &[("bin/nuxeo.conf", &conf)]).display("dirs", "home", "/opt/nuxeo, read");
    let seen = look();
    assert_eq!(codes(&seen, Severity::Blocker), ["blobs-outside"]);
    assert_eq!(noted(&seen, note::AUDIT_INDEX), None, "without its line, the audit log is in the database");
    let want = seen.wants.iter().find(|want| want.name == "binaries").unwrap();
    assert!(want.suggestion.contains("path = \"/mnt/a/blobs/binaries\""), "{}", want.suggestion);
    assert_eq!(part(&seen, "data").setting(setting::PATH), Some("vol/data"));
    assert!(seen.wants.iter().any(|want| want.suggestion.contains("@localhost:5432/last-wins")));
    let elsewhere = conf.replace("nuxeo.data.dir=${nuxeo.home}/nxserver/../vol/data", "nuxeo.data.dir=/vol/data");
    let host = Host::new().files("home", &[("bin/nuxeo.conf", &elsewhere)]).files("binaries", &[]);
    let _host = host.display("dirs", "home", "/opt/nuxeo, read");
    assert_eq!(codes(&look(), Severity::Blocker), ["data-outside"]);
}

#[test]
fn a_second_store_that_documents_name_is_told_from_one_of_digests() {
    let host =
        a().files("binaries-records", &[("config.xml", "<binary-store></binary-store>"), ("data/0a1b-doc", "x")]);
    let host = host.files("binaries-other", &[(HELLO, "hello")]);
    let seen = look();
    let layout = |name: &str| Store::of(part(&seen, name)).unwrap().layout;
    assert_eq!(layout("blobs-records"), Layout::Flat);
    assert_eq!(layout("blobs-other"), Layout::Digest { algorithm: "MD5".into(), depth: 2 });
    let stores = part(&seen, "database").setting(setting::STORES).unwrap();
    assert!(stores.contains("blobs-records") && stores.contains("blobs-other"));
    drop(host);
    let _host = a().files("binaries-bad", &[("config.xml", "<binary-store><digest>MD5")]);
    assert!(Nuxeo.inspect(Purpose::Backup).unwrap_err().message.contains("config.xml: it is no complete XML"));
}

#[test]
fn a_store_in_the_data_directory_that_is_granted_by_itself_is_stored_once() {
    let host = a();
    let binaries = host.path("data").join("binaries");
    let host = host.dir("binaries", binaries).config(&serde_json::json!({ "version": "2021.45" }));
    let seen = look();
    assert_eq!(part(&seen, "blobs").setting(setting::GRANT), Some("binaries"));
    backup(part(&seen, "data"), Pass::InStage).unwrap();
    assert!(!host.stored_paths().iter().any(|path| path.starts_with("binaries")), "{:?}", host.stored_paths());
}

#[test]
fn a_directory_behind_a_link_is_asked_for() {
    let host = Host::new().files("home", &[("bin/nuxeo.conf", "nuxeo.templates=postgresql\n"), ("nxserver/x", "")]);
    let host = host.display("dirs", "home", "/opt/nuxeo, read");
    std::os::unix::fs::symlink("/var/lib/nuxeo", host.path("home").join("nxserver/data")).unwrap();
    let seen = look();
    assert_eq!(codes(&seen, Severity::Blocker), ["data-outside"]);
    let _host = host.files("data", &[("binaries/config.xml", "<binary-store/>")]);
    assert!(codes(&look(), Severity::Blocker).is_empty(), "{:?}", look().findings);
}

#[test]
fn blobs_in_a_cloud_are_named_and_not_expected() {
    let s3 = format!("{}nuxeo.core.binarymanager=org.nuxeo.ecm.blob.s3.S3BlobProvider\n", conf("a"));
    let host = a().files("configuration", &[(instance::CONF, &s3)]);
    let seen = look();
    assert!(codes(&seen, Severity::Warning).contains(&"blobs-elsewhere"));
    assert!(!names(&seen).contains(&"blobs"));
    assert_eq!(part(&seen, "database").setting(setting::ELSEWHERE), Some(""));
    drop(host);
}

#[test]
fn another_database_is_refused_and_another_address_is_named() {
    let _host = repository(a(), "other:5432/x");
    assert!(codes(&look(), Severity::Warning).contains(&"database-contradiction"));
    let row = [Some("public"), Some("content"), Some("content")];
    let host = sample("a", &[], &[("binaries/x", "")]).rows("database", "relpersistence", &[&row]);
    let _host = host.rows("database", "pg_table_size", &[&[Some("1")]]).tool("dump", "").tool("read-dump", "");
    assert_eq!(codes(&look(), Severity::Blocker), ["not-nuxeo"]);
    let oracle = conf("a").replace("postgresql,", "oracle,");
    let _host = a().files("configuration", &[(instance::CONF, &oracle)]);
    assert!(codes(&look(), Severity::Blocker).contains(&"vendor"));
}

#[test]
fn an_instance_without_its_configuration_is_not_looked_at() {
    let _host = Host::new().files("home", &[("bin/nuxeoctl", "")]);
    let seen = look();
    assert_eq!(codes(&seen, Severity::Blocker), ["conf-missing"]);
    assert_eq!((seen.wants[0].name.as_str(), seen.parts.len()), ("configuration", 0));
    let _host = Host::new().files("home", &[]).files("configuration", &[]);
    assert!(look().wants.is_empty());
}

#[test]
fn chronicle_queues_outside_of_the_data_directory_have_their_own_part() {
    let text = "nuxeo.data.dir=/var/lib/nuxeo\nnuxeo.templates=postgresql\nnuxeo.stream.chronicle.dir=/queues\n";
    let data = Host::new().files("home", &[("bin/nuxeo.conf", text)]).files("data", &[("binaries/x", "")]);
    let data = repository(data, "localhost:5432/nuxeo").display("dirs", "home", "/opt/nuxeo, read");
    let seen = look();
    assert_eq!(codes(&seen, Severity::Blocker), ["stream-outside"]);
    let host = data.files("stream", &[("a/offset-g/x.cq4", "p"), ("a/P-00/x.cq4", "r")]);
    let seen = look();
    assert!(codes(&seen, Severity::Blocker).is_empty(), "{:?}", seen.findings);
    backup(part(&seen, "stream"), Pass::InStage).unwrap();
    assert!(host.stored("a/P-00/x.cq4").is_some() && host.stored("a/offset-g/x.cq4").is_none());
    let host = host.stored_as_archive("stream");
    backup(part(&seen, "stream-positions"), Pass::InStage).unwrap();
    assert!(host.stored("a/offset-g/x.cq4").is_some() && host.stored("a/P-00/x.cq4").is_none());
}

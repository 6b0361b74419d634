//! Restores against the scripted host.

use std::os::unix::fs::PermissionsExt;

use strongroom_plugin::{
    Inspection, Severity, Stage,
    context::Operation,
    testing::{Host, ToolRun, proven},
};

use super::*;
use crate::backup::note;

const CONF: &str = include_str!("../../fixtures/a/nuxeo.conf");
const PATHS: &str =
    r#"{"home":"/opt/nuxeo","configuration":"/etc/nuxeo","data":"/var/lib/nuxeo/data","binaries":"/mnt/blobs"}"#;

fn part(name: &str) -> Part {
    Part::new(name, Stage::Files)
}

/// A snapshot of an instance with everything in `data`, and an empty target.
fn target() -> Host {
    Host::new()
        .operation(Operation::Restore)
        .target("configuration", &[])
        .target("data", &[])
        .display("dirs", "configuration", "/etc/nuxeo, write")
        .display("dirs", "data", "/new/data, write")
        .note(note::PATHS, PATHS)
        .note(note::CONF, "configuration/nuxeo.conf")
        .note(&note::place(part::DATA), "data/")
        .note(&note::place(part::BLOBS), "data/binaries")
        .note(&note::place(part::POSITIONS), "data/stream")
        .archived(part::CONFIGURATION, "dirs/configuration/nuxeo.conf", CONF)
        .archived(part::DATA, "stream/a/P-00/x.cq4", "records")
        .archived(part::POSITIONS, "a/offset-g/x.cq4", "position")
        .archived(part::BLOBS, "data/5d/41/5d41402abc4b2a76b9719d911017c592", "hello")
}

fn server(host: Host) -> Host {
    host.archived(part::DATABASE, strongroom_database::dump::DUMP, "PGDMP")
        .location("database", "db2:5433/dam2")
        .database_user("database", "dam_rw")
        .secret("database-password", "n=w \\x\n")
}

fn codes(findings: &[strongroom_plugin::Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}

fn blockers(seen: &Inspection) -> Vec<&str> {
    let blockers = seen.findings.iter().filter(|finding| finding.severity == Severity::Blocker);
    blockers.map(|finding| finding.code.as_str()).collect()
}

/// The lines that differ, old and new.
fn changed(old: &str, new: &str) -> Vec<(String, String)> {
    let pairs = old.lines().zip(new.lines()).filter(|(old, new)| old != new);
    pairs.map(|(old, new)| (old.to_owned(), new.to_owned())).collect()
}

#[test]
fn the_restored_configuration_names_the_target_in_both_of_its_parts_and_nothing_else_changes() {
    let config = serde_json::json!({ "url": "https://new.example/nuxeo", "topic-prefix": "dam3-" });
    let host = server(target()).config(&config);
    let outcome = restore(&part(part::CONFIGURATION)).unwrap();
    assert!(proven(&outcome.receipts) && outcome.findings.is_empty(), "{:?}", outcome.findings);
    let new = host.file("configuration", "nuxeo.conf").unwrap();
    let pair = |old: &str, new: &str| (old.to_owned(), new.to_owned());
    assert_eq!(
        changed(CONF, &new),
        [
            pair("nuxeo.data.dir=/var/lib/nuxeo/data", "nuxeo.data.dir=/new/data"),
            pair("nuxeo.url=https://dam.example/nuxeo", "nuxeo.url=https://new.example/nuxeo"),
            pair("nuxeo.db.name=nuxeo_prod", "nuxeo.db.name=dam2"),
            pair("nuxeo.db.user=nuxeo_rw", "nuxeo.db.user=dam_rw"),
            pair("nuxeo.db.password={$$c2VjcmV0LWZpeHR1cmU=}", "nuxeo.db.password=n=w \\\\x"),
            pair("nuxeo.db.host=db1.dam.example", "nuxeo.db.host=db2"),
            pair("nuxeo.db.port=5432", "nuxeo.db.port=5433"),
            pair("kafka.topicPrefix=dam-", "kafka.topicPrefix=dam3-"),
            pair("nuxeo.url=https://dam2.example/nuxeo", "nuxeo.url=https://new.example/nuxeo"),
        ]
    );
    assert_eq!(new.lines().count(), CONF.lines().count());
    assert!(!format!("{outcome:?}").contains("n=w"), "{outcome:?}");
    let file = host.path("configuration").join("nuxeo.conf");
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o007, 0, "others may not read it");
    // Repeated after an interruption it comes to the same.
    restore(&part(part::CONFIGURATION)).unwrap();
    assert_eq!(host.file("configuration", "nuxeo.conf").unwrap(), new);
}

#[test]
fn what_nobody_said_anew_stays_and_is_named() {
    let host = server(target());
    let outcome = restore(&part(part::CONFIGURATION)).unwrap();
    assert_eq!(codes(&outcome.findings), ["address-kept", "topics-kept"]);
    assert!(host.file("configuration", "nuxeo.conf").unwrap().contains("kafka.topicPrefix=dam-\n"));
    let _host = target()
        .archived(part::DATABASE, strongroom_database::dump::DUMP, "PGDMP")
        .location("database", "/run/pg:5432/d");
    let outcome = restore(&part(part::CONFIGURATION)).unwrap();
    assert_eq!(codes(&outcome.findings), ["url-kept", "password-kept", "address-kept", "topics-kept"]);
    let _host =
        target().archived(part::CONFIGURATION, "dirs/configuration/nuxeo.conf", "nuxeo.mongodb.server=m:27017\n");
    let outcome = restore(&part(part::CONFIGURATION)).unwrap();
    assert_eq!(codes(&outcome.findings), ["address-kept", "mongodb-kept"]);
}

#[test]
fn what_overrides_a_restored_value_is_named() {
    let text = "nuxeo.log.dir=/var/lib/nuxeo/data/log\nnuxeo.templates=default,${env:MORE},/var/lib/nuxeo/data/own\n\
### BEGIN - DO NOT EDIT BETWEEN BEGIN AND END ###\nnuxeo.log.dir=/var/log/nuxeo\n\
### END - DO NOT EDIT BETWEEN BEGIN AND END ###\n";
    let host = target().config(&serde_json::json!({ "url": "http://new/nuxeo" }));
    let host = host.archived(part::CONFIGURATION, "dirs/configuration/nuxeo.conf", text);
    let host = host.archived(part::CONFIGURATION, "dirs/configuration/conf.d/10.conf", "nuxeo.url=http://old/nuxeo\n");
    let outcome = restore(&part(part::CONFIGURATION)).unwrap();
    assert_eq!(codes(&outcome.findings), ["paths-kept", "conf-d"]);
    let new = host.file("configuration", "nuxeo.conf").unwrap();
    assert!(new.starts_with(text.split("###").next().unwrap()), "what does not count does not change: {new}");
}

#[test]
fn parts_follow_the_data_directory_and_positions_come_back_into_their_queues() {
    let host = target();
    for name in [part::DATA, part::BLOBS, part::POSITIONS] {
        assert!(proven(&restore(&part(name)).unwrap().receipts), "{name}");
    }
    let blob = "binaries/data/5d/41/5d41402abc4b2a76b9719d911017c592";
    assert_eq!(host.file("data", blob).as_deref(), Some("hello"));
    assert_eq!(host.file("data", "stream/a/offset-g/x.cq4").as_deref(), Some("position"));
    assert_eq!(host.file("data", "stream/a/P-00/x.cq4").as_deref(), Some("records"));
    drop(host);
    // Below another grant than before.
    let host = target().note(&note::place(part::DATA), "home/nxserver/data");
    let host = host.note(&note::place(part::BLOBS), "home/nxserver/data/binaries");
    restore(&part(part::BLOBS)).unwrap();
    assert_eq!(host.file("data", blob).as_deref(), Some("hello"));
}

#[test]
fn blobs_that_move_alone_take_their_key_with_them() {
    let host = target().target("binaries", &[]).display("dirs", "binaries", "/new/blobs/binaries, write");
    restore(&part(part::BLOBS)).unwrap();
    restore(&part(part::CONFIGURATION)).unwrap();
    assert!(host.file("binaries", "data/5d/41/5d41402abc4b2a76b9719d911017c592").is_some());
    assert!(host.file("configuration", "nuxeo.conf").unwrap().contains("\nnuxeo.binarystores.root=/new/blobs\n"));
    drop(host);
    let host = target().target("binaries", &[]).display("dirs", "binaries", "/new/store, write");
    restore(&part(part::CONFIGURATION)).unwrap();
    assert!(host.file("configuration", "nuxeo.conf").unwrap().contains("\nrepository.binary.store=/new/store\n"));
    drop(host);
    let config = serde_json::json!({ "binaries": "/seen/binaries" });
    let host = target().target("binaries", &[]).config(&config);
    restore(&part(part::CONFIGURATION)).unwrap();
    assert!(host.file("configuration", "nuxeo.conf").unwrap().contains("\nnuxeo.binarystores.root=/seen\n"));
}

#[test]
fn a_restore_says_where_everything_goes_and_what_is_in_its_way() {
    let host = target();
    let seen = inspect().unwrap();
    assert!(blockers(&seen).is_empty(), "{:?}", seen.findings);
    let stage = |name: &str| seen.parts.iter().find(|part| part.name == name).unwrap().stage;
    assert_eq!((stage(part::POSITIONS), stage(part::DATA)), (Stage::Positions, Stage::Files));
    // The parts' own places do not stand in each other's way.
    restore(&part(part::BLOBS)).unwrap();
    let seen = inspect().unwrap();
    assert_eq!(seen.findings.iter().map(|one| one.subject.as_str()).collect::<Vec<_>>(), [part::BLOBS]);
    restore(&part(part::CONFIGURATION)).unwrap();
    assert_eq!(blockers(&inspect().unwrap()), ["target-not-empty"; 2]);
    drop(host);
    let _host = Host::new()
        .operation(Operation::Restore)
        .files("data", &[])
        .note(&note::place(part::DATA), "data/")
        .archived(part::DATA, "x", "")
        .archived(part::BLOBS, "data/x", "")
        .archived("mongodb", ARCHIVE, "x");
    let seen = inspect().unwrap();
    assert_eq!(blockers(&seen), ["target-missing", "target-read-only", "restore-tool"]);
    let wants: Vec<&str> = seen.wants.iter().map(|want| want.name.as_str()).collect();
    assert_eq!(wants, ["binaries", "mongorestore"]);
}

#[test]
fn a_dump_of_mongodb_is_loaded_by_its_tool_and_not_called_proven() {
    let host = Host::new().archived("mongodb", ARCHIVE, "archive").tool("mongorestore", "");
    let outcome = restore(&part("mongodb")).unwrap();
    assert_eq!((codes(&outcome.findings), outcome.receipts.len()), (vec!["mongodb-unproven"], 0));
    assert_eq!(host.tool_calls()[0].stdin, b"archive");
    drop(host);
    let failed = ToolRun { code: 1, stderr: "not authorized".into(), ..ToolRun::default() };
    let _host = Host::new().archived("mongodb", ARCHIVE, "a").tool_with("mongorestore", move |_| failed.clone());
    assert!(restore(&part("mongodb")).unwrap_err().message.contains("not authorized"));
}

#[test]
fn a_dump_is_loaded_into_an_empty_database_and_its_rows_are_counted() {
    let host = server(target())
        .note("rows", r#"{"content":2}"#)
        .rows("database", "relpersistence", &[])
        .rows("database", "count(*)", &[&[Some("0"), Some("2")]])
        .tool("restore", "");
    let outcome = restore(&part(part::DATABASE)).unwrap();
    // Nothing can be seen in a scripted database before and after: the rows that were noted are missing.
    assert_eq!((outcome.receipts[0].expected, outcome.receipts[0].actual), (2, 0));
    assert_eq!(host.tool_calls()[0].tool, "restore");
    let _host =
        server(target()).rows("database", "relpersistence", &[&[Some("public"), Some("content"), Some("content")]]);
    assert!(restore(&part(part::DATABASE)).unwrap_err().message.contains("holds 1 tables"));
}

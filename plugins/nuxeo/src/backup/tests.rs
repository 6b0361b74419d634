//! Backups against the scripted host.

use std::time::Duration;

use strongroom_plugin::{
    Evidence, Plugin, Severity, Stage, holds,
    testing::{Answered, Host, ToolRun, WebCall, proven},
};

use super::*;
use crate::{Nuxeo, stores, stores::Layout, stores::Store};

/// MD5 of `hello`, `world` and of nothing.
const HELLO: &str = "data/5d/41/5d41402abc4b2a76b9719d911017c592";
const WORLD: &str = "data/7d/79/7d793037a0760186574b0282f2f435e7";
const EMPTY: &str = "data/d4/1d/d41d8cd98f00b204e9800998ecf8427e";

fn md5_store() -> Store {
    let layout = Layout::Digest { algorithm: "MD5".into(), depth: 2 };
    Store { provider: String::new(), part: part::BLOBS.into(), layout, encrypted: false }
}

fn blobs_part(store: &Store) -> Part {
    let part = Part::new(&store.part, Stage::Files).ahead().set(setting::GRANT, "binaries").set(setting::PATH, "");
    part.set(stores::SETTING, store.to_setting().unwrap())
}

/// A store as Nuxeo leaves it, with files in the making.
fn store(files: &[(&str, &str)]) -> Host {
    let digest = format!("{HELLO}123.tmp");
    let own = [
        ("config.xml", "<binary-store/>"),
        (HELLO, "hello"),
        (WORLD, "world"),
        (EMPTY, ""),
        ("tmp/create_x.tmp", "half"),
        ("bin_y.tmp", "half"),
        (&digest, "half"),
    ];
    Host::new().files("binaries", &[&own[..], files].concat())
}

fn receipt(outcome: &Outcome, subject: &str) -> (u64, u64) {
    let receipt = outcome.receipts.iter().find(|receipt| receipt.subject == subject);
    receipt.map_or((9, 9), |receipt| (receipt.expected, receipt.actual))
}

fn codes(outcome: &Outcome) -> Vec<&str> {
    outcome.findings.iter().map(|finding| finding.code.as_str()).collect()
}

fn files(host: &Host) -> Vec<String> {
    host.stored_paths().into_iter().filter(|path| host.stored(path).is_some()).collect()
}

#[test]
fn blobs_are_compared_with_their_names_and_files_in_the_making_are_left_out() {
    let host = store(&[]);
    let outcome = backup(&blobs_part(&md5_store()), Pass::InStage).unwrap();
    assert!(proven(&outcome.receipts) && outcome.findings.is_empty(), "{outcome:?}");
    assert_eq!((receipt(&outcome, "blobs"), receipt(&outcome, "blobs as named")), ((3, 3), (3, 3)));
    assert_eq!(files(&host), ["config.xml", HELLO, WORLD, EMPTY]);
    let noted = host.noted("entries blobs").unwrap();
    let host = host.stored_as_archive("blobs");
    let verified = Nuxeo.verify(&blobs_part(&md5_store())).unwrap();
    assert!(proven(&verified.receipts), "{noted} {verified:?}");
    let host = host.archived("blobs", WORLD, "worlc");
    let verified = Nuxeo.verify(&blobs_part(&md5_store())).unwrap();
    assert_eq!((receipt(&verified, "blobs as named"), codes(&verified)), ((3, 2), vec!["blob-damaged"]));
    drop(host);
}

#[test]
fn a_truncated_blob_fails_the_part() {
    let host = store(&[(HELLO, "hel")]);
    let part = blobs_part(&md5_store());
    let ahead = backup(&part, Pass::Ahead).unwrap();
    assert!(ahead.findings.is_empty(), "it may still be mended: {ahead:?}");
    assert_eq!(host.noted("wrong blobs").as_deref(), Some(HELLO));
    // As the second pass of a real host: what was stored ahead can be stored again.
    let host = host.stored_as_archive("ahead");
    for ahead in [Some(HELLO), None] {
        let _host = store(&[(HELLO, "hel")]).note("wrong blobs", ahead.unwrap_or_default());
        let outcome = backup(&part, Pass::InStage).unwrap();
        assert_eq!((codes(&outcome), outcome.findings[0].severity), (vec!["blob-damaged"], Severity::Blocker));
        assert!(outcome.findings[0].message.starts_with(&format!("{HELLO}: its content's digest is ")));
        assert_eq!((receipt(&outcome, "blobs"), receipt(&outcome, "blobs as named")), ((3, 3), (3, 2)));
    }
    drop(host);
}

#[test]
fn a_blob_that_the_pass_ahead_found_wrong_is_stored_once_more() {
    // The second pass reads no file that has not changed: only the note says that the set's copy of this one is wrong.
    let host = store(&[]).note("wrong blobs", HELLO);
    let outcome = backup(&blobs_part(&md5_store()), Pass::InStage).unwrap();
    assert!(proven(&outcome.receipts) && outcome.findings.is_empty(), "{outcome:?}");
    assert_eq!((receipt(&outcome, "blobs as named"), host.stored(HELLO).unwrap()), ((3, 3), b"hello".to_vec()));
    assert_eq!(host.noted("entries blobs").as_deref(), Some(&*host.stored_paths().len().to_string()));
    let _host = store(&[]).note("wrong blobs", "data/00/00/gone");
    let outcome = backup(&blobs_part(&md5_store()), Pass::InStage).unwrap();
    assert_eq!(codes(&outcome), ["blob-damaged"], "the set holds it as it was");
    let _host = store(&[]).note("wrong blobs", "\t");
    let outcome = backup(&blobs_part(&md5_store()), Pass::InStage).unwrap();
    assert_eq!(codes(&outcome), ["blob-damaged"], "there were more than were noted");
}

#[test]
fn encrypted_blobs_are_proved_by_their_presence_only() {
    let encrypted = Store { encrypted: true, ..md5_store() };
    let _host = store(&[(HELLO, "NUXEOCRYPT\u{1}x")]);
    for store in [encrypted, md5_store()] {
        let outcome = backup(&blobs_part(&store), Pass::InStage).unwrap();
        assert!(proven(&outcome.receipts) && codes(&outcome) == ["blobs-unchecked"], "{outcome:?}");
        assert_eq!(receipt(&outcome, "blobs as named"), (9, 9), "no receipt that could lie");
    }
}

#[test]
fn blobs_that_are_named_by_documents_are_not_called_damaged() {
    let records =
        Store { provider: "records".into(), part: "blobs-records".into(), layout: Layout::Flat, ..md5_store() };
    let _host = Host::new().files("binaries", &[("data/0a1b-doc", "x"), ("tmp/t", "")]);
    let outcome = backup(&blobs_part(&records), Pass::InStage).unwrap();
    assert_eq!((codes(&outcome), proven(&outcome.receipts)), (vec!["blobs-unchecked"], true));
    let _host = Host::new().files("binaries", &[]);
    let absent = blobs_part(&records);
    let absent = Part { settings: absent.settings.into_iter().filter(|(key, _)| key != "path").collect(), ..absent };
    let outcome = backup(&absent.set(setting::PATH, "none"), Pass::InStage).unwrap();
    assert_eq!(codes(&outcome), ["blobs-absent"]);
}

#[test]
fn positions_come_first_and_the_data_directory_leaves_them_alone() {
    let queue = [
        ("stream/audit/audit/P-00/20240115.cq4", "records"),
        ("stream/audit/audit/metadata.properties", "m"),
        ("stream/audit/audit/offset-audit-writer/20240115.cq4", "position"),
        ("avro/x.avsc", "a"),
        ("tmp/x", ""),
    ];
    let host = Host::new().files("data", &queue);
    let positions =
        Part::new(part::POSITIONS, Stage::Positions).set(setting::GRANT, "data").set(setting::PATH, "stream");
    let outcome = backup(&positions.set(setting::INCLUDE, "offset-*/"), Pass::InStage).unwrap();
    assert!(proven(&outcome.receipts));
    assert_eq!(files(&host), ["audit/audit/offset-audit-writer/20240115.cq4"]);
    let host = host.stored_as_archive(part::POSITIONS);
    let data = Part::new(part::DATA, Stage::Files).set(setting::GRANT, "data").set(setting::PATH, "");
    backup(&data.set(setting::EXCLUDE, "/tmp\n/stream/**/offset-*/"), Pass::InStage).unwrap();
    assert_eq!(
        files(&host),
        ["avro/x.avsc", "stream/audit/audit/P-00/20240115.cq4", "stream/audit/audit/metadata.properties"]
    );
    assert_eq!(host.noted("place data").as_deref(), Some("data/"));
}

const SQL: &str = "-- Data for Name: content; Type: TABLE DATA; Schema: public; Owner: n\n--\n\nCOPY public.content (id) FROM stdin;\n1\n2\n\\.\n";

fn database() -> Host {
    Host::new()
        .rows("database", "relpersistence", &[&[Some("public"), Some("content"), Some("content")]])
        .rows("database", "count(distinct", &[&[Some("2")]])
        .rows("database", "select '0', count(*)", &[&[Some("0"), Some("2")]])
        .rows("database", "and not (", &[&[Some("d2"), Some("5"), Some("records:0a1b-doc")]])
        .rows("database", "'blobs/data/'", &[&[Some("content d1"), Some("5"), Some("blobs/data/5d/41/5d41")]])
        .tool("dump", "PGDMP dump")
        .tool("read-dump", SQL)
}

fn database_part(name: &str) -> Part {
    let records =
        Store { provider: "records".into(), part: "blobs-records".into(), layout: Layout::Flat, ..md5_store() };
    let stores = serde_json::to_string(&[md5_store(), records]).unwrap();
    Part::new(name, Stage::Database).set(setting::STORES, stores)
}

#[test]
fn every_key_of_the_dumped_view_is_expected_in_the_store_of_its_provider() {
    let host = database();
    let outcome = backup(&database_part(part::DATABASE), Pass::InStage).unwrap();
    assert!(proven(&outcome.receipts), "{:?}", outcome.receipts);
    assert_eq!(host.expected("blobs").unwrap(), "[\"content d1\",\"5\",\"blobs/data/5d/41/5d41\"]\n");
    let other = host.expected("blobs by other keys").unwrap();
    assert_eq!(other, "[\"content d2\",null,\"blobs-records/data/0a1b-doc\",\"blobs-records/0a1b-doc\"]\n");
    assert_eq!(host.evidence("blobs"), Some(Evidence::SameView));
    assert!(outcome.facts.contains(&("blobs".into(), "2".into())));
    assert_eq!(host.noted("rows").as_deref(), Some("{\"content\":2}"));
}

#[test]
fn a_second_database_has_its_own_tools_and_its_own_note() {
    let host = Host::new()
        .rows("database-quartz", "relpersistence", &[&[Some("public"), Some("content"), Some("content")]])
        .rows("database-quartz", "count(distinct", &[&[Some("2")]])
        .rows("database-quartz", "count(*)", &[&[Some("0"), Some("2")]])
        .tool("dump-quartz", "PGDMP dump")
        .tool("read-dump", SQL);
    let part = Part::new("database-quartz", Stage::Database);
    assert!(proven(&backup(&part, Pass::InStage).unwrap().receipts));
    assert_eq!(host.tool_calls().iter().filter(|call| call.tool == "dump-quartz").count(), 1);
    assert!(host.noted("rows database-quartz").is_some() && host.noted("rows").is_none());
    assert_eq!(host.expected("blobs"), None, "only the repository's database refers to blobs");
}

const STOP: &str = "/nuxeo/api/v1/management/stream/consumer/stop?consumer=blob/gc";
const START: &str = "/nuxeo/api/v1/management/stream/consumer/start?consumer=blob/gc";

fn calls(host: &Host) -> Vec<(String, String)> {
    host.requests().into_iter().map(|WebCall { method, path, .. }| (method, path)).collect()
}

#[test]
fn the_consumer_that_deletes_blobs_is_paused_under_a_hold_and_started_again() {
    let part = database_part(part::DATABASE).set(setting::PAUSE, "yes");
    let host = database().answer("management", "PUT", STOP, 204, "").answer("management", "PUT", START, 204, "");
    let outcome = backup(&part, Pass::InStage).unwrap();
    assert!(outcome.findings.is_empty(), "{outcome:?}");
    assert_eq!(host.holds(), [(gc::HOLD.to_owned(), gc::CONSUMER.as_bytes().to_vec())]);
    Nuxeo.release(gc::HOLD, gc::CONSUMER.as_bytes()).unwrap();
    Nuxeo.release(gc::HOLD, gc::CONSUMER.as_bytes()).unwrap();
    let put = |path: &str| ("PUT".to_owned(), path.to_owned());
    assert_eq!(calls(&host), [put(STOP), put(START), put(START)]);
    assert!(Nuxeo.release("other", b"").is_err() && Nuxeo.release(gc::HOLD, &[0xff]).is_err());
}

#[test]
fn a_consumer_that_cannot_be_paused_is_named_and_the_rest_goes_on() {
    let part = database_part(part::DATABASE).set(setting::PAUSE, "yes");
    // Nothing was done, so nothing is to be undone; after a failure nobody knows, so the hold stands.
    for (status, holds) in [(404, 0), (403, 0), (500, 1)] {
        let host = database().answer("management", "PUT", STOP, status, "no");
        let outcome = backup(&part, Pass::InStage).unwrap();
        assert_eq!((codes(&outcome), host.holds().len()), (vec!["gc-not-paused"], holds), "{status}");
        assert!(proven(&outcome.receipts));
    }
    let host = Host::new().answer("management", "PUT", START, 404, "").hold(gc::HOLD, "blob/gc");
    Nuxeo.release(gc::HOLD, b"blob/gc").unwrap();
    drop(host);
    let _host = Host::new().answer("management", "PUT", START, 503, "");
    assert!(Nuxeo.release(gc::HOLD, b"blob/gc").is_err(), "it is tried again later");
}

#[test]
fn the_hold_is_taken_before_the_consumer_is_stopped() {
    let part = database_part(part::DATABASE).set(setting::PAUSE, "yes");
    let stands = |_: &WebCall| {
        let stands = holds::renew(gc::HOLD, Duration::from_secs(1)).is_ok();
        Some(Answered { status: if stands { 204 } else { 500 }, ..Answered::default() })
    };
    let _host = database().answer_with("management", stands);
    assert!(backup(&part, Pass::InStage).unwrap().findings.is_empty());
    // Where an attempt before this one took it, the consumer is stopped once more, and the hold stands on.
    let host = database().answer("management", "PUT", STOP, 404, "").hold(gc::HOLD, "blob/gc");
    backup(&part, Pass::InStage).unwrap();
    assert_eq!((host.holds().len(), calls(&host).len()), (1, 1));
}

#[test]
fn the_configuration_is_stored_by_grant_and_leaves_notes_for_the_steps_after() {
    let host = Host::new()
        .files("configuration", &[("nuxeo.conf", "a=b\n"), ("conf.d/10.conf", "c=d\n"), ("other", "")])
        .files("home", &[("templates/default/nuxeo.defaults", "x=y\n"), ("bin/nuxeoctl", "")]);
    let part = Part::new(part::CONFIGURATION, Stage::Files)
        .set(setting::ITEMS, "configuration/nuxeo.conf\nconfiguration/conf.d\nhome/templates")
        .set(format!("{}{}", setting::NOTE, note::KAFKA_PREFIX), "dam-")
        .set(format!("{}{}", setting::NOTE, note::CONF), "configuration/nuxeo.conf");
    let outcome = backup(&part, Pass::Ahead).unwrap();
    assert_eq!(host.noted(note::KAFKA_PREFIX).as_deref(), Some("dam-"));
    assert!(proven(&outcome.receipts) && outcome.facts.contains(&("secret".into(), "yes".into())));
    let wanted = [
        "dirs/configuration/conf.d/10.conf",
        "dirs/configuration/nuxeo.conf",
        "dirs/home/templates/default/nuxeo.defaults",
    ];
    assert_eq!(files(&host), wanted);
    let host = host.stored_as_archive(part::CONFIGURATION);
    let verified = Nuxeo.verify(&part).unwrap();
    assert!(verified.facts.contains(&("properties in nuxeo.conf".into(), "1".into())), "{verified:?}");
    let gone = Part { settings: vec![(setting::ITEMS.into(), "configuration/gone".into())], ..part };
    assert_eq!(receipt(&backup(&gone, Pass::InStage).unwrap(), "entries"), (1, 0));
    drop(host);
}

#[test]
fn a_dump_of_mongodb_is_streamed_and_never_called_proven() {
    let part = Part::new(part::MONGODB, Stage::Database);
    let archive = [&[0x6d, 0xe2, 0x99, 0x81][..], b"archive"].concat();
    let host = Host::new().tool("mongodump", archive.clone());
    let outcome = backup(&part, Pass::InStage).unwrap();
    assert_eq!((codes(&outcome), outcome.receipts.len()), (vec!["mongodb-unproven"], 0));
    assert_eq!(host.stored(ARCHIVE).unwrap(), archive);
    assert!(host.fixed_instant().is_some_and(|instant| instant.kind == strongroom_plugin::InstantKind::End));
    let host = host.stored_as_archive(part::MONGODB);
    assert!(Nuxeo.verify(&part).unwrap().receipts.is_empty());
    drop(host);
    let _host = Host::new().tool("mongodump", "{ \"not\": \"an archive\" }");
    assert!(backup(&part, Pass::InStage).unwrap_err().message.contains("--archive"));
    let failed = ToolRun { stdout: archive, code: 1, stderr: "connection refused".into() };
    let _host = Host::new().tool_with("mongodump", move |_| failed.clone());
    assert!(backup(&part, Pass::InStage).unwrap_err().message.contains("connection refused"));
}

//! A stopped instance with an embedded search engine: what is copied, when it is refused, how it comes back.

use std::{fs, time::SystemTime};

use strongroom_plugin::{
    Inspection, Pass, Plugin, Purpose, Severity, Stage,
    context::Operation,
    dirs::Usage,
    testing::{Host, proven},
};

use super::*;
use crate::{
    Nuxeo,
    backup::note,
    inspect::{part, setting},
};

const CONF: &str = include_str!("../../../fixtures/b/nuxeo.conf");
const STATE: &str = "nodes/0/_state/node-3.st";
const SEGMENT: &str = "nodes/0/indices/fixtureUuid/0/index/_0.cfs";

fn host(usage: Usage) -> Host {
    let files = [
        ("bin/nuxeo.conf", CONF),
        (&format!("nxserver/data/elasticsearch/{STATE}"), "state"),
        (&format!("nxserver/data/elasticsearch/{SEGMENT}"), "entries"),
        ("nxserver/data/avro/a.avsc", "a"),
    ];
    let host = Host::new().files("home", &files).display("dirs", "home", "/opt/nuxeo, read");
    host.in_use("home", "nxserver/data/elasticsearch", usage)
}

fn look() -> Inspection {
    Nuxeo.inspect(Purpose::Backup).unwrap()
}

fn planned(seen: &Inspection, name: &str) -> Part {
    seen.parts.iter().find(|part| part.name == name).unwrap_or_else(|| panic!("no part {name}")).clone()
}

fn finding<'a>(seen: &'a Inspection, code: &str) -> Option<&'a strongroom_plugin::Finding> {
    seen.findings.iter().find(|finding| finding.code == code)
}

fn files(host: &Host) -> Vec<String> {
    host.stored_paths().into_iter().filter(|path| host.stored(path).is_some()).collect()
}

#[test]
fn the_index_of_a_stopped_instance_is_copied_once_and_comes_back_below_the_data_directory() {
    let host = host(Usage::Free);
    let seen = look();
    assert!(finding(&seen, "audit-index").is_none() && finding(&seen, "search-embedded").is_none());
    assert_eq!(finding(&seen, "search-unread").unwrap().severity, Severity::Info);
    let search = planned(&seen, part::SEARCH);
    assert_eq!((search.stage, search.setting(setting::PATH)), (Stage::Fence, Some("nxserver/data/elasticsearch")));
    let outcome = Nuxeo.backup(&search, Pass::InStage).unwrap();
    let subjects: Vec<_> = outcome.receipts.iter().map(|receipt| (&*receipt.subject, receipt.expected)).collect();
    assert!(proven(&outcome.receipts) && subjects.contains(&("files", 2)), "{outcome:?}");
    assert_eq!(files(&host), [STATE, SEGMENT]);
    let place = host.noted(&note::place(part::SEARCH)).unwrap();
    let host = host.stored_as_archive(part::SEARCH);
    assert!(proven(&Nuxeo.verify(&search).unwrap().receipts));
    Nuxeo.backup(&planned(&seen, part::DATA), Pass::InStage).unwrap();
    assert_eq!(files(&host), ["avro/a.avsc"], "no other part has it too");
    drop(host);
    let host = Host::new().operation(Operation::Restore).target("home", &[]).target("data", &[]);
    let host = host.archived(part::SEARCH, SEGMENT, "entries").note(&note::place(part::SEARCH), &place);
    let host = host.note(&note::place(part::DATA), "home/nxserver/data");
    assert!(proven(&Nuxeo.restore(&search).unwrap().receipts));
    assert_eq!(host.file("data", &format!("elasticsearch/{SEGMENT}")).as_deref(), Some("entries"));
}

#[test]
fn files_that_somebody_has_open_or_may_have_are_left_out_and_named() {
    for usage in [Usage::Used("pid 7 java".into()), Usage::Unknown] {
        let _host = host(usage);
        let seen = look();
        assert!(seen.parts.iter().all(|one| one.name != part::SEARCH));
        assert!(planned(&seen, part::DATA).setting(setting::EXCLUDE).unwrap().contains("/elasticsearch"));
        assert!(finding(&seen, "audit-index").is_some(), "nobody has saved it");
        let message = &finding(&seen, "search-embedded").unwrap().message;
        assert!(message.contains("stop Nuxeo") && message.contains("elasticsearch-audit"), "{message}");
    }
}

#[test]
fn an_engine_that_was_left_open_is_named_and_how_it_can_be_exported() {
    let open = CONF.replace("elasticsearch.httpEnabled=false", "elasticsearch.httpEnabled=true");
    let host = Host::new().files("home", &[("bin/nuxeo.conf", &open), ("nxserver/data/elasticsearch/nodes/0/x", "")]);
    let _host = host.display("dirs", "home", "/opt/nuxeo, read");
    let seen = look();
    assert_eq!(finding(&seen, "search-open").unwrap().severity, Severity::Warning);
    let message = &finding(&seen, "search-embedded").unwrap().message;
    assert!(message.contains("which elasticsearch.httpEnabled allows"), "{message}");
    let _host = self::host(Usage::Unknown);
    assert!(finding(&look(), "search-open").is_none());
}

#[test]
fn an_instance_that_was_started_after_the_plan_fails_the_part() {
    let stopped = host(Usage::Free);
    let search = planned(&look(), part::SEARCH);
    for usage in [Usage::Used("pid 7 java".into()), Usage::Unknown] {
        let _host = host(usage);
        let message = Nuxeo.backup(&search, Pass::InStage).unwrap_err().message;
        assert!(message.contains("stop Nuxeo"), "{message}");
    }
    drop(stopped);
}

#[test]
fn a_file_that_came_went_grew_or_was_written_again_makes_another_listing() {
    let host = host(Usage::Free);
    let top = host.path("home").join("nxserver/data/elasticsearch");
    let list = || list(&dirs::get("home").unwrap(), "nxserver/data/elasticsearch").unwrap();
    let before = list();
    assert_eq!((before.files, list() == before), (2, true));
    let (segment, time) = (top.join(SEGMENT), SystemTime::UNIX_EPOCH);
    fs::File::options().write(true).open(&segment).unwrap().set_modified(time).unwrap();
    let touched = list();
    fs::write(&segment, "more entries").unwrap();
    fs::File::options().write(true).open(&segment).unwrap().set_modified(time).unwrap();
    let grown = list();
    fs::rename(&segment, segment.with_file_name("_1.cfs")).unwrap();
    let renamed = list();
    fs::remove_file(segment.with_file_name("_1.cfs")).unwrap();
    let gone = list();
    let all = [before, touched, grown, renamed, gone];
    for (number, one) in all.iter().enumerate() {
        assert!(all[..number].iter().all(|other| other != one), "{number}");
    }
}

#[test]
fn a_directory_that_is_none_of_an_engine_is_refused_before_it_fills_the_memory() {
    let deep = format!("nxserver/data/elasticsearch/{}x", "d/".repeat(DEPTH_MAX + 2));
    let host = Host::new().files("home", &[("bin/nuxeo.conf", CONF), (&deep, "")]);
    let _host = host.display("dirs", "home", "/opt/nuxeo, read").in_use("home", "nxserver", Usage::Free);
    let error = Nuxeo.backup(&planned(&look(), part::SEARCH), Pass::InStage).unwrap_err();
    assert!(error.message.contains("too deep"), "{error}");
}

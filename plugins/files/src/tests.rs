//! Against the scripted host.

use serde_json::json;
use strongroom_plugin::{Purpose, testing::*, *};

use super::Files;

const SITE: &[(&str, &str)] = &[("a.txt", "one"), ("cache/x.tmp", "two"), ("deep/er/b.txt", "three")];

fn only_part() -> Part {
    Files.inspect(Purpose::Backup).unwrap().parts.remove(0)
}

#[test]
fn each_granted_directory_is_a_part() {
    let _host = Host::new().files("source", SITE).files("source-b", SITE);
    let seen = Files.inspect(Purpose::Backup).unwrap();
    let names: Vec<_> = seen.parts.iter().map(|part| (part.name.as_str(), part.uses[0].as_str())).collect();
    assert_eq!(names, [("source", "dirs.source"), ("source-b", "dirs.source-b")]);
}

#[test]
fn without_a_grant_nothing_is_begun() {
    let _host = Host::new();
    let seen = Files.inspect(Purpose::Backup).unwrap();
    assert_eq!(seen.findings[0].severity, Severity::Blocker);
    assert_eq!(seen.wants[0].name, "source");
}

#[test]
fn what_is_excluded_is_not_stored() {
    let host = Host::new().files("source", SITE).config(&json!({ "excludes": ["*.tmp"] }));
    let outcome = Files.backup(&only_part(), Pass::InStage).unwrap();
    assert!(proven(&outcome.receipts));
    assert_eq!(host.stored_paths(), ["a.txt", "cache", "deep", "deep/er", "deep/er/b.txt"]);
}

#[test]
fn a_directory_comes_back_and_is_proven_on_the_way() {
    let host = Host::new().files("source", SITE);
    let part = only_part();
    Files.backup(&part, Pass::InStage).unwrap();
    let host = host.stored_as_archive("source").target("source", &[]);
    assert!(proven(&Files.verify(&part).unwrap().receipts));
    assert!(proven(&Files.restore(&part).unwrap().receipts));
    assert!(proven(&Files.probe(&part).unwrap().receipts));
    assert_eq!(host.file("source", "deep/er/b.txt").as_deref(), Some("three"));
}

#[test]
fn a_lost_entry_shows_in_verify_and_in_probe() {
    let host = Host::new().files("source", SITE);
    let part = only_part();
    Files.backup(&part, Pass::InStage).unwrap();
    let _host =
        host.stored_as_archive("source").archived("source", "more.txt", "!").target("source", &[("a.txt", "on")]);
    assert!(!proven(&Files.verify(&part).unwrap().receipts));
    let probed = Files.probe(&part).unwrap();
    assert!(!proven(&probed.receipts));
    assert!(probed.findings.iter().any(|found| found.subject == "a.txt" && found.message.contains("2 bytes")));
}

#[test]
fn a_target_with_content_is_refused_unless_the_operator_consents() {
    let host = Host::new().archived("source", "a.txt", "one").target("source", &[("old.txt", "old")]);
    let seen = Files.inspect(Purpose::Restore).unwrap();
    assert_eq!(seen.findings[0].code, "target-not-empty");
    assert_eq!(Files.restore(&seen.parts[0]).unwrap_err().code, ErrorCode::Exists);
    let host = host.attribute("overwrite", "yes");
    assert!(proven(&Files.restore(&seen.parts[0]).unwrap().receipts));
    assert_eq!(host.file("source", "a.txt").as_deref(), Some("one"));
}

#[test]
fn an_interrupted_restore_goes_on() {
    let host = Host::new().archived("source", "a.txt", "one").target("source", &[]);
    let part = Files.inspect(Purpose::Restore).unwrap().parts.remove(0);
    Files.restore(&part).unwrap();
    std::fs::remove_file(host.path("source").join("a.txt")).unwrap();
    std::fs::write(host.path("source").join("b.txt"), "half").unwrap();
    assert!(Files.restore(&part).is_ok(), "the checkpoint says that what is there came from this restore");
}

#[test]
fn a_part_without_a_target_is_a_blocker_that_says_what_to_grant() {
    let _host = Host::new().archived("source-b", "a.txt", "one");
    let seen = Files.inspect(Purpose::Restore).unwrap();
    assert_eq!(seen.findings[0].code, "no-target");
    assert_eq!((seen.wants[0].capability.as_str(), seen.wants[0].name.as_str()), ("dirs:write", "source-b"));
}

#[test]
fn files_stored_one_by_one_are_all_waited_for() {
    let many: Vec<_> = (0..600).map(|n| (format!("d{}/{n}.txt", n % 7), n.to_string())).collect();
    let many: Vec<_> = many.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let host = Host::new().files("source", &many).config(&json!({ "one-by-one": true }));
    let outcome = Files.backup(&only_part(), Pass::InStage).unwrap();
    assert_eq!((outcome.receipts[0].expected, outcome.receipts[0].actual), (600, 600));
    assert_eq!(host.stored("d3/10.txt").as_deref(), Some("10".as_bytes()));
    assert_eq!(host.stored_paths().len(), 600);
}

//! What a pipeline's severities change, and what they cannot.

use super::*;
use crate::support::pipeline;

/// A pipeline with one part whose acts are given, and these severities.
fn pipeline(severity: &str, acts: &str) -> Place {
    let head = pipeline::head("site", &format!("state = \"$DIR/own-state\"\nseverity = {{ {severity} }}"));
    let step = format!(
        r#"
[step.site]
plugin = "scripted"

[step.site.config]
parts = [{{ name = "store", stage = "files" }}]
findings = [{{ severity = "info", code = "seen", subject = "x", message = "seen in the product" }}]

[step.site.config.script]
"backup.store" = [{{ do = "put", path = "a", text = "a" }}, {acts}]

[step.site.grant.dirs.dir]
path = "$DIR"
access = "read"

[step.site.grant.dirs.spare]
path = "$DIR"
access = "read"
"#
    );
    Place::with_pipeline(&(head + &step))
}

const WELL: &str = r#"{ do = "receipt", subject = "files", expected = 1, actual = 1 }"#;
const ODD: &str = r#"{ do = "finding", severity = "warning", code = "odd", subject = "a", message = "odd" },
  { do = "receipt", subject = "files", expected = 1, actual = 1 }"#;
const DIFFERS: &str = r#"{ do = "receipt", subject = "files", expected = 2, actual = 1 }"#;

#[test]
fn raised_to_a_blocker_what_is_seen_before_a_backup_stops_it_before_anything_is_written() {
    // By a plugin, by the host in the plan, by the host about what a dead run left.
    for code in ["seen", "unused-grant", "left-behind"] {
        let place = pipeline(&format!("{code} = \"blocker\""), WELL);
        place.accept();
        if code == "left-behind" {
            std::fs::create_dir(place.join("own-state")).unwrap();
            let holder = r#"{"host":"here","pid":4194305,"started":"2026-01-01T00:00:00Z","operation":"backup"}"#;
            place.write("own-state/lock", holder);
        }
        place.run(&["backup"]).exits(1).says("nothing was written").says(&format!("({code})"));
        assert!(!place.join("repository").exists(), "{code}");
    }
}

#[test]
fn raised_to_a_blocker_what_is_found_in_a_part_fails_it_and_lowered_it_does_not() {
    let place = pipeline("odd = \"blocker\"", ODD);
    place.accept();
    place.run(&["backup"]).exits(3).says("FAILED");
    assert_eq!(place.record()["steps"][0]["parts"][0]["failure"], "odd: odd");
    let place = pipeline("odd = \"info\", unused-grant = \"info\"", &ODD.replace("warning", "blocker"));
    place.accept();
    place.run(&["backup"]).exits(0);
    assert_eq!(place.record()["steps"][0]["parts"][0]["findings"][0]["severity"], "info");
}

#[test]
fn no_severity_makes_a_receipt_that_differs_complete() {
    let all = ["seen", "unused-grant", "no-room", "room-tight", "damaged"].map(|code| format!("{code} = \"info\""));
    let place = pipeline(&all.join(", "), DIFFERS);
    place.accept();
    place.run(&["backup"]).exits(3);
    assert_eq!(place.record()["state"], "partial");
}

#[test]
fn a_severity_that_changes_nothing_is_told_in_the_plan_and_kept_in_the_record() {
    let place = pipeline("room-tigth = \"info\", not-granted = \"info\"", WELL);
    place.accept();
    place.run(&["plan"]).exits(0).says("did you mean `room-tight`?").says("`not-granted` stays a blocker");
    place.run(&["backup"]).exits(0);
    let findings = place.record()["findings"].to_string();
    assert_eq!(findings.matches("severity-ignored").count(), 2, "{findings}");
}

//! The severities that a pipeline gives to findings: weighed, and warned about where they change nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::inspection::Description;
use crate::{
    config::schema,
    diagnostic::{Finding, Severity},
};

/// What a finding about the pipeline itself is about.
pub const SUBJECT: &str = "pipeline.severity";

/// The codes of the host's own findings whose severity the pipeline decides.
pub const CODES: &[&str] = &[
    "ahead-failed",
    "awkward-names",
    "checkpoint-left",
    "clear-secrets",
    "copy-not-noted",
    "damaged",
    "forgotten",
    "future-snapshot",
    "hold-expired",
    "hold-not-released",
    "hold-recovered",
    "journal",
    "left-behind",
    "no-room",
    "not-forgotten",
    "room-tight",
    "severity-ignored",
    "unused-grant",
    "values-lost",
];

/// Those that stay blockers: the run could not go on.
pub const FIXED: &[&str] = &["bad-part", "config", "no-parts", "not-granted", "not-inspected", "read-only-grant"];

/// The annotation in which a plugin lists the codes of its findings, separated by blanks.
const ATTRIBUTE: &str = "findings";

/// The finding with the severity that the pipeline gives it.
pub fn weighed(severity: &BTreeMap<String, Severity>, mut finding: Finding) -> Finding {
    finding.severity = severity.get(&finding.code).copied().unwrap_or(finding.severity);
    finding
}

/// A finding for each severity that changes nothing: of a code that stays a blocker, and of one that nobody finds. Where
/// a plugin does not list its codes, only what looks like a misspelling of a known one is named.
pub fn ignored(severity: &BTreeMap<String, Severity>, plugins: &[&Description]) -> Vec<Finding> {
    let lists: Vec<_> = plugins.iter().map(|plugin| listed(plugin)).collect();
    let all_list = lists.iter().all(Option::is_some);
    let known: BTreeSet<&str> = lists.into_iter().flatten().flatten().chain(CODES.iter().copied()).collect();
    let ignored = |code: &str| {
        if FIXED.contains(&code) {
            return Some(format!(
                "`{code}` stays a blocker: the run could not go on; take it out of [pipeline.severity]"
            ));
        }
        if known.contains(code) {
            return None;
        }
        match schema::near(code, known.iter().copied().chain(FIXED.iter().copied())) {
            Some(near) => Some(format!("no finding has the code `{code}`: did you mean `{near}`?")),
            None => all_list.then(|| format!("no finding has the code `{code}`: take it out of [pipeline.severity]")),
        }
    };
    let finding = |message| Finding::new(Severity::Warning, "severity-ignored", SUBJECT, message);
    severity.keys().filter_map(|code| ignored(code)).map(|message| weighed(severity, finding(message))).collect()
}

fn listed(plugin: &Description) -> Option<Vec<&str>> {
    let (_, codes) = plugin.attributes.iter().find(|(key, _)| key == ATTRIBUTE)?;
    Some(codes.split_whitespace().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(codes: Option<&str>) -> Description {
        let attributes = codes.map(|codes| (ATTRIBUTE.to_owned(), codes.to_owned())).into_iter().collect();
        Description { attributes, ..Description::default() }
    }

    fn messages(codes: &[&str], plugins: &[&Description]) -> Vec<String> {
        let severity = codes.iter().map(|code| ((*code).to_owned(), Severity::Info)).collect();
        ignored(&severity, plugins).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_code_that_nobody_finds_is_named_and_a_misspelt_one_corrected() {
        let (lists, silent) = (plugin(Some("left-out cluster")), plugin(None));
        assert!(messages(&["cluster", "left-out", "room-tight"], &[&lists]).is_empty());
        assert!(messages(&["clutser"], &[&lists])[0].contains("did you mean `cluster`?"));
        assert!(messages(&["zebra"], &[&lists])[0].contains("no finding has the code `zebra`"));
        assert!(messages(&["zebra"], &[&lists, &silent]).is_empty(), "the silent plugin may find it");
        assert!(messages(&["room-tigth"], &[&silent])[0].contains("`room-tight`"));
    }

    #[test]
    fn a_code_that_stays_a_blocker_is_said_to() {
        assert!(messages(&["not-granted"], &[&plugin(None)])[0].contains("stays a blocker"));
    }

    #[test]
    fn the_warning_can_be_weighed_itself() {
        let severity = ["zebra", "severity-ignored"].map(|code| (code.to_owned(), Severity::Blocker)).into();
        assert_eq!(ignored(&severity, &[&plugin(Some(""))])[0].severity, Severity::Blocker);
    }
}

//! The state of a snapshot: complete means proven.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    receipts::Receipt,
    record::{Evidence, PartRecord},
};
use crate::diagnostic::Severity;

/// What a snapshot is worth, best first. Where several apply, the last one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Every part ended well, has receipts that hold, and every expectation is met.
    Complete,
    /// All ended well, but a part has no receipt, or a list was not read in the dumped view.
    Unproven,
    /// References point at things that the snapshot lacks.
    Inconsistent,
    /// A part failed or its receipts differ; the rest is kept.
    Partial,
}

impl State {
    /// All of them, best first.
    pub const ALL: [Self; 4] = [Self::Complete, Self::Unproven, Self::Inconsistent, Self::Partial];

    /// The word that reports and records use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Unproven => "unproven",
            Self::Inconsistent => "inconsistent",
            Self::Partial => "partial",
        }
    }

    /// The exit code of the `backup` that made it.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Unproven | Self::Inconsistent => 4,
            Self::Partial => 3,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Every state that applies to a snapshot of these parts, best first: the last one is what it is worth.
///
/// A list that was read before and after the dump proves nothing about the moment between: with such a list a snapshot
/// is unproven, unless nothing is missing from it.
pub fn of<'a>(parts: impl IntoIterator<Item = &'a PartRecord>) -> Vec<State> {
    let mut states: Vec<State> = parts.into_iter().flat_map(of_part).collect();
    if states.is_empty() {
        states.push(State::Complete);
    }
    states.sort();
    states.dedup();
    states
}

fn of_part(part: &PartRecord) -> Vec<State> {
    let blocked = part.findings.iter().any(|finding| finding.severity == Severity::Blocker);
    // A list of expectations has its receipt too, but it has its own state.
    let is_list = |receipt: &Receipt| part.expected.iter().any(|list| list.subject == receipt.subject);
    let differs = part.receipts.iter().any(|receipt| !receipt.holds() && !is_list(receipt));
    let unmet = |evidence| part.expected.iter().any(|list| list.evidence == evidence && list.met < list.lines);
    [
        (State::Unproven, part.receipts.is_empty() || unmet(Evidence::Bracketed)),
        (State::Inconsistent, unmet(Evidence::SameView)),
        (State::Partial, part.failure.is_some() || part.ended.is_none() || blocked || differs),
    ]
    .into_iter()
    .filter_map(|(state, applies)| applies.then_some(state))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diagnostic::Finding,
        plan::inspection::{Part, Stage},
        snapshot::record::ExpectedRecord,
    };

    fn part(change: impl FnOnce(&mut PartRecord)) -> PartRecord {
        let part = Part {
            name: "files".into(),
            stage: Stage::Files,
            ahead: false,
            summary: String::new(),
            bytes_estimate: None,
            uses: Vec::new(),
            settings: Vec::new(),
        };
        let mut record = PartRecord {
            part,
            started: Some("2026-11-21T13:00:00Z".into()),
            ended: Some("2026-11-21T13:00:01Z".into()),
            instant: None,
            summary: String::new(),
            failure: None,
            receipts: vec![receipt("entries", 3)],
            findings: Vec::new(),
            facts: Vec::new(),
            expected: Vec::new(),
            files: 3,
            entries: 3,
            bytes: 0,
        };
        change(&mut record);
        record
    }

    fn receipt(subject: &str, actual: u64) -> Receipt {
        Receipt { subject: subject.into(), expected: 3, actual }
    }

    fn list(evidence: Evidence, met: u64) -> ExpectedRecord {
        ExpectedRecord { subject: "attachments".into(), evidence, lines: 3, met, missing: Vec::new() }
    }

    #[test]
    fn complete_means_proven() {
        use State::{Complete, Inconsistent, Partial, Unproven};
        let blocker = || Finding::new(Severity::Blocker, "stop", "x", "no");
        for (what, part, state) in [
            ("all is well", part(|_| {}), Complete),
            ("no receipt", part(|part| part.receipts.clear()), Unproven),
            ("a receipt differs", part(|part| part.receipts.push(receipt("rows", 2))), Partial),
            ("more than expected", part(|part| part.receipts.push(receipt("rows", 4))), Partial),
            ("it failed", part(|part| part.failure = Some("why".into())), Partial),
            ("it never ended", part(|part| part.ended = None), Partial),
            ("a blocker", part(|part| part.findings.push(blocker())), Partial),
            ("a met list", part(|part| part.expected.push(list(Evidence::SameView, 3))), Complete),
            ("an unmet list", part(|part| part.expected.push(list(Evidence::SameView, 2))), Inconsistent),
            ("a met bracketed list", part(|part| part.expected.push(list(Evidence::Bracketed, 3))), Complete),
            ("an unmet bracketed list", part(|part| part.expected.push(list(Evidence::Bracketed, 2))), Unproven),
        ] {
            assert_eq!(of([&part]).last(), Some(&state), "{what}");
        }
    }

    #[test]
    fn the_receipt_of_an_unmet_list_does_not_make_it_partial() {
        let part = part(|part| {
            part.receipts.push(receipt("attachments", 2));
            part.expected.push(list(Evidence::SameView, 2));
        });
        assert_eq!(of([&part]), [State::Inconsistent]);
    }

    #[test]
    fn the_worst_wins_and_all_are_listed() {
        let parts = [part(|part| part.receipts.clear()), part(|part| part.failure = Some("why".into())), part(|_| {})];
        assert_eq!(of(&parts), [State::Unproven, State::Partial]);
    }
}

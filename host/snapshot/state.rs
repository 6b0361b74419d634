//! The state of a snapshot: complete means proven.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::record::{Evidence, PartRecord};

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

/// Every state that applies to these parts, best first: [`State::Complete`] alone when nothing else does.
pub fn of(parts: &[&PartRecord]) -> Vec<State> {
    let any = |fits: fn(&PartRecord) -> bool| parts.iter().any(|part| fits(part));
    let mut states = Vec::new();
    if any(is_unproven) {
        states.push(State::Unproven);
    }
    if any(lacks_references) {
        states.push(State::Inconsistent);
    }
    if any(is_partial) {
        states.push(State::Partial);
    }
    if states.is_empty() {
        states.push(State::Complete);
    }
    states
}

/// Ended well, but without a receipt of its own, or with a list that was not read in the dumped view.
fn is_unproven(part: &PartRecord) -> bool {
    let own_receipts = part.receipts.len() > part.expected.len();
    let bracketed = part.expected.iter().any(|list| list.evidence == Evidence::Bracketed);
    part.failure.is_none() && (!own_receipts || bracketed)
}

/// The database refers to something that the snapshot lacks.
fn lacks_references(part: &PartRecord) -> bool {
    part.expected.iter().any(|list| list.met < list.lines)
}

/// Failed, or what was stored is not what was expected. The receipts of lists are judged by the lists themselves.
fn is_partial(part: &PartRecord) -> bool {
    let of_list = |subject: &str| part.expected.iter().any(|list| list.subject == subject);
    part.failure.is_some() || part.receipts.iter().any(|receipt| !receipt.holds() && !of_list(&receipt.subject))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::inspection::{Part, Stage},
        snapshot::{receipts::Receipt, record::ExpectedRecord},
    };

    fn part() -> PartRecord {
        PartRecord {
            part: Part {
                name: "home".into(),
                stage: Stage::Files,
                ahead: false,
                summary: String::new(),
                bytes_estimate: None,
                uses: Vec::new(),
                settings: Vec::new(),
            },
            started: None,
            ended: None,
            instant: None,
            summary: String::new(),
            failure: None,
            receipts: vec![receipt("entries", 3, 3)],
            findings: Vec::new(),
            facts: Vec::new(),
            expected: Vec::new(),
            files: 3,
            entries: 3,
            bytes: 30,
        }
    }

    fn receipt(subject: &str, expected: u64, actual: u64) -> Receipt {
        Receipt { subject: subject.into(), expected, actual }
    }

    fn list(evidence: Evidence, lines: u64, met: u64) -> ExpectedRecord {
        ExpectedRecord { subject: "files".into(), evidence, lines, met, missing: Vec::new() }
    }

    fn with_list(evidence: Evidence, lines: u64, met: u64) -> PartRecord {
        let mut part = part();
        part.receipts.push(receipt("files", lines, met));
        part.expected.push(list(evidence, lines, met));
        part
    }

    #[test]
    fn complete_means_proven() {
        let failed = PartRecord { failure: Some("it broke".into()), ..part() };
        let differs = PartRecord { receipts: vec![receipt("entries", 3, 2)], ..part() };
        let silent = PartRecord { receipts: Vec::new(), ..part() };
        let only_list = PartRecord { receipts: vec![receipt("files", 1, 1)], ..with_list(Evidence::SameView, 1, 1) };
        for (parts, expected) in [
            (vec![part()], vec![State::Complete]),
            (vec![with_list(Evidence::SameView, 2, 2)], vec![State::Complete]),
            (vec![part(), silent.clone()], vec![State::Unproven]),
            (vec![only_list], vec![State::Unproven]),
            (vec![with_list(Evidence::Bracketed, 2, 2)], vec![State::Unproven]),
            (vec![with_list(Evidence::SameView, 2, 1)], vec![State::Inconsistent]),
            (vec![part(), failed.clone()], vec![State::Partial]),
            (vec![differs], vec![State::Partial]),
            (
                vec![silent, with_list(Evidence::SameView, 2, 1), failed],
                vec![State::Unproven, State::Inconsistent, State::Partial],
            ),
        ] {
            assert_eq!(of(&parts.iter().collect::<Vec<_>>()), expected);
        }
    }
}

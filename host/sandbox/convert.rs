//! Between the contract's records and the host's own types. What a plugin says is bounded here: text for people is
//! cut, text that decides something is refused when it is too long.

use super::{
    bindings::{about, host, product},
    fault::{Code, Fault},
    imports::log::cut,
    mask::Mask,
};
use crate::{
    diagnostic::{Finding, Severity},
    plan::inspection::{Attributes, Description, Inspection, Need, Part, Stage},
    repository::Pass,
    snapshot::receipts::{Outcome, Receipt},
};

/// Longest text for people, in bytes.
const TEXT_BYTES_MAX: usize = 4 << 10;
/// Longest name, code or key.
const NAME_BYTES_MAX: usize = 255;
/// Most findings, receipts, facts or parts of one answer.
const LIST_MAX: usize = 10_000;

/// Cuts and masks text for people.
pub struct Words<'a>(pub &'a Mask);

impl Words<'_> {
    /// One text.
    pub fn text(&self, text: String) -> String {
        cut(self.0.apply(text), TEXT_BYTES_MAX)
    }

    fn pairs(&self, pairs: Attributes) -> Attributes {
        pairs.into_iter().take(LIST_MAX).map(|(key, value)| (self.text(key), self.text(value))).collect()
    }

    fn findings(&self, findings: Vec<product::Finding>) -> Vec<Finding> {
        let finding = |finding: product::Finding| Finding {
            severity: match finding.severity {
                product::Severity::Info => Severity::Info,
                product::Severity::Warning => Severity::Warning,
                product::Severity::Blocker => Severity::Blocker,
            },
            code: cut(self.0.apply(finding.code), NAME_BYTES_MAX),
            subject: self.text(finding.subject),
            message: self.text(finding.message),
        };
        findings.into_iter().map(finding).collect()
    }

    /// An inspection.
    ///
    /// # Errors
    /// When a list or a name in it is too long.
    pub fn inspection(&self, inspection: product::Inspection) -> Result<Inspection, Fault> {
        bounded("parts", inspection.parts.len())?;
        bounded("wants", inspection.wants.len())?;
        bounded("findings", inspection.findings.len())?;
        Ok(Inspection {
            parts: inspection.parts.into_iter().map(|part| self.part(part)).collect::<Result<_, _>>()?,
            wants: inspection.wants.into_iter().map(need).collect::<Result<_, _>>()?,
            findings: self.findings(inspection.findings),
            facts: self.pairs(inspection.facts),
        })
    }

    /// An outcome.
    ///
    /// # Errors
    /// When a list in it is too long.
    pub fn outcome(&self, outcome: product::Outcome) -> Result<Outcome, Fault> {
        bounded("receipts", outcome.receipts.len())?;
        bounded("findings", outcome.findings.len())?;
        let receipt = |receipt: product::Receipt| Receipt {
            subject: self.text(receipt.subject),
            expected: receipt.expected,
            actual: receipt.actual,
        };
        Ok(Outcome {
            summary: self.text(outcome.summary),
            receipts: outcome.receipts.into_iter().map(receipt).collect(),
            findings: self.findings(outcome.findings),
            facts: self.pairs(outcome.facts),
        })
    }

    /// The plugin's own error.
    pub fn error(&self, error: host::types::Error) -> Fault {
        Fault::Plugin { code: error.code.into(), message: self.text(error.message), retryable: error.retryable }
    }

    fn part(&self, part: product::Part) -> Result<Part, Fault> {
        name("a part's name", &part.name)?;
        bounded("uses", part.uses.len())?;
        bounded("settings", part.settings.len())?;
        Ok(Part {
            name: part.name,
            stage: stage(part.stage),
            ahead: part.ahead,
            summary: self.text(part.summary),
            bytes_estimate: part.bytes_estimate,
            uses: part.uses,
            settings: part.settings,
        })
    }
}

/// A description.
///
/// # Errors
/// When a list or a name in it is too long.
pub fn description(description: about::Description) -> Result<Description, Fault> {
    name("the plugin's name", &description.name)?;
    name("the plugin's version", &description.version)?;
    bounded("needs", description.needs.len())?;
    Ok(Description {
        name: description.name,
        version: description.version,
        summary: cut(description.summary, TEXT_BYTES_MAX),
        products: description.products,
        config_schema: description.config_schema,
        needs: description.needs.into_iter().map(need).collect::<Result<_, _>>()?,
        attributes: description.attributes,
    })
}

fn need(need: about::Need) -> Result<Need, Fault> {
    name("a need's name", &need.name)?;
    Ok(Need {
        capability: need.capability,
        name: need.name,
        many: need.many,
        reason: cut(need.reason, TEXT_BYTES_MAX),
        required: need.required,
        suggestion: cut(need.suggestion, TEXT_BYTES_MAX),
    })
}

fn bounded(what: &str, count: usize) -> Result<(), Fault> {
    if count <= LIST_MAX {
        return Ok(());
    }
    Err(wrong(format!("the plugin's answer has {count} {what}; {LIST_MAX} are the most")))
}

fn name(what: &str, name: &str) -> Result<(), Fault> {
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(wrong(format!(
        "{what} is {:?}: expected 1 to {NAME_BYTES_MAX} bytes without control characters",
        cut(name.into(), 80)
    )))
}

fn wrong(message: String) -> Fault {
    Fault::Plugin { code: Code::Invalid, message, retryable: false }
}

fn stage(stage: product::Stage) -> Stage {
    match stage {
        product::Stage::Positions => Stage::Positions,
        product::Stage::Database => Stage::Database,
        product::Stage::Fence => Stage::Fence,
        product::Stage::Records => Stage::Records,
        product::Stage::Files => Stage::Files,
    }
}

/// A part, as the guest gets it back.
pub fn part(part: &Part) -> product::Part {
    product::Part {
        name: part.name.clone(),
        stage: match part.stage {
            Stage::Positions => product::Stage::Positions,
            Stage::Database => product::Stage::Database,
            Stage::Fence => product::Stage::Fence,
            Stage::Records => product::Stage::Records,
            Stage::Files => product::Stage::Files,
        },
        ahead: part.ahead,
        summary: part.summary.clone(),
        bytes_estimate: part.bytes_estimate,
        uses: part.uses.clone(),
        settings: part.settings.clone(),
    }
}

/// A pass, as the guest gets it.
pub fn pass(pass: Pass) -> product::Pass {
    match pass {
        Pass::Ahead => product::Pass::Ahead,
        Pass::InStage => product::Pass::InStage,
    }
}

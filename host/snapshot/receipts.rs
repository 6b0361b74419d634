//! What one call of a plugin brought: receipts, findings and facts.

use serde::{Deserialize, Serialize};

use crate::{diagnostic::Finding, plan::inspection::Attributes};

/// Expected and actual count for one subject, from two independent readings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// What was counted.
    pub subject: String,
    /// As the product has it.
    pub expected: u64,
    /// As the snapshot has it.
    pub actual: u64,
}

impl Receipt {
    /// Whether both readings agree.
    pub const fn holds(&self) -> bool {
        self.expected == self.actual
    }
}

/// How a part ended well (`product.outcome`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// For people.
    pub summary: String,
    /// Counts.
    pub receipts: Vec<Receipt>,
    /// What the operator must know.
    pub findings: Vec<Finding>,
    /// For people and for the record.
    pub facts: Attributes,
}

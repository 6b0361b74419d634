//! What a product consists of and what became of it: parts, findings, receipts.

pub use crate::bindings::exports::strongroom::plugin::product::{
    Finding, Inspection, Outcome, Part, Pass, Purpose, Receipt, Severity, Stage,
};
use crate::{Error, Need, Result};

impl Part {
    /// A part that is captured once, in `stage`.
    pub fn new(name: impl Into<String>, stage: Stage) -> Self {
        Self {
            name: name.into(),
            stage,
            ahead: false,
            summary: String::new(),
            bytes_estimate: None,
            uses: Vec::new(),
            settings: Vec::new(),
        }
    }

    /// Bulk: copied before all stages as well, so that its stage has little left to do.
    #[must_use]
    pub fn ahead(mut self) -> Self {
        self.ahead = true;
        self
    }

    /// For people.
    #[must_use]
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = summary.into();
        self
    }

    /// Bytes that it will probably store.
    #[must_use]
    pub fn estimate(mut self, bytes: u64) -> Self {
        self.bytes_estimate = Some(bytes);
        self
    }

    /// A grant that it will use, `dirs.home`.
    #[must_use]
    pub fn uses(mut self, grant: impl Into<String>) -> Self {
        self.uses.push(grant.into());
        self
    }

    /// What `inspect` decided, for the run to find.
    #[must_use]
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((key.into(), value.into()));
        self
    }

    /// What `inspect` decided under `key`.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The same where it must be there.
    ///
    /// # Errors
    /// `invalid` when the plan has no such setting.
    pub fn expect_setting(&self, key: &str) -> Result<&str> {
        self.setting(key).ok_or_else(|| Error::invalid(format!("part {:?} has no setting {key:?}", self.name)))
    }
}

impl Finding {
    fn of(severity: Severity, code: &str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity, code: code.into(), subject: subject.into(), message: message.into() }
    }

    /// Good to know. `code` is stable and documented: operators can change its severity.
    pub fn info(code: &str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of(Severity::Info, code, subject, message)
    }

    /// Someone should look at it.
    pub fn warning(code: &str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of(Severity::Warning, code, subject, message)
    }

    /// In an inspection nothing may be written; in an outcome the part has failed.
    pub fn blocker(code: &str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of(Severity::Blocker, code, subject, message)
    }
}

impl Inspection {
    /// These parts, and nothing to say of them.
    pub fn of(parts: impl IntoIterator<Item = Part>) -> Self {
        Self { parts: parts.into_iter().collect(), wants: Vec::new(), findings: Vec::new(), facts: Vec::new() }
    }

    /// One more part.
    #[must_use]
    pub fn part(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    /// A grant that it has not and would use.
    #[must_use]
    pub fn want(mut self, need: Need) -> Self {
        self.wants.push(need);
        self
    }

    /// Something the operator must know.
    #[must_use]
    pub fn finding(mut self, finding: Finding) -> Self {
        self.findings.push(finding);
        self
    }

    /// Something it saw, for people.
    #[must_use]
    pub fn fact(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((key.into(), value.into()));
        self
    }
}

impl Outcome {
    /// Done, and nothing proven yet.
    ///
    /// ```
    /// use strongroom_plugin::Outcome;
    ///
    /// let outcome = Outcome::new("3 tables").receipt("rows CONTENT", 20_000, 20_000);
    /// assert_eq!(outcome.receipts[0].expected, outcome.receipts[0].actual);
    /// ```
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), receipts: Vec::new(), findings: Vec::new(), facts: Vec::new() }
    }

    /// What was expected of `subject` and what is there, from two independent readings.
    #[must_use]
    pub fn receipt(mut self, subject: impl Into<String>, expected: u64, actual: u64) -> Self {
        self.receipts.push(Receipt { subject: subject.into(), expected, actual });
        self
    }

    /// Something the operator must know.
    #[must_use]
    pub fn finding(mut self, finding: Finding) -> Self {
        self.findings.push(finding);
        self
    }

    /// Several of them.
    #[must_use]
    pub fn findings(mut self, findings: impl IntoIterator<Item = Finding>) -> Self {
        self.findings.extend(findings);
        self
    }

    /// Something it saw, for people.
    #[must_use]
    pub fn fact(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((key.into(), value.into()));
        self
    }

    /// What was stored holds keys or passwords in clear: the host warns when the snapshot is not encrypted.
    #[must_use]
    pub fn holding_secrets(self) -> Self {
        self.fact("secret", "yes")
    }
}

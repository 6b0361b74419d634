//! What people must be told: findings about a product or a run, and problems in a file that someone wrote.

use std::{ops::Range, str::FromStr};

use serde::{Deserialize, Serialize};

mod render;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// The operator should look at it.
    Warning,
    /// Nothing is written while it stands; in an outcome it fails the part.
    Blocker,
}

impl Severity {
    /// The word that files and reports use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Blocker => "blocker",
        }
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [Self::Info, Self::Warning, Self::Blocker]
            .into_iter()
            .find(|severity| severity.word() == word)
            .ok_or_else(|| format!("{word:?} is no severity: expected \"info\", \"warning\" or \"blocker\""))
    }
}

/// Something the operator must know. `code` is stable and documented in `docs/operations.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How much it weighs, after the pipeline's overrides.
    pub severity: Severity,
    /// Stable, kebab-case; what the pipeline's `severity` table names.
    pub code: String,
    /// What it is about: a path, a table, a grant.
    pub subject: String,
    /// A sentence: what was seen, and what to do.
    pub message: String,
}

impl Finding {
    /// A finding that the host makes.
    pub fn new(
        severity: Severity,
        code: impl Into<String>,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { severity, code: code.into(), subject: subject.into(), message: message.into() }
    }
}

/// One problem in a file that someone wrote: where, what, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, in one line.
    pub message: String,
    /// The bytes of the file that it is about; none when something is missing altogether.
    pub span: Option<Range<usize>>,
    /// What to write instead.
    pub help: Option<String>,
}

/// Every problem of one file, together with its text, so that each can be drawn with a caret.
#[derive(Clone, Debug)]
pub struct Problems {
    /// The file's name, as the operator gave it.
    pub file: String,
    /// Its text.
    pub text: String,
    /// In the order of the file.
    pub problems: Vec<Diagnostic>,
}

/// An error and what caused it, in one line; a cause that the line names already is left out.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !line.contains(&words) {
            line = format!("{line}: {words}");
        }
        cause = error.source();
    }
    line
}

//! The state of a snapshot: complete means proven.

use std::fmt;

use serde::{Deserialize, Serialize};

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

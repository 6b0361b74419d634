//! What became of a snapshot's copy in another repository.

use serde::{Deserialize, Serialize};

/// How a copy went, last. Times are RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum CopyState {
    /// It is there, and was proven.
    Proven {
        /// When.
        at: String,
        /// Bytes of content.
        bytes: u64,
        /// Bytes that the repository did not hold before.
        new_bytes: u64,
    },
    /// It is there, byte by byte what the snapshot is, which was not opened.
    Identical {
        /// When.
        at: String,
        /// Bytes of the file.
        bytes: u64,
    },
    /// It is not there.
    Failed {
        /// When.
        at: String,
        /// Why.
        why: String,
    },
}

impl CopyState {
    /// The word that reports use.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Proven { .. } => "proven",
            Self::Identical { .. } => "identical",
            Self::Failed { .. } => "failed",
        }
    }

    /// Whether it is there.
    pub const fn is_there(&self) -> bool {
        !matches!(self, Self::Failed { .. })
    }
}

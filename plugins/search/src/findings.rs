//! The codes of the findings that this crate reports for a plugin.

/// In alphabetical order.
pub const CODES: &[&str] = &[
    "alias-taken",
    "documents-missing",
    "index-damaged",
    "index-exists",
    "index-written",
    "snapshot-impossible",
    "snapshot-left",
];

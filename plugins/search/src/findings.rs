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

/// Those of a plugin whose snapshots may stay with the engine ([`crate::Reach::staying_in`]), in alphabetical order.
pub const OF_REFERENCES: &[&str] = &["not-self-contained", "reference-lost"];

//! The codes of all findings that this plugin reports: `docs/elasticsearch-audit.md` says what to do about each.

/// In alphabetical order.
pub const CODES: &[&str] = &[
    "alias-taken",
    "audit-elsewhere",
    "documents-missing",
    "engine-old",
    "engine-refuses",
    "index-damaged",
    "index-exists",
    "index-missing",
    "index-written",
    "indices-unset",
    "sequences-missing",
    "sequences-needed",
    "snapshot-impossible",
    "snapshot-left",
    "source-narrowed",
    "source-none",
    "types-several",
];

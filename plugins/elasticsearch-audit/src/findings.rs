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
    "indices-unset",
    "sequences-missing",
    "sequences-needed",
    "source-narrowed",
    "source-none",
    "types-several",
];

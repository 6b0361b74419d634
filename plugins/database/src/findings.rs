//! The codes of the findings that are made here: a plugin that uses this crate names them among its own, and its manual
//! says what to do about each.

/// In alphabetical order.
pub const CODES: &[&str] = &[
    "embedded-damaged",
    "embedded-in-use",
    "embedded-missing",
    "embedded-unclean",
    "embedded-unread",
    "no-count",
    "not-frozen",
    "restore-tool",
    "tables-without-transactions",
    "target-missing",
    "target-not-empty",
    "target-read-only",
    "vendor-changed",
];

//! The codes of all findings that this plugin reports: `docs/confluence.md` says what to do about each.

/// In alphabetical order; `differs`, `no-count` and `skipped` are those of stored trees.
pub const CODES: &[&str] = &[
    "attachments-absent",
    "attachments-outside",
    "build-contradiction",
    "cipher-files-missing",
    "database-contradiction",
    "database-unreachable",
    "database-url",
    "datasource-missing",
    "datasource-unsupported",
    "differs",
    "embedded-damaged",
    "embedded-in-use",
    "embedded-missing",
    "embedded-outside",
    "embedded-unclean",
    "embedded-unread",
    "home-contradiction",
    "home-missing",
    "home-not-named",
    "include-unused",
    "index-in-use",
    "index-missing",
    "left-out",
    "lock-stored",
    "no-count",
    "node-contradiction",
    "node-left-out",
    "node-missing",
    "node-twice",
    "nodes-missing",
    "nodes-unknown",
    "not-confluence",
    "not-frozen",
    "password-elsewhere",
    "password-kept",
    "paths-kept",
    "read-only-mode",
    "restore-tool",
    "search-not-captured",
    "secrets-missing",
    "shared-home-missing",
    "skipped",
    "tables-without-transactions",
    "target-missing",
    "target-not-empty",
    "target-read-only",
    "unknown-entry",
    "url-kept",
    "vendor",
    "vendor-changed",
    "vendor-contradiction",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_the_shared_crate_are_among_them_and_all_are_in_order() {
        assert!(strongroom_database::findings::CODES.iter().all(|code| CODES.contains(code)));
        assert!(CODES.is_sorted());
    }
}

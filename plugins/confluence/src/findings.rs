//! The codes of all findings that this plugin reports: `docs/confluence.md` says what to do about each.

/// In alphabetical order; `differs`, `no-count` and `skipped` are those of stored trees.
pub const CODES: &[&str] = &[
    "alias-taken",
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
    "documents-missing",
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
    "index-damaged",
    "index-exists",
    "index-in-use",
    "index-missing",
    "index-written",
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
    "search-unreachable",
    "search-url-kept",
    "secrets-missing",
    "shared-home-missing",
    "skipped",
    "snapshot-impossible",
    "snapshot-left",
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
    fn the_codes_of_the_shared_crates_are_among_them_and_all_are_in_order() {
        let shared = [strongroom_database::findings::CODES, strongroom_search::findings::CODES];
        assert!(shared.concat().iter().all(|code| CODES.contains(code)));
        assert!(CODES.is_sorted());
    }
}

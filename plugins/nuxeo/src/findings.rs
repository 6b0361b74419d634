//! The codes of all findings that this plugin reports: `docs/nuxeo.md` says what to do about each.

/// In alphabetical order; `no-count` and `skipped` are also those of stored trees.
pub const CODES: &[&str] = &[
    "address-kept",
    "audit-index",
    "blob-damaged",
    "blobs-absent",
    "blobs-elsewhere",
    "blobs-outside",
    "blobs-unchecked",
    "conf-d",
    "conf-kept",
    "conf-missing",
    "data-outside",
    "database-contradiction",
    "database-url",
    "defaults-in-use",
    "embedded-damaged",
    "embedded-in-use",
    "embedded-missing",
    "embedded-outside",
    "embedded-unclean",
    "embedded-unread",
    "encrypted-values",
    "file-outside",
    "gc-immediate",
    "gc-not-paused",
    "mongodb-kept",
    "mongodb-missing",
    "mongodb-unproven",
    "no-count",
    "not-frozen",
    "not-nuxeo",
    "password-kept",
    "paths-kept",
    "records-overflow",
    "redis-elsewhere",
    "restore-tool",
    "search-embedded",
    "search-open",
    "search-unread",
    "sequence-index",
    "skipped",
    "stream-outside",
    "streams-elsewhere",
    "tables-without-transactions",
    "target-missing",
    "target-not-empty",
    "target-read-only",
    "topics-kept",
    "transient-outside",
    "unset-environment",
    "url-kept",
    "vendor",
    "vendor-changed",
    "version-unknown",
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

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
    "not-self-contained",
    "reference-lost",
    "sequences-missing",
    "sequences-needed",
    "snapshot-impossible",
    "snapshot-left",
    "source-narrowed",
    "source-none",
    "types-several",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_the_shared_crate_are_among_them_and_all_are_in_order() {
        let shared = [strongroom_search::findings::CODES, strongroom_search::findings::OF_REFERENCES];
        assert!(shared.concat().iter().all(|code| CODES.contains(code)));
        assert!(CODES.is_sorted());
    }
}

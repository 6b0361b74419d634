//! The product's version, as far as it decides how a configuration is read.

use std::fmt;

/// `10.10`, `2021.35`, `2023`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// 10, 11, 2021, 2023, 2025.
    pub major: u32,
    /// What follows the first point, where something does.
    pub minor: Option<u32>,
}

impl Version {
    /// Reads one from its beginning; what follows (`-HF45`, `.3`) does not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| {
            let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
            text[..end].parse().ok()
        };
        let text = text.trim();
        Some(Self { major: number(text)?, minor: text.split_once('.').and_then(|(_, rest)| number(rest)) })
    }

    /// Up to 10.10, bulk streams have a prefix of their own, and names no namespace.
    pub(super) fn has_bulk_prefix(self) -> bool {
        self.major <= 10
    }

    /// Up to LTS 2021, streams may live in files.
    pub(super) fn has_chronicle(self) -> bool {
        self.major <= 2021
    }

    /// From LTS 2025 on, search is configured by client and backend.
    pub(super) fn has_search_clients(self) -> bool {
        self.major >= 2025
    }

    /// From 2021-HF35 on, a blob may go as soon as no document uses it.
    pub(super) fn has_immediate_gc(self) -> bool {
        self.major > 2021 || (self.major == 2021 && self.minor.is_none_or(|minor| minor >= 35))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minor {
            Some(minor) => write!(f, "{}.{minor}", self.major),
            None => write!(f, "{}", self.major),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_their_beginning() {
        let shown = |text| Version::parse(text).map(|version| version.to_string());
        assert_eq!(shown("10.10-HF45").as_deref(), Some("10.10"));
        assert_eq!(shown("2021.35.2").as_deref(), Some("2021.35"));
        assert_eq!(shown(" 2023 ").as_deref(), Some("2023"));
        assert_eq!(shown("2025-SNAPSHOT").as_deref(), Some("2025"));
        for none in ["", "LTS", "99999999999", "${x}"] {
            assert_eq!(shown(none), None, "{none}");
        }
    }

    #[test]
    fn eras_begin_where_the_product_changed() {
        let at = |text| Version::parse(text).unwrap();
        assert!(at("10.10").has_bulk_prefix() && !at("11.1").has_bulk_prefix());
        assert!(at("2021").has_chronicle() && !at("2023.1").has_chronicle());
        assert!(at("2025").has_search_clients() && !at("2023.40").has_search_clients());
        assert!(!at("2021.34").has_immediate_gc() && at("2021.35").has_immediate_gc() && at("2023").has_immediate_gc());
    }
}

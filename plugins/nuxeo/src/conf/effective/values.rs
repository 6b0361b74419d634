//! Values as the product reads them: expanded, trimmed, as flags and lists.

use crate::conf::chain::{Chain, Origin};

/// A chain that is asked for single values.
pub(super) struct Values<'a> {
    pub(super) chain: &'a Chain,
}

impl<'a> Values<'a> {
    pub(super) fn new(chain: &'a Chain) -> Self {
        Self { chain }
    }

    /// The value; empty where none is set.
    pub(super) fn text(&self, key: &str) -> String {
        self.chain.text(key).unwrap_or_default()
    }

    /// The value, unless it is empty.
    pub(super) fn set(&self, key: &str) -> Option<String> {
        self.chain.text(key).filter(|value| !value.is_empty())
    }

    /// As `Boolean.parseBoolean`.
    pub(super) fn flag(&self, key: &str) -> bool {
        self.text(key).eq_ignore_ascii_case("true")
    }

    /// What stands between commas, without empty pieces.
    pub(super) fn list(&self, key: &str) -> Vec<String> {
        let pieces = self.text(key);
        pieces.split(',').map(str::trim).filter(|piece| !piece.is_empty()).map(str::to_owned).collect()
    }

    /// Whether the operator set it, in `nuxeo.conf` or `conf.d`.
    pub(super) fn is_own(&self, key: &str) -> bool {
        matches!(self.chain.get(key).map(|setting| &setting.origin), Some(Origin::File { own: true, .. }))
    }

    /// Whether a template of that name counts.
    pub(super) fn has_template(&self, name: &str) -> bool {
        self.chain.templates.iter().any(|template| template.included() && template.name() == name)
    }
}

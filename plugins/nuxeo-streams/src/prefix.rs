//! Whose topic or group a name is, and what it is called under another prefix.
//!
//! Nuxeo turns the URN `namespace/name` into prefix + `namespace-name`; a namespace is `[A-Za-z][A-Za-z0-9_]*`
//! (`NameResolver`, `Name`). Up to 10.10 names have no namespace, and the streams of bulk actions begin with the prefix
//! and `bulk-`. So a name that merely begins with the prefix can be another application's: `dam-2-audit-audit` is no
//! stream of `dam-`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The prefixes of one instance, and those that begin alike and are not its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefixes {
    /// `kafka.topicPrefix`.
    pub main: String,
    /// Of custom Kafka configurations.
    #[serde(default)]
    pub further: Vec<String>,
    /// Other applications'.
    #[serde(default)]
    pub others: Vec<String>,
}

/// Whose a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    /// The instance's: the prefix, and what follows it.
    Own(&'a str, &'a str),
    /// That of a prefix that the operator declared.
    Other(&'a str),
    /// It begins with an own prefix, and what follows is no name that Nuxeo makes.
    Foreign(&'a str),
    /// It has nothing to do with any of the prefixes.
    Unrelated,
}

impl Prefixes {
    /// All of the instance's, the main one first.
    pub fn own(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.main.as_str()).chain(self.further.iter().map(String::as_str))
    }

    /// Whose `name` is; the longest prefix that fits decides.
    pub fn whose<'a>(&'a self, name: &'a str) -> Whose<'a> {
        let longest = |prefix: &&str| prefix.len();
        let own = self.own().filter(|prefix| name.starts_with(prefix)).max_by_key(longest);
        let others = self.others.iter().map(String::as_str);
        let other = others.filter(|prefix| name.starts_with(prefix)).max_by_key(longest);
        match (own, other) {
            (own, Some(other)) if own.is_none_or(|own| other.len() >= own.len()) => Whose::Other(other),
            (Some(own), _) => match name.get(own.len()..) {
                Some(id) if is_id(id) => Whose::Own(own, id),
                _ => Whose::Foreign(own),
            },
            (None, _) => Whose::Unrelated,
        }
    }
}

/// Whether Nuxeo could make this of a stream's or a computation's name.
fn is_id(id: &str) -> bool {
    let namespace = id.split('-').next().unwrap_or_default();
    let mut letters = namespace.chars();
    letters.next().is_some_and(|letter| letter.is_ascii_alphabetic())
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// Whether `id` is one of `patterns`: a name, or the beginning of names with `*` behind it.
pub fn matches<S: AsRef<str>>(id: &str, patterns: impl IntoIterator<Item = S>) -> bool {
    patterns.into_iter().any(|pattern| match pattern.as_ref().strip_suffix('*') {
        Some(beginning) => id.starts_with(beginning),
        None => id == pattern.as_ref(),
    })
}

/// From the names of one instance to those of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renaming {
    old: Prefixes,
    main: String,
    further: BTreeMap<String, String>,
}

impl Renaming {
    /// `further` says what becomes of further prefixes; one that begins with the main prefix (`nuxeo-bulk-`) follows
    /// it unless told otherwise.
    pub fn new(old: Prefixes, main: impl Into<String>, further: BTreeMap<String, String>) -> Self {
        Self { old, main: main.into(), further }
    }

    /// What a name of the old instance becomes; none where its prefix has no successor, or the name is not its own.
    pub fn rename(&self, name: &str) -> Option<String> {
        let Whose::Own(prefix, id) = self.old.whose(name) else { return None };
        if let Some(new) = self.further.get(prefix) {
            return Some(format!("{new}{id}"));
        }
        name.strip_prefix(self.old.main.as_str())
            .filter(|_| prefix.starts_with(self.old.main.as_str()))
            .map(|rest| format!("{}{rest}", self.main))
    }

    /// The prefixes of the instance that was saved.
    pub fn old(&self) -> &Prefixes {
        &self.old
    }

    /// The main prefix of the new instance.
    pub fn main(&self) -> &str {
        &self.main
    }

    /// All prefixes of the new instance.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.main.as_str()).chain(self.further.values().map(String::as_str))
    }

    /// Own prefixes that nothing is said of.
    pub fn without_successor(&self) -> Vec<&str> {
        let follows = |prefix: &str| prefix.starts_with(self.old.main.as_str()) || self.further.contains_key(prefix);
        self.old.own().filter(|prefix| !follows(prefix)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes(main: &str, further: &[&str], others: &[&str]) -> Prefixes {
        let all = |of: &[&str]| of.iter().map(|prefix| (*prefix).to_owned()).collect();
        Prefixes { main: main.into(), further: all(further), others: all(others) }
    }

    #[test]
    fn a_topic_of_an_application_whose_prefix_begins_alike_is_not_ours() {
        let ours = prefixes("dam-", &[], &[]);
        assert_eq!(ours.whose("dam-audit-audit"), Whose::Own("dam-", "audit-audit"));
        assert_eq!(ours.whose("dam-2-audit-audit"), Whose::Foreign("dam-"));
        assert_eq!(ours.whose("dam2-audit-audit"), Whose::Unrelated);
        assert_eq!(ours.whose("dam-"), Whose::Foreign("dam-"));
    }

    #[test]
    fn a_declared_prefix_is_never_touched() {
        let ours = prefixes("dam-", &[], &["dam-test-"]);
        assert_eq!(ours.whose("dam-test-audit"), Whose::Other("dam-test-"));
        assert_eq!(ours.whose("dam-testing"), Whose::Own("dam-", "testing"));
        let nested = prefixes("dam-", &["dam-test-ours-"], &["dam-test-"]);
        assert_eq!(nested.whose("dam-test-ours-a"), Whose::Own("dam-test-ours-", "a"));
    }

    #[test]
    fn streams_of_bulk_actions_up_to_10_10_keep_their_second_prefix() {
        for further in [&[][..], &["nuxeo-bulk-"][..]] {
            let renaming = Renaming::new(prefixes("nuxeo-", further, &[]), "nx2-", BTreeMap::new());
            assert_eq!(renaming.rename("nuxeo-bulk-command").as_deref(), Some("nx2-bulk-command"));
            assert_eq!(renaming.rename("nuxeo-AuditLogWriter").as_deref(), Some("nx2-AuditLogWriter"));
            assert!(renaming.without_successor().is_empty());
        }
    }

    #[test]
    fn each_custom_prefix_needs_a_successor_of_its_own() {
        let old = prefixes("nuxeo-", &["import_"], &[]);
        let silent = Renaming::new(old.clone(), "nx2-", BTreeMap::new());
        assert_eq!((silent.rename("import_doc"), silent.without_successor()), (None, vec!["import_"]));
        let told = Renaming::new(old, "nx2-", [("import_".to_owned(), "import2_".to_owned())].into());
        assert_eq!(told.rename("import_doc").as_deref(), Some("import2_doc"));
        assert_eq!(told.rename("elsewhere"), None);
    }

    #[test]
    fn a_pattern_is_a_name_or_the_beginning_of_names() {
        assert!(matches("pubsub-pubsub", ["pubsub-*"]) && matches("input-null", ["input-null"]));
        assert!(!matches("input-nullable", ["input-null"]) && !matches("my-pubsub-x", ["pubsub-*"]));
    }
}

//! Sorts the topics and groups of a cluster: which are the instance's, which are left out and why.

use crate::prefix::{Prefixes, Whose, matches};

/// Streams that a restored Nuxeo makes anew: messages between nodes, its own metrics, a stream that nobody reads.
pub const SKIPPED: &[&str] = &["pubsub-*", "internal-*", "input-null"];

/// The names of a cluster, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// What is saved.
    pub taken: Vec<String>,
    /// The instance's own that are not saved.
    pub skipped: Vec<String>,
    /// Those of other applications whose names begin alike.
    pub foreign: Vec<String>,
    /// Beginnings under which another instance seems to live.
    pub suspected: Vec<String>,
}

/// Sorts `names`; `skip` is what the operator leaves out.
pub fn sort<S: AsRef<str>>(prefixes: &Prefixes, skip: &[String], names: impl IntoIterator<Item = S>) -> Inventory {
    let mut sorted = Inventory::default();
    for name in names {
        let name = name.as_ref();
        match prefixes.whose(name) {
            Whose::Own(_, id) if matches(id, SKIPPED) || matches(id, skip) => sorted.skipped.push(name.to_owned()),
            Whose::Own(..) => sorted.taken.push(name.to_owned()),
            Whose::Other(_) | Whose::Foreign(_) => sorted.foreign.push(name.to_owned()),
            Whose::Unrelated => {}
        }
    }
    for list in [&mut sorted.taken, &mut sorted.skipped, &mut sorted.foreign] {
        list.sort();
        list.dedup();
    }
    sorted.suspected = suspected(prefixes, &sorted.taken);
    sorted
}

/// Streams that every Nuxeo since 11 has.
const USUAL: &[&str] = &["-audit-audit", "-bulk-command", "-bulk-status", "-bulk-done"];

/// `dam-test-audit-audit` beside `dam-`: what stands between the prefix and a usual name would be another prefix.
fn suspected(prefixes: &Prefixes, taken: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in taken {
        let Whose::Own(own, id) = prefixes.whose(name) else { continue };
        let beginnings = USUAL.iter().filter_map(|usual| id.strip_suffix(usual)).filter(|between| !between.is_empty());
        all.extend(beginnings.map(|between| format!("{own}{between}-")));
    }
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn fixture() -> Value {
        serde_json::from_str(include_str!("../fixtures/inventory.json")).unwrap()
    }

    fn ours() -> Prefixes {
        Prefixes { main: "dam-".into(), ..Prefixes::default() }
    }

    #[test]
    fn the_sample_cluster_has_three_topics_that_count() {
        let fixture = fixture();
        let sorted = sort(&ours(), &[], fixture["topics"].as_object().unwrap().keys());
        assert_eq!(sorted.taken, ["dam-audit-audit", "dam-bulk-command", "dam-work-default"]);
        assert_eq!(sorted.skipped, ["dam-internal-metrics", "dam-pubsub-pubsub"]);
        assert_eq!(sorted.foreign, ["dam-2-audit-audit"]);
        assert!(sorted.suspected.is_empty());
    }

    #[test]
    fn the_sample_clusters_groups_are_sorted_by_the_same_rules() {
        let fixture = fixture();
        let sorted = sort(&ours(), &["audit-*".into()], fixture["groups"].as_object().unwrap().keys());
        assert_eq!(sorted.taken, ["dam-bulk-scroller", "dam-work-default"]);
        assert_eq!(sorted.skipped, ["dam-audit-writer", "dam-pubsub-pubSub-node1"]);
    }

    #[test]
    fn another_instance_below_the_prefix_is_suspected() {
        let names = ["dam-audit-audit", "dam-test-audit-audit", "dam-test-bulk-command", "dam-bulk-command"];
        assert_eq!(sort(&ours(), &[], names).suspected, ["dam-test-"]);
        let declared = Prefixes { others: vec!["dam-test-".into()], ..ours() };
        let sorted = sort(&declared, &[], names);
        assert_eq!((sorted.suspected.len(), sorted.taken.len(), sorted.foreign.len()), (0, 2, 2));
    }

    #[test]
    fn internal_topics_of_kafka_are_nobodys() {
        assert_eq!(sort(&ours(), &[], ["__consumer_offsets", "__transaction_state"]), Inventory::default());
    }
}

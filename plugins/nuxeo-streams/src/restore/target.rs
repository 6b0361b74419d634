//! Where the streams go, and what stands in the way: a new prefix that nobody uses.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_plugin::{Error, Finding, Result};

use crate::{
    inspect::part,
    prefix::{Prefixes, Renaming},
    settings::Settings,
    store::{self, FENCE, Fence, POSITIONS, Positions},
};

/// The longest name of a topic that Kafka takes.
const NAME_BYTES_MAX: usize = 249;

/// A restore of one snapshot's streams.
pub struct Target {
    /// What the operator set.
    pub settings: Settings,
    /// The streams as they were.
    pub fence: Fence,
    /// What the groups had committed.
    pub positions: Positions,
    /// From old names to new ones.
    pub renaming: Renaming,
}

impl Target {
    /// Of the snapshot that is being read.
    ///
    /// # Errors
    /// `invalid` where no new prefix is set; `corrupt`, `not-found` of the snapshot's files.
    pub fn read(settings: &Settings) -> Result<Self> {
        let main = settings.target_prefix.clone().ok_or_else(|| {
            Error::invalid(
                "the setting target-prefix is missing: under which the streams are restored, such as \"nx2-\"",
            )
        })?;
        let fence: Fence = store::read(part::FENCE, FENCE)?;
        let positions = store::read(part::POSITIONS, POSITIONS)?;
        let renaming = Renaming::new(fence.prefixes.clone(), main, settings.target_prefixes.clone());
        Ok(Self { settings: settings.clone(), fence, positions, renaming })
    }

    /// The new name of a topic or a group.
    ///
    /// # Errors
    /// `invalid` where its prefix has no successor.
    pub fn rename(&self, name: &str) -> Result<String> {
        let none = || Error::invalid(format!("{name} has no new name: set target-prefixes for its prefix"));
        self.renaming.rename(name).ok_or_else(none)
    }

    /// The new names of all topics.
    pub fn topics(&self) -> BTreeSet<String> {
        self.fence.topics.keys().filter_map(|topic| self.renaming.rename(topic)).collect()
    }

    /// The new names of all groups.
    pub fn groups(&self) -> BTreeSet<String> {
        self.positions.groups.keys().filter_map(|group| self.renaming.rename(group)).collect()
    }

    /// What can be said of the names alone.
    pub fn names(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for prefix in self.renaming.without_successor() {
            let message =
                format!("nothing is said of what becomes of the prefix {prefix:?}: set it in target-prefixes");
            findings.push(Finding::blocker("target-prefix-missing", part::FENCE, message));
        }
        let topics: Vec<String> = self.fence.topics.keys().filter_map(|topic| self.renaming.rename(topic)).collect();
        if topics.iter().collect::<BTreeSet<_>>().len() < topics.len() {
            let message = "two topics would have the same new name: change target-prefixes";
            findings.push(Finding::blocker("target-prefix-used", part::FENCE, message));
        }
        for topic in topics.iter().filter(|topic| topic.len() > NAME_BYTES_MAX) {
            let message = format!("{topic} is longer than {NAME_BYTES_MAX} bytes: choose a shorter target-prefix");
            findings.push(Finding::blocker("target-prefix-used", part::FENCE, message));
        }
        findings
    }

    /// What a cluster that has these topics and groups says against it. What this restore makes itself is not
    /// against it, so that it can go on after an interruption; each part looks at its own topics again.
    pub fn conflicts(&self, cluster: &str, topics: &BTreeSet<String>, groups: &BTreeSet<String>) -> Vec<Finding> {
        let (planned_topics, planned_groups) = (self.topics(), self.groups());
        let others: Vec<&String> =
            topics.difference(&planned_topics).chain(groups.difference(&planned_groups)).collect();
        let same = !cluster.is_empty() && cluster == self.fence.cluster;
        let mut findings = overlaps(self.renaming.old(), &self.renaming, same, &others);
        for target in self.renaming.targets() {
            let there: Vec<String> =
                others.iter().filter(|name| name.starts_with(target)).map(|name| (*name).clone()).collect();
            if !there.is_empty() {
                let message = format!(
                    "the prefix {target:?} is in use ({}): choose one that no topic and no group begins with",
                    crate::inspect::listed(&there)
                );
                findings.push(Finding::blocker("target-prefix-used", part::FENCE, message));
            }
        }
        findings
    }
}

/// A live instance lists every topic that begins with its own prefix: so the new prefix must not begin with one that is
/// in use, nor one in use with it.
fn overlaps(old: &Prefixes, renaming: &Renaming, same_cluster: bool, names: &[&String]) -> Vec<Finding> {
    let mut overlapping: BTreeMap<(&str, &str), ()> = BTreeMap::new();
    for used in old.own().chain(old.others.iter().map(String::as_str)) {
        if !same_cluster && !names.iter().any(|name| name.starts_with(used)) {
            continue;
        }
        for target in renaming.targets().filter(|target| target.starts_with(used) || used.starts_with(target)) {
            overlapping.insert((target, used), ());
        }
    }
    let finding = |(target, used): (&str, &str)| {
        let message = format!(
            "the new prefix {target:?} and {used:?}, which is in use, begin alike: an instance takes every topic that \
             begins with its prefix for its own. Choose one that differs from the first letters on"
        );
        Finding::blocker("prefix-overlap", part::FENCE, message)
    };
    overlapping.into_keys().map(finding).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        cut::Cut,
        settings::{Late, Records},
        store::{Fenced, VERSION},
    };

    /// A snapshot of `dam-` with these topics, on the cluster `c1`, going to the prefix `new`.
    pub(crate) fn target(topics: &[(&str, &[(i64, i64)])], new: &str) -> Target {
        let fenced = |partitions: &[(i64, i64)]| Fenced {
            replication: 1,
            partitions: (0..).zip(partitions.iter().copied()).collect(),
            ..Fenced::default()
        };
        let prefixes = Prefixes { main: "dam-".into(), further: Vec::new(), others: vec!["dam-2-".into()] };
        let fence = Fence {
            version: VERSION,
            cluster: "c1".into(),
            taken: 0,
            cut: Cut { at: 1000, slack: 0, late: Late::Keep, from: None },
            prefixes: prefixes.clone(),
            records: Records::All,
            topics: topics.iter().map(|(name, partitions)| ((*name).to_owned(), fenced(partitions))).collect(),
        };
        let settings = Settings { target_prefix: Some(new.into()), ..Settings::default() };
        let renaming = Renaming::new(prefixes, new, BTreeMap::new());
        Target { settings, fence, positions: Positions::default(), renaming }
    }

    fn codes(target: &Target, cluster: &str, topics: &[&str], groups: &[&str]) -> Vec<String> {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        target.conflicts(cluster, &set(topics), &set(groups)).into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn a_prefix_that_begins_like_one_in_use_is_refused() {
        for new in ["dam-r2-", "da", "dam-", "dam-2-x-"] {
            let target = target(&[("dam-a", &[(0, 1)])], new);
            assert!(codes(&target, "c1", &[], &[]).contains(&"prefix-overlap".to_owned()), "{new}");
        }
        let target = target(&[("dam-a", &[(0, 1)])], "nxr2-");
        assert!(codes(&target, "c1", &["dam-a", "other"], &["dam-g"]).is_empty());
    }

    #[test]
    fn another_cluster_may_have_the_old_prefix_again_where_nobody_uses_it() {
        let target = target(&[("dam-a", &[(0, 1)])], "dam-");
        assert!(codes(&target, "c2", &["other"], &[]).is_empty());
        // What an interrupted attempt has made is no obstacle to the next one.
        assert!(codes(&target, "c2", &["dam-a"], &[]).is_empty());
        assert_eq!(codes(&target, "c2", &["dam-b"], &[]), ["prefix-overlap", "target-prefix-used"]);
        assert_eq!(codes(&target, "c2", &[], &["dam-g"]), ["prefix-overlap", "target-prefix-used"]);
    }

    #[test]
    fn a_prefix_under_which_something_is_cannot_be_the_target() {
        let target = target(&[("dam-a", &[(0, 1)])], "nxr2-");
        assert_eq!(codes(&target, "c1", &["nxr2-other"], &[]), ["target-prefix-used"]);
        assert_eq!(codes(&target, "c1", &[], &["nxr2-group"]), ["target-prefix-used"]);
    }

    #[test]
    fn a_name_that_kafka_does_not_take_is_found_before_anything_is_made() {
        let target = target(&[("dam-a", &[(0, 1)])], &"x".repeat(249));
        assert_eq!(target.names()[0].code, "target-prefix-used");
    }
}

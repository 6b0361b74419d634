//! Whether a whole cluster is granted: its shared home and the home of every node.

use std::collections::BTreeSet;

use strongroom_plugin::{Finding, Inspection};

use super::part;
use crate::{
    cfg::Cfg,
    describe::{self, grant},
    grants,
    site::{CFG, Site, cluster::Cluster},
};

/// Properties that must be the same on all nodes and in the shared home. Some are secrets: values are never shown.
const SAME: [&str; 7] = [
    "confluence.cluster.name",
    "confluence.cluster.home",
    "confluence.cluster.authentication.secret",
    "hibernate.connection.url",
    "hibernate.connection.username",
    "jwt.private.key",
    "jwt.public.key",
];

/// Adds what is in the way of a cluster's backup.
pub(super) fn look(site: &Site, seen: &mut Inspection) {
    let Some(cluster) = &site.cluster else { return };
    shared_home(cluster, seen);
    nodes(site, cluster, seen);
    for node in &cluster.nodes {
        match &node.cfg {
            Some(cfg) => seen.findings.extend(contradiction(&site.cfg, cfg, &node.grant)),
            None => {
                let message = format!("there is no {CFG} in dirs.{}: it is not the home of a node", node.grant);
                seen.findings.push(Finding::blocker("node-missing", &node.grant, message));
            }
        }
    }
    if let Some(cfg) = &cluster.shared_cfg {
        seen.findings.extend(contradiction(&site.cfg, cfg, grant::SHARED_HOME));
    }
}

fn shared_home(cluster: &Cluster, seen: &mut Inspection) {
    if cluster.shared_cfg.is_some() {
        return;
    }
    let path = cluster.shared.as_deref().unwrap_or("not named in its configuration");
    let granted = grants::has("dirs", grant::SHARED_HOME);
    let message = match granted {
        true => format!("there is no {CFG} in dirs.{}: the cluster's shared home is {path}", grant::SHARED_HOME),
        false => format!("the cluster's shared home is {path}: grant dirs.{}", grant::SHARED_HOME),
    };
    seen.findings.push(Finding::blocker("shared-home-missing", part::SHARED_HOME, message));
    if let (Some(path), false) = (&cluster.shared, granted) {
        seen.wants.push(describe::shared_home(path));
    }
}

/// Every node is captured, or named as left out.
fn nodes(site: &Site, cluster: &Cluster, seen: &mut Inspection) {
    let mut names = BTreeSet::new();
    for name in named(site, cluster) {
        if !names.insert(name) {
            let message = format!("two of the granted homes are node {name}'s: grant the home of each node once");
            seen.findings.push(Finding::blocker("node-twice", "nodes", message));
        }
    }
    let left_out = left_out(site, cluster);
    for name in &left_out {
        let message =
            format!("the home of node {name} is not saved, as nodes-left-out says: the snapshot will be partial");
        seen.findings.push(Finding::warning("node-left-out", "nodes", message));
    }
    let Some(size) = cluster.size else {
        let message = "confluence.cluster.peers does not say how many nodes there are: set nodes in the step's config";
        seen.findings.push(Finding::blocker("nodes-unknown", "nodes", message));
        return;
    };
    let known = cluster.granted() + left_out.len();
    if known < size {
        let message = format!(
            "the cluster has {size} nodes, and {} of their homes are granted: grant the others as dirs.{}-NAME, or name those nodes in nodes-left-out",
            cluster.granted(),
            grant::NODE
        );
        seen.findings.push(Finding::blocker("nodes-missing", "nodes", message));
        seen.wants.push(describe::node("/path/to/home-of-other-node"));
    }
}

/// How many homes a complete set has, and how many are granted; none where it is no cluster or its size is unknown.
pub(crate) fn counted(site: &Site) -> Option<(u64, u64)> {
    let cluster = site.cluster.as_ref()?;
    let (size, granted) = (cluster.size?, cluster.granted());
    Some((size.max(granted + left_out(site, cluster).len()) as u64, granted as u64))
}

/// What the nodes whose homes are granted call themselves.
fn named<'a>(site: &'a Site, cluster: &'a Cluster) -> impl Iterator<Item = &'a str> {
    let own = site.node.as_ref().map(|(name, _)| name.as_str());
    own.into_iter().chain(cluster.nodes.iter().filter_map(|node| node.name()))
}

fn left_out<'a>(site: &'a Site, cluster: &'a Cluster) -> BTreeSet<&'a str> {
    let granted: BTreeSet<&str> = named(site, cluster).collect();
    cluster.left_out.iter().map(String::as_str).filter(|name| !granted.contains(name)).collect()
}

fn contradiction(one: &Cfg, other: &Cfg, grant: &str) -> Option<Finding> {
    let mut names: Vec<&str> = SAME.into_iter().filter(|name| one.get(name) != other.get(name)).collect();
    names.extend((one.build_number != other.build_number).then_some("buildNumber"));
    let message = format!("{CFG} in dirs.{grant} differs from that of this node in {}", names.join(", "));
    (!names.is_empty()).then(|| Finding::warning("node-contradiction", grant, message))
}

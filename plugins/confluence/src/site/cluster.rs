//! What makes one node part of a cluster: the shared home, and the homes of the other nodes.

use strongroom_plugin::{Result, dirs};

use super::{CFG, read_cfg};
use crate::{cfg::Cfg, describe::grant, grants, settings::Settings};

/// The name of a node, in its own configuration.
pub const NODE_NAME: &str = "confluence.cluster.node.name";

/// A cluster as one of its nodes describes it, and what of it is granted.
#[derive(Debug)]
pub struct Cluster {
    /// The shared home's path, as the nodes see it; none where the configuration does not name it.
    pub shared: Option<String>,
    /// The shared home's own copy of the configuration; none where it is not granted or not there.
    pub shared_cfg: Option<Cfg>,
    /// How many nodes there are, if that can be told.
    pub size: Option<usize>,
    /// The other nodes whose homes are granted.
    pub nodes: Vec<Node>,
    /// Names of nodes that the operator leaves out.
    pub left_out: Vec<String>,
}

/// The home of another node.
#[derive(Debug)]
pub struct Node {
    /// The grant that it is.
    pub grant: String,
    /// Its configuration; none where it has none.
    pub cfg: Option<Cfg>,
}

impl Node {
    /// What it calls itself.
    pub fn name(&self) -> Option<&str> {
        self.cfg.as_ref()?.get(NODE_NAME)
    }
}

impl Cluster {
    /// None where that configuration is no cluster's.
    ///
    /// # Errors
    /// When a granted home cannot be read.
    pub fn read(cfg: &Cfg, settings: &Settings) -> Result<Option<Self>> {
        if !is_clustered(cfg) {
            return Ok(None);
        }
        let mut nodes = Vec::new();
        for grant in grants::nodes() {
            let cfg = copy(&grant)?;
            nodes.push(Node { grant, cfg });
        }
        let peers = filled(cfg, "confluence.cluster.peers").map(|peers| peers.split(',').count());
        Ok(Some(Self {
            shared: shared_home(cfg).map(str::to_owned),
            shared_cfg: copy(grant::SHARED_HOME)?,
            size: settings.nodes.or(peers),
            nodes,
            left_out: settings.nodes_left_out.clone(),
        }))
    }

    /// How many homes of nodes are granted.
    pub fn granted(&self) -> usize {
        1 + self.nodes.len()
    }
}

/// Whether it is the configuration of one node of several.
pub fn is_clustered(cfg: &Cfg) -> bool {
    cfg.setup_type.as_deref() == Some("cluster") || cfg.get("confluence.cluster").is_some_and(|on| on.trim() == "true")
}

/// Where a node's configuration says that the shared home is.
pub fn shared_home(cfg: &Cfg) -> Option<&str> {
    filled(cfg, "confluence.cluster.home").or(filled(cfg, "shared-home"))
}

fn filled<'a>(cfg: &'a Cfg, name: &str) -> Option<&'a str> {
    cfg.get(name).map(str::trim).filter(|value| !value.is_empty())
}

/// The configuration at the top of a granted directory.
fn copy(grant: &str) -> Result<Option<Cfg>> {
    if !grants::has("dirs", grant) {
        return Ok(None);
    }
    let dir = dirs::get(grant)?;
    match dir.exists(CFG)? {
        true => read_cfg(&dir, CFG).map(Some).map_err(|error| error.context(format!("looking at dirs.{grant}"))),
        false => Ok(None),
    }
}

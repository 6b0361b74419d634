//! What the plugin is and which grants it can use, each with the TOML that is usually written.

use strongroom_plugin::{Description, Need};

use crate::{findings, settings};

/// Names of grants.
pub mod grant {
    /// The engine.
    pub const ENGINE: &str = "engine";
    /// A directory below the engine's `path.repo`.
    pub const SNAPSHOTS: &str = "snapshots";
}

/// The plugin's description.
pub fn description() -> Description {
    Description::new(
        "elasticsearch-audit",
        "backs up and restores indices of Elasticsearch and OpenSearch, whole, proved by count and hash",
    )
    .version(env!("CARGO_PKG_VERSION"))
    .product("Elasticsearch 6 to 8")
    .product("OpenSearch 1 and 2")
    .product("the audit index of Nuxeo 7.10 to 2025")
    .config(&settings::schema())
    .finds(findings::CODES)
    .needs(engine())
    .needs(snapshots().optional())
}

fn engine() -> Need {
    Need::http(grant::ENGINE)
        .because("the engine that holds the indices; a restore, and the way snapshot, need the method PUT, too")
        .suggest("url = \"http://localhost:9200\"\nmethods = [\"GET\", \"POST\", \"PUT\", \"DELETE\"]\n# basic = { user = \"backup\", password = { file = \"/etc/strongroom/engine\" } }\n")
}

/// The directory of snapshots.
pub fn snapshots() -> Need {
    Need::dirs_write(grant::SNAPSHOTS)
        .because("for the way snapshot: a directory below path.repo of every node, where the engine leaves its files for the host")
        .suggest("path = \"/var/lib/engine-snapshots\"\naccess = \"write\"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_need_says_why_and_how() {
        let description = description();
        for need in &description.needs {
            assert!(!need.reason.is_empty() && need.suggestion.ends_with('\n'), "{}", need.name);
        }
        let required: Vec<_> = description.needs.iter().filter(|need| need.required).map(|need| &need.name).collect();
        assert_eq!(required, [grant::ENGINE]);
    }
}

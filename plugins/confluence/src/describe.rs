//! What the plugin is and which grants it can use, each with the TOML that is usually written.

use strongroom_database::needs::{self, Names, Needs, read};
use strongroom_plugin::{Description, Need};

use crate::{findings, settings};

/// Names of grants.
pub mod grant {
    /// The installation directory.
    pub const INSTALL: &str = "install";
    /// The home directory.
    pub const HOME: &str = "home";
    /// An attachment directory outside the home.
    pub const ATTACHMENTS: &str = "attachments";
    /// The shared home of a cluster.
    pub const SHARED_HOME: &str = "shared-home";
    /// The home of another node of a cluster: begins with this and `-`.
    pub const NODE: &str = "node";
    /// Any further directory: begins with this and `-`.
    pub const EXTERNAL: &str = "external";
    /// The engine that holds the search index.
    pub const OPENSEARCH: &str = "opensearch";
    /// A directory below that engine's `path.repo`.
    pub const SNAPSHOTS: &str = "snapshots";
    pub use strongroom_database::needs::{DATABASE, DUMP, READ_DUMP};
    /// The restored site's database password.
    pub const PASSWORD: &str = "database-password";
}

/// Those of the site's database.
pub fn needs() -> Needs {
    Needs { names: Names::of(grant::DATABASE), password_file: "/etc/strongroom/confluence-db" }
}

/// The plugin's description.
pub fn description() -> Description {
    Description::new("confluence", "backs up and restores Confluence: nodes, shared home, database")
        .version(env!("CARGO_PKG_VERSION"))
        .product("Atlassian Confluence 5.7 to 9, one node or a cluster, on PostgreSQL, MySQL or MariaDB, or embedded")
        .config(&settings::schema())
        .finds(findings::CODES)
        .needs(install())
        .needs(home("/var/atlassian/application-data/confluence"))
        .needs(attachments("/path/to/attachments").optional())
        .needs(shared_home("/path/to/shared-home").optional())
        .needs(node("/path/to/home-of-node-2").many().optional())
        .needs(external("/path/to/directory").many().optional())
        .needs(needs().database("postgresql://backup@localhost:5432/confluence").optional())
        .needs(needs().dump().optional())
        .needs(needs::read_dump().optional())
        .needs(needs().restore().optional())
        .needs(password().optional())
        .needs(opensearch().optional())
        .needs(snapshots().optional())
}

fn install() -> Need {
    let reason = "the installation directory says where the home is and which version runs; it is saved, too";
    read(grant::INSTALL, "/opt/atlassian/confluence", reason)
}

/// A home directory at that path.
pub fn home(path: &str) -> Need {
    read(grant::HOME, path, "the home directory holds the configuration, the attachments and the keys")
}

/// An attachment directory at that path.
pub fn attachments(path: &str) -> Need {
    read(grant::ATTACHMENTS, path, "the attachment directory, where attachments.dir lies outside the home")
}

/// The shared home of a cluster at that path.
pub fn shared_home(path: &str) -> Need {
    read(grant::SHARED_HOME, path, "a cluster's shared home holds its attachments and keys")
}

/// The home of another node, mounted at that path.
pub fn node(path: &str) -> Need {
    read(grant::NODE, path, "the homes of a cluster's other nodes, as they are mounted here")
}

/// Cipher files in that directory.
pub fn cipher(path: &str) -> Need {
    Need { name: format!("{}-cipher", grant::EXTERNAL), ..external(path) }
        .because("the database password is encrypted, and its cipher files are there")
}

/// A directory outside home and installation that the site depends on.
pub fn external(path: &str) -> Need {
    read(grant::EXTERNAL, path, "directories outside home and installation that the site needs, such as cipher files")
}

fn password() -> Need {
    Need::secrets(grant::PASSWORD)
        .because("for a restore: what confluence.cfg.xml shall hold as database password")
        .suggest("file = \"/etc/strongroom/confluence-db\"\n")
}

fn opensearch() -> Need {
    Need::http(grant::OPENSEARCH)
        .because("the OpenSearch that holds the search index, which is saved then; without it the index is built anew after a restore")
        .suggest("url = \"https://localhost:9200\"\nmethods = [\"GET\", \"POST\", \"PUT\", \"DELETE\"]\n# basic = { user = \"backup\", password = { file = \"/etc/strongroom/opensearch\" } }\n")
}

fn snapshots() -> Need {
    Need::dirs_write(grant::SNAPSHOTS)
        .because("a directory below path.repo of every node of OpenSearch, where it leaves its snapshot for the host; without it the index is saved document by document")
        .suggest("path = \"/var/lib/opensearch-snapshots\"\naccess = \"write\"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_need_says_why_and_how() {
        let description = description();
        assert_eq!(description.needs.len(), 13);
        for need in &description.needs {
            assert!(!need.reason.is_empty() && need.suggestion.ends_with('\n'), "{}", need.name);
        }
        let required: Vec<_> =
            description.needs.iter().filter(|need| need.required).map(|need| need.name.as_str()).collect();
        // What a database server needs is asked for by `inspect`, where there is one.
        assert_eq!(required, ["install", "home"]);
    }
}

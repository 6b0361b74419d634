//! What the plugin is and which grants it can use, each with the TOML that is usually written.

use strongroom_database::needs::{self, DATABASE, Names, Needs, read, toml_string};
use strongroom_plugin::{Description, Need};

use crate::{findings, settings};

/// Names of grants; those of databases are [`strongroom_database::needs`]'.
pub mod grant {
    /// `NUXEO_HOME`.
    pub const HOME: &str = "home";
    /// The directory of `nuxeo.conf`.
    pub const CONFIGURATION: &str = "configuration";
    /// The data directory.
    pub const DATA: &str = "data";
    /// A blob store: this, or this and `-` and the name of its provider.
    pub const BINARIES: &str = "binaries";
    /// The transient stores, where they lie outside of the data directory.
    pub const TRANSIENT: &str = "transientstores";
    /// Chronicle queues, where they lie outside of the data directory.
    pub const STREAM: &str = "stream";
    /// Templates outside of `NUXEO_HOME`, and any other directory that the configuration names.
    pub const TEMPLATES: &str = "templates";
    /// Nuxeo itself, to pause the removal of blobs.
    pub const MANAGEMENT: &str = "management";
    /// Writes a dump of MongoDB.
    pub const MONGODUMP: &str = "mongodump";
    /// Loads it.
    pub const MONGORESTORE: &str = "mongorestore";
    /// The restored instance's database password.
    pub const PASSWORD: &str = "database-password";
}

/// The plugin's description.
pub fn description() -> Description {
    Description::new("nuxeo", "backs up and restores Nuxeo: databases, blobs, data and configuration")
        .version(env!("CARGO_PKG_VERSION"))
        .product("Nuxeo Platform 8.10 to LTS 2025 on PostgreSQL, MySQL, MariaDB, MongoDB or embedded H2")
        .config(&settings::schema())
        .finds(findings::CODES)
        .needs(home("/opt/nuxeo/server"))
        .needs(configuration("/etc/nuxeo").optional())
        .needs(data("/var/lib/nuxeo").optional())
        .needs(binaries("/path/to/binaries").many().optional())
        .needs(transient("/path/to/transientstores").optional())
        .needs(stream("/path/to/stream").optional())
        .needs(templates("/path/to/templates").many().optional())
        .needs(needs_of(DATABASE).database("postgresql://backup@localhost:5432/nuxeo").many().optional())
        .needs(needs_of(DATABASE).dump().many().optional())
        .needs(needs::read_dump().optional())
        .needs(needs_of(DATABASE).restore().many().optional())
        .needs(mongodump().optional())
        .needs(mongorestore().optional())
        .needs(management("http://localhost:8080").optional())
        .needs(password().optional())
}

/// Those of the database whose part has that name.
pub fn needs_of(part: &str) -> Needs {
    Needs { names: Names::of(part), password_file: "/etc/strongroom/nuxeo-db" }
}

fn home(path: &str) -> Need {
    read(grant::HOME, path, "NUXEO_HOME holds the templates, the packages and, unless configured otherwise, all data")
}

/// The directory of `nuxeo.conf` at that path.
pub fn configuration(path: &str) -> Need {
    read(grant::CONFIGURATION, path, "the directory of nuxeo.conf, where that is not NUXEO_HOME/bin")
}

/// The data directory at that path.
pub fn data(path: &str) -> Need {
    read(grant::DATA, path, "the data directory, where nuxeo.data.dir lies outside of NUXEO_HOME")
}

/// A blob store at that path.
pub fn binaries(path: &str) -> Need {
    read(grant::BINARIES, path, "blobs outside of the data directory; binaries-NAME is the store of the provider NAME")
}

/// The transient stores at that path.
pub fn transient(path: &str) -> Need {
    read(grant::TRANSIENT, path, "the transient stores, where they lie outside of the data directory")
}

/// Chronicle queues at that path.
pub fn stream(path: &str) -> Need {
    read(grant::STREAM, path, "Chronicle queues, where nuxeo.stream.chronicle.dir lies outside of the data directory")
}

/// Templates, key stores and the like at that path.
pub fn templates(path: &str) -> Need {
    read(
        grant::TEMPLATES,
        path,
        "custom templates, key stores and whatever else nuxeo.conf names outside of NUXEO_HOME",
    )
}

/// The tool that dumps MongoDB.
pub fn mongodump() -> Need {
    Need::tools(grant::MONGODUMP)
        .because("mongodump writes a MongoDB database; grant it with --oplog where the server is a replica set")
        .suggest(
            "argv = [\"/usr/bin/mongodump\", \"--config=/etc/strongroom/mongodb.yaml\", \"--quiet\", \"--archive\"]\n",
        )
}

/// The tool that loads it.
pub fn mongorestore() -> Need {
    Need::tools(grant::MONGORESTORE).because("for a restore: mongorestore loads a MongoDB database").suggest(
        "argv = [\"/usr/bin/mongorestore\", \"--config=/etc/strongroom/mongodb.yaml\", \"--quiet\", \"--archive\"]\n",
    )
}

/// Nuxeo's management API at that address.
pub fn management(url: &str) -> Need {
    Need::http(grant::MANAGEMENT)
        .because("the consumer that deletes unused blobs is paused while a snapshot is made")
        .suggest(format!(
            "url = {}\nmethods = [\"PUT\"]\npaths = [\"/nuxeo/api/v1/management/stream/consumer\"]\nbasic = {{ user = \"backup\", password = {{ file = \"/etc/strongroom/nuxeo-management\" }} }}\n",
            toml_string(url)
        ))
}

fn password() -> Need {
    Need::secrets(grant::PASSWORD)
        .because("for a restore: what nuxeo.conf shall hold as database password")
        .suggest("file = \"/etc/strongroom/nuxeo-db\"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_need_says_why_and_how() {
        let description = description();
        assert_eq!(description.needs.len(), 15);
        for need in &description.needs {
            assert!(!need.reason.is_empty() && need.suggestion.ends_with('\n'), "{}", need.name);
        }
        let required: Vec<_> =
            description.needs.iter().filter(|need| need.required).map(|need| need.name.as_str()).collect();
        assert_eq!(required, ["home"]);
    }
}

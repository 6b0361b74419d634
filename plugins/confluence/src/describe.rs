//! What the plugin is and which grants it can use, each with the TOML that is usually written.

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
    /// The database.
    pub const DATABASE: &str = "database";
    /// Writes a dump.
    pub const DUMP: &str = "dump";
    /// Turns a dump into SQL.
    pub const READ_DUMP: &str = "read-dump";
    /// Loads a dump into an empty database.
    pub const RESTORE: &str = "restore";
    /// The restored site's database password.
    pub const PASSWORD: &str = "database-password";
}

const CONNECTION: &str = "\"--host={sql.database.host}\", \"--port={sql.database.port}\", \"--dbname={sql.database.name}\", \"--username={sql.database.user}\"";
/// The tools connect as the host does: with the same password, `sslmode` and authorities.
const ENV: &str = "env = { PGPASSWORD = { secret = { file = \"/etc/strongroom/confluence-db\" } }, PGSSLMODE = \"{sql.database.sslmode}\", PGSSLROOTCERT = \"{sql.database.ca}\" }";

/// The same of MySQL's and MariaDB's tools, which take no password from a file of its own.
const CONNECTION_MYSQL: &str = "\"--protocol=tcp\", \"--host={sql.database.host}\", \"--port={sql.database.port}\", \"--user={sql.database.user}\"";
const ENV_MYSQL: &str = "env = { MYSQL_PWD = { secret = { file = \"/etc/strongroom/confluence-db\" } } }";
/// Everything that a database consists of, in one transaction, a row at a time.
const DUMP_MYSQL: &str = "\"--single-transaction\", \"--quick\", \"--routines\", \"--triggers\", \"--events\", \"--hex-blob\", \"--default-character-set=utf8mb4\", \"--no-tablespaces\"";

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
        .needs(database("postgresql://backup@localhost:5432/confluence").optional())
        .needs(dump().optional())
        .needs(read_dump().optional())
        .needs(restore().optional())
        .needs(password().optional())
}

fn install() -> Need {
    Need::dirs(grant::INSTALL)
        .because("the installation directory says where the home is and which version runs; it is saved, too")
        .suggest("path = \"/opt/atlassian/confluence\"\naccess = \"read\"\n")
}

/// A home directory at that path.
pub fn home(path: &str) -> Need {
    Need::dirs(grant::HOME)
        .because("the home directory holds the configuration, the attachments and the keys")
        .suggest(format!("path = {}\naccess = \"read\"\n", toml_string(path)))
}

/// An attachment directory at that path.
pub fn attachments(path: &str) -> Need {
    Need::dirs(grant::ATTACHMENTS)
        .because("the attachment directory, where attachments.dir lies outside the home")
        .suggest(format!("path = {}\naccess = \"read\"\n", toml_string(path)))
}

/// The shared home of a cluster at that path.
pub fn shared_home(path: &str) -> Need {
    Need::dirs(grant::SHARED_HOME)
        .because("a cluster's shared home holds its attachments and keys")
        .suggest(format!("path = {}\naccess = \"read\"\n", toml_string(path)))
}

/// The home of another node, mounted at that path.
pub fn node(path: &str) -> Need {
    Need::dirs(grant::NODE)
        .because("the homes of a cluster's other nodes, as they are mounted here")
        .suggest(format!("path = {}\naccess = \"read\"\n", toml_string(path)))
}

/// Cipher files in that directory.
pub fn cipher(path: &str) -> Need {
    Need { name: format!("{}-cipher", grant::EXTERNAL), ..external(path) }
        .because("the database password is encrypted, and its cipher files are there")
}

/// A directory outside home and installation that the site depends on.
pub fn external(path: &str) -> Need {
    Need::dirs(grant::EXTERNAL)
        .because("directories outside home and installation that the site needs, such as cipher files")
        .suggest(format!("path = {}\naccess = \"read\"\n", toml_string(path)))
}

/// A database, as a grant's URL names it.
pub fn database(url: &str) -> Need {
    let url = toml_string(url);
    Need::sql(grant::DATABASE)
        .because("rows and attachments are counted in the very view that is dumped")
        .suggest(format!("url = {url}\npassword = {{ file = \"/etc/strongroom/confluence-db\" }}\n"))
}

/// The tool that writes a dump.
pub fn dump() -> Need {
    Need::tools(grant::DUMP).because("pg_dump, at least as new as the server, or mysqldump writes the database").suggest(format!(
        "argv = [\"/usr/bin/pg_dump\", \"--format=custom\", \"--compress=0\", \"--snapshot={{snapshot:word}}\", {CONNECTION}]\n{ENV}\n# MySQL or MariaDB instead:\n# argv = [\"/usr/bin/mariadb-dump\", \"--no-defaults\", {DUMP_MYSQL}, {CONNECTION_MYSQL}, \"{{sql.database.name}}\"]\n# {ENV_MYSQL}\n"
    ))
}

/// The tool that reads PostgreSQL's dumps.
pub fn read_dump() -> Need {
    Need::tools(grant::READ_DUMP)
        .because("for PostgreSQL: pg_restore turns the dump into SQL while it is written, so that its rows are counted")
        .suggest("argv = [\"/usr/bin/pg_restore\", \"-f\", \"-\"]\noffline = true\n")
}

/// The tool that loads a dump.
pub fn restore() -> Need {
    Need::tools(grant::RESTORE).because("for a restore: pg_restore or mysql loads the dump into an empty database").suggest(format!(
        "argv = [\"/usr/bin/pg_restore\", \"--exit-on-error\", \"--no-owner\", \"--no-acl\", \"--single-transaction\", {CONNECTION}]\n{ENV}\n# MySQL or MariaDB instead:\n# argv = [\"/usr/bin/mariadb\", \"--no-defaults\", \"--default-character-set=utf8mb4\", {CONNECTION_MYSQL}, \"{{sql.database.name}}\"]\n# {ENV_MYSQL}\n"
    ))
}

fn password() -> Need {
    Need::secrets(grant::PASSWORD)
        .because("for a restore: what confluence.cfg.xml shall hold as database password")
        .suggest("file = \"/etc/strongroom/confluence-db\"\n")
}

/// A TOML basic string.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_need_says_why_and_how() {
        let description = description();
        assert_eq!(description.needs.len(), 11);
        for need in &description.needs {
            assert!(!need.reason.is_empty() && need.suggestion.ends_with('\n'), "{}", need.name);
        }
        let required: Vec<_> =
            description.needs.iter().filter(|need| need.required).map(|need| need.name.as_str()).collect();
        // What a database server needs is asked for by `inspect`, where there is one.
        assert_eq!(required, ["install", "home"]);
    }
}

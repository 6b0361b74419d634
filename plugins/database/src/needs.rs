//! Which grants a database needs, what they are called, and the TOML that is usually written.

use strongroom_plugin::Need;

/// The database, and the part that holds its dump.
pub const DATABASE: &str = "database";
/// Writes a dump.
pub const DUMP: &str = "dump";
/// Turns a dump into SQL.
pub const READ_DUMP: &str = "read-dump";
/// Loads a dump into an empty database.
pub const RESTORE: &str = "restore";

/// What the grants of one database are called. Its tools are its own, since they are told where it is; `read-dump` reads
/// the dumps of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// `sql.…`
    pub database: String,
    /// `tools.…`
    pub dump: String,
    /// `tools.…`
    pub restore: String,
}

impl Names {
    /// Those of the part `database`, or of `database-NAME`, which all end like it.
    pub fn of(part: &str) -> Self {
        let ending = part.strip_prefix(DATABASE).filter(|ending| ending.starts_with('-')).unwrap_or_default();
        let named = |name: &str| format!("{name}{ending}");
        Self { database: named(DATABASE), dump: named(DUMP), restore: named(RESTORE) }
    }
}

/// The needs of one database.
#[derive(Debug, Clone)]
pub struct Needs {
    /// What its grants are called.
    pub names: Names,
    /// Where the password of the role that reads it is usually kept.
    pub password_file: &'static str,
}

/// Everything that a database consists of, in one transaction, a row at a time.
const DUMP_MYSQL: &str = "\"--single-transaction\", \"--quick\", \"--routines\", \"--triggers\", \"--events\", \"--hex-blob\", \"--default-character-set=utf8mb4\", \"--no-tablespaces\"";

impl Needs {
    /// The database, as a grant's URL names it.
    pub fn database(&self, url: &str) -> Need {
        let (url, file) = (toml_string(url), self.password_file);
        Need::sql(&self.names.database)
            .because("rows and files are counted in the very view that is dumped")
            .suggest(format!("url = {url}\npassword = {{ file = \"{file}\" }}\n"))
    }

    /// The tool that writes a dump.
    pub fn dump(&self) -> Need {
        let (connection, env) = (self.connection(), self.env());
        let (connection_mysql, env_mysql, name) = (self.connection_mysql(), self.env_mysql(), self.parameter("name"));
        Need::tools(&self.names.dump)
            .because("pg_dump, at least as new as the server, or mysqldump writes the database")
            .suggest(format!(
            "argv = [\"/usr/bin/pg_dump\", \"--format=custom\", \"--compress=0\", \"--snapshot={{snapshot:word}}\", {connection}]\n{env}\n# MySQL or MariaDB instead:\n# argv = [\"/usr/bin/mariadb-dump\", \"--no-defaults\", {DUMP_MYSQL}, {connection_mysql}, \"{name}\"]\n# {env_mysql}\n"
        ))
    }

    /// The tool that loads a dump.
    pub fn restore(&self) -> Need {
        let (connection, env) = (self.connection(), self.env());
        let (connection_mysql, env_mysql, name) = (self.connection_mysql(), self.env_mysql(), self.parameter("name"));
        Need::tools(&self.names.restore)
            .because("for a restore: pg_restore or mysql loads the dump into an empty database")
            .suggest(format!(
            "argv = [\"/usr/bin/pg_restore\", \"--exit-on-error\", \"--no-owner\", \"--no-acl\", \"--single-transaction\", {connection}]\n{env}\n# MySQL or MariaDB instead:\n# argv = [\"/usr/bin/mariadb\", \"--no-defaults\", \"--default-character-set=utf8mb4\", {connection_mysql}, \"{name}\"]\n# {env_mysql}\n"
        ))
    }

    /// What the host fills in of the database's grant.
    fn parameter(&self, what: &str) -> String {
        format!("{{sql.{}.{what}}}", self.names.database)
    }

    fn connection(&self) -> String {
        let [host, port, name, user] = ["host", "port", "name", "user"].map(|what| self.parameter(what));
        format!("\"--host={host}\", \"--port={port}\", \"--dbname={name}\", \"--username={user}\"")
    }

    /// The tools connect as the host does: with the same password, `sslmode` and authorities.
    fn env(&self) -> String {
        let (file, mode, ca) = (self.password_file, self.parameter("sslmode"), self.parameter("ca"));
        format!(
            "env = {{ PGPASSWORD = {{ secret = {{ file = \"{file}\" }} }}, PGSSLMODE = \"{mode}\", PGSSLROOTCERT = \"{ca}\" }}"
        )
    }

    /// The same of MySQL's and MariaDB's tools, which take no password from a file of its own.
    fn connection_mysql(&self) -> String {
        let [host, port, user] = ["host", "port", "user"].map(|what| self.parameter(what));
        format!("\"--protocol=tcp\", \"--host={host}\", \"--port={port}\", \"--user={user}\"")
    }

    fn env_mysql(&self) -> String {
        format!("env = {{ MYSQL_PWD = {{ secret = {{ file = \"{}\" }} }} }}", self.password_file)
    }
}

/// The tool that reads PostgreSQL's dumps.
pub fn read_dump() -> Need {
    Need::tools(READ_DUMP)
        .because("for PostgreSQL: pg_restore turns the dump into SQL while it is written, so that its rows are counted")
        .suggest("argv = [\"/usr/bin/pg_restore\", \"-f\", \"-\"]\noffline = true\n")
}

/// A directory that is read, at that path.
pub fn read(name: &str, path: &str, reason: &str) -> Need {
    Need::dirs(name).because(reason).suggest(format!("path = {}\naccess = \"read\"\n", toml_string(path)))
}

/// A TOML basic string.
pub fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grants_of_another_database_end_like_it() {
        let names = Names::of("database-quartz");
        assert_eq!((names.database.as_str(), names.dump.as_str()), ("database-quartz", "dump-quartz"));
        assert_eq!(names.restore, "restore-quartz");
        assert_eq!(Names::of(DATABASE).dump, DUMP);
        assert_eq!(Names::of("blobs").database, DATABASE);
        let needs = Needs { names, password_file: "/etc/x" };
        assert!(needs.dump().suggestion.contains("--host={sql.database-quartz.host}"));
        assert!(needs.restore().suggestion.contains("\"{sql.database-quartz.name}\""));
    }
}

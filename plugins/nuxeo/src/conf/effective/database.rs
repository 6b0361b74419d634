//! Which databases an instance has: the repository's, and the one that some of its services still use beside it.

use strongroom_database::jdbc::{FileUrl, Server, Url, Vendor};

use super::{Directories, Values, mongo::Mongo};
use crate::conf::{
    chain::{Chain, Origin},
    defaults, encrypted, properties,
    secret::{self, Secret},
};

/// A database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// One that is reached through JDBC.
    Sql(Box<Sql>),
    /// A MongoDB.
    Mongo(Mongo),
}

/// A database product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL.
    Postgresql,
    /// MySQL.
    Mysql,
    /// MariaDB.
    Mariadb,
    /// Microsoft SQL Server.
    SqlServer,
    /// Oracle.
    Oracle,
    /// IBM Db2.
    Db2,
    /// H2, in files of the data directory.
    H2,
    /// Something else.
    Unknown,
}

impl Engine {
    /// Its name as people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgresql => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::Mariadb => "MariaDB",
            Self::SqlServer => "SQL Server",
            Self::Oracle => "Oracle",
            Self::Db2 => "Db2",
            Self::H2 => "H2",
            Self::Unknown => "an unknown database",
        }
    }

    fn of_url(url: &str) -> Self {
        match Vendor::of_url(url) {
            Some(Vendor::Postgresql) => Self::Postgresql,
            Some(Vendor::Mysql) if url.starts_with("jdbc:mariadb:") => Self::Mariadb,
            Some(Vendor::Mysql) => Self::Mysql,
            Some(Vendor::SqlServer) => Self::SqlServer,
            Some(Vendor::Oracle) => Self::Oracle,
            Some(Vendor::H2) => Self::H2,
            _ if url.starts_with("jdbc:db2:") => Self::Db2,
            _ => Self::Unknown,
        }
    }
}

/// A password as the configuration holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {
    /// None is set.
    None,
    /// As text.
    Plain(Secret),
    /// Encrypted: only Nuxeo, with its key, can read it.
    Encrypted,
}

impl Password {
    pub(super) fn of(values: &Values<'_>, key: &str) -> Self {
        match values.set(key) {
            None => Self::None,
            Some(value) if encrypted::is_encrypted(&value) => Self::Encrypted,
            Some(value) => Self::Plain(Secret::new(value)),
        }
    }
}

/// A database that is reached through JDBC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql {
    /// Its product.
    pub engine: Engine,
    /// The URL that the driver gets, which may hold credentials.
    pub url: Secret,
    /// The same without them.
    pub shown: String,
    /// The first host that the URL names, else `nuxeo.db.host`.
    pub host: String,
    /// Its port.
    pub port: Option<u16>,
    /// The database: that of the URL, else `nuxeo.db.name`.
    pub name: String,
    /// `nuxeo.db.user`.
    pub user: String,
    /// `nuxeo.db.password`.
    pub password: Password,
    /// Whether the operator wrote the URL: then host, port and name of other keys do not count.
    pub url_is_own: bool,
    /// Whether it is only there because every template includes it: beside a MongoDB, and set up by nobody.
    pub incidental: bool,
}

/// The database template that decides: the last one that is included.
pub(super) fn template(chain: &Chain) -> Option<String> {
    let included = chain.templates.iter().filter(|template| template.included());
    included.map(|template| template.name().to_owned()).rfind(|name| defaults::DATABASES.contains(&name.as_str()))
}

/// All of them; the one of the template that decides first.
pub(super) fn all(values: &Values<'_>, directories: &Directories, template: Option<&str>) -> Vec<Database> {
    let mongo = values.set("nuxeo.mongodb.server").map(|server| Database::Mongo(Mongo::of(values, &server)));
    let sql = Sql::of(values, directories, mongo.is_some()).map(|sql| Database::Sql(Box::new(sql)));
    let mut all: Vec<_> = mongo.into_iter().chain(sql).collect();
    if template != Some("mongodb") {
        all.reverse();
    }
    all
}

impl Sql {
    fn of(values: &Values<'_>, directories: &Directories, beside: bool) -> Option<Self> {
        let written = values.set("nuxeo.db.jdbc.url")?;
        // The server replaces what the launcher left: the data directory in an H2 URL is written with an escape.
        let url = written.replace("${nuxeo.data.dir}", &directories.data);
        let url = properties::trim(&values.chain.expand_text(&url).text).to_owned();
        let engine = Engine::of_url(&url);
        let server = Url::parse(&url).ok().and_then(Url::server);
        let first = server.as_ref().and_then(|server| server.hosts.first().cloned());
        let (host, port) = match first {
            Some((host, port)) => (host, Some(port)),
            None => (values.text("nuxeo.db.host"), values.text("nuxeo.db.port").parse().ok()),
        };
        let named = server.as_ref().map(|server| server.database.clone()).filter(|name| !name.is_empty());
        Some(Self {
            incidental: beside && engine == Engine::H2 && !set_up(values),
            url_is_own: values.is_own("nuxeo.db.jdbc.url"),
            shown: secret::mask(&url),
            name: named.unwrap_or_else(|| values.text("nuxeo.db.name")),
            user: values.text("nuxeo.db.user"),
            password: Password::of(values, "nuxeo.db.password"),
            url: Secret::new(url),
            engine,
            host,
            port,
        })
    }

    /// The URL in pieces, where it names a server and can be read.
    pub fn server(&self) -> Option<Server> {
        Url::parse(self.url.expose()).ok()?.server()
    }

    /// The same where it names files.
    pub fn file(&self) -> Option<FileUrl> {
        Url::parse(self.url.expose()).ok()?.file()
    }
}

/// Whether someone set the database up: a file that is not one of the product's `default` template.
fn set_up(values: &Values<'_>) -> bool {
    let keys = ["nuxeo.db.jdbc.url", "nuxeo.db.name", "nuxeo.db.host", "nuxeo.db.user"];
    keys.iter().filter_map(|key| values.chain.get(key)).any(|setting| match &setting.origin {
        Origin::Product | Origin::Start => false,
        Origin::File { path, .. } => !path.starts_with("templates/default/"),
    })
}

//! What the operator asked for: the pipeline file as meant, valid by construction.
//!
//! `schema` is the file as written, `validate` turns it into a [`Config`] or reports every problem at once,
//! `json_schema` says the same to editors, `written` writes a [`Config`] as a file again, `show` is how grants are
//! written for people, `locate` finds a plugin's file, `lock` pins the components that
//! may use grants, `suggest` writes a file for the operator.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;

use crate::{diagnostic::Severity, secret::Source};

pub mod canonical;
mod database;
pub mod http;
pub mod json_schema;
pub mod keep;
pub mod locate;
pub mod lock;
pub mod origin;
pub mod place;
mod reader;
pub mod recipient;
mod redact;
pub mod schema;
mod show;
pub mod suggest;
mod tcp;
mod template;
mod validate;
mod written;
mod wrong;

pub use http::HttpGrant;
pub use locate::find_plugin;
pub use place::{Place, Remote};
pub use tcp::{Endpoint, TcpGrant, TcpTls};
pub use template::Fault;
pub use validate::{LoadError, load, parse};

/// A pipeline, as meant.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that it came from.
    pub path: PathBuf,
    /// That file's text: it goes into the snapshot as it was written.
    pub text: String,
    /// The pipeline's name.
    pub name: String,
    /// Locks, journals and checkpoints; created with mode 0700.
    pub state: PathBuf,
    /// Whether a stage may overlap the one before it.
    pub order: Order,
    /// How many parts of a stage run side by side; none: as many as there are cores.
    pub parallel: Option<NonZeroUsize>,
    /// Severities that the operator wants for findings, by code.
    pub severity: BTreeMap<String, Severity>,
    /// Where snapshots go.
    pub repository: Repository,
    /// Where each snapshot is copied to, in the order of the file.
    pub copies: Vec<Repository>,
    /// What is kept of older snapshots.
    pub policy: Policy,
    /// In the order of the file.
    pub steps: Vec<Step>,
}

/// Whether the next stage waits for `settled` or for the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// A stage begins when all parts of the one before have settled or ended.
    #[default]
    Settled,
    /// A stage begins when all parts of the one before have ended.
    Strict,
}

/// `[repository.NAME]`.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Its name in the file.
    pub name: String,
    /// Where it is.
    pub url: Place,
    /// How snapshots are kept there.
    pub format: Format,
    /// Whether new snapshots are compressed.
    pub compression: Compression,
    /// To whom new snapshots are encrypted; none: they are not.
    pub recipients: Vec<recipient::Recipient>,
    /// What opens encrypted ones.
    pub identity: Option<Source>,
    /// What opens a repository of format `restic`, and only such a one.
    pub password: Option<Source>,
    /// How it is reached where it is not on this machine.
    pub remote: Remote,
}

/// How a repository keeps snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One self-contained zip set a snapshot.
    Zip,
    /// Deduplicated and encrypted, in restic's format.
    Restic,
}

impl Format {
    /// The word in the file, in plans and in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Restic => "restic",
        }
    }
}

/// Whether what goes into a snapshot is compressed; restic's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// What shrinks.
    #[default]
    Auto,
    /// Nothing: for content that is packed already, or a file system that packs.
    Off,
}

impl Compression {
    /// Whether this is what nobody needs to be told.
    pub fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// `[policy]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// When snapshots are removed.
    pub forget: Forget,
    /// Which are kept.
    pub keep: keep::Keep,
}

/// When snapshots that no rule keeps are removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forget {
    /// By `strongroom forget` only.
    #[default]
    WhenAsked,
    /// After each backup that is complete, as well.
    AfterComplete,
}

/// `[step.NAME]`: one use of a plugin.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name in the file.
    pub name: String,
    /// A plugin's name, or the path of a component.
    pub plugin: String,
    /// Steps whose notes and instants it may read, and whose database parts its own need.
    pub after: Vec<String>,
    /// `[step.NAME.config]`, as JSON.
    pub config: serde_json::Value,
    /// What it may reach.
    pub grants: Grants,
    /// What it may use up.
    pub limits: Limits,
}

/// Everything that a step may reach, by the names that the plugin asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Grants {
    /// `grant.dirs.NAME`
    pub dirs: BTreeMap<String, DirGrant>,
    /// `grant.sql.NAME`
    pub sql: BTreeMap<String, SqlGrant>,
    /// `grant.http.NAME`. Absent where there is none, as `tcp` is.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub http: BTreeMap<String, HttpGrant>,
    /// `grant.tcp.NAME`. Absent where there is none, so that what was accepted before there were any stays accepted.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tcp: BTreeMap<String, TcpGrant>,
    /// `grant.tools.NAME`
    pub tools: BTreeMap<String, ToolGrant>,
    /// `grant.secrets.NAME`
    pub secrets: BTreeMap<String, Source>,
}

/// A directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DirGrant {
    /// Absolute.
    pub path: PathBuf,
    /// What may be done below it.
    pub access: Access,
}

/// What may be done with a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Look and read.
    Read,
    /// Change it as well.
    Write,
}

/// A database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SqlGrant {
    /// Which server speaks there.
    pub engine: Engine,
    /// Its name or address, or the absolute path of its socket: PostgreSQL's directory, MySQL's file.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database on it.
    pub database: String,
    /// The role.
    pub user: String,
    /// Its password, if one is needed.
    pub password: Option<Source>,
    /// Whether and how the connection is encrypted (libpq's words).
    pub sslmode: SslMode,
    /// PEM file of the authorities that are trusted; none: the system's.
    pub ca: Option<PathBuf>,
    /// How long a query may take until its first row.
    #[serde(serialize_with = "seconds")]
    pub timeout: Option<Duration>,
}

/// Kinds of database server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// PostgreSQL.
    Postgresql,
    /// MySQL.
    Mysql,
    /// MariaDB: MySQL's protocol, with a few things of its own.
    Mariadb,
}

impl Engine {
    /// The word in a URL, and the contract's.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Postgresql => "postgresql",
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
        }
    }
}

/// libpq's `sslmode` (PostgreSQL documentation, "SSL Support").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted when the server offers it; its certificate is not checked.
    #[default]
    Prefer,
    /// Encrypted; the certificate is not checked unless `ca` is given.
    Require,
    /// Encrypted, and the certificate must come from a trusted authority.
    VerifyCa,
    /// The same, and it must name the host.
    VerifyFull,
}

impl SslMode {
    /// libpq's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// What proves to a server who asks: PEM files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientCertificate {
    /// The certificate, then those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A native program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToolGrant {
    /// The absolute program, then its arguments.
    pub argv: Vec<Template>,
    /// The child's whole environment.
    pub env: BTreeMap<String, EnvValue>,
    /// It reads only what it is fed, and may therefore be used in `verify`.
    pub offline: bool,
    /// Exit codes that mean success; `[0]` unless the file says otherwise.
    pub ok_exit: Vec<i32>,
    /// How long to wait for its exit once its output has ended; none: what is left of the part's time.
    #[serde(serialize_with = "seconds")]
    pub timeout: Option<Duration>,
}

/// One argument, or one variable's value: pieces that are put together when the tool starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Template(pub Vec<Piece>);

/// A piece of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Piece {
    /// As it stands. `{{` and `}}` in the file are `{` and `}` here.
    Literal(String),
    /// `{name:type}`: filled in by the plugin.
    Parameter {
        /// What the plugin calls it.
        name: String,
        /// What its value may look like.
        kind: ParameterKind,
    },
    /// `{sql.NAME.FIELD}`: filled in by the host from that grant.
    Sql {
        /// The `sql` grant.
        grant: String,
        /// Which of its fields.
        field: SqlField,
    },
}

/// What a parameter's value may look like. No value may be empty or hold a control character.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterKind {
    /// A letter or `_`, then letters, digits, `_`, `$`: at most 128 bytes.
    Identifier,
    /// No blank, no quote, no backslash, no leading `-`.
    Word,
    /// Decimal digits.
    Number,
    /// `{name:path:GRANT}`: a path below that directory grant, made absolute by the host.
    Path(String),
}

/// A field of a `sql` grant that a template may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SqlField {
    /// `host`: `localhost` for a MySQL or MariaDB that is granted by its socket, as its clients want it.
    Host,
    /// `socket`: the path of MySQL's or MariaDB's socket, empty when it is granted by host and port.
    Socket,
    /// `port`
    Port,
    /// `name`: the database.
    Name,
    /// `user`
    User,
    /// `sslmode`
    Sslmode,
    /// `ca`: the PEM file's path, empty when none is set.
    Ca,
}

/// The value of a variable in a tool's environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvValue {
    /// Text.
    Text(Template),
    /// `{ secret = SOURCE }`: the secret itself.
    Secret(Source),
    /// `{ secret-file = SOURCE }`: the path of a file with mode 0600 that holds it while the tool runs.
    SecretFile(Source),
}

/// What one call of a plugin may use up. All of it is printed in the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Linear memory of one instance, and what the host holds for it.
    pub memory_bytes: u64,
    /// Guest compute of one call; time spent in the host does not count.
    #[serde(serialize_with = "seconds_of")]
    pub compute: Duration,
    /// How long a host call that moves bytes may move none.
    #[serde(serialize_with = "seconds_of")]
    pub no_progress: Duration,
    /// Wall time of one part.
    #[serde(serialize_with = "seconds_of")]
    pub part_time: Duration,
    /// Resources that the guest may hold.
    pub handles: u32,
    /// Streams among them.
    pub open_streams: u32,
    /// Bytes that a part may log.
    pub log_bytes: u64,
    /// Bytes that one host call may bring into the host.
    pub hostcall_fuel_bytes: u64,
}

impl Limits {
    /// Holds of one step that may stand at once.
    pub const HOLDS_MAX: usize = 64;
    /// Bytes that a plugin may leave for one release.
    pub const HOLD_BYTES_MAX: usize = 64 << 10;
    /// The longest time from a hold's taking, or renewal, to its deadline.
    pub const HOLD_TIME_MAX: Duration = Duration::from_secs(24 * 3600);
    /// The longest time that undoing a hold may take.
    const RELEASE_TIME_MAX: Duration = Duration::from_secs(10 * 60);

    /// Wall time of one release: it is not canceled with the run, so it has a limit of its own.
    pub fn release_time(&self) -> Duration {
        self.part_time.min(Self::RELEASE_TIME_MAX)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            compute: Duration::from_secs(10 * 60),
            no_progress: Duration::from_secs(5 * 60),
            part_time: Duration::from_secs(24 * 3600),
            handles: 4096,
            open_streams: 1024,
            log_bytes: 1 << 20,
            hostcall_fuel_bytes: 8 << 20,
        }
    }
}

fn seconds<S: serde::Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => seconds_of(duration, serializer),
        None => serializer.serialize_none(),
    }
}

/// Whole seconds when they are whole, else a number with a fraction.
fn seconds_of<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    match duration.subsec_nanos() {
        0 => serializer.serialize_u64(duration.as_secs()),
        _ => serializer.serialize_f64(duration.as_secs_f64()),
    }
}

impl Config {
    /// The directory of the pipeline file: where relative names in it begin.
    pub fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// The step of that name.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }
}

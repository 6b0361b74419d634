//! What counts in a configuration, typed: directories, databases, search, streams, blob stores, and why.

use super::{
    chain::{Chain, Layout},
    encrypted::Encrypted,
    paths,
};

mod blobstores;
mod cluster;
mod database;
mod directories;
mod explain;
mod jaas;
mod kafka;
mod mongo;
mod search;
mod streams;
mod values;
mod version;

pub use blobstores::{BlobGc, BlobStore, Kind};
pub use cluster::{Cluster, KeyFile};
pub use database::{Database, Engine, Password, Sql};
pub use directories::Directories;
pub use explain::{Explanation, KEYS};
pub use kafka::{Address, Contributed, Kafka, Protocol, Sasl, contributed};
pub use mongo::Mongo;
pub use search::{AuditIndex, Client, Node, Search};
pub use streams::{Overflow, OverflowStore};
pub use version::Version;

use values::Values;

/// What an instance's configuration comes to.
#[derive(Debug, Clone)]
pub struct Effective {
    /// Everything that was read.
    pub chain: Chain,
    /// The product's version, as far as it is known.
    pub version: Option<Version>,
    /// `NUXEO_HOME`.
    pub home: String,
    /// Where things are.
    pub directories: Directories,
    /// `nuxeo.url`.
    pub url: String,
    /// The last included template that is one of a database: it decides.
    pub database_template: Option<String>,
    /// The repository's database first; a second one where there are two.
    pub databases: Vec<Database>,
    /// Elasticsearch or OpenSearch.
    pub search: Search,
    /// Kafka, enabled or not.
    pub kafka: Kafka,
    /// Where Chronicle keeps the streams, when it does.
    pub chronicle: Option<String>,
    /// What happens to records that are too large for a stream.
    pub overflow: Overflow,
    /// Blob providers that the properties tell of; contributions in XML may add others.
    pub blob_stores: Vec<BlobStore>,
    /// Whether blobs can go while they are copied.
    pub blob_gc: BlobGc,
    /// Whether it is one node of several.
    pub cluster: Cluster,
    /// `host:port` of a Redis, where there is one (up to 10.10).
    pub redis: Option<Address>,
    /// What encrypted values need.
    pub encrypted: Encrypted,
    /// Key and trust stores that properties name.
    pub key_files: Vec<KeyFile>,
}

impl Effective {
    /// Draws the conclusions. `version` is what the operator says; without, what `nuxeo.defaults` says counts.
    pub fn of(chain: Chain, layout: &Layout, version: Option<Version>) -> Self {
        let values = Values::new(&chain);
        let version = version.or_else(|| Version::parse(&values.text("org.nuxeo.ecm.product.version")));
        let home = paths::plain(&layout.home);
        let directories = Directories::of(&values, &home);
        let database_template = database::template(&chain);
        let databases = database::all(&values, &directories, database_template.as_deref());
        let mongo = databases.iter().any(|database| matches!(database, Database::Mongo(_)));
        let kafka = Kafka::of(&values, version);
        let on_disk = !kafka.enabled && version.is_none_or(Version::has_chronicle);
        Self {
            version,
            url: values.text("nuxeo.url"),
            search: Search::of(&values, version, mongo),
            chronicle: on_disk.then(|| directories.chronicle.clone()),
            overflow: Overflow::of(&values),
            blob_stores: blobstores::all(&values, &directories),
            blob_gc: BlobGc::of(&values, version, mongo),
            cluster: Cluster::of(&values),
            redis: values.flag("nuxeo.redis.enabled").then(|| kafka::redis(&values)),
            encrypted: Encrypted::of(&chain),
            key_files: cluster::key_files(&values, &home),
            home,
            directories,
            database_template,
            databases,
            kafka,
            chain,
        }
    }

    /// Whether a part of it lives in files that are only consistent while Nuxeo is stopped.
    pub fn must_stop(&self) -> bool {
        let embedded =
            |database: &Database| matches!(database, Database::Sql(sql) if sql.engine == Engine::H2 && !sql.incidental);
        self.databases.iter().any(embedded) || self.search.client == Client::Embedded
    }
}

#[cfg(test)]
mod tests;

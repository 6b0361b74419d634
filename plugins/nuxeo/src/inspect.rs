//! Looks at a running instance for a backup: what there is, what is in the way, what becomes a part.

use strongroom_plugin::{Finding, Inspection, Result};

use crate::{
    describe::{self, grant},
    instance::{self, Instance},
};

mod configuration;
mod data;
mod database;
mod facts;
mod fitness;
mod search;
mod stores;

/// Names of parts.
pub mod part {
    use strongroom_database::grants::is_one_of;

    pub use strongroom_database::needs::DATABASE;

    /// The dump of MongoDB.
    pub const MONGODB: &str = "mongodb";
    /// The blobs of the repository; those of the provider NAME are `blobs-NAME`.
    pub const BLOBS: &str = "blobs";
    /// The data directory without what has a part of its own.
    pub const DATA: &str = "data";
    /// Transient stores.
    pub const TRANSIENT: &str = "transient";
    /// Chronicle queues outside of the data directory.
    pub const STREAM: &str = "stream";
    /// The embedded search engine's files, copied while Nuxeo is stopped.
    pub const SEARCH: &str = "search";
    /// Where the readers of Chronicle queues are.
    pub const POSITIONS: &str = "stream-positions";
    /// `nuxeo.conf`, templates, packages, keys.
    pub const CONFIGURATION: &str = "configuration";

    /// Whether a part is that of an SQL database.
    pub fn is_database(name: &str) -> bool {
        is_one_of(name, DATABASE)
    }

    /// Whether a part is a blob store.
    pub fn is_blobs(name: &str) -> bool {
        is_one_of(name, BLOBS)
    }
}

/// Keys of part settings.
pub mod setting {
    /// The directory grant that a part lies in.
    pub const GRANT: &str = "grant";
    /// The path below that grant.
    pub const PATH: &str = "path";
    /// Patterns of what is meant, one a line.
    pub const INCLUDE: &str = "include";
    /// Patterns of what is left to other parts, or made anew, one a line.
    pub const EXCLUDE: &str = "exclude";
    /// What the configuration consists of, each as its grant, a slash and its path, one a line.
    pub const ITEMS: &str = "items";
    /// Set where the database is embedded: what the names of its files begin with.
    pub const EMBEDDED: &str = "embedded";
    /// The blob stores that keys of the database may mean, as JSON.
    pub const STORES: &str = "stores";
    /// Blob providers whose blobs lie in no directory, one a line.
    pub const ELSEWHERE: &str = "elsewhere";
    /// Set where providers without a store of their own may keep blobs in the data directory.
    pub const DATA: &str = "data";
    /// Set where the consumer that deletes blobs is to be paused.
    pub const PAUSE: &str = "pause";
    /// Begins the keys of settings that become notes for the steps after this one.
    pub const NOTE: &str = "note ";
}

/// What a backup would do.
///
/// # Errors
/// When the configuration cannot be read, or a database does not answer.
pub fn inspect() -> Result<Inspection> {
    let mut seen = Inspection::of([]);
    let conf = instance::conf();
    if conf.find()?.is_none() {
        let message = format!("there is no {conf}: grant the directory of nuxeo.conf as dirs.{}", grant::CONFIGURATION);
        seen.findings.push(Finding::blocker("conf-missing", part::CONFIGURATION, message));
        seen.wants.extend((conf.grant == grant::HOME).then(|| describe::configuration("/etc/nuxeo")));
        return Ok(seen);
    }
    let instance = Instance::read()?;
    seen.facts = facts::facts(&instance);
    seen.findings.extend(fitness::findings(&instance));
    let stores = stores::look(&instance, &mut seen)?;
    let parts = data::look(&instance, &stores, &mut seen)?;
    database::look(&instance, &stores, &mut seen)?;
    seen.parts.extend(stores.parts()?);
    seen.parts.extend(parts);
    configuration::look(&instance, &mut seen)?;
    Ok(seen)
}

#[cfg(test)]
mod tests;

//! What happens to records that are too large for a stream: their content is kept elsewhere, and is part of the queue.

use super::Values;

/// How the overflow of streams is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overflow {
    /// Whether works go through streams and large ones are kept elsewhere.
    pub enabled: bool,
    /// Where.
    pub store: OverflowStore,
    /// For how long, as Nuxeo writes it (`4d`); a set that is restored later than that has lost them.
    pub ttl: String,
    /// Whether transient stores keep their values in files.
    pub on_disk: bool,
}

/// Where large records are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverflowStore {
    /// In a transient store.
    Transient,
    /// In the key/value store, which is in the database.
    KeyValue,
    /// Where this class puts them.
    Other(String),
}

impl Overflow {
    pub(super) fn of(values: &Values<'_>) -> Self {
        let class = values.text("nuxeo.stream.work.computation.filter.class");
        let store = match class.rsplit('.').next().unwrap_or_default() {
            "TransientStoreOverflowRecordFilter" => OverflowStore::Transient,
            "KeyValueStoreOverflowRecordFilter" => OverflowStore::KeyValue,
            _ => OverflowStore::Other(class),
        };
        let filter = values.flag("nuxeo.stream.work.computation.filter.enabled");
        Self {
            enabled: filter && values.flag("nuxeo.stream.work.enabled"),
            store,
            ttl: values.text("nuxeo.stream.work.computation.filter.storeTTL"),
            on_disk: values.set("nuxeo.transientstore.provider").is_none(),
        }
    }

    /// Whether the directory of transient stores is a part of the queues.
    pub fn needs_transient_stores(&self) -> bool {
        self.enabled && self.store == OverflowStore::Transient && self.on_disk
    }
}

//! Says what a key is, where that comes from, and what it overrides, with no secret in it.

use std::fmt;

use super::Effective;
use crate::conf::{
    chain::{Origin, Setting},
    secret,
};

/// How many overridden assignments are named.
const OVERRIDDEN_MAX: usize = 3;
/// How many characters of a value are shown: a line, not a page.
const SHOWN_MAX: usize = 500;

/// The keys that an operator should see before a backup, in the order in which they are shown.
pub const KEYS: [&str; 62] = [
    "nuxeo.url",
    "nuxeo.templates",
    "nuxeo.config.dir",
    "nuxeo.data.dir",
    "nuxeo.log.dir",
    "nuxeo.tmp.dir",
    "nuxeo.mp.dir",
    "nuxeo.binarystores.root",
    "repository.binary.store",
    "nuxeo.core.binarymanager",
    "nuxeo.core.binarymanager_key",
    "nuxeo.vcs.fulltext.storedInBlob",
    "nuxeo.fulltext.storedInBlob",
    "nuxeo.transientstores.root",
    "nuxeo.transientstore.provider",
    "nuxeo.bulk.action.blobGC.enabled",
    "nuxeo.db.jdbc.url",
    "nuxeo.db.host",
    "nuxeo.db.port",
    "nuxeo.db.name",
    "nuxeo.db.user",
    "nuxeo.db.password",
    "nuxeo.mongodb.server",
    "nuxeo.mongodb.dbname",
    "nuxeo.mongodb.gridfs.bucket",
    "nuxeo.redis.host",
    "nuxeo.redis.port",
    "elasticsearch.enabled",
    "elasticsearch.client",
    "elasticsearch.addressList",
    "elasticsearch.indexName",
    "elasticsearch.httpEnabled",
    "elasticsearch.restClient.username",
    "elasticsearch.restClient.password",
    "audit.elasticsearch.enabled",
    "audit.elasticsearch.indexName",
    "seqgen.elasticsearch.indexName",
    "nuxeo.opensearch1.client.server",
    "nuxeo.opensearch1.client.username",
    "nuxeo.opensearch1.client.password",
    "nuxeo.audit.backend.default.opensearch1.index.name",
    "nuxeo.uidsequencer.default.opensearch1.index.name",
    "kafka.enabled",
    "kafka.bootstrap.servers",
    "kafka.topicPrefix",
    "kafka.sasl.enabled",
    "kafka.security.protocol",
    "kafka.sasl.mechanism",
    "kafka.sasl.jaas.config",
    "kafka.ssl",
    "confluent.schema_registry.enabled",
    "confluent.schema_registry.urls",
    "nuxeo.stream.chronicle.dir",
    "nuxeo.stream.work.enabled",
    "nuxeo.stream.work.computation.filter.enabled",
    "nuxeo.stream.work.computation.filter.class",
    "nuxeo.stream.work.computation.filter.storeTTL",
    "nuxeo.cluster.enabled",
    "nuxeo.cluster.nodeid",
    "nuxeo.jwt.secret",
    "server.crypt.secretkey",
    "server.status.key",
];

/// What a key is and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The key.
    pub key: String,
    /// What counts, secrets hidden, no longer than a line.
    pub value: String,
    /// How it is written, where that is something else.
    pub written: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
    /// Where values come from that do not count, latest first; the product's defaults are left out.
    pub overridden: Vec<Origin>,
}

impl fmt::Display for Explanation {
    /// `nuxeo.url = https://… from nuxeo.conf line 41, in the generated block, overrides line 12`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.key, self.reason())
    }
}

impl Explanation {
    /// The same without the key.
    pub fn reason(&self) -> String {
        let written = self.written.as_ref().map(|written| format!(" (written {written})")).unwrap_or_default();
        let mut text = format!("{}{written} from {}", self.value, self.origin);
        for (at, other) in self.overridden.iter().take(OVERRIDDEN_MAX).enumerate() {
            text.push_str(if at == 0 { ", overrides " } else { " and " });
            text.push_str(&self.nearby(other));
        }
        if self.overridden.len() > OVERRIDDEN_MAX {
            text.push_str(" and others");
        }
        text
    }

    /// The other place, without its file when that is the same.
    fn nearby(&self, other: &Origin) -> String {
        match (&self.origin, other) {
            (Origin::File { path, .. }, Origin::File { path: same, line, .. }) if path == same => {
                format!("line {line}")
            }
            _ => other.to_string(),
        }
    }
}

/// The text, or its beginning.
fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl Effective {
    /// Why a key is what it is; none where nothing sets it.
    pub fn explain(&self, key: &str) -> Option<Explanation> {
        let (last, before) = self.chain.history(key).split_last()?;
        let value = self.shown(key, last);
        let raw = secret::shown(key, &last.value);
        let overridden = before.iter().rev().map(|setting| setting.origin.clone());
        Some(Explanation {
            key: key.to_owned(),
            written: (raw != value && last.value.contains("${")).then(|| cut(&raw)),
            value: cut(&value),
            origin: last.origin.clone(),
            overridden: overridden.filter(|origin| *origin != Origin::Product).collect(),
        })
    }

    /// Everything that an operator should see and that is set, empty values left out.
    pub fn explanations(&self) -> Vec<Explanation> {
        KEYS.iter().filter_map(|key| self.explain(key)).filter(|one| !one.value.is_empty()).collect()
    }

    fn shown(&self, key: &str, setting: &Setting) -> String {
        if let Some(directory) = self.directories.named(key) {
            return directory.to_owned();
        }
        let expanded = self.chain.expand_text(&setting.value);
        // A secret that came in by reference is no longer under its own name.
        let secrets = expanded.keys.iter().filter(|key| secret::is_secret(key)).filter_map(|key| self.chain.text(key));
        let mut text = expanded.text.clone();
        for value in secrets.filter(|value| !value.is_empty()) {
            text = text.replace(&value, "[secret]");
        }
        secret::shown(key, &text)
    }
}

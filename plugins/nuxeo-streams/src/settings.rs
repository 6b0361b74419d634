//! The step's configuration: what the operator may set, and its JSON Schema.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strongroom_plugin::{Result, context};

/// `[step.NAME.config]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// `kafka.topicPrefix` of the instance.
    pub prefix: Option<String>,
    /// The step that saves Nuxeo itself, and says in its notes what the prefix is; one of this step's `after`.
    pub nuxeo_step: Option<String>,
    /// Further prefixes of the same instance: those of custom Kafka configurations.
    pub prefixes: Vec<String>,
    /// Prefixes of other applications that begin with one of the instance's.
    pub other_prefixes: Vec<String>,
    /// Which records are stored.
    pub records: Records,
    /// What becomes of records that are older than the cut and lie behind newer ones.
    pub late_records: Late,
    /// Added to the cut, in milliseconds.
    pub cut_slack: i64,
    /// Streams that are not saved, beside those that Nuxeo makes anew: names without the prefix, `*` at the end.
    pub skip_topics: Vec<String>,
    /// Consumer groups whose positions are not saved, likewise.
    pub skip_groups: Vec<String>,
    /// How the brokers are logged in to.
    pub sasl: Sasl,
    /// Who logs in.
    pub user: Option<String>,
    /// In a restore: the prefix of the topics and groups that it makes.
    pub target_prefix: Option<String>,
    /// In a restore: what becomes of further prefixes, from the old one to the new one.
    pub target_prefixes: BTreeMap<String, String>,
    /// In a restore: reads back all that was produced.
    pub read_back: bool,
    /// In a restore: copies the topics that are still there, not the snapshot's records.
    pub replicate: bool,
    /// In a restore: how many brokers keep a copy of each partition; default as it was, if there are so many brokers.
    pub replication: Option<i16>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            prefix: None,
            nuxeo_step: None,
            prefixes: Vec::new(),
            other_prefixes: Vec::new(),
            records: Records::All,
            late_records: Late::Keep,
            cut_slack: 0,
            skip_topics: Vec::new(),
            skip_groups: Vec::new(),
            sasl: Sasl::None,
            user: None,
            target_prefix: None,
            target_prefixes: BTreeMap::new(),
            read_back: true,
            replicate: false,
            replication: None,
        }
    }
}

/// Which records are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Records {
    /// All that the brokers still have.
    All,
    /// From the oldest position of any group that reads the topic on.
    Pending,
    /// None: a restore replicates the topics that are still there.
    None,
}

/// What becomes of a record that is older than the cut and lies behind a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Late {
    /// It is kept.
    Keep,
    /// A partition ends at its first record that is newer than the cut.
    Drop,
}

/// How the brokers are logged in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sasl {
    /// Not at all, or by the certificate that the grant names.
    None,
    /// RFC 4616.
    Plain,
    /// RFC 7677.
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// The same with SHA-512.
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
}

impl Settings {
    /// Those of this step.
    ///
    /// # Errors
    /// When host and plugin disagree about the schema.
    pub fn read() -> Result<Self> {
        context::config()
    }
}

/// JSON Schema of [`Settings`].
pub fn schema() -> Value {
    // What Kafka allows in the name of a topic.
    let prefix = json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{1,100}$" });
    let described = |schema: &Value, text: &str| {
        let mut schema = schema.clone();
        schema["description"] = text.into();
        schema
    };
    let list = |items: &Value, text: &str| json!({ "type": "array", "items": items, "description": text });
    let name = json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{1,249}[*]?$" });
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "prefix": described(&prefix, "kafka.topicPrefix of the instance, \"nuxeo-\" where nuxeo.conf says nothing; needed for a backup"),
            "nuxeo-step": { "type": "string", "minLength": 1, "description": "the step that saves Nuxeo itself, one of this step's after: it says the prefix where this setting is in place of prefix" },
            "prefixes": list(&prefix, "further prefixes of the same instance: those of custom Kafka configurations"),
            "other-prefixes": list(&prefix, "prefixes of other applications that begin with one of the instance's: never touched"),
            "records": {
                "enum": ["all", "pending", "none"],
                "default": "all",
                "description": "which records are stored: all, those that a group has still to read, or none (a restore then replicates the topics that are still there)"
            },
            "late-records": {
                "enum": ["keep", "drop"],
                "default": "keep",
                "description": "what becomes of a record that is older than the cut and lies behind a newer one"
            },
            "cut-slack": {
                "type": "integer",
                "minimum": 0,
                "maximum": 86_400_000,
                "default": 0,
                "description": "milliseconds that are added to the cut, for clocks that differ"
            },
            "skip-topics": list(&name, "streams that are not saved, beside pubsub-*, internal-* and input-null: names without the prefix, with * at the end"),
            "skip-groups": list(&name, "consumer groups whose positions are not saved, likewise"),
            "sasl": {
                "enum": ["none", "plain", "scram-sha-256", "scram-sha-512"],
                "default": "none",
                "description": "how the brokers are logged in to; the password is the granted secret kafka"
            },
            "user": { "type": "string", "minLength": 1, "description": "who logs in" },
            "target-prefix": described(&prefix, "in a restore: the prefix of the topics and groups that it makes, and kafka.topicPrefix of the restored instance"),
            "target-prefixes": {
                "type": "object",
                "additionalProperties": prefix,
                "description": "in a restore: what becomes of further prefixes, from the old one to the new one"
            },
            "read-back": {
                "type": "boolean",
                "default": true,
                "description": "in a restore: reads back all that was produced and compares it"
            },
            "replicate": {
                "type": "boolean",
                "default": false,
                "description": "in a restore: copies the topics that are still there, up to the cut, not the snapshot's records"
            },
            "replication": {
                "type": "integer",
                "minimum": 1,
                "maximum": 32767,
                "description": "in a restore: how many brokers keep a copy of each partition; default: as it was, if there are so many brokers"
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_of_the_schema_can_be_read() {
        let given = json!({
            "prefix": "dam-", "nuxeo-step": "dam", "prefixes": ["x-"], "other-prefixes": ["dam-2-"], "records": "pending",
            "late-records": "drop", "cut-slack": 5, "skip-topics": ["a-*"], "skip-groups": ["b"],
            "sasl": "scram-sha-512", "user": "u", "target-prefix": "new-", "target-prefixes": {"x-": "y-"},
            "read-back": false, "replicate": true, "replication": 1
        });
        let properties = schema()["properties"].as_object().unwrap().clone();
        assert!(properties.keys().eq(given.as_object().unwrap().keys()), "the test gives every one");
        let read: Settings = serde_json::from_value(given).unwrap();
        assert_eq!((read.sasl, read.records, read.late_records), (Sasl::ScramSha512, Records::Pending, Late::Drop));
        assert!(read.replicate && !read.read_back);
    }

    #[test]
    fn nothing_need_be_set() {
        let read: Settings = serde_json::from_str("{}").unwrap();
        assert!(read.read_back && read.late_records == Late::Keep && read.records == Records::All);
    }
}

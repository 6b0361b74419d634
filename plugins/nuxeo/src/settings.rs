//! The step's configuration: what the operator may set, and its JSON Schema.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use strongroom_plugin::{Result, context};

/// `[step.NAME.config]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Where Nuxeo itself sees its home directory.
    pub home: Option<String>,
    /// The environment variables that its configuration refers to.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Its version, where no file says so.
    pub version: Option<String>,
    /// Blob providers whose blobs lie in no directory.
    #[serde(default)]
    pub blobs_elsewhere: Vec<String>,
    /// In a restore: the address that users see.
    pub url: Option<String>,
    /// In a restore: what names of topics begin with.
    pub topic_prefix: Option<String>,
    /// In a restore: the brokers.
    pub kafka_bootstrap: Option<String>,
    /// In a restore: where Nuxeo will see its data directory.
    pub data: Option<String>,
    /// In a restore: where Nuxeo will see its blobs.
    pub binaries: Option<String>,
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
    let path = |description: &str| json!({ "type": "string", "pattern": "^/", "description": description });
    let word = |description: &str| json!({ "type": "string", "minLength": 1, "description": description });
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "home": path("where Nuxeo itself sees its home directory, when that is not the granted path. In a restore: where it will"),
            "environment": {
                "type": "object",
                "additionalProperties": { "type": "string" },
                "description": "environment variables that nuxeo.conf refers to as ${env:NAME}, with the values that Nuxeo is started with; no secret belongs here"
            },
            "version": word("the version of Nuxeo, such as 2021.45 or 10.10, when its files do not say so"),
            "blobs-elsewhere": {
                "type": "array",
                "items": { "type": "string", "minLength": 1 },
                "description": "names of blob providers whose blobs lie in no directory (S3, Azure, Google) and are saved otherwise"
            },
            "url": word("in a restore: the value of nuxeo.url"),
            "topic-prefix": word("in a restore: the value of kafka.topicPrefix"),
            "kafka-bootstrap": word("in a restore: the value of kafka.bootstrap.servers"),
            "data": path("in a restore: where Nuxeo will see its data directory, when that is not the granted path"),
            "binaries": path("in a restore: where Nuxeo will see the directory of its blobs, when that is not the granted path")
        }
    })
}

//! The step's configuration: what the operator may set, and its JSON Schema.

use serde::Deserialize;
use serde_json::{Value, json};
use strongroom_plugin::{Result, context};

/// `[step.NAME.config]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// How much of the home directory is saved.
    #[serde(default)]
    pub home_mode: HomeMode,
    /// Paths below the home that mode `minimal` saves as well.
    #[serde(default)]
    pub home_includes: Vec<String>,
    /// Where Confluence itself sees its home directory, when no file of the installation says so.
    pub home: Option<String>,
    /// In a restore: where Confluence will see its shared home.
    pub shared_home: Option<String>,
    /// How many nodes the cluster has, when its configuration does not list them.
    pub nodes: Option<usize>,
    /// Names of nodes whose homes are knowingly not saved.
    #[serde(default)]
    pub nodes_left_out: Vec<String>,
    /// Files of an encrypted database password that neither configuration nor scripts name.
    #[serde(default)]
    pub cipher_files: Vec<String>,
    /// What of the search index is saved.
    #[serde(default)]
    pub search_index: SearchIndex,
    /// The directory granted as `snapshots`, as OpenSearch sees it.
    pub snapshots_location: Option<String>,
}

/// What of the search index is saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SearchIndex {
    /// What can be saved while Confluence runs.
    #[default]
    Auto,
    /// Lucene's own files, while Confluence is stopped.
    Files,
    /// Nothing.
    None,
}

/// How much of the home directory is saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HomeMode {
    /// Everything except what Confluence makes anew.
    #[default]
    Whole,
    /// Only what cannot be made anew, and what the operator adds.
    Minimal,
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
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "home-mode": {
                "enum": ["whole", "minimal"],
                "default": "whole",
                "description": "how much of a home directory is saved: everything except what Confluence makes anew, or only what it cannot do without"
            },
            "home-includes": {
                "type": "array",
                // Names, not patterns: what is left out can then be named exactly.
                "items": { "type": "string", "pattern": "^[^/*?!\\[\\]\\\\#][^*?!\\[\\]\\\\]*$" },
                "description": "paths below the home that mode minimal saves as well, such as logos or shared-home/dcl-document"
            },
            "home": {
                "type": "string",
                "pattern": "^/",
                "description": "where Confluence itself sees its home directory, when that is neither what its files say nor the granted path"
            },
            "shared-home": {
                "type": "string",
                "pattern": "^/",
                "description": "in a restore: where the nodes of the cluster will see the shared home, when that is not the granted path"
            },
            "nodes": {
                "type": "integer",
                "minimum": 1,
                "description": "how many nodes the cluster has, when confluence.cluster.peers does not list them"
            },
            "nodes-left-out": {
                "type": "array",
                "items": { "type": "string", "minLength": 1 },
                "description": "names of nodes whose homes are not saved; the snapshot is then partial"
            },
            "cipher-files": {
                "type": "array",
                "items": { "type": "string", "pattern": "^/" },
                "description": "files of an encrypted database password that neither confluence.cfg.xml nor setenv names"
            },
            "search-index": {
                "enum": ["auto", "files", "none"],
                "default": "auto",
                "description": "what of the search index is saved: what can be while Confluence runs (index-snapshots, or OpenSearch where it is granted), Lucene's index and journal while Confluence is stopped, or nothing"
            },
            "snapshots-location": {
                "type": "string",
                "pattern": "^/",
                "description": "the directory granted as snapshots, as OpenSearch sees it; default: as it is granted"
            }
        }
    })
}

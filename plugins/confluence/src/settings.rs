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
    /// Where Confluence itself sees its home directory, when no file of the installation says so.
    pub home: Option<String>,
}

/// How much of the home directory is saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HomeMode {
    /// Everything except what Confluence makes anew.
    #[default]
    Whole,
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
                "enum": ["whole"],
                "default": "whole",
                "description": "how much of the home directory is saved: everything except what Confluence makes anew"
            },
            "home": {
                "type": "string",
                "pattern": "^/",
                "description": "where Confluence itself sees its home directory, when that is neither what its files say nor the granted path"
            }
        }
    })
}

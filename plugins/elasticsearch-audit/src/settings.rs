//! The step's configuration: what the operator may set, and its JSON Schema.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use strongroom_plugin::{Result, context};
use strongroom_search::{Reach, view::Pace, way::Way};

use crate::describe::grant;

/// `[step.NAME.config]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// Indices or aliases.
    pub indices: Vec<String>,
    /// The step that saves Nuxeo itself, and says in its notes which indices are its own; one of this step's `after`.
    pub nuxeo_step: Option<String>,
    /// Whether the index of Nuxeo's sequences is saved, too.
    pub sequences: bool,
    /// How indices are saved.
    pub way: Way,
    /// How many questions are under way at a time.
    pub slices: usize,
    /// The most documents that are asked for at a time.
    pub page: u64,
    /// The directory granted as `snapshots`, as the engine sees it.
    pub location: Option<String>,
    /// A repository of the engine's own in which its snapshots stay; the set then holds where they are, and nothing else. In a
    /// restore: the name by which the engine knows that repository now.
    pub repository: Option<String>,
    /// In a restore: the names under which indices come back, by the names that they had.
    pub rename: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        let pace = Pace::default();
        Self {
            indices: Vec::new(),
            nuxeo_step: None,
            sequences: true,
            way: Way::Auto,
            slices: pace.slices,
            page: pace.page,
            location: None,
            repository: None,
            rename: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Those of this step.
    ///
    /// # Errors
    /// When host and plugin disagree about the schema.
    pub fn read() -> Result<Self> {
        context::config()
    }

    /// The granted engine.
    ///
    /// # Errors
    /// As [`Reach::connect`].
    pub fn reach(&self) -> Result<Reach> {
        Reach::connect(grant::ENGINE, grant::SNAPSHOTS, self.location.as_deref(), self.pace())
    }

    /// The same to save indices with: their snapshots may stay with the engine.
    ///
    /// # Errors
    /// As [`Self::reach`].
    pub fn reach_to_save(&self) -> Result<Reach> {
        Ok(self.reach()?.staying_in(self.repository.clone()))
    }

    /// How documents are read.
    pub fn pace(&self) -> Pace {
        Pace { page: self.page, slices: self.slices }
    }
}

/// JSON Schema of [`Settings`].
pub fn schema() -> Value {
    // What an engine allows in the name of an index, wildcards and lists left out.
    let name = json!({ "type": "string", "pattern": "^[^_+\\-A-Z\\\\/*?\"<>| ,#:][^A-Z\\\\/*?\"<>| ,#:]{0,254}$" });
    let pace = Pace::default();
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "indices": { "type": "array", "items": name, "description": "indices or aliases that are saved, each by its whole name: \"nuxeo-audit\"" },
            "nuxeo-step": { "type": "string", "minLength": 1, "description": "the step that saves Nuxeo itself, one of this step's after: it says which indices hold the audit and the sequences, in place of indices" },
            "sequences": { "type": "boolean", "default": true, "description": "whether the index of Nuxeo's sequences is saved, too, where nuxeo-step names it; before Nuxeo 9.10 it has to be" },
            "way": {
                "enum": ["auto", "snapshot", "export"],
                "default": "auto",
                "description": "how indices are saved: by the engine's own snapshot, document by document, or by snapshot where that is possible"
            },
            "slices": { "type": "integer", "minimum": 1, "maximum": 16, "default": pace.slices, "description": "how many pages are asked for at a time" },
            "page": { "type": "integer", "minimum": 1, "maximum": 100_000, "default": pace.page, "description": "the most documents of a page; index.max_result_window of the index is the engine's own limit" },
            "location": { "type": "string", "minLength": 1, "description": "the directory granted as snapshots, as the engine sees it; default: as it is granted" },
            "repository": {
                "type": "string",
                "pattern": "^[^_\\\\/*?\"<>| ,#][^\\\\/*?\"<>| ,#]{0,254}$",
                "description": "a repository of the engine's own in which its snapshot stays: the set then names it and does not hold it. In a restore: the name by which the engine knows it now"
            },
            "rename": {
                "type": "object",
                "additionalProperties": name,
                "description": "in a restore: the names under which indices come back, by the names that they had; default: the same"
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
            "indices": ["nuxeo-audit"], "location": "/snap", "nuxeo-step": "dam", "page": 5, "rename": {"a": "b"},
            "repository": "backups",
            "sequences": false, "slices": 3, "way": "export"
        });
        let schema = schema();
        let properties = schema["properties"].as_object().unwrap();
        assert!(properties.keys().eq(given.as_object().unwrap().keys()), "the test gives every one");
        let read: Settings = serde_json::from_value(given).unwrap();
        assert_eq!((read.way, read.pace(), read.sequences), (Way::Export, Pace { page: 5, slices: 3 }, false));
    }

    #[test]
    fn nothing_need_be_set() {
        let read: Settings = serde_json::from_str("{}").unwrap();
        assert_eq!(read, Settings::default());
        assert_eq!(schema()["properties"]["page"]["default"], read.page);
    }
}

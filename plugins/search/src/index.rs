//! What an index is made of: its settings, its mapping, its aliases, and what of them a new index can be given.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strongroom_plugin::{Error, Result, http::encoded};

use crate::client::{Client, Question, Shards};

/// An index as the engine has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    /// Its own name, not an alias.
    pub name: String,
    /// What makes it another one when it is deleted and made again.
    pub uuid: String,
    /// How many primary shards it has.
    pub shards: u32,
    /// By their flat names, `index.number_of_shards`.
    pub settings: Map<String, Value>,
    /// Below Elasticsearch 7, by type.
    pub mappings: Value,
    /// By name, with filter and routing.
    pub aliases: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Described {
    #[serde(default)]
    aliases: BTreeMap<String, Value>,
    #[serde(default)]
    mappings: Value,
    settings: Map<String, Value>,
}

/// Settings that belong to one index and no other.
const OWN: [&str; 10] = [
    "index.uuid",
    "index.creation_date",
    "index.provided_name",
    "index.history.",
    "index.version.",
    "index.resize.",
    "index.shrink.",
    "index.routing.allocation.",
    "index.store.snapshot.",
    "index.remote_store.",
];
/// Settings that would be in the way while an index is filled: given to it when it is full.
const LATER: [&str; 10] = [
    "index.number_of_replicas",
    "index.auto_expand_replicas",
    "index.refresh_interval",
    "index.default_pipeline",
    "index.final_pipeline",
    "index.search.default_pipeline",
    "index.lifecycle.",
    "index.opendistro.",
    "index.plugins.index_state_management.",
    "index.blocks.",
];
/// What the engine says of an index's state, which cannot be set.
const STATE: [&str; 3] = ["index.verified_before_close", "index.frozen", "index.search.throttled"];

/// Settings of a new index: at once, and when it is full.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Given {
    /// With which it is made.
    pub at_once: Map<String, Value>,
    /// What it is given when it is full; null where the engine's default is to stand.
    pub later: Map<String, Value>,
}

fn is_among(name: &str, list: &[&str]) -> bool {
    list.iter().any(|one| name == *one || (one.ends_with('.') && name.starts_with(one)))
}

/// What of the settings of an index another one can have.
pub fn cleaned(settings: &Map<String, Value>) -> Given {
    let mut given = Given::default();
    for (name, value) in settings {
        // What every index of OpenSearch says and Elasticsearch does not know.
        let is_usual = name == "index.replication.type" && value == "DOCUMENT";
        if value.is_null() || is_usual || is_among(name, &OWN) || is_among(name, &STATE) {
            continue;
        }
        let into = if is_among(name, &LATER) { &mut given.later } else { &mut given.at_once };
        into.insert(name.clone(), value.clone());
    }
    given
}

impl Index {
    /// The indices that a name stands for: itself, or those of an alias.
    ///
    /// # Errors
    /// `not-found`; `invalid` for a name that stands for others than it says.
    pub fn resolve(client: &Client, name: &str) -> Result<Vec<Self>> {
        check_name(name)?;
        let path = format!("/{}?flat_settings=true", encoded(name));
        let described: BTreeMap<String, Described> = client.ask(&Question::get(path))?;
        if described.is_empty() {
            return Err(Error::not_found(format!("there is no index {name}")));
        }
        described.into_iter().map(|(name, described)| Self::of(name, described)).collect()
    }

    /// One index, by its own name.
    ///
    /// # Errors
    /// As [`Self::resolve`]; `invalid` for an alias.
    pub fn read(client: &Client, name: &str) -> Result<Self> {
        let alias = || Error::invalid(format!("{name} is an alias: its index was meant"));
        Self::resolve(client, name)?.into_iter().find(|index| index.name == name).ok_or_else(alias)
    }

    fn of(name: String, described: Described) -> Result<Self> {
        let text = |key: &str| {
            let value = described.settings.get(key).and_then(Value::as_str);
            value.ok_or_else(|| Error::corrupt(format!("the engine does not say what {key} of {name} is")))
        };
        let uuid = text("index.uuid")?.to_owned();
        let shards = text("index.number_of_shards")?.parse()?;
        let Described { aliases, mappings, settings } = described;
        Ok(Self { name, uuid, shards, settings, mappings, aliases })
    }

    /// Makes everything that was written before visible to searches.
    ///
    /// # Errors
    /// When a shard does not answer.
    pub fn refresh(client: &Client, name: &str) -> Result<()> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "_shards")]
            shards: Shards,
        }
        let answer: Answer = client.ask(&Question::post(format!("/{}/_refresh", encoded(name))).repeating())?;
        // Replicas that are not there count in the total: only failures say something.
        Shards { total: answer.shards.successful, ..answer.shards }.whole(&format!("refreshing {name}"))
    }

    /// Whether it keeps what was sent as a document: all of it, a part, or nothing.
    pub fn source(&self) -> Source {
        let by_type = self.mappings.as_object().into_iter().flat_map(Map::values).filter_map(|one| one.get("_source"));
        let rules = self.mappings.get("_source").into_iter().chain(by_type);
        rules.fold(Source::Whole, |source, rule| {
            let narrowed = |key| rule.get(key).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
            match rule.get("enabled") {
                Some(Value::Bool(false)) => Source::None,
                _ if narrowed("includes") || narrowed("excludes") => source.max(Source::Narrowed),
                _ => source,
            }
        })
    }

    /// The types of its documents, below Elasticsearch 7.
    pub fn types(&self) -> Vec<String> {
        let names = self.mappings.as_object().into_iter().flat_map(Map::keys);
        names.filter(|name| *name != "_default_").cloned().collect()
    }
}

/// What an index keeps of what was sent as a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// All of it.
    Whole,
    /// Some fields only.
    Narrowed,
    /// Nothing: only ids and versions are there.
    None,
}

/// A name that stands for one index or alias and nothing else, by the engine's rules.
///
/// # Errors
/// `invalid`.
pub fn check_name(name: &str) -> Result<()> {
    let wrong = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_control() || b"\\/*?\"<>| ,#:".contains(&byte);
    let reserved = name.is_empty() || matches!(name, "." | "..") || name.starts_with(['_', '-', '+']);
    match reserved || name.len() > 255 || name.bytes().any(wrong) {
        true => Err(Error::invalid(format!("{name:?} is no name of an index or an alias"))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn settings_that_belong_to_one_index_are_left_out_and_those_in_the_way_are_for_later() {
        let given = cleaned(&map(json!({
            "index.number_of_shards": "5", "index.number_of_replicas": "1", "index.creation_date": "1690000000000",
            "index.uuid": "fixtureUuid", "index.version.created": "7170999", "index.provided_name": "dam-audit",
            "index.routing.allocation.include._tier_preference": "data_content", "index.resize.source.name": "x",
            "index.analysis.analyzer.a.type": "custom", "index.refresh_interval": "5s", "index.final_pipeline": "p",
            "index.blocks.write": "true", "index.frozen": "true", "index.routing_partition_size": "1",
            "index.uuids": "kept", "index.mode": null,
            "index.replication.type": "DOCUMENT"
        })));
        let keys = |map: &Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
        assert_eq!(
            keys(&given.at_once),
            ["index.analysis.analyzer.a.type", "index.number_of_shards", "index.routing_partition_size", "index.uuids"]
        );
        let later =
            ["index.blocks.write", "index.final_pipeline", "index.number_of_replicas", "index.refresh_interval"];
        assert_eq!(keys(&given.later), later);
    }

    #[test]
    fn what_an_index_keeps_of_its_documents_is_read_from_its_mapping() {
        let source = |mappings: Value| {
            let described = Described {
                aliases: BTreeMap::new(),
                mappings,
                settings: map(json!({"index.uuid": "u", "index.number_of_shards": "1"})),
            };
            Index::of("i".into(), described).unwrap().source()
        };
        assert_eq!(source(json!({"properties": {"a": {}}})), Source::Whole);
        assert_eq!(source(json!({})), Source::Whole);
        assert_eq!(source(json!({"_source": {"enabled": false}})), Source::None);
        assert_eq!(source(json!({"seqId": {"_source": {"enabled": false}}})), Source::None);
        assert_eq!(source(json!({"_source": {"excludes": ["a"]}})), Source::Narrowed);
        assert_eq!(source(json!({"properties": {"_source": {"enabled": true}}})), Source::Whole);
    }

    #[test]
    fn a_name_that_could_stand_for_several_indices_is_refused() {
        for name in ["", "*", "a,b", "_all", "-a", "a*", "A", "a/b", "..", "a b", "remote:a", "a?"] {
            assert!(check_name(name).is_err(), "{name}");
        }
        for name in ["nuxeo-audit", ".kibana", "a_b", "é"] {
            check_name(name).unwrap();
        }
    }
}

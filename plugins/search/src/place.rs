//! Puts a proved index into the place that is meant for it: under its exact name by a clone, which shares its files, or
//! behind an alias of that name.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use strongroom_plugin::{Context, Error, Result, http::encoded};

use crate::{
    client::{Client, Question},
    engine::{Product, Version},
    import,
    index::{Index, check_name},
};

/// What has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Nothing.
    Free,
    /// An index of that name.
    ByIndex,
    /// An alias of these indices.
    ByAlias(Vec<String>),
}

/// How an index comes into its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap {
    /// It is cloned under its exact name, as a product that does not know aliases wants it; what had the name is removed
    /// right before.
    Clone,
    /// An alias of that name points to it, from one moment to the next; an index that had the name is removed in it, one
    /// that was behind the alias stays.
    Alias,
}

/// Who has a name.
///
/// # Errors
/// What the engine says.
pub fn held(client: &Client, name: &str) -> Result<Held> {
    check_name(name)?;
    match Index::resolve(client, name) {
        Ok(indices) if indices.iter().any(|index| index.name == name) => Ok(Held::ByIndex),
        Ok(indices) => Ok(Held::ByAlias(indices.into_iter().map(|index| index.name).collect())),
        Err(error) if error.is_not_found() => Ok(Held::Free),
        Err(error) => Err(error),
    }
}

/// How an index would come into the place that is so held.
pub fn swap(client: &Client, held: &Held) -> Swap {
    let engine = client.engine();
    // `_clone` came with Elasticsearch 7.4.
    let clones = engine.product == Product::OpenSearch || engine.version >= Version { major: 7, minor: 4 };
    match held {
        Held::ByAlias(_) => Swap::Alias,
        _ if clones => Swap::Clone,
        _ => Swap::Alias,
    }
}

/// Which of these aliases are free, and which belong to another index than `name`.
///
/// # Errors
/// What the engine says.
pub fn aliases(
    client: &Client,
    wanted: &BTreeMap<String, Value>,
    name: &str,
) -> Result<(BTreeMap<String, Value>, Vec<String>)> {
    let (mut free, mut taken) = (BTreeMap::new(), Vec::new());
    for (alias, value) in wanted {
        match held(client, alias)? {
            Held::Free => drop(free.insert(alias.clone(), value.clone())),
            Held::ByAlias(indices) if indices.iter().all(|index| index == name) => {
                free.insert(alias.clone(), value.clone());
            }
            _ => taken.push(alias.clone()),
        }
    }
    Ok((free, taken))
}

/// Puts `from` into the place of `name`, with these settings and aliases, and waits until it is there. By an alias, `from`
/// keeps its name.
///
/// # Errors
/// What the engine says. Behind an index that was removed already, the proved one is left as it is.
pub fn put(
    client: &Client,
    from: &str,
    name: &str,
    held: &Held,
    settings: &Map<String, Value>,
    aliases: &BTreeMap<String, Value>,
) -> Result<()> {
    match swap(client, held) {
        Swap::Clone => clone(client, from, name, held, settings, aliases),
        Swap::Alias => alias(client, from, name, held, settings, aliases),
    }
}

fn clone(
    client: &Client,
    from: &str,
    name: &str,
    held: &Held,
    settings: &Map<String, Value>,
    aliases: &BTreeMap<String, Value>,
) -> Result<()> {
    // Only what cannot be written to can be cloned.
    set(client, from, &json!({ "index.blocks.write": true }))?;
    let mut settings = settings.clone();
    settings.entry("index.blocks.write").or_insert(Value::Null);
    if *held == Held::ByIndex {
        import::remove(client, name)?;
    }
    let path = format!("/{}/_clone/{}", encoded(from), encoded(name));
    let doing = format!("cloning the proved index {from} as {name}");
    client.tell(&Question::put(&path).json(&json!({ "aliases": aliases }))?).context(&doing)?;
    finish(client, from, name, &settings).map_err(|error| {
        // Half a clone is none, and what it was made of is still there.
        let _ = import::remove(client, name);
        error.context(doing)
    })
}

fn finish(client: &Client, from: &str, name: &str, settings: &Map<String, Value>) -> Result<()> {
    import::ready(client, name)?;
    if count(client, from)? != count(client, name)? {
        return Err(Error::corrupt("the clone has another number of documents"));
    }
    // Not with the clone: a null would stay there as a setting.
    set(client, name, &Value::Object(settings.clone()))
}

fn alias(
    client: &Client,
    from: &str,
    name: &str,
    held: &Held,
    settings: &Map<String, Value>,
    aliases: &BTreeMap<String, Value>,
) -> Result<()> {
    set(client, from, &Value::Object(settings.clone()))?;
    let mut actions = match held {
        Held::Free => Vec::new(),
        Held::ByIndex => vec![json!({ "remove_index": { "index": name } })],
        Held::ByAlias(indices) => vec![json!({ "remove": { "indices": indices, "alias": name } })],
    };
    actions.push(json!({ "add": { "index": from, "alias": name } }));
    for (alias, value) in aliases.iter().filter(|(alias, _)| *alias != name) {
        let mut add = value.as_object().cloned().unwrap_or_default();
        add.insert("index".into(), from.into());
        add.insert("alias".into(), alias.as_str().into());
        actions.push(json!({ "add": add }));
    }
    client.tell(&Question::post("/_aliases").json(&json!({ "actions": actions }))?)
}

fn set(client: &Client, name: &str, settings: &Value) -> Result<()> {
    client.tell(&Question::put(format!("/{}/_settings", encoded(name))).repeating().json(settings)?)
}

/// How many documents an index has now.
///
/// # Errors
/// When a shard does not answer.
pub fn count(client: &Client, name: &str) -> Result<u64> {
    Index::refresh(client, name)?;
    visible(client, name)
}

/// How many of them can be searched for yet, nested ones not counted.
///
/// # Errors
/// As [`count`].
pub fn visible(client: &Client, name: &str) -> Result<u64> {
    #[derive(Deserialize)]
    struct Answer {
        count: u64,
        #[serde(rename = "_shards")]
        shards: crate::client::Shards,
    }
    let answer: Answer = client.ask(&Question::get(format!("/{}/_count", encoded(name))))?;
    answer.shards.whole("counting documents")?;
    Ok(answer.count)
}

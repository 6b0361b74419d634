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

/// A proved index, and the place that is meant for it.
pub struct Proved<'a> {
    /// The name under which it was proved.
    pub from: &'a str,
    /// The name of its place.
    pub name: &'a str,
    /// What has that name.
    pub held: &'a Held,
    /// What it is given there.
    pub settings: &'a Map<String, Value>,
    /// Its further names.
    pub aliases: &'a BTreeMap<String, Value>,
}

impl Proved<'_> {
    /// Puts it there, and waits until it is. By an alias, it keeps its name.
    ///
    /// # Errors
    /// What the engine says. Behind an index that was removed already, the proved one is left as it is.
    pub fn put(&self, client: &Client) -> Result<()> {
        match swap(client, self.held) {
            Swap::Clone => self.clone_to(client),
            Swap::Alias => self.alias(client),
        }
    }

    fn clone_to(&self, client: &Client) -> Result<()> {
        let Self { from, name, .. } = *self;
        // Only what cannot be written to can be cloned.
        set(client, from, &json!({ "index.blocks.write": true }))?;
        if *self.held == Held::ByIndex {
            import::remove(client, name)?;
        }
        let path = format!("/{}/_clone/{}", encoded(from), encoded(name));
        let doing = format!("cloning the proved index {from} as {name}");
        client.tell(&Question::put(&path).json(&json!({ "aliases": self.aliases }))?).context(&doing)?;
        self.finish(client).map_err(|error| {
            // Half a clone is none, and what it was made of is still there.
            let _ = import::remove(client, name);
            error.context(doing)
        })
    }

    fn finish(&self, client: &Client) -> Result<()> {
        import::ready(client, self.name)?;
        if count(client, self.from)? != count(client, self.name)? {
            return Err(Error::corrupt("the clone has another number of documents"));
        }
        let mut settings = self.settings.clone();
        settings.entry("index.blocks.write").or_insert(Value::Null);
        // Not with the clone: a null would stay there as a setting.
        set(client, self.name, &Value::Object(settings))
    }

    fn alias(&self, client: &Client) -> Result<()> {
        let Self { from, name, .. } = *self;
        set(client, from, &Value::Object(self.settings.clone()))?;
        let mut actions = match self.held {
            Held::Free => Vec::new(),
            Held::ByIndex => vec![json!({ "remove_index": { "index": name } })],
            Held::ByAlias(indices) => vec![json!({ "remove": { "indices": indices, "alias": name } })],
        };
        actions.push(json!({ "add": { "index": from, "alias": name } }));
        for (alias, value) in self.aliases.iter().filter(|(alias, _)| *alias != name) {
            let mut add = value.as_object().cloned().unwrap_or_default();
            add.insert("index".into(), from.into());
            add.insert("alias".into(), alias.as_str().into());
            actions.push(json!({ "add": add }));
        }
        client.tell(&Question::post("/_aliases").json(&json!({ "actions": actions }))?)
    }
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

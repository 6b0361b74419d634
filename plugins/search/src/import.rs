//! Brings an index back under a name of its own, and proves it there; only then it takes the place that is meant for it.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use strongroom_plugin::{Error, Result, http::encoded};

use crate::{
    bulk::Loader,
    client::{Client, Question},
    hash::{Function, Hasher, Tally},
    index::Index,
    objects::Ids,
    store::Manifest,
    view::{Pace, View},
};

/// What the names of indices begin with that are not in their place yet.
pub const TEMPORARY: &str = "strongroom-restore-";
/// How many missing documents are named.
const NAMED_MAX: usize = 20;
/// Up to so many documents, what is missing is named.
const WATCHED_MAX: u64 = 1_000_000;

/// A name under which an index is restored and proved: nobody else has it.
pub fn temporary(index: &str, random: &[u8]) -> String {
    const NAME_MAX: usize = 120;
    let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut end = index.len().min(NAME_MAX);
    while !index.is_char_boundary(end) {
        end -= 1;
    }
    format!("{TEMPORARY}{random}-{}", index.get(..end).unwrap_or_default())
}

/// Whether an index has such a name: whatever is removed has.
pub fn is_temporary(index: &str) -> bool {
    index.starts_with(TEMPORARY)
}

/// Makes the empty index: without replicas, and without refreshes until it is full.
///
/// # Errors
/// `exists`; what the engine has against its settings or its mapping.
pub fn create(client: &Client, manifest: &Manifest, name: &str) -> Result<()> {
    let mut settings = manifest.settings.at_once.clone();
    for (key, value) in [
        ("index.number_of_replicas", json!(0)),
        ("index.auto_expand_replicas", json!("false")),
        ("index.refresh_interval", json!("-1")),
    ] {
        settings.insert(key.into(), value);
    }
    let body = json!({ "settings": settings, "mappings": mappings(client, manifest) });
    client.tell(&Question::put(format!("/{}", encoded(name))).json(&body)?)?;
    ready(client, name)
}

/// The type of a manifest of Elasticsearch 6, if there is one.
fn of_type(manifest: &Manifest) -> Option<&str> {
    let typed = manifest.product == "elasticsearch"
        && manifest.engine.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major < 7);
    let mut types = manifest.mappings.as_object()?.keys().filter(|name| *name != "_default_");
    types.next().filter(|_| typed).map(String::as_str)
}

/// With or without a type, as the engine wants it.
fn mappings(client: &Client, manifest: &Manifest) -> Value {
    match (of_type(manifest), client.engine().has_types()) {
        (Some(name), false) => manifest.mappings.get(name).cloned().unwrap_or_default(),
        (Some(name), true) => json!({ name: manifest.mappings.get(name) }),
        (None, true) => json!({ "_doc": manifest.mappings }),
        (None, false) => manifest.mappings.clone(),
    }
}

/// Waits until the primary shards are there.
///
/// # Errors
/// `timeout`
pub fn ready(client: &Client, name: &str) -> Result<()> {
    let path = format!("/_cluster/health/{}?wait_for_status=yellow&timeout=50s", encoded(name));
    // The engine answers 408 when it has waited in vain.
    client.tell(&Question::get(path))
}

/// Fills it, and makes it visible.
///
/// # Errors
/// As [`Loader::load`].
pub fn load(client: &Client, part: &str, manifest: &Manifest, name: &str) -> Result<()> {
    let of_type = client.engine().has_types().then(|| of_type(manifest).unwrap_or("_doc"));
    Loader::new(client, part, manifest, name, of_type).load()?;
    Index::refresh(client, name)
}

/// Reads an index, and counts and hashes what is in it, by the function of what it is compared with.
///
/// # Errors
/// As [`View::read`].
pub fn tally(client: &Client, name: &str, pace: Pace, function: Function) -> Result<Tally> {
    let (mut hasher, mut line) = (Hasher::by(function), Vec::new());
    let index = Index::read(client, name)?;
    let mut view = View::open(client, name, pace)?;
    let read = view.read(&index, pace, &mut |hit| {
        hasher.add(&hit.document(&mut line));
        Ok(())
    });
    let total = view.total();
    view.close();
    read?;
    let tally = hasher.tally();
    match total == tally.documents {
        true => Ok(tally),
        false => Err(Error::corrupt(format!("{name} has {total} documents, and {} came", tally.documents))),
    }
}

/// The first ids of a part's index that an index of the engine has not; none where they are too many to be compared.
///
/// # Errors
/// As [`View::read`].
pub fn missing(client: &Client, part: &str, manifest: &Manifest, name: &str, pace: Pace) -> Result<Vec<String>> {
    if manifest.documents > WATCHED_MAX {
        return Ok(Vec::new());
    }
    let (mut there, mut missing) = (HashSet::new(), Vec::new());
    let index = Index::read(client, name)?;
    let mut view = View::open(client, name, pace)?;
    let read = view.read(&index, pace, &mut |hit| {
        there.insert(short(hit.key().0));
        Ok(())
    });
    view.close();
    read?;
    for number in 1..=manifest.objects {
        let (_, mut ids) = Ids::open(part, &manifest.index, number)?;
        while let Some(id) = ids.next_id()? {
            if missing.len() < NAMED_MAX && !there.contains(&short(&id)) {
                missing.push(id);
            }
        }
    }
    Ok(missing)
}

fn short(id: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// What an index is given when it is full; what stood in the way of filling it is taken back where nothing else is said.
pub fn later(manifest: &Manifest) -> Map<String, Value> {
    let mut settings = manifest.settings.later.clone();
    for key in ["index.auto_expand_replicas", "index.refresh_interval"] {
        settings.entry(key).or_insert(Value::Null);
    }
    settings
}

/// Removes an index, if it is there.
///
/// # Errors
/// What the engine says.
pub fn remove(client: &Client, name: &str) -> Result<()> {
    match client.tell(&Question::delete(format!("/{}", encoded(name)))) {
        Err(error) if error.is_not_found() => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests;

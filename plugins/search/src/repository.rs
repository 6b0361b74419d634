//! Snapshots that an engine makes itself, into a directory that the host sees too: one repository for each, for an engine
//! adds to a repository what it needs of older snapshots, and a part of it is worth nothing.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strongroom_plugin::{Error, Result, context, http::encoded, log};

use crate::client::{Client, Question};

/// What the names of repositories and of their directories begin with: whatever is removed has such a name.
pub const PREFIX: &str = "strongroom-";
/// The name of the snapshot in each repository that is made for one.
pub const SNAPSHOT: &str = "snapshot";
/// How long a snapshot or a restore may take: each question in between shows that the engine still answers.
const WAIT_MAX: Duration = Duration::from_secs(12 * 3600);
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What a finished snapshot says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Which one of its name; engines before Elasticsearch 5 do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Indices in it.
    pub indices: Vec<String>,
    /// How many shards were asked for.
    pub shards: u64,
    /// How many are in it.
    pub successful: u64,
}

#[derive(Deserialize)]
struct Listed {
    snapshots: Vec<Snapshot>,
}

#[derive(Deserialize)]
struct Snapshot {
    uuid: Option<String>,
    state: String,
    #[serde(default)]
    indices: Vec<String>,
    #[serde(default)]
    failures: Vec<Value>,
    shards: Option<Counted>,
}

#[derive(Deserialize)]
struct Counted {
    total: u64,
    failed: u64,
    successful: u64,
}

/// Where the engine allows repositories of files (`path.repo` of the node that answers).
///
/// # Errors
/// What the engine says.
pub fn allowed(client: &Client) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Nodes {
        #[serde(default)]
        nodes: BTreeMap<String, Node>,
    }
    #[derive(Deserialize)]
    struct Node {
        #[serde(default)]
        settings: BTreeMap<String, Value>,
    }
    let nodes: Nodes = client.ask(&Question::get("/_nodes/_local/settings?flat_settings=true"))?;
    let settings = nodes.nodes.into_values().flat_map(|node| node.settings);
    let repositories = settings.filter(|(key, _)| key == "path.repo" || key.starts_with("path.repo."));
    Ok(repositories.flat_map(|(_, value)| texts(value)).collect())
}

/// A text, or a list of them.
fn texts(value: Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.into_iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Makes a repository known. `readonly` where another engine has written it.
///
/// # Errors
/// When a node cannot use the directory.
pub fn register(client: &Client, name: &str, location: &str, readonly: bool) -> Result<()> {
    let body = json!({ "type": "fs", "settings": { "location": location, "compress": true, "readonly": readonly } });
    client.tell(&Question::put(path(name)).repeating().json(&body)?)
}

fn path(name: &str) -> String {
    format!("/_snapshot/{}", encoded(name))
}

fn path_of(name: &str, snapshot: &str) -> String {
    format!("{}/{}", path(name), encoded(snapshot))
}

/// A repository that is known to the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// `fs`, `s3` and the like.
    pub kind: String,
    /// Whether nothing can be added to it here.
    pub readonly: bool,
}

/// What the engine knows of a repository; none where it knows none of that name.
///
/// # Errors
/// What the engine says.
pub fn registered(client: &Client, name: &str) -> Result<Option<Registered>> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        settings: BTreeMap<String, Value>,
    }
    let answer: Result<BTreeMap<String, Answer>> = client.ask(&Question::get(path(name)));
    let mut found = match answer {
        Err(error) if error.is_not_found() => return Ok(None),
        answer => answer?,
    };
    Ok(found.remove(name).map(|Answer { kind, settings }| {
        let readonly =
            settings.get("readonly").is_some_and(|value| matches!(value.as_str(), Some("true")) || *value == true);
        Registered { readonly: readonly || kind == "url", kind }
    }))
}

/// A finished snapshot, if the repository has one of that name that is whole.
///
/// # Errors
/// As [`make`]; `not-found`.
pub fn find(client: &Client, name: &str, snapshot: &str, indices: &[String]) -> Result<Made> {
    accept(first(client, &path_of(name, snapshot))?, indices)
}

fn first(client: &Client, path: &str) -> Result<Snapshot> {
    let listed: Listed = client.ask(&Question::get(path))?;
    let snapshot = listed.snapshots.into_iter().next();
    snapshot.ok_or_else(|| Error::not_found("the engine has forgotten the snapshot"))
}

/// Makes the snapshot of these indices, and of nothing else, and waits for it.
///
/// # Errors
/// When it is not whole: any other state than `SUCCESS`, a failure, a failed shard, another list of indices.
pub fn make(client: &Client, name: &str, snapshot: &str, indices: &[String]) -> Result<Made> {
    let body = json!({
        "indices": indices.join(","), "ignore_unavailable": false, "include_global_state": false, "partial": false
    });
    let path = path_of(name, snapshot);
    client.tell(&Question::put(format!("{path}?wait_for_completion=false")).json(&body)?)?;
    let snapshot = wait(|| {
        let snapshot = first(client, &path)?;
        let is_under_way = matches!(snapshot.state.as_str(), "IN_PROGRESS" | "STARTED" | "INIT");
        Ok((!is_under_way).then_some(snapshot))
    })?;
    accept(snapshot, indices)
}

/// `PARTIAL` looks like success in the status of a request.
fn accept(snapshot: Snapshot, indices: &[String]) -> Result<Made> {
    let refused = |why: String| Error::other(format!("the engine's snapshot is not whole: {why}"));
    if snapshot.state != "SUCCESS" {
        return Err(refused(format!("its state is {}; {}", snapshot.state, Value::Array(snapshot.failures))));
    }
    let counted = snapshot.shards.ok_or_else(|| refused("it does not count its shards".into()))?;
    if !snapshot.failures.is_empty() || counted.failed != 0 || counted.total != counted.successful {
        return Err(refused(format!("of {} shards {} failed", counted.total, counted.failed)));
    }
    let (mut has, mut wanted) = (snapshot.indices.clone(), indices.to_vec());
    has.sort();
    wanted.sort();
    match has == wanted {
        true => Ok(Made { uuid: snapshot.uuid, indices: has, shards: counted.total, successful: counted.successful }),
        false => Err(refused(format!("it holds {}, and {} were asked for", has.join(", "), wanted.join(", ")))),
    }
}

/// Brings one index back as `into`, without replicas, and waits until its shards are there.
///
/// # Errors
/// What the engine says; `timeout`.
pub fn restore(client: &Client, name: &str, snapshot: &str, index: &str, into: &str) -> Result<()> {
    let body = json!({
        "indices": index, "ignore_unavailable": false, "include_global_state": false, "include_aliases": false,
        "partial": false, "rename_pattern": "^.+$", "rename_replacement": into,
        "index_settings": { "index.number_of_replicas": 0, "index.auto_expand_replicas": "false" },
    });
    let path = format!("{}/_restore?wait_for_completion=false", path_of(name, snapshot));
    client.tell(&Question::post(path).json(&body)?)?;
    #[derive(Deserialize)]
    struct Health {
        status: String,
    }
    let health = Question::get(format!("/_cluster/health/{}?level=indices", encoded(into)));
    wait(|| {
        let health: Health = client.ask(&health)?;
        Ok((health.status != "red").then_some(()))
    })
}

/// Removes the snapshot, if it is there; one that is being made is broken off.
///
/// # Errors
/// What the engine says.
pub fn delete(client: &Client, name: &str, snapshot: &str) -> Result<()> {
    gone(client.tell(&Question::delete(path_of(name, snapshot))))
}

/// Lets the engine forget the repository, if it knows it; files stay.
///
/// # Errors
/// What the engine says.
pub fn forget(client: &Client, name: &str) -> Result<()> {
    gone(client.tell(&Question::delete(path(name))))
}

fn gone(done: Result<()>) -> Result<()> {
    match done {
        Err(error) if error.is_not_found() => Ok(()),
        done => done,
    }
}

/// Asks until there is something, with pauses.
fn wait<T>(mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let (mut pause, mut waited) = (PAUSE_FIRST, Duration::ZERO);
    loop {
        if let Some(done) = ask()? {
            return Ok(done);
        }
        if waited >= WAIT_MAX {
            let message = format!("the engine was not done after {} hours", WAIT_MAX.as_secs() / 3600);
            return Err(Error::new(strongroom_plugin::ErrorCode::Timeout, message));
        }
        log::progress("seconds waited", waited.as_secs(), None);
        context::sleep(pause)?;
        waited += pause;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// How far each shard of an index has come: equal before and after, nothing was written in between.
///
/// # Errors
/// What the engine says; `corrupt` when a shard does not say it.
pub fn written(client: &Client, index: &str) -> Result<BTreeMap<String, i64>> {
    #[derive(Deserialize)]
    struct Answer {
        indices: BTreeMap<String, Shards>,
    }
    #[derive(Deserialize)]
    struct Shards {
        shards: BTreeMap<String, Vec<Copy>>,
    }
    #[derive(Deserialize)]
    struct Copy {
        routing: Routing,
        seq_no: Option<SeqNo>,
    }
    #[derive(Deserialize)]
    struct Routing {
        primary: bool,
    }
    #[derive(Deserialize)]
    struct SeqNo {
        max_seq_no: i64,
    }
    let mut answer: Answer = client.ask(&Question::get(format!("/{}/_stats?level=shards", encoded(index))))?;
    let silent = || Error::corrupt(format!("the engine does not say how far {index} is written"));
    let shards = answer.indices.remove(index).ok_or_else(silent)?.shards;
    let mut written = BTreeMap::new();
    for (shard, copies) in shards {
        let primary = copies.into_iter().find(|copy| copy.routing.primary).and_then(|copy| copy.seq_no);
        written.insert(shard, primary.ok_or_else(silent)?.max_seq_no);
    }
    Ok(written)
}

#[cfg(test)]
mod tests;

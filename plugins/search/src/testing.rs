//! A small engine in memory, for native tests: it answers what this client asks, truthfully, unless a test twists it.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use serde_json::{Map, Value, json, value::RawValue};
use strongroom_plugin::testing::{Answered, Host, WebCall};

/// A document of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doc {
    /// `_version`
    pub version: u64,
    /// `_routing`
    pub routing: Option<String>,
    /// As it was sent.
    pub source: String,
}

/// An index of the engine.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    /// What tells it from another one of its name.
    pub uuid: String,
    /// Flat.
    pub settings: Map<String, Value>,
    /// As they were sent.
    pub mappings: Value,
    /// By name.
    pub aliases: BTreeMap<String, Value>,
    /// By id.
    pub docs: BTreeMap<String, Doc>,
}

/// Everything that the engine has.
#[derive(Default)]
pub struct Shelves {
    /// By name.
    pub indices: BTreeMap<String, Shelf>,
    /// Points in time and scrolls that are open: the documents of an index as they were, and how far a scroll has come.
    pub views: BTreeMap<String, (String, Vec<(String, Doc)>, usize)>,
    made: u64,
}

/// An engine: `2.19.5` is OpenSearch, another number Elasticsearch.
#[derive(Clone, Default)]
pub struct Engine(pub Rc<RefCell<Shelves>>);

type Answer = Result<Value, (u16, &'static str)>;

const GONE: (u16, &str) = (404, "index_not_found_exception");

impl Engine {
    /// An index with so many shards and these documents.
    pub fn index<'a>(&self, name: &str, shards: u64, docs: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let settings = json!({ "index.number_of_shards": shards.to_string(), "index.refresh_interval": "5s" });
        self.make(name, settings.as_object().cloned().unwrap_or_default(), json!({ "properties": { "n": {} } }));
        let one = |source: &str| Doc { version: 3, routing: None, source: source.into() };
        let docs = docs.into_iter().map(|(id, source)| (id.to_owned(), one(source)));
        self.0.borrow_mut().indices.entry(name.into()).or_default().docs.extend(docs);
    }

    fn make(&self, name: &str, settings: Map<String, Value>, mappings: Value) {
        let shelves = &mut *self.0.borrow_mut();
        shelves.made += 1;
        let uuid = format!("uuid-{}", shelves.made);
        let mut shelf = Shelf { settings, mappings, ..Shelf::default() };
        shelf.settings.insert("index.uuid".into(), uuid.as_str().into());
        shelves.indices.insert(name.into(), Shelf { uuid, ..shelf });
    }

    /// Grants it as `engine`.
    pub fn granted(&self, host: Host, number: &'static str) -> Host {
        self.twisted(host, number, |_, answered| answered)
    }

    /// The same, with what it says changed on the way.
    pub fn twisted(
        &self,
        host: Host,
        number: &'static str,
        twist: impl Fn(&WebCall, Answered) -> Answered + 'static,
    ) -> Host {
        self.twisted_as("engine", host, number, twist)
    }

    /// The same under the name of another grant.
    pub fn twisted_as(
        &self,
        grant: &str,
        host: Host,
        number: &'static str,
        twist: impl Fn(&WebCall, Answered) -> Answered + 'static,
    ) -> Host {
        let engine = self.clone();
        host.answer_with(grant, move |call| {
            let (status, body) = match engine.answer(call, number) {
                // An answer to a search has its members in the order in which engines write them.
                Ok(Value::String(text)) => (200, text),
                Ok(body) => (200, body.to_string()),
                Err((status, kind)) => (status, json!({ "error": { "type": kind }, "status": status }).to_string()),
            };
            // The documents' own bytes, which a `Value` would have sorted.
            let body = body.replace("\"\\u0000", "").replace("\\u0000\"", "").replace("\\u0001", "\"");
            Some(twist(call, Answered { status, headers: Vec::new(), body: body.into_bytes() }))
        })
    }

    fn answer(&self, call: &WebCall, number: &str) -> Answer {
        let path = call.path.split('?').next().unwrap_or_default();
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let body = || serde_json::from_slice::<Value>(&call.body).map_err(|_| (400, "parse_exception"));
        match (call.method.as_str(), segments.as_slice()) {
            ("GET", [""]) => Ok(root(number)),
            ("GET", ["_cluster", "health", _]) => Ok(json!({ "status": "green" })),
            ("POST", ["_search"]) => self.search(&body()?),
            ("POST", ["_search", "scroll"]) => self.scroll(body()?["scroll_id"].as_str().unwrap_or_default(), 1000),
            ("DELETE", ["_search" | "_pit", ..]) => {
                // Those that the body names, one or a list, whatever the engine calls them.
                let named = String::from_utf8_lossy(&call.body).into_owned();
                self.0.borrow_mut().views.retain(|id, _| !named.contains(&format!("\"{id}\"")));
                Ok(json!({}))
            }
            ("POST", ["_aliases"]) => self.aliases(&body()?),
            ("POST", [index, "_search", "point_in_time"]) => {
                Ok(json!({ "pit_id": self.view(index)?, "_shards": shards(1) }))
            }
            ("POST", [index, "_pit"]) => Ok(json!({ "id": self.view(index)? })),
            ("POST", [index, "_search"]) => {
                let id = self.view(index)?;
                self.scroll(&id, body()?["size"].as_u64().unwrap_or(10))
            }
            ("POST", [index, "_refresh"]) => self.found(index).map(|_| json!({ "_shards": shards(1) })),
            ("POST", [index, .., "_bulk"]) => self.bulk(index, &call.body),
            ("GET", [index, "_stats", ..]) => self.found(index).map(|shelf| {
                json!({ "_all": { "primaries": { "docs": { "count": shelf.docs.len() }, "store": { "size_in_bytes": 99 } } } })
            }),
            ("GET", [index, "_count"]) => {
                self.found(index).map(|shelf| json!({ "count": shelf.docs.len(), "_shards": shards(1) }))
            }
            ("PUT", [index, "_settings"]) => self.set(index, &body()?),
            ("PUT", [from, "_clone", to]) => self.clone_index(from, to, &body()?),
            ("PUT", [index]) => {
                let body = body()?;
                if self.found(index).is_ok() {
                    return Err((400, "resource_already_exists_exception"));
                }
                self.make(index, body["settings"].as_object().cloned().unwrap_or_default(), body["mappings"].clone());
                Ok(json!({}))
            }
            ("DELETE", [index]) => self.0.borrow_mut().indices.remove(*index).map(|_| json!({})).ok_or(GONE),
            ("GET", [name]) => self.described(name),
            _ => Err((400, "unknown")),
        }
    }

    fn found(&self, index: &str) -> Result<Shelf, (u16, &'static str)> {
        self.0.borrow().indices.get(index).cloned().ok_or(GONE)
    }

    fn described(&self, name: &str) -> Answer {
        let shelves = self.0.borrow();
        let fits = |one: &str| name.strip_suffix('*').map_or(one == name, |begin| one.starts_with(begin));
        let named = shelves.indices.iter();
        let named = named.filter(|(index, shelf)| fits(index) || shelf.aliases.keys().any(|alias| fits(alias)));
        let described: Map<String, Value> = named
            .map(|(index, shelf)| {
                let about = json!({ "aliases": shelf.aliases, "mappings": shelf.mappings, "settings": shelf.settings });
                (index.clone(), about)
            })
            .collect();
        if described.is_empty() { Err(GONE) } else { Ok(described.into()) }
    }

    fn view(&self, index: &str) -> Result<String, (u16, &'static str)> {
        let docs = self.found(index)?.docs.into_iter().collect();
        let shelves = &mut *self.0.borrow_mut();
        shelves.made += 1;
        let id = format!("view-{}", shelves.made);
        shelves.views.insert(id.clone(), (index.to_owned(), docs, 0));
        Ok(id)
    }

    /// The document at a place lies in the shard of its place's rest.
    fn search(&self, body: &Value) -> Answer {
        let shelves = self.0.borrow();
        let id = body["pit"]["id"].as_str().unwrap_or_default();
        let (index, docs, _) = shelves.views.get(id).ok_or((404, "search_context_missing_exception"))?;
        let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
        let (slice, max) = (number(&body["slice"]["id"]).unwrap_or(0), number(&body["slice"]["max"]).unwrap_or(1));
        let first = if body["sort"][0]["_shard_doc"].is_null() { 0 } else { slice << 32 };
        let after = number(&body["search_after"][0]);
        // Documents lie in the shards in turn.
        let hits = docs.iter().skip(slice).step_by(max).enumerate().map(|(at, doc)| (first + at, doc));
        let hits = hits.filter(|(place, _)| after.is_none_or(|after| *place > after));
        let hits: Vec<Value> = hits.take(number(&body["size"]).unwrap_or(10)).map(|hit| found(index, hit)).collect();
        let total = json!({ "value": docs.len(), "relation": "eq" });
        Ok(answer(("pit_id", id), &total, &hits))
    }

    fn scroll(&self, id: &str, size: u64) -> Answer {
        let shelves = &mut *self.0.borrow_mut();
        let (index, docs, at) = shelves.views.get_mut(id).ok_or((404, "search_context_missing_exception"))?;
        let size = usize::try_from(size).unwrap_or(10);
        let hits: Vec<Value> = docs.iter().enumerate().skip(*at).take(size).map(|hit| found(index, hit)).collect();
        *at += hits.len();
        Ok(answer(("_scroll_id", id), &docs.len().into(), &hits))
    }

    /// As `version_type=external` has it.
    fn bulk(&self, index: &str, body: &[u8]) -> Answer {
        let shelves = &mut *self.0.borrow_mut();
        let docs = &mut shelves.indices.get_mut(index).ok_or(GONE)?.docs;
        let text = String::from_utf8_lossy(body);
        let (mut lines, mut items) = (text.lines(), Vec::new());
        while let (Some(action), Some(source)) = (lines.next(), lines.next()) {
            let action: Value = serde_json::from_str(action).map_err(|_| (400, "parse_exception"))?;
            serde_json::from_str::<&RawValue>(source).map_err(|_| (400, "parse_exception"))?;
            let action = &action["index"];
            let (id, version) = (action["_id"].as_str().unwrap_or_default(), action["version"].as_u64().unwrap_or(0));
            let is_there = docs.get(id).is_some_and(|doc| doc.version >= version);
            if !is_there {
                let routing = action["routing"].as_str().map(str::to_owned);
                docs.insert(id.to_owned(), Doc { version, routing, source: source.into() });
            }
            items.push(match is_there {
                true => json!({ "index": { "status": 409, "error": { "type": "version_conflict", "reason": "" } } }),
                false => json!({ "index": { "status": 201 } }),
            });
        }
        Ok(json!({ "items": items }))
    }

    fn set(&self, index: &str, settings: &Value) -> Answer {
        let shelves = &mut *self.0.borrow_mut();
        let own = &mut shelves.indices.get_mut(index).ok_or(GONE)?.settings;
        for (key, value) in settings.as_object().into_iter().flatten() {
            own.insert(key.clone(), value.clone());
        }
        own.retain(|_, value| !value.is_null());
        Ok(json!({}))
    }

    fn clone_index(&self, from: &str, to: &str, body: &Value) -> Answer {
        let shelf = self.found(from)?;
        if shelf.settings.get("index.blocks.write") != Some(&json!(true)) || self.found(to).is_ok() {
            return Err((400, "illegal_argument_exception"));
        }
        self.make(to, shelf.settings, shelf.mappings);
        let shelves = &mut *self.0.borrow_mut();
        let clone = shelves.indices.entry(to.into()).or_default();
        clone.docs = shelf.docs;
        clone.aliases = serde_json::from_value(body["aliases"].clone()).unwrap_or_default();
        Ok(json!({}))
    }

    fn aliases(&self, body: &Value) -> Answer {
        let shelves = &mut *self.0.borrow_mut();
        for action in body["actions"].as_array().into_iter().flatten() {
            let text = |what: &str, key: &str| action[what][key].as_str().unwrap_or_default().to_owned();
            if !action["remove_index"].is_null() {
                shelves.indices.remove(&text("remove_index", "index"));
            } else if !action["remove"].is_null() {
                shelves.indices.values_mut().for_each(|shelf| drop(shelf.aliases.remove(&text("remove", "alias"))));
            } else {
                let shelf = shelves.indices.get_mut(&text("add", "index")).ok_or(GONE)?;
                shelf.aliases.insert(text("add", "alias"), json!({}));
            }
        }
        Ok(json!({}))
    }
}

fn root(number: &str) -> Value {
    let distribution = if number.starts_with('2') { "opensearch" } else { "" };
    json!({ "cluster_name": "c", "version": { "number": number, "distribution": distribution } })
}

fn answer((key, id): (&str, &str), total: &Value, hits: &[Value]) -> Value {
    let hits = Value::from(hits.to_vec());
    let shards = shards(2);
    let text = format!(
        r#"{{"{key}":"{id}","timed_out":false,"_shards":{shards},"hits":{{"total":{total},"max_score":null,"hits":{hits}}}}}"#
    );
    text.into()
}

fn shards(count: u64) -> Value {
    json!({ "total": count, "successful": count, "failed": 0 })
}

fn found(index: &str, (at, (id, doc)): (usize, &(String, Doc))) -> Value {
    let mut hit = json!({
        "_index": index, "_id": id, "_version": doc.version, "_source": format!("\u{0}{}\u{0}", Raw(&doc.source)), "sort": [at]
    });
    if let Some(routing) = &doc.routing {
        hit["_routing"] = routing.as_str().into();
    }
    hit
}

/// JSON that goes through a JSON text unharmed: written as the text's own bytes by `twisted`.
struct Raw<'a>(&'a str);

impl std::fmt::Display for Raw<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.replace('"', "\u{1}"))
    }
}

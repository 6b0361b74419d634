//! The search index of Confluence: in a real OpenSearch, and as Lucene's own files.

use std::{
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

use crate::{
    mariadb,
    support::{
        Place,
        mariadb::{Server, USER},
        search::{self, Search},
    },
};

const CFG: &str = "site/home/confluence.cfg.xml";

const CONTENT: &str = "confluence-content_200";
const JOURNAL: &str = "confluence-journal-state_200";
/// An older making that no alias points to.
const LEFT_OVER: &str = "confluence-content_100";
/// Somebody else's.
const OTHER: &str = "other-content_1";

/// Confluence's indices have the same names everywhere, so these tests go one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The engine as Confluence has filled it.
fn filled() -> &'static Search {
    let engine = search::shared();
    remove(engine);
    for (index, count, aliases) in [
        (
            CONTENT,
            300,
            json!({ "confluence-content": {}, "confluence-pages": { "filter": { "term": { "kind": "page" } } } }),
        ),
        (LEFT_OVER, 3, json!({})),
        (JOURNAL, 1, json!({ "confluence-journal-state": {} })),
        (OTHER, 2, json!({})),
    ] {
        let fields = json!({ "kind": { "type": "keyword" }, "text": { "type": "text" } });
        let settings = json!({ "index": { "number_of_shards": "2", "number_of_replicas": "0" } });
        let made = json!({ "settings": settings, "mappings": { "properties": fields }, "aliases": aliases });
        engine.ask("PUT", &format!("/{index}"), &made);
        let source = |number: usize| json!({ "kind": if number.is_multiple_of(3) { "page" } else { "blog" }, "text": "ü".repeat(number) });
        let documents: Vec<_> = (0..count).map(|number| (format!("{index}-{number}"), None, source(number))).collect();
        engine.bulk(index, &documents);
        engine.bulk(index, &documents[..1]);
    }
    engine
}

fn remove(engine: &Search) {
    for index in [CONTENT, JOURNAL, LEFT_OVER, OTHER] {
        if !engine.indices(index).is_empty() {
            engine.ask("DELETE", &format!("/{index}"), &Value::Null);
        }
    }
}

/// A site whose search index is there, and what restores it into `restored`; `rest` are more lines of its step.
fn site(server: &Server, platform: &str, rest: &str) -> Place {
    let place = mariadb::site(server, USER);
    let cfg = fs::read_to_string(place.join(CFG)).unwrap();
    let property = format!("<property name=\"search.platform\">{platform}</property></properties>");
    place.write(CFG, &cfg.replace("</properties>", &property));
    for (path, content) in [("lock", ""), ("index/segments_7", "segments"), ("journal/main_index", "7")] {
        place.write(&format!("site/home/{path}"), content);
    }
    for (file, root, access, database) in
        [("strongroom.toml", "site", "read", "wiki"), ("target.toml", "restored", "write", "restored")]
    {
        let grants = mariadb::grants(root, access, &server.url(USER, database));
        place.write(file, &(mariadb::head() + &grants + rest));
        for name in ["home", "install"] {
            fs::create_dir_all(place.join(root).join(name)).unwrap();
        }
    }
    place.accept();
    place
}

/// The grants of an engine; that of a directory for snapshots, too, where one is to be made.
fn grants(engine: &Search, by_snapshot: bool) -> String {
    let url = format!("http://127.0.0.1:{}", engine.port);
    let http = format!(
        "[step.wiki.grant.http.opensearch]\nurl = \"{url}\"\nmethods = [\"GET\", \"POST\", \"PUT\", \"DELETE\"]\n"
    );
    let path = engine.repositories().display().to_string();
    let dirs = format!("[step.wiki.grant.dirs.snapshots]\npath = {path:?}\naccess = \"write\"\n");
    if by_snapshot { http + &dirs } else { http }
}

/// Whatever an index holds and is.
fn all_of(engine: &Search, index: &str) -> Value {
    json!([engine.documents(index), engine.definition(index)])
}

fn indices_come_back(by_snapshot: bool) {
    let (_alone, engine, server) = (alone(), filled(), Server::start());
    let kept = [CONTENT, JOURNAL];
    let was = kept.map(|index| all_of(engine, index));
    let place = site(&server, "opensearch", &grants(engine, by_snapshot));
    place.run(&["backup"]).exits(0);
    let record = place.record();
    assert_eq!(record["state"], "complete", "{record:#}");
    let text = record.to_string();
    assert!(text.contains(LEFT_OVER) && !text.contains(OTHER), "{record:#}");
    place.run(&["verify"]).exits(0);
    let refused = place.run(&["-c", "target.toml", "restore", "latest"]);
    assert_ne!(refused.code, 0, "what is there was written over: {refused}");
    assert_eq!(all_of(engine, CONTENT), was[0]);
    for index in [CONTENT, JOURNAL, LEFT_OVER] {
        engine.ask("DELETE", &format!("/{index}"), &Value::Null);
    }
    place.run(&["-c", "target.toml", "restore", "latest"]).exits(0);
    for (index, was) in kept.iter().zip(was) {
        let now = all_of(engine, index);
        assert!(now == was, "{index} came back as another one: {:#} instead of {:#}", now[1], was[1]);
    }
    let pages = engine.ask("GET", "/confluence-pages/_count", &Value::Null);
    assert_eq!(pages["count"], 100, "the alias has lost its filter");
    assert_eq!(engine.indices("content_100"), [""; 0], "what no alias points to does not come back");
    assert_eq!(engine.indices(OTHER), [OTHER]);
    remove(engine);
}

#[test]
fn all_indices_of_confluence_come_back_with_their_aliases_from_documents() {
    indices_come_back(false);
}

#[test]
fn all_indices_of_confluence_come_back_with_their_aliases_from_a_snapshot() {
    indices_come_back(true);
}

#[test]
fn copies_that_lucene_has_made_come_back_and_the_index_in_use_does_not() {
    let server = Server::start();
    let place = site(&server, "lucene", "");
    let copy = "home/index-snapshots/IndexSnapshot_main_index_7.zip";
    place.write(&format!("site/{copy}"), "a copy");
    place.run(&["backup"]).exits(0);
    assert_eq!(place.record()["state"], "complete");
    place.run(&["verify"]).exits(0);
    place.run(&["-c", "target.toml", "restore", "latest"]).exits(0);
    assert_eq!(fs::read_to_string(place.join("restored").join(copy)).unwrap(), "a copy");
    assert!(!place.join("restored/home/index").exists(), "the index is made anew from its copy");
}

/// In a container nobody sees every process, and then nothing is copied that may be in use.
#[test]
fn files_of_lucene_come_back_with_their_journal_where_it_is_proven_that_nobody_uses_them() {
    let server = Server::start();
    let place = site(&server, "lucene", "[step.wiki.config]\nsearch-index = \"files\"\n");
    let done = place.run(&["backup"]);
    if done.code != 0 {
        assert!(place.sets().is_empty(), "{done}");
        done.says("index-in-use").says("cannot be told here");
        return;
    }
    place.run(&["-c", "target.toml", "restore", "latest"]).exits(0);
    for (path, content) in [("index/segments_7", "segments"), ("journal/main_index", "7")] {
        assert_eq!(fs::read_to_string(place.join("restored/home").join(path)).unwrap(), content);
    }
}

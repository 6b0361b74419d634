//! The engine's own snapshots: whole or not at all, and nothing of them is left on the engine, whatever becomes of the run.

use std::{
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{RESTORE, assert_same, filled, pipeline, target, write_target};
use crate::support::{
    Done, Place,
    search::{self, Search},
    wait_for,
    web_proxy::{Fault, WebProxy},
};

const STATE: &str = "^GET /_snapshot/[^/]+/snapshot$";

/// They look at all repositories of the engine, so one goes after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds the directory of the engine's snapshots to a pipeline file.
fn grant(place: &Place, name: &str, engine: &Search) {
    let text = fs::read_to_string(place.join(name)).unwrap();
    let path = engine.repositories().display().to_string();
    let grant = format!("\n[step.audit.grant.dirs.snapshots]\npath = {path:?}\naccess = \"write\"\n");
    place.write(name, &(text + &grant));
}

/// A place whose `strongroom.toml` has the engine behind that port make a snapshot of that index.
fn place(engine: &Search, index: &str, port: u16) -> Place {
    let place = Place::new();
    pipeline(&place, "strongroom", port, &format!("indices = [\"{index}\"]\nway = \"snapshot\""));
    grant(&place, "strongroom.toml", engine);
    place.accept();
    place
}

fn restore(place: &Place, engine: &Search, index: &str, target: &str) -> Done {
    write_target(place, engine.port, index, target);
    grant(place, "target.toml", engine);
    place.run(&RESTORE)
}

fn assert_nothing_is_left(engine: &Search) {
    assert_eq!(engine.ask("GET", "/_snapshot", &Value::Null), json!({}));
    let files: Vec<_> = fs::read_dir(engine.repositories()).unwrap().collect();
    assert!(files.is_empty(), "{files:?}");
}

#[test]
fn an_engines_snapshot_comes_back_document_by_document_and_is_gone_from_the_engine() {
    let (engine, _alone) = (search::shared(), alone());
    let (index, target) = (filled(engine), target());
    let place = place(engine, &index, engine.port);
    place.run(&["backup"]).exits(0);
    assert_eq!(place.record()["state"], "complete", "{:#}", place.record());
    assert_nothing_is_left(engine);
    place.run(&["verify"]).exits(0);
    restore(&place, engine, &index, &target).exits(0);
    assert_same(engine, &index, &target);
    assert_eq!(engine.indices(&target), [target]);
    assert_nothing_is_left(engine);
}

#[test]
fn a_snapshot_that_is_not_whole_is_no_success_whatever_it_is_called() {
    let (engine, _alone) = (search::shared(), alone());
    let index = filled(engine);
    let lies: [(&str, Value); 5] = [
        ("state", json!("PARTIAL")),
        ("state", json!("FAILED")),
        ("failures", json!([{ "shard_id": 0, "reason": "told so" }])),
        ("shards", json!({ "total": 2, "failed": 1, "successful": 1 })),
        ("indices", json!([])),
    ];
    for (member, value) in lies {
        let proxy = WebProxy::start(engine.port);
        let place = place(engine, &index, proxy.port);
        let lie = value.clone();
        let change = Fault::change(move |answer| answer["snapshots"][0][member] = lie.clone());
        proxy.plan(STATE, 0, usize::MAX, change);
        let done = place.run(&["backup"]).never_says("panicked");
        assert!(proxy.fired() > 0 && done.code != 0, "{member} {value}: {done}");
        assert!(place.sets().is_empty() || place.record()["state"] != "complete", "{member} {value}: {done}");
        done.says("not whole");
        assert_nothing_is_left(engine);
    }
}

#[test]
fn what_a_killed_run_has_left_on_the_engine_is_removed_by_recover() {
    let (engine, _alone) = (search::shared(), alone());
    let index = filled(engine);
    let proxy = WebProxy::start(engine.port);
    let place = place(engine, &index, proxy.port);
    proxy.plan(STATE, 0, usize::MAX, Fault::Delay(Duration::from_secs(3600)));
    let going = place.start(&["backup"]);
    wait_for("the snapshot is being made", || proxy.fired() > 0);
    going.signal(Signal::KILL);
    going.finish();
    assert_ne!(engine.ask("GET", "/_snapshot", &Value::Null), json!({}), "there was nothing to remove");
    place.run(&["recover"]).exits(0).says("released");
    assert_nothing_is_left(engine);
}

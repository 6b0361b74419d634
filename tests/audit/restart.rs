//! A node that is killed and started again while it is read: what it held for the reader is gone, and that is told.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{assert_same, filled, place, restore, target};
use crate::support::{
    search::Search,
    web_proxy::{Fault, WebProxy},
};

#[test]
fn a_node_that_is_killed_and_started_again_during_a_read_leaves_no_short_index() {
    let engine = Arc::new(Search::alone());
    let (index, target) = (filled(&engine), target());
    let was = engine.documents(&index);
    let proxy = WebProxy::start(engine.port);
    let place = place(&index, proxy.port);
    let (node, again) = (engine.clone(), AtomicBool::new(false));
    let restart = Fault::meanwhile(move || {
        if !again.swap(true, Ordering::SeqCst) {
            node.restart();
        }
    });
    proxy.plan(r"^POST /_search\?", 3, 1, restart);
    let done = place.run(&["backup"]).never_says("panicked");
    assert_eq!(proxy.fired(), 1, "{done}");
    assert_ne!(done.code, 0, "{done}");
    assert!(place.sets().is_empty() || place.record()["state"] != "complete", "{done}");
    assert!(engine.documents(&index) == was, "the engine has lost documents itself");
    // The next one knows nothing of it.
    place.run(&["backup"]).exits(0);
    restore(&place, &engine, &index, &target).exits(0);
    assert_same(&engine, &index, &target);
}

//! Guests that ask services for too much or for something else, and holds that never end. The services are stand-ins that
//! take connections and say nothing.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use super::{KEEP, bad_beside_good, ends, fails_alone, limits, pipeline};
use crate::support::{Place, postgres};

/// Takes connections, keeps them open, and says nothing.
struct Silent {
    address: String,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Silent {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let connections: Arc<Mutex<Vec<_>>> = Arc::default();
        let kept = connections.clone();
        // It ends with the tests' process.
        std::thread::spawn(move || {
            listener.incoming().map_while(Result::ok).for_each(|one| kept.lock().unwrap().push(one))
        });
        Self { address, connections }
    }

    fn connections(&self) -> usize {
        self.connections.lock().unwrap().len()
    }

    fn grants(&self) -> String {
        format!(
            "[step.product.grant.http.http-service]\nurl = \"http://{0}\"\npaths = [\"/granted\"]\n\n\
             [step.product.grant.tcp.tcp-service]\nendpoints = [\"{0}\"]\n",
            self.address
        )
    }
}

/// A part in which the guest sees for itself that everything is refused.
#[track_caller]
fn all_refused(what: &str, words: &[&str]) {
    let (place, silent) = (Place::new(), Silent::new());
    let acts = format!("[{{ do = \"hostile\", what = \"{what}\" }}, {}", &KEEP[1..]);
    bad_beside_good(&place, &acts, &silent.grants());
    let done = place.run(&["backup", "-v"]).exits(0);
    for words in words {
        let _ = done.clone().says(&format!("every {words} was refused"));
    }
    assert_eq!(silent.connections(), 0, "something was sent:\n{done}");
}

#[test]
fn no_header_is_more_than_a_header_or_one_of_the_hosts_own() {
    all_refused("headers", &["header", "value of a header"]);
}

#[test]
fn no_path_or_method_leaves_what_is_granted() {
    all_refused("urls", &["path of a request", "method"]);
}

#[test]
fn only_the_granted_endpoint_is_connected_to() {
    all_refused("endpoints", &["endpoint"]);
}

#[test]
fn requests_and_connections_count_as_open_streams() {
    for what in ["requests", "connections"] {
        let (place, silent) = (Place::new(), Silent::new());
        let rest = format!("{}\n{}", silent.grants().replace("/granted", "/"), limits("open-streams = 30"));
        bad_beside_good(&place, &format!("[{{ do = \"hostile\", what = \"{what}\" }}]"), &rest);
        fails_alone(&place, &["limits.open-streams", "open-streams = 60", "(limit)"]);
        assert!(silent.connections() <= 30, "{what}: {} connections", silent.connections());
    }
}

#[test]
fn a_guest_cannot_use_up_the_connections_of_a_database() {
    let (place, database) = (Place::new(), postgres::database());
    let grant = format!("[step.product.grant.sql.sql-wiki]\nurl = \"{}\"\n", database.url(postgres::ROLE));
    bad_beside_good(&place, r#"[{ do = "hostile", what = "transactions" }]"#, &grant);
    fails_alone(&place, &["8 transactions are the most", "(limit)"]);
}

#[test]
fn holds_are_few_named_and_bounded() {
    let place = Place::new();
    let acts = format!("[{{ do = \"hostile\", what = \"odd-holds\" }}, {}", &KEEP[1..]);
    bad_beside_good(&place, &acts, "");
    let done = place.run(&["backup", "-v"]).exits(0);
    for what in ["name of a hold", "too large data of a hold", "time of a hold", "hold that stands already"] {
        let _ = done.clone().says(&format!("every {what} was refused"));
    }
    ends("holds", "", &["64", "(limit)"]);
}

#[test]
fn a_hold_that_never_ends_is_ended_at_its_deadline_with_the_part_that_took_it() {
    ends("held-for-ever", "", &["kept"]);
}

#[test]
fn a_release_that_breaks_leaves_its_hold_and_the_run_is_not_complete() {
    let place = Place::new();
    let script = format!(
        "\"backup.good\" = [{{ do = \"hold-take\", name = \"mode\", data = \"\" }}, {}\n\"release.mode\" = [{{ do = \"hostile\", what = \"panic\" }}]",
        &KEEP[1..]
    );
    place.write("strongroom.toml", &pipeline(&["good files"], &script, ""));
    place.accept();
    place.run(&["backup"]).exits(3).says("hold-not-released").says("as scripted");
    assert_eq!(
        fs::read_dir(place.join("state/holds"))
            .unwrap()
            .filter(|entry| { entry.as_ref().unwrap().path().extension().is_some_and(|ending| ending == "json") })
            .count(),
        1
    );
    place.run(&["recover"]).exits(1).says("mode");
    place.run(&["recover", "--list"]).exits(0).says("mode");
    place.assert_left_nothing();
}

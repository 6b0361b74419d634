//! The consumer that deletes blobs is paused while a snapshot is made, and goes on whatever becomes of the run.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use rustix::process::Signal;

use crate::support::{Place, pipeline, wait_for};

const STOP: &str = "PUT /nuxeo/api/v1/management/stream/consumer/stop?consumer=blob/gc HTTP/1.1";
const START: &str = "PUT /nuxeo/api/v1/management/stream/consumer/start?consumer=blob/gc HTTP/1.1";

const STEP: &str = r#"
[step.dam]
plugin = "nuxeo"

[step.dam.grant.dirs.home]
path = "$DIR/home-of-nuxeo"
access = "read"

[step.dam.grant.tools.mongodump]
argv = ["$DIR/mongodump"]
env = { PATH = "/usr/bin:/bin" }

[step.dam.grant.http.management]
url = "http://127.0.0.1:$PORT"
methods = ["PUT"]
paths = ["/nuxeo/api/v1/management/stream/consumer"]
"#;

/// Says yes to every request, and remembers its first line. Runs as long as the process.
struct Management {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Management {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (port, asked) = (listener.local_addr().unwrap().port(), Arc::default());
        let remembered: Arc<Mutex<Vec<String>>> = Arc::clone(&asked);
        std::thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let mut lines = BufReader::new(&client).lines().map_while(Result::ok);
                let Some(first) = lines.next() else { continue };
                let _ = lines.find(String::is_empty);
                remembered.lock().unwrap().push(first);
                let _ = client.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// An instance on MongoDB, whose dump waits for the file `go`.
fn place(management: &Management) -> Place {
    let place = Place::new();
    place.write("home-of-nuxeo/bin/nuxeo.conf", "nuxeo.templates=mongodb\nnuxeo.mongodb.server=mongodb://127.0.0.1\n");
    place.write("home-of-nuxeo/nxserver/data/binaries/data/5d/41/5d41402abc4b2a76b9719d911017c592", "hello");
    // What an archive of mongodump begins with.
    place.script(
        "mongodump",
        r"printf '\155\342\231\201'; : >$DIR/dumping; while ! test -e $DIR/go; do sleep 0.05; done",
    );
    let step = STEP.replace("$PORT", &management.port.to_string());
    place.write("strongroom.toml", &(pipeline::head("dam", "state = \"$DIR/state\"") + &step));
    place.accept();
    place
}

#[test]
fn blobs_are_kept_while_a_snapshot_is_made() {
    let management = Management::start();
    let place = place(&management);
    let going = place.start(&["backup"]);
    wait_for("the dump has begun", || place.join("dumping").exists());
    assert_eq!(management.asked(), [STOP]);
    fs::write(place.join("go"), "").unwrap();
    let done = going.finish().never_says("gc-not-paused");
    assert_eq!(management.asked(), [STOP, START], "{done}");
}

#[test]
fn after_a_kill_recover_lets_blobs_go_again() {
    let management = Management::start();
    let place = place(&management);
    let going = place.start(&["backup"]);
    wait_for("the dump has begun", || place.join("dumping").exists());
    going.signal(Signal::KILL);
    going.finish();
    assert_eq!(management.asked(), [STOP]);
    place.run(&["recover", "--list"]).exits(0).says("blob-gc");
    place.run(&["recover"]).exits(0).says("released blob-gc");
    assert_eq!(management.asked(), [STOP, START]);
    fs::write(place.join("go"), "").unwrap();
}

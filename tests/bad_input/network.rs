//! Services over TCP that are real, silent, or cut off; files that somebody else has open.

use std::{
    fs,
    io::Write,
    net::{TcpListener, TcpStream},
    thread::JoinHandle,
};

use crate::support::{
    Place, postgres,
    scripted::{bad_beside_good, fails_alone, pipeline},
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A message of PostgreSQL's protocol (its documentation, "Message Formats"): a kind, if it has one, a length that
/// counts itself, a body.
fn message(kind: &str, body: &[u8]) -> String {
    let length = u32::try_from(body.len() + 4).unwrap();
    hex(&[kind.as_bytes(), &length.to_be_bytes(), body].concat())
}

fn broker(endpoint: &str, more: &str) -> String {
    format!("[step.product.grant.tcp.tcp-broker]\nendpoints = [\"{endpoint}\"]\n{more}\n")
}

#[test]
fn the_frames_of_a_real_server_are_stored_without_passing_through_the_plugin() {
    let database = postgres::database();
    let place = Place::new();
    let user = format!("user\0{}\0database\0{}\0\0", postgres::ROLE, database.name);
    let start = message("", &[&196_608_u32.to_be_bytes()[..], user.as_bytes()].concat());
    let query = message("Q", b"select repeat('r', 300000) from generate_series(1, 2)\0");
    let endpoint = format!("127.0.0.1:{}", database.port);
    let acts = format!(
        "[{{ do = \"frames\", tcp = \"tcp-broker\", endpoint = \"{endpoint}\", keep = \"D\", path = \"rows\", turns = [\
         {{ say = \"{start}\", until = \"Z\" }}, {{ say = \"{query}\", until = \"Z\" }}] }},\
         {{ do = \"receipt\", subject = \"rows\", expected = 2, actual = 2 }}]"
    );
    let script = format!("\"backup.rows\" = {acts}");
    place.write("strongroom.toml", &pipeline(&["rows records"], &script, &broker(&endpoint, "")));
    place.accept();
    place.run(&["backup"]).exits(0);
    let row = [&[0, 1, 0, 4, 0x93, 0xe0][..], &b"r".repeat(300_000)].concat();
    let stored = crate::support::strongroom::unzip(&place.set(), "product/rows/rows/*");
    assert!(stored == row.repeat(2), "{} bytes were stored", stored.len());
    place.run(&["verify"]).exits(0);
}

/// A peer that does this to the first who connects, and its endpoint.
fn peer(behave: impl FnOnce(TcpStream) + Send + 'static) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = listener.local_addr().unwrap().to_string();
    (endpoint, std::thread::spawn(move || behave(listener.accept().unwrap().0)))
}

fn hear(endpoint: &str) -> String {
    format!("[{{ do = \"hear\", tcp = \"tcp-broker\", endpoint = \"{endpoint}\", say = \"hello\" }}]")
}

#[test]
fn a_service_that_says_nothing_fails_the_part_by_the_grants_idle_limit() {
    let (over, wait) = std::sync::mpsc::channel::<()>();
    let (endpoint, peer) = peer(move |stream| {
        // Until the other end of the channel is gone.
        let _ = wait.recv();
        drop(stream);
    });
    let place = Place::new();
    bad_beside_good(&place, &hear(&endpoint), &broker(&endpoint, "idle = \"200ms\""));
    fails_alone(&place, &["no byte moved for 200ms (idle)", &endpoint, "(timeout)"]);
    drop(over);
    peer.join().unwrap();
}

#[test]
fn a_service_that_is_cut_off_in_a_frame_stores_nothing_of_it() {
    let (endpoint, peer) = peer(|mut stream| stream.write_all(b"D\0\x04\0\0half").unwrap());
    let place = Place::new();
    let acts = format!(
        "[{{ do = \"frames\", tcp = \"tcp-broker\", endpoint = \"{endpoint}\", keep = \"D\", path = \"rows\", turns = [\
         {{ say = \"\", until = \"Z\" }}] }}]"
    );
    bad_beside_good(&place, &acts, &broker(&endpoint, ""));
    fails_alone(&place, &["(corrupt)"]);
    peer.join().unwrap();
}

#[test]
fn an_endpoint_that_is_not_granted_is_denied_with_the_line_that_would_grant_it() {
    let place = Place::new();
    bad_beside_good(&place, &hear("kafka-1:9092"), &broker("kafka-0:9092", ""));
    fails_alone(
        &place,
        &[
            "wants to connect to kafka-1:9092",
            "[step.product.grant.tcp.tcp-broker]",
            "endpoints = [\"kafka-0:9092\", \"kafka-1:9092\"]",
            "(denied)",
        ],
    );
}

#[test]
fn what_another_process_has_open_is_in_use() {
    let place = Place::new();
    fs::create_dir(place.join("source")).unwrap();
    fs::write(place.join("source/database"), "rows").unwrap();
    let held = fs::File::open(place.join("source/database")).unwrap();
    let name = fs::read_to_string("/proc/self/comm").unwrap();
    let by = format!("pid {} {}", std::process::id(), name.trim());
    let acts = format!(
        "[{{ do = \"in-use\", dir = \"dir-source\", file = \"database\", by = \"{by}\" }}, {{ do = \"in-use\", dir = \"dir-source\", file = \"\", by = \"{by}\" }}, {{ do = \"put\", path = \"a\", text = \"a\" }}, {{ do = \"receipt\", subject = \"files\", expected = 1, actual = 1 }}]"
    );
    let rest = "[step.product.grant.dirs.dir-source]\npath = \"$DIR/source\"\naccess = \"read\"\n";
    bad_beside_good(&place, &acts, rest);
    place.run(&["backup"]).exits(0);
    drop(held);
    fails_alone(&place, &["not Some(\"pid"]);
}

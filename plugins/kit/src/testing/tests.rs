//! The scripted host keeps the contract's promises, so that a test that passes means something.

use std::io::{Read, Write};

use super::*;
use crate::{
    ErrorCode, InputStream, Instant, InstantKind, Meta, Tool, TreeOptions, archive, context,
    dirs::{self, Usage},
    snapshot, sql,
    streams::{self, Rows},
    tcp,
};

fn stream(text: &str) -> InputStream {
    streams::from_bytes(text.as_bytes()).unwrap()
}

#[test]
fn what_is_not_granted_is_denied() {
    let _host = Host::new();
    let codes = [
        dirs::get("home").err().unwrap().code,
        sql::get("database").err().unwrap().code,
        Tool::new("dump").spawn().err().unwrap().code,
        crate::http::get("search").err().unwrap().code,
        crate::secrets::reveal("key").unwrap_err().code,
    ];
    assert_eq!(codes, [ErrorCode::Denied; 5]);
}

#[test]
fn a_live_service_is_a_real_one() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        let mut heard = [0; 3];
        peer.read_exact(&mut heard).unwrap();
        heard.reverse();
        peer.write_all(&heard).unwrap();
    });
    let _host = Host::new().live_service("broker", &endpoint);
    let (mut input, mut output) = tcp::get("broker").unwrap().connect(&endpoint).unwrap();
    output.write_all(b"abc").unwrap();
    let mut said = String::new();
    input.read_to_string(&mut said).unwrap();
    assert_eq!(said, "cba");
    server.join().unwrap();
    let gone = tcp::get("broker").unwrap().connect(&endpoint).err().unwrap();
    assert_eq!(gone.code, ErrorCode::Unavailable);
}

#[test]
fn a_directory_cannot_be_left_and_not_be_written_when_it_is_granted_to_read() {
    let _host = Host::new().files("home", &[("a.txt", "one")]);
    let home = dirs::get("home").unwrap();
    assert_eq!(home.stat("../x").unwrap_err().code, ErrorCode::Denied);
    assert_eq!(home.stat("/etc").unwrap_err().code, ErrorCode::Denied);
    assert_eq!(home.write_bytes("b.txt", b"two", None).unwrap_err().code, ErrorCode::Denied);
    assert!(!home.exists("b.txt").unwrap());
}

#[test]
fn a_listing_longer_than_a_page_comes_whole() {
    let names: Vec<_> = (0..250).map(|n| format!("{n:03}")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    let _host = Host::new().files("home", &files);
    let listed: crate::Result<Vec<_>> = dirs::get("home").unwrap().entries("").map(|entry| Ok(entry?.name)).collect();
    assert_eq!(listed.unwrap(), names);
}

#[test]
fn a_part_of_a_stream_must_be_read_or_dropped_before_the_rest() {
    let _host = Host::new();
    let whole = stream("headbodytail");
    assert_eq!(whole.peek(4).unwrap(), b"head");
    let head = whole.take_first(4).unwrap();
    assert_eq!(whole.read_chunk(1).unwrap_err().code, ErrorCode::Invalid);
    assert_eq!(head.text(10).unwrap(), "head");
    drop(whole.take_first(4).unwrap());
    assert_eq!(whole.text(10).unwrap(), "tail");
}

#[test]
fn a_part_longer_than_its_stream_is_corrupt() {
    let _host = Host::new();
    let error = stream("short").take_first(9).unwrap().bytes(100).unwrap_err();
    assert_eq!(error.code, ErrorCode::Corrupt);
}

#[test]
fn both_halves_of_a_tee_bring_the_same() {
    let _host = Host::new();
    let (mut left, right) = streams::tee(stream("the dump")).unwrap();
    let mut first = [0; 3];
    left.read_exact(&mut first).unwrap();
    assert_eq!(right.text(100).unwrap(), "the dump");
    assert_eq!(left.text(100).unwrap(), " dump");
}

#[test]
fn waiting_for_ones_own_pipe_is_invalid_instead_of_for_ever() {
    let _host = Host::new();
    let (mut output, input) = streams::pipe().unwrap();
    output.write_all(b"half").unwrap();
    assert_eq!(input.read_chunk(10).unwrap(), b"half");
    assert_eq!(input.read_chunk(10).unwrap_err().code, ErrorCode::Invalid);
    drop(output);
    assert_eq!(input.read_chunk(10).unwrap_err().code, ErrorCode::Io);
}

#[test]
fn content_that_is_submitted_is_stored_even_when_nobody_waits() {
    let host = Host::new();
    let (mut output, input) = streams::pipe().unwrap();
    let pending = snapshot::submit("a.txt", input, &Meta::default()).unwrap();
    output.write_all(b"late").unwrap();
    output.finish().unwrap();
    drop(pending);
    assert_eq!(host.stored("a.txt").as_deref(), Some("late".as_bytes()));
}

#[test]
fn a_path_cannot_be_stored_twice() {
    let _host = Host::new();
    snapshot::put_bytes("a.txt", b"one").unwrap();
    assert_eq!(snapshot::put_bytes("a.txt", b"two").unwrap_err().code, ErrorCode::Exists);
}

#[test]
fn a_tool_that_fails_ends_its_output_in_an_error_and_nothing_is_stored() {
    let run = ToolRun { stdout: b"half a dump".to_vec(), code: 1, stderr: "connection lost".into() };
    let host = Host::new().tool_with("dump", move |_| run.clone());
    let dump = Tool::new("dump").spawn().unwrap();
    let error = snapshot::put("dump", dump.stdout().unwrap(), &Meta::default()).unwrap_err();
    assert!(error.message.contains("connection lost"));
    assert_eq!(host.stored("dump"), None);
    assert!(dump.wait().unwrap_err().message.contains("status 1"));
}

#[test]
fn a_tool_reads_what_it_is_fed() {
    let host = Host::new().tool_with("restore", |call| ToolRun { stdout: call.stdin.clone(), ..ToolRun::default() });
    let restore = Tool::new("restore").stdin(stream("rows")).spawn().unwrap();
    assert_eq!(restore.stdout().unwrap().text(100).unwrap(), "rows");
    assert_eq!(host.tool_calls()[0].stdin, b"rows");
}

#[test]
fn expected_rows_go_from_the_query_into_the_list_unseen() {
    let host = Host::new().rows("database", "FROM attachment", &[&[Some("a"), None, Some("files/a")]]);
    let view = sql::get("database").unwrap().begin().unwrap();
    let rows = view.query("select x from attachment", &[]).unwrap();
    snapshot::expect_rows("attachments", crate::Evidence::SameView, &rows).unwrap();
    assert_eq!(host.expected("attachments").as_deref(), Some("[\"a\",null,\"files/a\"]\n"));
    assert_eq!(host.statements().len(), 1);
}

#[test]
fn rows_that_are_no_rows_are_corrupt() {
    let _host = Host::new();
    assert_eq!(Rows::new(stream("{}\n")).next().unwrap().unwrap_err().code, ErrorCode::Corrupt);
}

#[test]
fn an_instant_is_fixed_once_and_settles() {
    let host = Host::new();
    let instant = Instant {
        not_before: at(1),
        not_after: at(2),
        kind: InstantKind::Start,
        clock: "database".into(),
        ahead_of_host_ms: 0,
        attributes: Vec::new(),
    };
    snapshot::fix_instant(&instant).unwrap();
    assert!(host.has_settled());
    assert_eq!(host.fixed_instant(), Some(instant.clone()));
    assert_eq!(snapshot::fix_instant(&instant).unwrap_err().code, ErrorCode::Invalid);
}

#[test]
fn a_tree_keeps_to_its_patterns_and_comes_back() {
    let files = &[("keep/a.txt", "one"), ("keep/b.tmp", "two"), ("index/c.txt", "three")];
    let host = Host::new().files("home", files);
    let options = TreeOptions::default().including(["/keep"]).excluding(["*.tmp"]);
    let report = snapshot::put_tree("home", &dirs::get("home").unwrap(), &options).unwrap();
    assert_eq!((report.files, report.directories), (1, 1));
    assert_eq!(host.stored_paths(), ["home/keep", "home/keep/a.txt"]);

    let host = host.stored_as_archive("all").target("back", &[]);
    let back = dirs::get("back").unwrap();
    archive::restore_tree("all", "home", &back, &TreeOptions::default()).unwrap();
    assert_eq!(host.file("back", "keep/a.txt").as_deref(), Some("one"));
}

#[test]
fn notes_checkpoints_and_state_are_kept() {
    let host = Host::new().note("rows", "7").kept("token", "t1");
    context::checkpoint(b"halfway").unwrap();
    context::set_state("token", b"t2").unwrap();
    context::set_note("rows", "8").unwrap();
    assert_eq!(context::last_checkpoint().as_deref(), Some("halfway".as_bytes()));
    assert_eq!(host.kept_value("token").as_deref(), Some("t2".as_bytes()));
    assert_eq!(context::note("rows").unwrap().as_deref(), Some("8"));
}

#[test]
fn an_error_keeps_its_code_on_its_way_through_io() {
    let error: std::io::Error = crate::Error::denied("no").retryable().into();
    let back = crate::Error::from(error);
    assert_eq!((back.code, back.retryable), (ErrorCode::Denied, true));
}

#[test]
fn a_service_answers_as_scripted_and_remembers_what_was_asked() {
    let host = Host::new().answer("search", "GET", "/wiki/_count", 200, r#"{"count":7}"#).answer(
        "search",
        "GET",
        "/",
        404,
        "no such index",
    );
    let search = crate::http::get("search").unwrap();
    let count = search.request("GET", "/wiki/_count").query("q", "a b").header("Accept", "x/y").send().unwrap();
    assert_eq!(count.json::<std::collections::BTreeMap<String, u64>>(100).unwrap()["count"], 7);
    let missing = search.get("/other").unwrap().error_for_status().err().unwrap();
    assert_eq!(missing.code, ErrorCode::NotFound);
    assert_eq!(missing.message, "GET /other: the server answered 404: no such index");
    assert_eq!(search.request("PUT", "/x").json(&3).unwrap().send().err().unwrap().code, ErrorCode::Invalid);
    let asked = host.requests();
    assert_eq!((&asked[0].path[..], &asked[0].headers[0].1[..]), ("/wiki/_count?q=a%20b", "x/y"));
    assert_eq!((&asked[2].method[..], &asked[2].body[..]), ("PUT", &b"3"[..]));
}

#[test]
fn a_service_answers_what_it_hears_frame_by_frame() {
    let echo = |heard: &mut Vec<u8>| {
        // One frame at a time, and nothing where none is whole yet.
        let length = heard.first().map_or(usize::MAX, |length| 1 + usize::from(*length));
        if heard.len() < length { Vec::new() } else { heard.drain(..length).collect() }
    };
    let host = Host::new().service("broker", "broker-0:9092", echo);
    let (input, mut output) = tcp::get("broker").unwrap().connect("BROKER-0:9092").unwrap();
    output.write_all(b"\x03abc\x02de").unwrap();
    assert_eq!(input.peek(1).unwrap(), [3]);
    input.skip(1).unwrap();
    snapshot::put("frame", input.take_first(3).unwrap(), &Meta::default()).unwrap();
    assert_eq!(host.stored("frame").as_deref(), Some(&b"abc"[..]));
    assert_eq!(input.read_chunk(10).unwrap(), b"\x02de");
    drop(output);
    assert_eq!(input.read_chunk(10).unwrap_err().code, ErrorCode::Io);
}

#[test]
fn only_scripted_endpoints_are_connected_to() {
    let _host = Host::new().service("broker", "broker-0:9092", |_| Vec::new());
    assert_eq!(tcp::get("other").err().unwrap().code, ErrorCode::Denied);
    let broker = tcp::get("broker").unwrap();
    assert_eq!(broker.connect("broker-1:9092").err().unwrap().code, ErrorCode::Denied);
    assert_eq!(broker.connect("broker-0:9092").unwrap().0.read_chunk(1).unwrap(), b"");
}

#[test]
fn what_is_in_use_is_what_the_script_says() {
    let host = Host::new().files("home", &[("database/h2.mv.db", "")]);
    let host = host.in_use("home", "database", Usage::Free);
    let home = dirs::get("home").unwrap();
    assert_eq!(home.in_use("database").unwrap(), Usage::Free);
    assert_eq!(home.open_dir("database").unwrap().in_use("").unwrap(), Usage::Free);
    assert_eq!(home.in_use("").unwrap(), Usage::Unknown);
    // The innermost word counts.
    let _host = host.in_use("home", "", Usage::Used("pid 1 java".into()));
    assert_eq!(home.in_use("").unwrap(), Usage::Used("pid 1 java".into()));
    assert_eq!(home.in_use("database/h2.mv.db").unwrap(), Usage::Free);
    assert_eq!(home.in_use("other").unwrap_err().code, ErrorCode::NotFound);
}

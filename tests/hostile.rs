//! Guests that do what no plugin should. Each is ended and named with the line that would allow more; what stands beside
//! it is kept, and nothing of it is.

use crate::support::{
    Place,
    scripted::{KEEP, bad_beside_good, fails_alone, pipeline},
    tree::Tree,
};

mod components;
mod exports;
mod floods;
mod lies;
mod links;
mod services;
mod waits;

/// A part that does one hostile thing, beside one that does its work; the words of its end.
#[track_caller]
fn ends(what: &str, rest: &str, words: &[&str]) {
    let place = Place::new();
    Tree::at(place.join("source"));
    bad_beside_good(&place, &format!("[{{ do = \"hostile\", what = \"{what}\" }}]"), rest);
    fails_alone(&place, words);
}

fn limits(line: &str) -> String {
    format!("[step.product.limits]\n{line}\n")
}

const SOURCE: &str = "[step.product.grant.dirs.dir-source]\npath = \"$DIR/source\"\naccess = \"read\"\n";

#[test]
fn a_guest_that_panics_is_named_with_its_last_words() {
    ends("panic", "", &["the plugin broke", "as scripted"]);
}

#[test]
fn a_guest_that_loops_is_ended_by_its_compute_limit() {
    ends("loop", &limits("compute = \"200ms\""), &["limits.compute", "[step.product.limits] compute = \"400ms\""]);
}

#[test]
fn a_guest_that_recurses_without_end_breaks_and_nobody_else_does() {
    ends("recurse", "", &["the plugin broke"]);
}

#[test]
fn a_guest_that_hoards_memory_is_ended_by_its_memory_limit() {
    ends("hoard", &limits("memory = \"8 MiB\""), &["limits.memory", "[step.product.limits] memory = \"16.0 MiB\""]);
}

#[test]
fn a_guest_that_hoards_handles_is_ended() {
    let rest = format!("{SOURCE}\n{}", limits("handles = 100"));
    ends("handles", &rest, &["limits.handles", "[step.product.limits] handles = 200"]);
}

#[test]
fn a_guest_that_hoards_streams_is_refused() {
    ends("streams", &limits("open-streams = 50"), &["limits.open-streams", "open-streams = 100"]);
}

#[test]
fn a_guest_that_never_returns_from_a_host_call_is_ended_by_the_parts_time() {
    ends("sleep", &limits("part-time = \"500ms\""), &["limits.part-time", "[step.product.limits] part-time = \"1s\""]);
}

#[test]
fn a_guest_that_stores_outside_its_part_is_refused() {
    ends("fake-part", "", &["../other/file", "leads out of its directory", "(denied)"]);
}

#[test]
fn an_error_that_is_too_large_never_reaches_the_host() {
    let rest = limits("memory = \"512 MiB\"");
    ends("big-message", &rest, &["limits.hostcall-fuel", "[step.product.limits] hostcall-fuel = \"16.0 MiB\""]);
}

#[test]
fn a_stream_that_was_left_unfinished_is_not_stored() {
    ends("drop-unfinished", "", &["before finishing"]);
}

#[test]
fn a_flood_of_log_lines_is_cut_and_one_line_says_so() {
    let place = Place::new();
    let acts = r#"[{ do = "hostile", what = "log-flood" }, { do = "put", path = "a", text = "a" }, { do = "receipt", subject = "files", expected = 1, actual = 1 }]"#;
    bad_beside_good(&place, acts, &limits("log-bytes = \"10 KiB\""));
    let done = place.run(&["backup", "-vv", "--log-file", "run.log"]).exits(0).says("log-bytes = 20480");
    let log = std::fs::read_to_string(place.join("run.log")).unwrap();
    for printed in [&log, &format!("{}{}", done.out, done.err)] {
        assert_eq!(printed.matches("further lines dropped").count(), 1, "{printed}");
        assert!(printed.matches("xxxxxxxxxx").count() < 2000, "{} bytes were let through", printed.len());
    }
}

#[test]
fn a_guest_that_would_wait_for_itself_is_told_so_and_goes_on() {
    let place = Place::new();
    let must = |what: &str| {
        format!("{{ do = \"must\", code = \"invalid\", act = {{ do = \"hostile\", what = \"{what}\" }} }}")
    };
    let acts: Vec<_> = ["read-own-pipe", "fill-own-pipe", "read-parent-of-part"].map(must).into();
    let keep = KEEP.trim_start_matches('[');
    bad_beside_good(&place, &format!("[{}, {keep}", acts.join(", ")), "");
    let done = place.run(&["backup", "-vv"]).exits(0);
    assert_eq!(
        done.err.matches("refused as it must be").count() + done.out.matches("refused as it must be").count(),
        3,
        "{done}"
    );
    place.assert_left_nothing();
}

#[test]
fn a_guest_that_waits_for_what_only_it_could_feed_is_told_so_and_fails() {
    for what in ["put-own-pipe", "wait-for-own-pipe", "wait-for-held-half"] {
        let place = Place::new();
        let acts = format!(
            "[{{ do = \"must\", code = \"invalid\", act = {{ do = \"hostile\", what = \"{what}\" }} }}, {{ do = \"fail\", message = \"told so\" }}]"
        );
        bad_beside_good(&place, &acts, "");
        fails_alone(&place, &["told so"]);
    }
}

#[test]
fn what_was_not_granted_is_denied_by_name_with_the_lines_that_would_grant_it() {
    for (capability, name, line) in [
        ("dirs", "dir-home", "path ="),
        ("sql", "sql-wiki", "url ="),
        ("tcp", "tcp-broker", "endpoints ="),
        ("tools", "tool-dump", "argv ="),
        ("secrets", "secret-key", "file ="),
    ] {
        let place = Place::new();
        let acts = format!("[{{ do = \"get\", capability = \"{capability}\", name = \"{name}\" }}]");
        bad_beside_good(&place, &acts, "");
        let grant = match capability {
            "secrets" => "[step.product.grant.secrets".to_owned(),
            _ => format!("[step.product.grant.{capability}.{name}]"),
        };
        fails_alone(&place, &["plugin \"scripted\"", capability, &format!("{name:?}"), &grant, line, "(denied)"]);
    }
}

#[test]
fn a_grant_to_read_does_not_let_a_guest_write() {
    let place = Place::new();
    Tree::at(place.join("source")).file("a", "a");
    bad_beside_good(&place, r#"[{ do = "write-file", dir = "dir-source", file = "b", text = "b" }]"#, SOURCE);
    fails_alone(&place, &["(denied)"]);
    assert!(!place.join("source/b").exists());
}

#[test]
fn what_a_plugin_does_not_announce_stays_out_of_its_reach_although_it_is_granted() {
    let place = Place::new();
    Tree::at(place.join("etc")).file("a", "a");
    let granted = "[step.product.grant.dirs.etc]\npath = \"$DIR/etc\"\naccess = \"read\"\n";
    bad_beside_good(&place, r#"[{ do = "get", capability = "dirs", name = "etc" }]"#, granted);
    fails_alone(&place, &["\"etc\"", "does not announce", "(denied)"]);
}

#[test]
fn paths_and_links_that_leave_a_grant_are_denied() {
    let place = Place::new();
    Tree::at(place.join("outside")).file("secret", "outside-content");
    let outside = place.join("outside");
    Tree::at(place.join("source"))
        .file("inside/a", "a")
        .link("absolute", &outside)
        .link("relative", "../outside")
        .link("file", "../outside/secret")
        .link("good", "inside");
    let absolute = format!("{}/secret", outside.display());
    let open = |file: &str, code: &str| {
        format!(
            "{{ do = \"must\", code = \"{code}\", act = {{ do = \"put-file\", path = \"x\", dir = \"dir-source\", file = \"{file}\" }} }},"
        )
    };
    let acts: String = [
        open("absolute/secret", "denied"),
        open("relative/secret", "denied"),
        open("file", "denied"),
        open("../outside/secret", "denied"),
        open(&absolute, "denied"),
        open("inside/../../outside/secret", "denied"),
    ]
    .concat();
    let tree =
        r#"{ do = "put-tree", path = "tree", dir = "dir-source" }, { do = "tree-receipt", subject = "entries" }"#;
    bad_beside_good(
        &place,
        &format!("[{acts} {{ do = \"put-file\", path = \"good\", dir = \"dir-source\", file = \"good/a\" }}, {tree}]"),
        SOURCE,
    );
    place.run(&["backup"]).exits(0);
    let all = crate::support::strongroom::unzip(&place.set(), "product/*");
    assert!(!String::from_utf8_lossy(&all).contains("outside-content"), "a link that leads out was followed");
}

#[test]
fn a_grant_whose_directory_is_not_there_is_named() {
    let place = Place::new();
    bad_beside_good(&place, r#"[{ do = "put-tree", path = "", dir = "dir-source" }]"#, SOURCE);
    let source = place.join("source").display().to_string();
    fails_alone(&place, &[&source]);
}

#[test]
fn a_secret_that_a_guest_tells_is_masked_wherever_it_is_told() {
    let place = Place::new();
    let secret = "correct-horse-battery-staple";
    place.write("key", &format!("{secret}\n"));
    let acts = r#"[{ do = "reveal", secret = "secret-key" }, { do = "put", path = "a", text = "a" }, { do = "receipt", subject = "files", expected = 1, actual = 1 }]"#;
    bad_beside_good(&place, acts, "[step.product.grant.secrets]\nsecret-key = { file = \"$DIR/key\" }\n");
    let plain = place.run(&["backup", "-vv", "--log-file", "run.log"]).exits(0).says("the secret is [secret]");
    let json = place.run(&["backup", "--json", "--log-file", "run.jsonl"]).exits(0).says("the secret is [secret]");
    let plan = place.run(&["plan", "--json"]).exits(0);
    assert_eq!(place.record()["steps"][0]["revealed"]["secret-key"], 1);
    place.assert_hides(secret, &[&plain, &json, &plan]);
}

#[test]
fn a_secret_that_a_guest_tells_in_every_way_is_masked_in_each() {
    let place = Place::new();
    // With what must be escaped where it is quoted.
    let secret = "correct-horse\"battery\\staple";
    place.write("key", &format!("{secret}\n"));
    let acts = r#"[{ do = "put", path = "a", text = "a" }, { do = "tell", secret = "secret-key" }]"#;
    let script = format!("\"backup.good\" = {acts}");
    let rest = "[step.product.grant.secrets]\nsecret-key = { file = \"$DIR/key\" }\n";
    place.write("strongroom.toml", &pipeline(&["good database"], &script, rest));
    place.accept();
    let plain = place.run(&["backup", "-vv", "--log-file", "run.log"]).exits(0).says("it is [secret]");
    let json = place.run(&["backup", "--json", "-vv", "--log-file", "run.jsonl"]).exits(0).says("it is [secret]");
    let record = place.record();
    let part = &record["steps"][0]["parts"][0];
    for told in ["summary", "facts", "findings", "receipts", "instant", "notes", "expected"] {
        let kept = [&part[told], &record["steps"][0][told], &record[told]].map(ToString::to_string).concat();
        assert!(kept.contains("[secret]"), "{told} is not kept, or not masked: {record:#}");
    }
    for piece in [secret, "battery", "horse\\\"battery"] {
        place.assert_hides(piece, &[&plain, &json]);
    }
}

#[test]
fn a_secret_in_an_error_or_in_last_words_is_masked() {
    let place = Place::new();
    let secret = "correct-horse-battery-staple";
    place.write("key", &format!("{secret}\n"));
    for what in ["fail-with-secret", "panic-with-secret", "leave-secret-unfinished"] {
        let rest = "[step.product.grant.secrets]\nsecret-key = { file = \"$DIR/key\" }\n";
        bad_beside_good(&place, &format!("[{{ do = \"hostile\", what = \"{what}\" }}]"), rest);
        let done = fails_alone(&place, &["[secret]"]);
        place.assert_hides(secret, &[&done]);
    }
}

#[test]
fn a_secret_is_never_revealed_to_an_inspection() {
    let place = Place::new();
    place.write("key", "correct-horse-battery-staple\n");
    let script = "\"inspect.\" = [{ do = \"reveal\", secret = \"secret-key\" }]";
    let rest = "[step.product.grant.secrets]\nsecret-key = { file = \"$DIR/key\" }\n";
    place.write("strongroom.toml", &pipeline(&["good files"], script, rest));
    place.accept();
    let done = place.run(&["plan"]).exits(1).says("inspect");
    place.assert_hides("correct-horse-battery-staple", &[&done]);
}

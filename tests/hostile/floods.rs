//! Guests that take more and more: each meets a limit with a name, and what the host holds for it is within its own.

use super::{SOURCE, bad_beside_good, ends, fails_alone, limits};
use crate::support::{Place, strongroom::Done, tree::Tree};

/// What the program itself takes up, compiled plugins and threads included.
const HOST_MIB: u64 = 90;

/// A guest that must fail for a reason that holds these words, with files to work on; what the host took up.
#[track_caller]
fn floods(what: &str, rest: &str, words: &[&str]) -> Done {
    let place = Place::new();
    Tree::at(place.join("source")).file("a", "a").file("inside/b", "b").file("large", vec![b'z'; 5 << 20]);
    place.script("endless.sh", "exec sleep 1000");
    let tool = "[step.product.grant.tools.tool-endless]\nargv = [\"$DIR/endless.sh\"]\n";
    let acts = format!("[{{ do = \"hostile\", what = \"{what}\" }}]");
    bad_beside_good(&place, &acts, &format!("{SOURCE}\n{tool}\n{rest}"));
    fails_alone(&place, words)
}

#[test]
fn bytes_that_the_host_holds_for_a_guest_count_as_its_memory() {
    for what in ["held-bytes", "peeks", "pipes", "tees"] {
        let done = floods(what, &limits("memory = \"32 MiB\""), &["limits.memory", "memory = \"64.0 MiB\"", "(limit)"]);
        assert!(done.peak_mib < HOST_MIB + 36, "{what}: {} MiB\n{done}", done.peak_mib);
    }
}

#[test]
fn a_guest_that_hoards_memory_takes_no_more_than_its_limit() {
    let done = floods("hoard", &limits("memory = \"100 MiB\""), &["limits.memory"]);
    assert!(done.peak_mib < HOST_MIB + 110, "{} MiB\n{done}", done.peak_mib);
}

#[test]
fn open_files_and_directories_are_counted_together_with_streams() {
    for what in ["open-files", "open-dirs"] {
        floods(what, &limits("open-streams = 60"), &["limits.open-streams", "open-streams = 120", "(limit)"]);
    }
}

#[test]
fn a_thousand_open_files_do_no_harm_to_the_parts_beside() {
    floods("open-files", "", &["1024 streams and directories", "(limit)"]);
}

#[test]
fn a_guest_cannot_fill_the_machine_with_tools() {
    floods("tools", "", &["32 tools are the most", "(limit)"]);
}

#[test]
fn notes_values_and_lists_of_a_run_are_bounded() {
    let done = floods("notes", "", &["at most 1000 notes of 4194304 bytes", "(limit)"]);
    assert!(done.peak_mib < HOST_MIB + 80, "{} MiB", done.peak_mib);
    floods("values", "", &["at most 1000 values of 33554432 bytes", "(limit)"]);
    floods("lists", "", &["at most 1000 lists", "(limit)"]);
}

#[test]
fn a_million_fields_never_reach_the_host() {
    floods("log-fields", &limits("memory = \"256 MiB\""), &["limits.hostcall-fuel"]);
}

#[test]
fn streams_nested_without_end_are_refused_before_a_read_could_overflow() {
    for what in ["nested-concat", "nested-tee", "nested-take", "doubled"] {
        ends(what, "", &["nested more than 32 deep", "(limit)"]);
    }
}

#[test]
fn patterns_that_would_be_a_huge_automaton_are_refused() {
    let done = floods("patterns", "", &["pattern"]);
    assert!(done.peak_mib < 400, "{} MiB", done.peak_mib);
}

#[test]
fn a_flood_of_progress_is_thinned_out() {
    let place = Place::new();
    let acts = r#"[{ do = "hostile", what = "progress-flood" }, { do = "put", path = "a", text = "a" }, { do = "receipt", subject = "files", expected = 1, actual = 1 }]"#;
    bad_beside_good(&place, acts, "");
    let done = place.run(&["backup", "--json"]).exits(0);
    assert!(done.out.len() < 200_000, "{} bytes were printed", done.out.len());
}

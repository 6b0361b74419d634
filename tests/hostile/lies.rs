//! Guests whose names, sizes, parameters, lists and receipts are not what they should be.

use super::{SOURCE, bad_beside_good, ends, fails_alone, pipeline};
use crate::support::{Place, postgres, scripted::KEEP, strongroom::unzip, tree::Tree};

#[test]
fn no_odd_path_is_stored() {
    let place = Place::new();
    bad_beside_good(&place, &format!("[{{ do = \"hostile\", what = \"odd-paths\" }}, {}", &KEEP[1..]), "");
    place.run(&["backup", "-v"]).exits(0).says("every path was refused");
    ends("long-path", "", &["(invalid)"]);
}

#[test]
fn a_path_is_stored_once_and_is_no_directory_besides() {
    for (what, words) in
        [("put-twice", "stored before in this pass"), ("file-as-directory", "is no directory in this snapshot")]
    {
        let place = Place::new();
        bad_beside_good(&place, &format!("[{{ do = \"hostile\", what = \"{what}\" }}]"), "");
        place.run(&["backup"]).exits(3).says(words);
        assert_eq!(unzip(&place.set(), "product/bad/*"), b"first");
        place.run(&["verify", "--any-state"]).exits(0);
    }
}

#[test]
fn attributes_that_no_entry_can_hold_are_refused() {
    ends("big-attributes", "", &["attributes"]);
}

#[test]
fn sizes_are_what_there_is_and_what_one_call_may_bring() {
    let place = Place::new();
    bad_beside_good(&place, r#"[{ do = "hostile", what = "greedy-sizes" }]"#, "");
    fails_alone(&place, &["(corrupt)"]);
    place.run(&["backup", "-v"]).exits(3).says("sizes [1048576, 3145728, 3145728, 65536]");
}

#[test]
fn an_output_is_taken_once_and_an_instant_fixed_in_its_stage() {
    let tool = "[step.product.grant.tools.tool-endless]\nargv = [\"/usr/bin/yes\"]\n";
    ends("stdout-twice", tool, &["(invalid)"]);
    ends("late-instant", "", &["stage database", "(unsupported)"]);
}

#[test]
fn a_parameter_never_becomes_another_argument_an_option_or_a_path_elsewhere() {
    let place = Place::new();
    Tree::at(place.join("source"));
    let tool = r#"[step.product.grant.tools.tool-echo]
argv = ["/usr/bin/printf", "%s", "{number:number}", "{identifier:identifier}", "{word:word}", "{path:path:dir-source}"]
"#;
    let acts = format!("[{{ do = \"hostile\", what = \"parameters\" }}, {}", &KEEP[1..]);
    bad_beside_good(&place, &acts, &format!("{SOURCE}\n{tool}"));
    let done = place.run(&["backup", "-v"]).exits(0);
    for what in ["number", "identifier", "word", "path", "parameter that nobody asked for"] {
        let _ = done.clone().says(&format!("every {what} was refused"));
    }
}

#[test]
fn a_statement_is_a_question_and_a_parameter_a_value() {
    let (place, database) = (Place::new(), postgres::database());
    database.sql("create table kept (id int); insert into kept values (7)");
    let grant = format!("[step.product.grant.sql.sql-wiki]\nurl = \"{}\"\n", database.url(postgres::ROLE));
    let acts = format!("[{{ do = \"hostile\", what = \"statements\" }}, {}", &KEEP[1..]);
    bad_beside_good(&place, &acts, &grant);
    place.run(&["backup", "-v"]).exits(0).says("every statement was refused");
    assert_eq!(database.sql("select count(*), sum(id) from kept"), "1|7");
}

#[test]
fn a_list_that_cannot_be_read_fails_its_part() {
    ends("bad-list", "", &["list"]);
}

#[test]
fn receipts_that_would_overflow_a_sum_do_not() {
    let place = Place::new();
    let most = i64::MAX;
    let receipt =
        |subject: &str| format!("{{ do = \"receipt\", subject = \"{subject}\", expected = {most}, actual = {most} }},");
    let acts = format!("[{}{}{}{}", receipt("one"), receipt("two"), receipt("three"), &KEEP[1..]);
    bad_beside_good(&place, &acts, "");
    place.run(&["backup"]).exits(0).says("5 receipts hold");
    place.run(&["verify"]).exits(0);
    assert_eq!(place.record()["steps"][0]["parts"][0]["receipts"][0]["actual"], most);
}

#[test]
fn what_a_guest_says_cannot_steer_a_terminal() {
    let place = Place::new();
    let acts = "[{ do = \"log\", message = \"\\u001b[2Jgone\\u202eback\" }, { do = \"finding\", severity = \"warning\", code = \"odd\", subject = \"\\u001b]0;title\\u0007\", message = \"\\r\\u001b[31mred\" }, ";
    bad_beside_good(&place, &format!("{acts}{}", &KEEP[1..]), "");
    let done = place.run(&["backup", "-v"]).exits(0).says("gone").says("red");
    for odd in ['\u{1b}', '\u{202e}', '\u{7}', '\r'] {
        assert!(!done.out.contains(odd) && !done.err.contains(odd), "{odd:?} reached the terminal:\n{done:?}");
    }
}

/// Parts whose names no plan takes.
#[test]
fn parts_with_names_that_lead_elsewhere_are_empty_or_come_twice_are_refused() {
    let long = "x".repeat(10_000);
    for (parts, words) in [
        (vec!["../x files"], "../x"),
        (vec!["a/b files"], "a/b"),
        (vec![" files"], "name"),
        (vec![". files"], "name"),
        (vec!["one files", "one files"], "one"),
        (vec![&*format!("{long} files")], "name"),
    ] {
        let place = Place::new();
        place.write("strongroom.toml", &pipeline(&parts, "", ""));
        place.accept();
        for verb in ["plan", "backup"] {
            place.run(&[verb]).exits(1).says(words);
        }
        assert!(place.sets().is_empty());
        place.assert_left_nothing();
    }
}

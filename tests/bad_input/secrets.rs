//! Where secrets must not be seen: command lines, messages, files that stay.

use std::{fs, process::Command};

use crate::support::{
    Place,
    scripted::{bad_beside_good, fails_alone},
    wait_for,
};

const SECRET: &str = "correct-horse-battery-staple";

const GRANT: &str = r#"
[step.product.grant.tools.tool-dump]
argv = ["$DIR/dump.sh", "plain-argument"]
env = { PASSWORD = { secret = { file = "$DIR/key" } }, PASSFILE = { secret-file = { file = "$DIR/key" } } }
"#;

const SUBMIT: &str = r#"[
  { do = "submit-tool", path = "dump", tool = "tool-dump" },
  { do = "receipt", subject = "rows", expected = 1, actual = 1 },
]"#;

/// Whether any process of the machine shows it in its command line.
fn shown_by_a_process() -> bool {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.into_iter().any(|line| line.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()))
}

#[test]
fn a_tools_secret_is_in_no_command_line_and_its_file_does_not_stay() {
    let place = Place::new();
    place.write("key", &format!("{SECRET}\n"));
    assert!(Command::new("mkfifo").arg(place.join("gate")).status().unwrap().success());
    // It fails unless it gets the secret both ways, in a file that only its owner may read.
    place.script(
        "dump.sh",
        "[ \"$PASSWORD\" = \"$(cat \"$PASSFILE\")\" ] || exit 7\n[ \"$(stat -c %a \"$PASSFILE\")\" = 600 ] || exit 8\n\
         : > \"$DIR/running\"; read line < \"$DIR/gate\"; echo dumped",
    );
    bad_beside_good(&place, SUBMIT, GRANT);
    let going = place.start(&["backup", "-vv", "--log-file", "run.log"]);
    wait_for("the tool runs", || place.join("running").exists());
    assert!(place.processes().iter().any(|process| process.contains("plain-argument")), "{:?}", place.processes());
    assert!(!shown_by_a_process());
    fs::write(place.join("gate"), "go\n").unwrap();
    let done = going.finish().exits(0);
    place.assert_hides(SECRET, &[&done]);
    place.assert_left_nothing();
}

#[test]
fn what_a_failing_tool_says_of_its_secret_is_masked() {
    let place = Place::new();
    place.write("key", &format!("{SECRET}\n"));
    place.script("dump.sh", "echo \"cannot log in with $PASSWORD\" >&2; exit 1");
    bad_beside_good(&place, SUBMIT, GRANT);
    let done = fails_alone(&place, &["cannot log in with [secret]"]);
    place.assert_hides(SECRET, &[&done]);
}

#[test]
fn a_secret_file_that_is_not_there_is_named() {
    let place = Place::new();
    place.script("dump.sh", "echo never");
    bad_beside_good(&place, SUBMIT, GRANT);
    fails_alone(&place, &[&place.join("key").display().to_string()]);
}

#[test]
fn a_file_that_is_no_secret_is_named_and_not_quoted() {
    for content in [[SECRET.as_bytes(), b"\xff\xfe"].concat(), SECRET.repeat(4000).into_bytes()] {
        let place = Place::new();
        fs::write(place.join("key"), content).unwrap();
        place.script("dump.sh", "echo never");
        bad_beside_good(&place, SUBMIT, GRANT);
        let done = fails_alone(&place, &[&place.join("key").display().to_string()]);
        place.assert_hides(SECRET, &[&done]);
    }
}

#[test]
fn a_secret_that_is_written_literally_is_an_error_that_does_not_repeat_it() {
    let place = Place::new();
    for grant in [
        format!("[step.a.grant.sql.database]\nurl = \"postgresql://me@localhost/db\"\npassword = \"{SECRET}\"\n"),
        format!("[step.a.grant.sql.database]\nurl = \"postgresql://me:{SECRET}@localhost/db\"\n"),
        format!("[step.a.grant.secrets]\nkey = \"{SECRET}\"\n"),
    ] {
        let head = "[pipeline]\nname = \"t\"\n\n[repository.r]\nurl = \"r\"\nformat = \"zip\"\n\n[step.a]\nplugin = \"files\"\n\n";
        place.write("strongroom.toml", &format!("{head}{grant}"));
        for arguments in [&["config", "validate"][..], &["config", "validate", "--json"], &["plan"]] {
            let done = crate::support::Going::start(place.bare_command(arguments)).finish().exits(1);
            place.assert_hides(SECRET, &[&done]);
        }
    }
}

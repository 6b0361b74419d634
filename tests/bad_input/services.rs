//! Native tools that are absent, fail, hang, are killed or stop reading; databases that refuse or die.

use std::{fs, process::Command};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{
    Place, postgres,
    scripted::{bad_beside_good, fails_alone},
    wait_until_some,
};

/// Stores what the tool prints, and would prove it.
const SUBMIT: &str = r#"[
  { do = "submit-tool", path = "dump", tool = "tool-dump" },
  { do = "receipt", subject = "rows", expected = 1, actual = 1 },
]"#;

/// Stores what the tool prints while another one reads it too.
const CHECKED: &str = r#"[
  { do = "put-tool-checked", path = "dump", tool = "tool-dump", checker = "tool-read" },
  { do = "receipt", subject = "rows", expected = 1, actual = 1 },
]"#;

fn tool(name: &str, more: &str) -> String {
    format!("[step.product.grant.tools.tool-{name}]\nargv = [\"$DIR/{name}.sh\"]\n{more}\n")
}

fn fifo(place: &Place, name: &str) {
    assert!(Command::new("mkfifo").arg(place.join(name)).status().unwrap().success());
}

#[test]
fn a_tool_that_is_not_there_is_named() {
    let place = Place::new();
    bad_beside_good(&place, SUBMIT, &tool("dump", ""));
    let path = place.join("dump.sh").display().to_string();
    fails_alone(&place, &[&path, "install it", "grant.tools.tool-dump"]);
}

#[test]
fn a_tool_that_may_not_be_run_is_named() {
    let place = Place::new();
    place.write("dump.sh", "#!/bin/sh\necho never\n");
    bad_beside_good(&place, SUBMIT, &tool("dump", ""));
    fails_alone(&place, &["dump.sh", "make it executable"]);
}

#[test]
fn a_tool_that_fails_after_five_megabytes_leaves_none_of_them() {
    for acts in [SUBMIT, CHECKED] {
        let place = Place::new();
        place.script("dump.sh", "head -c 5000000 /dev/urandom; echo 'the table is corrupt' >&2; exit 1");
        place.script("read.sh", "exec cat >/dev/null");
        bad_beside_good(&place, acts, &format!("{}\n{}", tool("dump", ""), tool("read", "")));
        fails_alone(&place, &["dump.sh", "1", "the table is corrupt"]);
    }
}

#[test]
fn a_tool_that_hangs_is_ended_by_the_no_progress_limit() {
    let place = Place::new();
    fifo(&place, "never");
    place.script("dump.sh", "echo first; read line < \"$DIR/never\"");
    let rest = format!("{}\n[step.product.limits]\nno-progress = \"500ms\"\n", tool("dump", ""));
    bad_beside_good(&place, SUBMIT, &rest);
    fails_alone(&place, &["no-progress"]);
}

#[test]
fn a_tool_that_hangs_is_ended_by_the_parts_time() {
    let place = Place::new();
    fifo(&place, "never");
    place.script("dump.sh", "echo first; read line < \"$DIR/never\"");
    let rest = format!("{}\n[step.product.limits]\npart-time = \"1s\"\n", tool("dump", ""));
    bad_beside_good(&place, SUBMIT, &rest);
    fails_alone(&place, &["part-time"]);
}

#[test]
fn a_tool_that_lingers_after_its_output_is_ended_by_its_grants_timeout() {
    let place = Place::new();
    fifo(&place, "never");
    place.script("dump.sh", "echo all of it; exec >&-; read line < \"$DIR/never\"");
    bad_beside_good(&place, SUBMIT, &tool("dump", "timeout = \"300ms\""));
    fails_alone(&place, &["dump.sh"]);
}

#[test]
fn a_tool_that_somebody_kills_is_a_failed_tool() {
    let place = Place::new();
    fifo(&place, "never");
    place.script(
        "dump.sh",
        "echo first; echo $$ > \"$DIR/pid.new\"; mv \"$DIR/pid.new\" \"$DIR/pid\"; read line < \"$DIR/never\"",
    );
    bad_beside_good(&place, SUBMIT, &tool("dump", ""));
    let going = place.start(&["backup"]);
    let pid = wait_until_some("the tool says its pid", || fs::read_to_string(place.join("pid")).ok());
    kill_process(Pid::from_raw(pid.trim().parse().unwrap()).unwrap(), Signal::KILL).unwrap();
    going.finish().exits(3).says("dump.sh").says("signal");
    assert_eq!(place.record()["totals"]["entries"], 1);
    place.assert_left_nothing();
}

#[test]
fn a_checker_that_stops_reading_is_judged_by_its_exit_code() {
    for (end, code) in [("exit 0", 0), ("echo 'it is cut off' >&2; exit 1", 3)] {
        let place = Place::new();
        place.script("dump.sh", "head -c 5000000 /dev/zero");
        place.script("read.sh", &format!("head -c 100 >/dev/null; {end}"));
        bad_beside_good(&place, CHECKED, &format!("{}\n{}", tool("dump", ""), tool("read", "")));
        let done = place.run(&["backup"]).exits(code);
        if code != 0 {
            let _ = done.says("read.sh").says("it is cut off");
        }
        place.assert_left_nothing();
    }
}

fn sql(url: &str, more: &str) -> String {
    format!("[step.product.grant.sql.sql-wiki]\nurl = \"{url}\"\n{more}\n")
}

#[test]
fn a_database_that_refuses_the_password_says_whom_and_not_the_password() {
    let database = postgres::database();
    let role = format!("r_{}", database.name);
    database.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD 'right'"));
    let place = Place::new();
    let secret = "wrong-password-of-this-test";
    place.write("password", &format!("{secret}\n"));
    let grants = sql(&database.url(&role), "password = { file = \"$DIR/password\" }");
    bad_beside_good(&place, r#"[{ do = "query", sql = "sql-wiki", statement = "SELECT 1" }]"#, &grants);
    let done = fails_alone(&place, &[&role, "password"]);
    let more = place.run(&["backup", "-vv", "--json", "--log-file", "run.jsonl"]).exits(3);
    place.assert_hides(secret, &[&done, &more]);
}

#[test]
fn a_database_that_is_not_there_is_named() {
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let place = Place::new();
    let grants = sql(&format!("postgresql://wiki@127.0.0.1:{free}/wiki"), "");
    bad_beside_good(&place, r#"[{ do = "query", sql = "sql-wiki", statement = "SELECT 1" }]"#, &grants);
    fails_alone(&place, &[&format!("127.0.0.1:{free}")]);
}

#[test]
fn a_database_that_dies_during_a_query_ends_the_part() {
    let cluster = postgres::Cluster::start();
    let database = cluster.database();
    let place = Place::new();
    let acts = r#"[{ do = "query", sql = "sql-wiki", statement = "SELECT pg_sleep(3600)" }]"#;
    bad_beside_good(&place, acts, &sql(&database.url(postgres::ROLE), ""));
    let going = place.start(&["backup"]);
    let asking =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%' AND pid <> pg_backend_pid()";
    crate::support::wait_for("the query runs", || database.sql(asking) != "0");
    cluster.crash();
    going.finish().exits(3).says("127.0.0.1");
    assert_eq!(place.record()["totals"]["entries"], 1);
    place.assert_left_nothing();
}

#[test]
fn a_database_that_dies_while_it_is_dumped_leaves_no_dump() {
    let cluster = postgres::Cluster::start();
    let database = cluster.database();
    database.sql("CREATE TABLE t AS SELECT g, repeat(md5(g::text), 30) FROM generate_series(1, 40000) g");
    let place = Place::new();
    fifo(&place, "gate");
    // Reads a little, then nothing until it is told to: the dump stands in the middle of its table.
    place.script(
        "read.sh",
        "head -c 100000 >/dev/null; : > \"$DIR/reading\"; read line < \"$DIR/gate\"; exec cat >/dev/null",
    );
    let dump = format!(
        "[step.product.grant.tools.tool-dump]\nargv = [\"{}\", \"-Fc\", \"--compress=0\", \"-h\", \"127.0.0.1\", \
         \"-p\", \"{}\", \"-U\", \"{}\", \"-d\", \"{}\"]\n",
        postgres::program("pg_dump").display(),
        database.port,
        postgres::ROLE,
        database.name
    );
    bad_beside_good(&place, CHECKED, &format!("{dump}\n{}", tool("read", "")));
    let going = place.start(&["backup"]);
    crate::support::wait_for("the dump is being read", || place.join("reading").exists());
    cluster.crash();
    fs::write(place.join("gate"), "go\n").unwrap();
    going.finish().exits(3).says("pg_dump");
    assert_eq!(place.record()["totals"]["entries"], 1);
    place.assert_left_nothing();
}

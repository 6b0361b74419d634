//! The doctor says line by line how things are, changes nothing, takes no lock and tells no secret.

use std::{fs, os::unix::fs::PermissionsExt};

use super::*;
use crate::support::{pipeline, postgres, wait_for};

const STEP: &str = r#"
[step.site]
plugin = "scripted"

[step.site.config]
parts = [{ name = "store", stage = "files" }]

[step.site.config.script]
"backup.store" = [
  { do = "put", path = "a", text = "a" },
  { do = "receipt", subject = "files", expected = 1, actual = 1 },
]

[step.site.grant.dirs.dir]
path = "$DIR/files"
access = "read"

[step.site.grant.sql.sql]
url = "postgresql://test@127.0.0.1:$PORT/$NAME"

[step.site.grant.http.http]
url = "http://127.0.0.1:$PORT"
bearer = { file = "$DIR/token" }

[step.site.grant.tcp.tcp]
endpoints = ["127.0.0.1:$PORT"]

[step.site.grant.tools.tool]
argv = ["$TOOL", "--host={sql.sql.host}"]
env = { PGPASSWORD = { secret = { file = "$DIR/password" } } }
"#;

/// A place where all is well.
fn site() -> Place {
    let place = Place::new();
    let database = postgres::database();
    let step = STEP.replace("$PORT", &database.port.to_string()).replace("$NAME", &database.name);
    let step = step.replace("$TOOL", postgres::program("pg_dump").to_str().unwrap());
    place.write("strongroom.toml", &(pipeline::head("site", "state = \"$DIR/own-state\"") + &step));
    Tree::at(place.join("files")).file("a.txt", "text");
    for name in ["password", "token"] {
        let secret = place.write(name, "hunter2\n");
        fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).unwrap();
    }
    place.accept();
    place
}

fn doctor(place: &Place) -> Done {
    place.run(&["doctor"]).never_says("hunter2")
}

#[test]
fn where_all_is_well_each_thing_has_a_line_that_says_ok() {
    let place = site();
    let seen = doctor(&place).exits(0);
    for (about, words) in [
        ("site plugin", "is as accepted"),
        ("site/dirs.dir", "can be read"),
        ("site/tools.tool", "pg_dump is of version "),
        ("site/sql.sql ", "answers test: version "),
        ("site/sql.sql clock", "this machine's"),
        ("site/http.http ", "takes connections"),
        ("site/tcp.tcp", "takes connections"),
        ("site/http.http credential", "can be had"),
        ("site/tools.tool PGPASSWORD", "can be had"),
        ("lock", "free"),
        ("repository", "no snapshot yet, room for "),
        ("compiled plugins", "kept in "),
    ] {
        let found =
            seen.out.lines().any(|line| line.contains(about) && line.contains(words) && line.starts_with("ok "));
        assert!(found, "{about}: {words}\n{seen}");
    }
    assert!(seen.out.ends_with("0 problems, 0 warnings\n"), "{seen}");
    assert!(!place.join("repository").exists() && !place.join("own-state").exists(), "it changes nothing");
    let quiet = place.run(&["doctor", "-q"]).exits(0);
    assert_eq!(quiet.out, "0 problems, 0 warnings\n");
    place.run(&["backup"]).exits(0);
    doctor(&place).exits(0).says("the last set has ");
}

#[test]
fn what_keeps_a_backup_from_working_is_a_problem_on_its_line() {
    let place = site();
    let old = place.script("old.sh", "echo 'dump (PostgreSQL) 9.6.24'");
    let text = fs::read_to_string(place.join("strongroom.toml")).unwrap();
    let text = text.replace(postgres::program("pg_dump").to_str().unwrap(), old.to_str().unwrap());
    let text = text + "[step.site.grant.tools.tool-gone]\nargv = [\"/nowhere/tool\"]\n";
    let text = text + "[step.site.grant.dirs.dir-gone]\npath = \"/nowhere/dir\"\naccess = \"read\"\n";
    place.write("strongroom.toml", &(text + "[step.site.grant.secrets]\nsecret = { env = \"NOT_SET\" }\n"));
    fs::set_permissions(place.join("password"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::create_dir_all(place.join("repository")).unwrap();
    place.write("repository/.site-20260101T000000Z-0011223344556677.zip.partial", "");
    place.write("repository/site-20260101T000000Z-0011223344556677.zip", "no zip");
    fs::create_dir_all(place.join("own-state/checkpoints")).unwrap();
    place.write("own-state/checkpoints/backup.site.61", "");
    let holder = r#"{"host":"here","pid":4194305,"started":"2026-01-01T00:00:00Z","operation":"backup"}"#;
    place.write("own-state/lock", holder);
    let seen = place.run(&["doctor", "--json"]).exits(1).json();
    assert!(seen.iter().all(|check| check["message_type"] == "check"));
    for (health, about, words) in [
        ("problem", "site plugin", "dirs.dir-gone /nowhere/dir, read"),
        ("problem", "site/tools.tool", "is of version 9.6.24"),
        ("problem", "site/tools.tool-gone", "/nowhere/tool: No such file"),
        ("problem", "site/dirs.dir-gone", "/nowhere/dir: No such file"),
        ("problem", "site/secrets.secret", "NOT_SET is not set"),
        ("warning", "site/tools.tool PGPASSWORD", "every user"),
        ("warning", "lock", "backup on here, pid 4194305"),
        ("warning", "unfinished work", "a checkpoint of a backup of step site"),
        ("problem", "repository", "unreadable"),
        ("warning", "drafts", ".partial"),
    ] {
        let fits = |check: &Value| {
            check["health"] == health && check["about"] == about && check["message"].as_str().unwrap().contains(words)
        };
        assert!(seen.iter().any(fits), "{health} {about} {words}\n{seen:#?}");
    }
    assert!(place.join("own-state/checkpoints/backup.site.61").exists(), "it changes nothing");
}

#[test]
fn a_server_that_does_not_answer_is_a_problem() {
    let place = site();
    let text = fs::read_to_string(place.join("strongroom.toml")).unwrap();
    place.write("strongroom.toml", &text.replace("test@127.0.0.1", "nobody@127.0.0.1"));
    let seen = place.run(&["doctor"]).exits(1);
    assert!(seen.out.lines().any(|line| line.starts_with("problem") && line.contains("site/sql.sql")), "{seen}");
}

#[test]
fn a_lock_that_is_held_is_looked_at_and_not_touched() {
    let place = site();
    let text = fs::read_to_string(place.join("strongroom.toml")).unwrap();
    let wait = r#"{ do = "wait-file", dir = "dir", file = "gate" },
  { do = "put", path = "a""#;
    place.write("strongroom.toml", &text.replace(r#"{ do = "put", path = "a""#, wait));
    let mut going = place.start(&["backup"]);
    going.wait_for_words("site/store started");
    wait_for("the doctor sees who holds the lock", || {
        let seen = doctor(&place).exits(0);
        seen.out.contains("held by backup on ") && seen.out.contains(&format!("pid {}", going.pid()))
    });
    assert!(!doctor(&place).out.contains("drafts"), "the draft belongs to the run that goes on");
    fs::write(place.join("files/gate"), "").unwrap();
    going.finish().exits(0);
}

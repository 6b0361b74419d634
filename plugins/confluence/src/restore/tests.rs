//! Restores against the scripted host.

use std::os::unix::fs::PermissionsExt;

use strongroom_plugin::{
    Part, Severity, Stage,
    context::Operation,
    testing::{Host, ToolRun, proven},
};

use super::*;
use crate::{backup::note, cfg::Cfg, site::CFG, verify::verify};

const OLD: &str = include_str!("../../fixtures/b-single-pg-85/confluence.cfg.xml");
const PATHS: &str = "{\"home\":\"/old/home\",\"install\":\"/old/install\"}";

fn part(name: &str) -> Part {
    Part::new(name, Stage::Files)
}

fn cfg() -> String {
    OLD.replace("/mnt/big/attachments", "/old/home/attachments")
        .replace("/confluence<", "/confluence?ssl=true&amp;ApplicationName=a%20b<")
}

fn target() -> Host {
    Host::new()
        .operation(Operation::Restore)
        .target("home", &[])
        .display("dirs", "home", "/new/home, write")
        .note(note::PATHS, PATHS)
        .location("database", "db2:5433/wiki2")
        .database_user("database", "wiki_rw")
        .archived("home", CFG, cfg())
        .archived("home", "shared-home/confluence.cfg.xml", cfg())
        .archived("home", "mine/file", "m")
}

#[test]
fn every_copy_of_the_configuration_names_the_target_and_nothing_else_changes() {
    let host = target().secret("database-password", "n&w\n");
    let outcome = restore(&part("home")).unwrap();
    assert!(proven(&outcome.receipts));
    let wanted = cfg()
        .replace("jdbc:postgresql://[2001:db8::5]:5432/confluence?", "jdbc:postgresql://db2:5433/wiki2?")
        .replace("name\">confluence</", "name\">wiki_rw</")
        .replace("plain-fixture", "n&amp;w")
        .replace("/old/home/attachments", "/new/home/attachments");
    for copy in [CFG, "shared-home/confluence.cfg.xml"] {
        assert_eq!(host.file("home", copy).unwrap(), wanted, "{copy}");
        let mode = std::fs::metadata(host.path("home").join(copy)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{copy}");
    }
    assert_eq!(host.file("home", "mine/file").as_deref(), Some("m"));
    let whole = format!("{outcome:?}");
    assert!(whole.contains("hibernate.connection.password") && !whole.contains("n&w"), "{whole}");
}

#[test]
fn without_a_password_the_old_one_stays_and_a_finding_says_so() {
    let host = target();
    let outcome = restore(&part("home")).unwrap();
    assert!(outcome.findings.iter().any(|finding| finding.code == "password-kept"));
    let text = host.file("home", CFG).unwrap();
    assert_eq!(Cfg::parse(text.as_bytes()).unwrap().get("hibernate.connection.password"), Some("plain-fixture"));
}

#[test]
fn a_plain_password_replaces_its_decrypter() {
    let decrypter = "<property name=\"jdbc.password.decrypter.classname\">x.Cipher</property>";
    let text = cfg()
        .replace("<property name=\"hibernate.setup\"", &format!("{decrypter}\n    <property name=\"hibernate.setup\""));
    let host = target().secret("database-password", "new").archived("home", CFG, text);
    restore(&part("home")).unwrap();
    assert!(!host.file("home", CFG).unwrap().contains("decrypter"));
}

#[test]
fn attachments_go_where_the_configuration_says() {
    let host = target().archived("attachments", "v4/5/0/5/5.1", "abc");
    restore(&part("attachments")).unwrap();
    assert_eq!(host.file("home", "attachments/v4/5/0/5/5.1").as_deref(), Some("abc"));
    drop(host);

    let host = target().archived("attachments", "v4/5/0/5/5.1", "abc").target("attachments", &[]);
    let host = host.display("dirs", "attachments", "/new/big, write");
    restore(&part("attachments")).unwrap();
    restore(&part("home")).unwrap();
    assert_eq!(host.file("attachments", "v4/5/0/5/5.1").as_deref(), Some("abc"));
    let text = host.file("home", CFG).unwrap();
    assert_eq!(Cfg::parse(text.as_bytes()).unwrap().get("attachments.dir"), Some("/new/big"));
}

#[test]
fn keys_are_for_their_owner_only() {
    let host = target().archived("secrets", "keys/k", "k").archived("secrets", "secrets-config.yaml", "s");
    restore(&part("secrets")).unwrap();
    for path in ["keys", "keys/k", "secrets-config.yaml"] {
        let mode = std::fs::metadata(host.path("home").join(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{path}");
    }
}

#[test]
fn the_installation_names_the_new_home() {
    let init = "# confluence.home=/sample\nconfluence.home=/old/home\n";
    let script = "CATALINA_OPTS=\"-Dconfluence.home=/old/home -Xmx1g\"\n";
    let host = target().target("install", &[]).archived("install", crate::install::INIT, init).archived(
        "install",
        crate::install::SETENV,
        script,
    );
    let outcome = restore(&part("install")).unwrap();
    assert_eq!(host.file("install", crate::install::INIT).unwrap(), init.replace("/old/home", "/new/home"));
    assert_eq!(host.file("install", crate::install::SETENV).unwrap(), script.replace("/old/home", "/new/home"));
    assert!(outcome.findings.is_empty());
}

const SQL: &str = "-- Data for Name: content; Type: TABLE DATA; Schema: public; Owner: c\nCOPY public.content (id) FROM stdin;\n1\n2\n\\.\n";

fn database(tables: &[&[Option<&str>]], rows: &str) -> Host {
    target()
        .rows("database", "relpersistence", tables)
        .rows("database", "count(*)", &[&[Some("0"), Some(rows)]])
        .archived("database", "database.dump", "PGDMP")
        .note("rows", "{\"content\":2}")
        .tool("read-dump", SQL)
}

#[test]
fn a_dump_is_not_loaded_over_tables() {
    let host = database(&[&[Some("public"), Some("content"), Some("content")]], "2").tool("restore", "");
    let error = restore(&part("database")).unwrap_err();
    assert!(error.message.contains("holds 1 tables"), "{error}");
    assert!(host.tool_calls().is_empty());
    let seen = inspect().unwrap();
    assert!(seen.findings.iter().any(|one| one.code == "target-not-empty" && one.severity == Severity::Blocker));
}

#[test]
fn a_restore_tool_that_fails_fails_the_part_with_its_own_words() {
    let failed = ToolRun { code: 1, stderr: "relation \"x\" does not exist".into(), ..ToolRun::default() };
    let _host = database(&[], "2").tool_with("restore", move |_| failed.clone());
    let error = restore(&part("database")).unwrap_err();
    assert!(error.message.contains("relation \"x\" does not exist"), "{error}");
}

#[test]
fn restored_rows_are_compared_with_those_of_the_dump() {
    let host = database(&[&[Some("public"), Some("content"), Some("content")]], "2")
        .attribute("overwrite", "yes")
        .tool("restore", "");
    let outcome = restore(&part("database")).unwrap();
    assert!(proven(&outcome.receipts));
    assert_eq!(host.tool_calls()[0].stdin, b"PGDMP");
    drop(host);
    let _host = database(&[&[Some("public"), Some("content"), Some("content")]], "1")
        .attribute("overwrite", "yes")
        .tool("restore", "");
    assert!(!proven(&restore(&part("database")).unwrap().receipts));
}

#[test]
fn what_is_in_the_way_of_a_restore_is_said_beforehand() {
    let _host = database(&[], "2")
        .archived("install", "x", "x")
        .archived("external-cipher", "x", "x")
        .dir("external-cipher", "/tmp");
    let seen = inspect().unwrap();
    let codes: Vec<_> = seen.findings.iter().map(|one| (one.code.as_str(), one.subject.as_str())).collect();
    assert!(codes.contains(&("restore-tool", "database")), "{codes:?}");
    assert!(codes.contains(&("target-missing", "install")), "{codes:?}");
    assert!(codes.contains(&("target-read-only", "external-cipher")), "{codes:?}");
    assert!(!codes.iter().any(|(code, subject)| *code == "target-not-empty" && *subject == "home"), "{codes:?}");
    assert!(seen.facts.contains(&("home".into(), "/new/home, was /old/home".into())));
}

#[test]
fn each_part_has_a_place_of_its_own_in_the_home() {
    let codes = |seen: strongroom_plugin::Inspection| -> Vec<String> {
        let occupied = seen.findings.into_iter().filter(|one| one.code == "target-not-empty");
        occupied.map(|one| one.subject).collect()
    };
    let host =
        database(&[], "2").tool("restore", "").archived("attachments", "v4/x", "x").archived("secrets", "keys/k", "k");
    let home = host.path("home");
    assert!(codes(inspect().unwrap()).is_empty());
    std::fs::create_dir_all(home.join("attachments/v4")).unwrap();
    assert_eq!(codes(inspect().unwrap()), ["attachments"]);
    std::fs::create_dir_all(home.join("shared-home/keys")).unwrap();
    assert_eq!(codes(inspect().unwrap()), ["attachments", "secrets"]);
    std::fs::write(home.join("shared-home/confluence.cfg.xml"), "x").unwrap();
    assert_eq!(codes(inspect().unwrap()), ["attachments", "home", "secrets"]);
    std::fs::remove_dir_all(&home).unwrap();
    assert!(codes(inspect().unwrap()).is_empty());
}

#[test]
fn verify_reads_the_dump_to_its_end() {
    let _host = database(&[], "2");
    assert!(proven(&verify(&part("database")).unwrap().receipts));
    let _host = database(&[], "2").tool("read-dump", &SQL.as_bytes()[..SQL.len() - 3]);
    assert!(verify(&part("database")).unwrap_err().message.contains("ends inside the rows of table content"));
    let _host = database(&[], "2").note("rows", "{\"content\":3}");
    assert!(!proven(&verify(&part("database")).unwrap().receipts));
}

#[test]
fn verify_counts_attachments_and_allows_those_that_only_the_pass_ahead_saw() {
    let noted = |count| {
        target().note("entries attachments", count).archived("attachments", "a", "a").archived("attachments", "b", "b")
    };
    for (count, holds) in [("1", true), ("2", true), ("3", false)] {
        let _host = noted(count);
        assert_eq!(proven(&verify(&part("attachments")).unwrap().receipts), holds, "{count}");
    }
}

#[test]
fn verify_misses_a_secret_that_was_required() {
    let host = target().note(note::SECRETS, "keys secured").note("entries secrets", "2");
    let _host = host.archived("secrets", "keys/k", "k").archived("secrets", "shared-home/secured/s", "s");
    assert!(proven(&verify(&part("secrets")).unwrap().receipts));
    let host = target().note(note::SECRETS, "keys secured").note("entries secrets", "1");
    let _host = host.archived("secrets", "keys/k", "k");
    assert!(!proven(&verify(&part("secrets")).unwrap().receipts));
}

#[test]
fn verify_refuses_a_lock_and_a_broken_configuration() {
    let _host = target().note("entries home", "4").archived("home", "lock", "");
    let outcome = verify(&part("home")).unwrap();
    assert!(outcome.findings.iter().any(|finding| finding.code == "lock-stored"));
    let _host = target().archived("home", CFG, "<confluence-configuration>");
    assert!(verify(&part("home")).unwrap_err().message.contains("truncated"));
}

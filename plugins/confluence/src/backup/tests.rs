//! Backups against the scripted host.

use strongroom_plugin::{
    Evidence, Stage,
    testing::{Host, ToolRun, proven},
};

use super::*;
use crate::inspect::setting;

const SQL: &str = "-- Data for Name: content; Type: TABLE DATA; Schema: public; Owner: c\n--\n\nCOPY public.content (contentid) FROM stdin;\n1\n2\n\\.\n\n-- Data for Name: confversion; Type: TABLE DATA; Schema: public; Owner: c\nCOPY public.confversion (buildnumber) FROM stdin;\n9111\n\\.\n";

fn database(rows: &str) -> Host {
    let row = |name| [Some("public"), Some(name), Some(name)];
    Host::new()
        .rows("database", "relpersistence", &[&row("confversion"), &row("content")])
        .rows("database", "max(buildnumber)", &[&[Some("9111")]])
        .rows("database", "count(*)", &[&[Some("0"), Some("1")], &[Some("1"), Some(rows)]])
        .rows("database", "with sizes", &[&[Some("content 5"), Some("3"), Some("attachments/v4/5/0/5/5.1"), None]])
        .tool("dump", "PGDMP dump")
        .tool("read-dump", SQL)
}

fn database_part() -> Part {
    Part::new(part::DATABASE, Stage::Database)
}

#[test]
fn the_dump_is_stored_and_its_rows_are_counted_twice() {
    let host = database("2");
    let outcome = backup(&database_part(), Pass::InStage).unwrap();
    assert!(proven(&outcome.receipts), "{:?}", outcome.receipts);
    assert!(outcome.receipts.iter().any(|receipt| receipt.subject == "rows content" && receipt.actual == 2));
    assert_eq!(host.stored(dump::DUMP).unwrap(), b"PGDMP dump");
    let calls = host.tool_calls();
    let call = |name: &str| calls.iter().find(|call| call.tool == name).unwrap();
    assert_eq!(call("dump").parameter("snapshot"), Some("00000003-00000001-1"));
    assert_eq!(call("read-dump").stdin, b"PGDMP dump");
    assert!(host.has_settled() && host.fixed_instant().is_some());
    assert_eq!(host.evidence("attachments"), Some(Evidence::SameView));
    assert_eq!(host.expected("attachments").unwrap(), "[\"content 5\",\"3\",\"attachments/v4/5/0/5/5.1\",null]\n");
    assert_eq!(host.noted("rows").unwrap(), "{\"confversion\":1,\"content\":2}");
}

#[test]
fn a_dump_with_other_rows_than_the_view_has_receipts_that_differ() {
    let _host = database("3");
    let outcome = backup(&database_part(), Pass::InStage).unwrap();
    let receipt = outcome.receipts.iter().find(|receipt| receipt.subject == "rows content").unwrap();
    assert_eq!((receipt.expected, receipt.actual), (3, 2));
}

#[test]
fn a_tool_that_fails_fails_the_part_with_its_own_words() {
    let failing = |words: &str| ToolRun { stdout: b"PGDMP".to_vec(), code: 1, stderr: words.to_owned() };
    let _host = database("2").tool_with("dump", move |_| failing("server closed the connection"));
    let error = backup(&database_part(), Pass::InStage).unwrap_err();
    assert!(error.message.contains("server closed the connection"), "{error}");
    let _host = database("2").tool_with("read-dump", move |_| failing("unexpected end of file"));
    let error = backup(&database_part(), Pass::InStage).unwrap_err();
    assert!(error.message.contains("unexpected end of file"), "{error}");
}

#[test]
fn sql_that_ends_inside_a_table_fails_the_part() {
    let _host = database("2").tool("read-dump", &SQL.as_bytes()[..SQL.len() - 4]);
    let error = backup(&database_part(), Pass::InStage).unwrap_err();
    assert!(error.message.contains("ends inside the rows of table confversion"), "{error}");
}

const MYSQL: &str = "-- MariaDB dump\nCREATE TABLE `CONTENT` (\nINSERT INTO `CONTENT` VALUES\n(1),\n(2);\nCREATE TABLE `CONFVERSION` (\nINSERT INTO `CONFVERSION` VALUES (9111);\n-- Dump completed\n";

fn mariadb(rows: &str) -> Host {
    let row = |name| [Some(""), Some(name), Some(name)];
    Host::new()
        .engine("database", "mariadb")
        .rows("database", "'base table'", &[&row("CONFVERSION"), &row("CONTENT")])
        .rows("database", "lower(table_name)", &[&[Some("CONTENT")]])
        .rows("database", "max(buildnumber)", &[&[Some("9111")]])
        .rows("database", "select '0', count(*)", &[&[Some("0"), Some("1")], &[Some("1"), Some(rows)]])
        .rows(
            "database",
            "left join `content`",
            &[&[Some("content 5"), Some("3"), Some("attachments/v4/5/0/5/5.1"), None]],
        )
        .tool("dump", MYSQL)
}

#[test]
fn a_mysql_is_dumped_while_it_is_frozen() {
    let host = mariadb("2");
    let outcome = backup(&database_part(), Pass::InStage).unwrap();
    assert!(proven(&outcome.receipts) && outcome.findings.is_empty(), "{:?}", outcome.receipts);
    assert!(outcome.receipts.iter().any(|receipt| receipt.subject == "rows CONTENT" && receipt.actual == 2));
    assert_eq!(host.stored(dump::DUMP).unwrap(), MYSQL.as_bytes());
    assert!(host.has_settled() && host.fixed_instant().is_some());
    assert_eq!(host.evidence("attachments"), Some(Evidence::SameView));
    assert_eq!(host.noted("rows").unwrap(), "{\"CONFVERSION\":1,\"CONTENT\":2}");
    let _host = mariadb("3");
    assert!(!proven(&backup(&database_part(), Pass::InStage).unwrap().receipts));
}

#[test]
fn a_mysql_that_may_not_be_frozen_is_read_before_and_after() {
    let host = mariadb("2").never_frozen("database");
    let outcome = backup(&database_part(), Pass::InStage).unwrap();
    assert!(proven(&outcome.receipts), "{:?}", outcome.receipts);
    assert_eq!(outcome.findings[0].code, "not-frozen");
    for subject in ["attachments before the dump", "attachments after the dump"] {
        assert_eq!(host.evidence(subject), Some(Evidence::Bracketed), "{subject}");
    }
    let _host = mariadb("3").never_frozen("database");
    assert!(
        !proven(&backup(&database_part(), Pass::InStage).unwrap().receipts),
        "both readings agree on another number"
    );
}

#[test]
fn a_mysql_dump_without_its_last_line_fails_the_part() {
    let _host = mariadb("2").tool("dump", &MYSQL.as_bytes()[..MYSQL.len() - 18]);
    let error = backup(&database_part(), Pass::InStage).unwrap_err();
    assert!(error.message.contains("-- Dump completed"), "{error}");
}

const CFG: &str = "<confluence-configuration><properties/></confluence-configuration>";

fn home() -> Host {
    Host::new().files(
        "home",
        &[
            ("confluence.cfg.xml", CFG),
            ("lock", ""),
            ("index/segments", "i"),
            ("temp/x", ""),
            ("attachments/v4/5/0/5/5.1", "abc"),
            ("attachments/v4/5/0/5/5.1.extracted_text", "abc"),
            ("keys/k", "k"),
            ("shared-home/config/cache.properties", "c"),
            ("shared-home/keys/k2", "k"),
            ("shared-home/thumbnails/t", "t"),
            ("secrets-config.yaml", "s"),
            ("mine/file", "m"),
        ],
    )
}

#[test]
fn the_home_is_saved_without_what_has_its_own_part_or_is_made_anew() {
    let host = home();
    let outcome = backup(&Part::new(part::HOME, Stage::Files), Pass::InStage).unwrap();
    assert!(proven(&outcome.receipts));
    let files: Vec<String> = host.stored_paths().into_iter().filter(|path| host.stored(path).is_some()).collect();
    assert_eq!(files, ["confluence.cfg.xml", "mine/file", "shared-home/config/cache.properties"]);
    assert!(outcome.facts.contains(&("secret".into(), "yes".into())));
    assert!(host.noted(note::PATHS).unwrap().contains("\"home\""));
}

#[test]
fn attachments_are_saved_with_their_extracted_text() {
    let host = home();
    let part = Part::new(part::ATTACHMENTS, Stage::Files).set(setting::GRANT, "home").set(setting::PATH, "attachments");
    let outcome = backup(&part, Pass::InStage).unwrap();
    assert!(proven(&outcome.receipts));
    assert!(host.stored("v4/5/0/5/5.1").is_some() && host.stored("v4/5/0/5/5.1.extracted_text").is_some());
    let absent = Part::new(part::ATTACHMENTS, Stage::Files).set(setting::GRANT, "home").set(setting::PATH, "none");
    assert_eq!(backup(&absent, Pass::Ahead).unwrap().findings[0].code, "attachments-absent");
}

#[test]
fn secrets_are_one_unit() {
    let host = home();
    let part = |required| Part::new(part::SECRETS, Stage::Files).set(setting::REQUIRED, required);
    let outcome = backup(&part("keys secrets-config.yaml"), Pass::InStage).unwrap();
    assert!(proven(&outcome.receipts));
    for path in ["keys/k", "shared-home/keys/k2", "secrets-config.yaml"] {
        assert!(host.stored(path).is_some(), "{path}");
    }
    let error = backup(&part("keys secured secrets-config.yaml"), Pass::InStage).unwrap_err();
    assert!(error.message.starts_with("secured must be there"), "{error}");
}

#[test]
fn the_installation_is_saved_without_what_tomcat_makes_anew() {
    let host = Host::new().files("install", &[("conf/server.xml", "x"), ("work/y", "y"), ("logs/z", "z")]);
    let outcome = backup(&Part::new(part::INSTALL, Stage::Files), Pass::InStage).unwrap();
    assert!(host.stored("conf/server.xml").is_some() && host.stored("work/y").is_none());
    assert_eq!(outcome.findings[0].message, "not saved, made anew by Tomcat: work, logs");
    assert!(backup(&Part::new("other", Stage::Files), Pass::InStage).is_err());
}

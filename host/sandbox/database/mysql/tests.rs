//! A real server, asked and broken.

use std::time::{Duration, SystemTime};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::testing::{PASSWORD, Server};
use crate::{
    config::{Engine, SqlGrant, SslMode},
    sandbox::{
        database::{
            Database, Transaction,
            asking::{ask, refused},
        },
        fault::Code,
        native::Error,
    },
    secret::Source,
};

mod freeze;

/// Far longer than any of these tests takes: reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(120);

/// Rows without an end.
const ENDLESS: &str = "SELECT repeat('x', 1000) FROM seq_1_to_1000000000";

async fn begin(grant: &SqlGrant) -> Result<Transaction, Error> {
    Database::open("main", grant).begin(CancellationToken::new(), Instant::now() + PATIENCE).await
}

/// Waits for what the server does by itself.
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "this did not happen: {what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn rows_are_json_arrays_of_text_or_null() {
    let server = Server::shared();
    server.sql(
        "CREATE OR REPLACE TABLE types (i bigint unsigned, d decimal(20,3), f double, b bit(10), y varbinary(9),
        l blob, t text CHARACTER SET utf8mb4, n varchar(9) CHARACTER SET latin1, u timestamp(6) NULL, a date, j json,
        e enum('x','y'), h time, g geometry);
        SET time_zone = '+02:00';
        INSERT INTO types VALUES (18446744073709551615, 12345678901234567.125, 0.1, b'1000000001', x'00ff', '', '😀 \"q\"
',  'é', '2024-02-29 12:00:00.5', '2024-02-29', '{\"k\":1}', 'y', '-25:00:01', POINT(1, 2)),
        (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    );
    let transaction = begin(&server.local()).await.unwrap();
    let rows = ask(&transaction, "SELECT * FROM types ORDER BY i IS NULL ; ", &[]).await.unwrap();
    let expected = r#"["18446744073709551615","12345678901234567.125","0.1","513","\\x00ff","\\x","😀 \"q\"\n","é","2024-02-29 10:00:00.500000","2024-02-29","{\"k\":1}","y","-25:00:01","\\x00000000"#;
    assert!(rows.starts_with(expected), "{rows}");
    let nulls = format!("[{}]\n", ["null"; 14].join(","));
    assert!(rows.ends_with(&nulls), "{rows}");
    assert_eq!(ask(&transaction, "SELECT 1 AS a, 2 AS a", &[]).await.unwrap(), "[\"1\",\"2\"]\n");
    assert_eq!(ask(&transaction, "SELECT 1 FROM types WHERE false", &[]).await.unwrap(), "");
    assert_eq!(ask(&transaction, "VALUES (1), (2) -- all", &[]).await.unwrap(), "[\"1\"]\n[\"2\"]\n");
    assert_eq!(ask(&transaction, "WITH q AS (SELECT 3) (SELECT * FROM q)", &[]).await.unwrap(), "[\"3\"]\n");
    let many = ask(&transaction, "SELECT seq FROM seq_1_to_1000 ORDER BY seq DESC", &[]).await.unwrap();
    assert!(many.starts_with("[\"1000\"]\n[\"999\"]\n") && many.ends_with("[\"1\"]\n") && many.lines().count() == 1000);
    let long = ask(&transaction, "SELECT group_concat(repeat('x', 5000)) FROM seq_1_to_1000", &[]).await.unwrap();
    assert_eq!(long.len(), 5_000_000 + 999 + 5);
    transaction.end().await.unwrap();
}

#[tokio::test]
async fn parameters_are_values_and_nothing_else() {
    let server = Server::shared();
    server.sql(
        "CREATE OR REPLACE TABLE given (n int, t varchar(99) COLLATE utf8mb4_bin, i varchar(9) CHARACTER SET latin1);
        INSERT INTO given VALUES (1, 'A', 'é'), (2, 'a', 'x'), (3, 'o''; -- 😀', NULL)",
    );
    let transaction = begin(&server.local()).await.unwrap();
    for (statement, parameters, expected) in [
        ("SELECT n, $2 FROM given WHERE n = $1", &["2", "'; --"][..], "[\"2\",\"'; --\"]\n"),
        ("SELECT n, '$1', \"$1\", `t` FROM given WHERE t = $1 -- $2", &["a"], "[\"2\",\"$1\",\"$1\",\"a\"]\n"),
        ("SELECT n FROM given WHERE t = $1", &["o'; -- 😀"], "[\"3\"]\n"),
        ("SELECT n FROM given WHERE i = $1 AND t <> $2", &["é", "b"], "[\"1\"]\n"),
        ("SELECT $1 + 1, $1, ':b', $2", &["41", ""], "[\"42\",\"41\",\":b\",\"\"]\n"),
        ("SELECT $1", &["\\' OR 1=1 \0 ?"], "[\"\\\\' OR 1=1 \\u0000 ?\"]\n"),
        ("SELECT count(*) FROM given WHERE n = $1", &["1 OR 1=1"], "[\"1\"]\n"),
    ] {
        assert_eq!(ask(&transaction, statement, parameters).await.unwrap(), expected, "{statement}");
    }
    let error = refused(&transaction, "SELECT $1, $2", &["2"]).await;
    assert_eq!(error.code, Code::Invalid);
    assert!(error.message.contains("has 2 parameters, and 1"), "{}", error.message);
}

#[tokio::test]
async fn only_one_statement_that_reads_is_run_and_an_error_costs_nothing() {
    let server = Server::shared();
    server.sql("CREATE OR REPLACE TABLE only_reads (n int); CREATE OR REPLACE SEQUENCE numbers; INSERT INTO only_reads VALUES (0)");
    server.sql(
        "CREATE OR REPLACE FUNCTION writes() RETURNS int NOT DETERMINISTIC MODIFIES SQL DATA
        BEGIN INSERT INTO only_reads VALUES (1); RETURN 1; END",
    );
    let strong = begin(&server.local()).await.unwrap();
    let outfile = format!("SELECT 1 INTO OUTFILE '{}'", server.path("outfile").display());
    for (statement, code) in [
        ("SELECT 1; SELECT 2", Code::Invalid),
        ("COMMIT", Code::Invalid),
        ("", Code::Invalid),
        ("SELECT", Code::Invalid),
        ("SHOW TABLES", Code::Invalid),
        ("INSERT INTO only_reads VALUES (1) RETURNING n", Code::Invalid),
        ("SELECT writes()", Code::Denied),
        ("SELECT NEXTVAL(numbers)", Code::Denied),
        ("SELECT n FROM only_reads FOR UPDATE", Code::Invalid),
        (&outfile, Code::Invalid),
        ("SELECT nothing FROM nowhere", Code::Invalid),
        ("SELECT /* open", Code::Invalid),
    ] {
        let error = refused(&strong, statement, &[]).await;
        assert_eq!(error.code, code, "{statement}: {}", error.message);
    }
    assert!(!server.path("outfile").exists());
    server.sql("INSERT INTO only_reads VALUES (2)");
    assert_eq!(
        ask(&strong, "SELECT count(*) FROM only_reads", &[]).await.unwrap(),
        "[\"1\"]\n",
        "the view is the same"
    );
    strong.end().await.unwrap();
    assert_eq!(server.sql("SELECT group_concat(n) FROM only_reads"), "0,2");
    let weak = begin(&SqlGrant { user: "weak".into(), ..server.local() }).await.unwrap();
    assert_eq!(ask(&weak, "SELECT count(*) FROM readable", &[]).await.unwrap(), "[\"0\"]\n");
    let error = refused(&weak, "SELECT * FROM only_reads", &[]).await;
    assert_eq!(error.code, Code::Denied, "{}", error.message);
    assert!(error.message.contains("only_reads"), "{}", error.message);
}

#[tokio::test]
async fn every_query_sees_the_instant_that_was_seen() {
    let server = Server::shared();
    server.sql("CREATE OR REPLACE TABLE instants (n int); INSERT INTO instants VALUES (1)");
    let host_before = since_1970();
    let transaction = begin(&server.local()).await.unwrap();
    let (from, to) = transaction.seen();
    // The server runs on this machine, so both clocks are the same; its own counts microseconds.
    let floor = (host_before.0, host_before.1 / 1000 * 1000);
    assert!(floor <= from && from <= to && to <= (since_1970().0, since_1970().1 + 1000), "{from:?} {to:?}");
    assert!(transaction.ahead_of_host_ms().abs() < 10_000);
    assert_eq!(transaction.shared_name(), None);
    server.sql("INSERT INTO instants VALUES (2)");
    assert_eq!(ask(&transaction, "SELECT count(*) FROM instants", &[]).await.unwrap(), "[\"1\"]\n");
    assert!(begin(&server.local()).await.unwrap().seen().0 > to);
}

fn since_1970() -> (i64, u32) {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    (since.as_secs() as i64, since.subsec_nanos())
}

#[tokio::test]
async fn a_result_is_read_or_dropped_before_the_next_question() {
    let server = Server::shared();
    let transaction = begin(&server.local()).await.unwrap();
    let mut rows = BufReader::new(transaction.query(ENDLESS, &[]).await.unwrap());
    let mut line = String::new();
    rows.read_line(&mut line).await.unwrap();
    assert_eq!(line.len(), 1005);
    assert_eq!(refused(&transaction, "SELECT 1", &[]).await.code, Code::Invalid);
    drop(rows);
    assert_eq!(ask(&transaction, "SELECT 1", &[]).await.unwrap(), "[\"1\"]\n");
    let unread = transaction.query(ENDLESS, &[]).await.unwrap();
    transaction.end().await.unwrap();
    let error = tokio::io::copy(&mut BufReader::new(unread), &mut tokio::io::sink()).await.unwrap_err();
    assert_eq!(Error::of(&error).unwrap().code, Code::Canceled);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_wait_at_the_server_for_their_reader() {
    let server = Server::shared();
    let transaction = begin(&server.local()).await.unwrap();
    let endless = ENDLESS.replace("'x'", "'waits'");
    let mut rows = transaction.query(&endless, &[]).await.unwrap();
    rows.read_u8().await.unwrap();
    let sent = || -> u64 {
        let progress = "SELECT examined_rows FROM information_schema.processlist WHERE info LIKE '%''waits''%'";
        server.sql(&format!("{progress} AND id <> connection_id()")).parse().unwrap()
    };
    let mut before = 0;
    until("the server sends no more", || std::mem::replace(&mut before, sent()) == before).await;
    assert!(before < 100_000, "{before} rows of 5000 bytes are somewhere between server and reader");
}

#[tokio::test]
async fn a_query_without_a_first_row_ends_on_the_server_too() {
    let server = Server::shared();
    let grant = SqlGrant { timeout: Some(Duration::from_millis(1500)), ..server.local() };
    let transaction = begin(&grant).await.unwrap();
    let error = refused(&transaction, "SELECT 'sleeper', sleep(1000)", &[]).await;
    assert_eq!(error.code, Code::Timeout, "{}", error.message);
    assert!(error.message.contains("no row within 1.5 s"), "{}", error.message);
    assert_eq!(ask(&transaction, "SELECT 1", &[]).await.unwrap(), "[\"1\"]\n");
    assert_eq!(server.sql(&running("sleeper")), "0");
}

/// How many statements with that word are run by others.
fn running(word: &str) -> String {
    format!(
        "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%''{word}''%' AND id <> connection_id()"
    )
}

#[tokio::test]
async fn a_question_that_nobody_waits_for_any_more_does_not_spoil_the_next() {
    let server = Server::shared();
    let transaction = begin(&server.local()).await.unwrap();
    let forgotten = transaction.query("SELECT 'forgotten', sleep(1000)", &[]);
    tokio::select! {
        answer = forgotten => panic!("an answer after {:?}", answer.err()),
        () = until("the question is asked", || server.sql(&running("forgotten")) == "1") => {}
    }
    assert_eq!(ask(&transaction, "SELECT 1", &[]).await.unwrap(), "[\"1\"]\n");
    assert_eq!(server.sql(&running("forgotten")), "0");
}

#[tokio::test]
async fn a_stopped_run_ends_a_query_and_its_stream() {
    let server = Server::shared();
    let stop = CancellationToken::new();
    let database = Database::open("main", &server.local());
    let transaction = database.begin(stop.clone(), Instant::now() + PATIENCE).await.unwrap();
    let mut rows = transaction.query(ENDLESS, &[]).await.unwrap();
    rows.read_u8().await.unwrap();
    stop.cancel();
    let error = tokio::io::copy(&mut rows, &mut tokio::io::sink()).await.unwrap_err();
    assert_eq!(Error::of(&error).unwrap().code, Code::Canceled);
    assert_eq!(refused(&transaction, "SELECT sleep(1000)", &[]).await.code, Code::Canceled);
    assert_eq!(database.begin(stop, Instant::now() + PATIENCE).await.err().unwrap().code, Code::Canceled);
}

#[tokio::test]
async fn a_connection_that_is_killed_ends_the_stream_and_the_view() {
    let server = Server::shared();
    let transaction = begin(&server.local()).await.unwrap();
    let id = ask(&transaction, "SELECT connection_id()", &[]).await.unwrap().replace(['[', ']', '"', '\n'], "");
    let mut rows = transaction.query(ENDLESS, &[]).await.unwrap();
    rows.read_u8().await.unwrap();
    server.sql(&format!("KILL CONNECTION {id}"));
    let error = tokio::io::copy(&mut rows, &mut tokio::io::sink()).await.unwrap_err();
    let error = Error::of(&error).unwrap();
    assert_eq!((error.code, error.retryable), (Code::Unavailable, true), "{}", error.message);
    assert_eq!(refused(&transaction, "SELECT 1", &[]).await.code, Code::Unavailable);
    assert_eq!(transaction.end().await.unwrap_err().code, Code::Unavailable);
}

#[tokio::test]
async fn a_server_that_dies_ends_the_stream_in_an_error() {
    let server = Server::start(false);
    let error = begin(&server.grant("localhost", SslMode::Require)).await.err().unwrap();
    assert_eq!(error.code, Code::Denied);
    assert!(error.message.contains("server does not support TLS"), "{}", error.message);
    let grant = server.grant("localhost", SslMode::Prefer);
    let transaction = begin(&grant).await.expect("prefer is content with a server that does not encrypt");
    let mut rows = transaction.query(ENDLESS, &[]).await.unwrap();
    rows.read_u8().await.unwrap();
    server.crash();
    let error = tokio::io::copy(&mut rows, &mut tokio::io::sink()).await.unwrap_err();
    let error = Error::of(&error).unwrap();
    assert_eq!((error.code, error.retryable), (Code::Unavailable, true), "{}", error.message);
    assert_eq!(transaction.end().await.unwrap_err().code, Code::Unavailable);
    let error = begin(&grant).await.err().unwrap();
    assert_eq!((error.code, error.retryable), (Code::Unavailable, true));
    let place = format!("connecting to localhost:{}/test as test: ", server.port);
    assert!(error.message.starts_with(&place) && error.message.contains("refused"), "{}", error.message);
}

#[tokio::test]
async fn a_refusal_says_whom_it_refused_and_never_the_password() {
    let server = Server::shared();
    let good = server.grant("localhost", SslMode::Prefer);
    std::fs::write(server.path("wrong"), "swordfish").unwrap();
    let wrong = SqlGrant { password: Some(Source::File(server.path("wrong"))), ..good.clone() };
    let none = SqlGrant { password: None, ..good.clone() };
    let absent = SqlGrant { database: "absent".into(), ..good.clone() };
    let other = SqlGrant { database: "mysql".into(), user: "weak".into(), ..good.clone() };
    let plain = SqlGrant { user: "locked".into(), ..server.grant("localhost", SslMode::Disable) };
    for (grant, code, what) in [
        (wrong, Code::Denied, "Access denied for user 'test'"),
        (none, Code::Denied, "set password in grant.sql.main"),
        (absent, Code::NotFound, "Unknown database 'absent'"),
        (other, Code::Denied, "'mysql'"),
        (plain, Code::Denied, "Access denied for user 'locked'"),
    ] {
        let error = begin(&grant).await.err().unwrap();
        assert_eq!(error.code, code, "{}", error.message);
        assert!(error.message.contains(what), "{}", error.message);
        assert!(error.message.contains(&format!(" as {}", grant.user)), "{}", error.message);
        assert!(!error.message.contains("swordfish") && !error.message.contains(PASSWORD), "{}", error.message);
    }
}

#[tokio::test]
async fn the_server_says_which_of_the_two_it_is() {
    let server = Server::shared();
    let database = Database::open("main", &server.local());
    assert_eq!(database.engine(CancellationToken::new(), Instant::now() + PATIENCE).await, Engine::Mariadb);
    let version = database.server_version(CancellationToken::new(), Instant::now() + PATIENCE).await.unwrap();
    assert_eq!(version, server.sql("SELECT version()"));
    let nowhere = Database::open("main", &SqlGrant { host: "/nowhere".into(), ..server.local() });
    assert_eq!(nowhere.engine(CancellationToken::new(), Instant::now() + PATIENCE).await, Engine::Mysql);
}

#[tokio::test]
async fn sslmode_checks_what_libpq_checks() {
    let server = Server::shared();
    let encrypted =
        "SELECT variable_value <> '' FROM information_schema.session_status WHERE variable_name = 'Ssl_cipher'";
    for (host, mode, ca, expected) in [
        ("localhost", SslMode::Disable, None, Ok("[\"0\"]\n")),
        ("localhost", SslMode::Prefer, None, Ok("[\"1\"]\n")),
        ("localhost", SslMode::Require, None, Ok("[\"1\"]\n")),
        ("localhost", SslMode::Require, Some("other.crt"), Err(Code::Denied)),
        ("127.0.0.1", SslMode::Require, Some("ca.crt"), Ok("[\"1\"]\n")),
        ("127.0.0.1", SslMode::VerifyCa, Some("ca.crt"), Ok("[\"1\"]\n")),
        ("127.0.0.1", SslMode::VerifyCa, Some("other.crt"), Err(Code::Denied)),
        ("localhost", SslMode::VerifyCa, Some("other.crt"), Err(Code::Denied)),
        ("localhost", SslMode::VerifyCa, None, Err(Code::Denied)),
        ("localhost", SslMode::VerifyFull, Some("ca.crt"), Ok("[\"1\"]\n")),
        ("127.0.0.1", SslMode::VerifyFull, Some("ca.crt"), Err(Code::Denied)),
        ("localhost", SslMode::VerifyFull, Some("other.crt"), Err(Code::Denied)),
        ("localhost", SslMode::VerifyFull, Some("missing.crt"), Err(Code::Invalid)),
        ("localhost", SslMode::VerifyFull, Some("password"), Err(Code::Invalid)),
    ] {
        let ca = ca.map(|name| server.path(name));
        let grant = SqlGrant { ca: ca.clone(), user: "test".into(), ..server.grant(host, mode) };
        let answer = match begin(&grant).await {
            Ok(transaction) => Ok(ask(&transaction, encrypted, &[]).await.unwrap()),
            Err(error) => Err(error),
        };
        let code = answer.as_ref().map(String::as_str).map_err(|error| error.code);
        assert_eq!(code, expected, "{host} {mode:?} {ca:?}: {answer:?}");
    }
    let locked = SqlGrant { user: "locked".into(), ..server.grant("localhost", SslMode::Require) };
    begin(&locked).await.expect("a user who must encrypt, does");
}

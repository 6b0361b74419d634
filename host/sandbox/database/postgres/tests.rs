//! A real server, asked and broken.

use std::time::{Duration, SystemTime};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::testing::{Cluster, PASSWORD};
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

/// Far longer than any of these tests takes: reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

async fn begin(grant: &SqlGrant) -> Result<Transaction, Error> {
    Database::open("main", grant).begin(CancellationToken::new(), Instant::now() + PATIENCE).await
}

#[tokio::test]
async fn rows_are_json_arrays_of_text_or_null() {
    let cluster = Cluster::shared();
    let transaction = begin(&cluster.local()).await.unwrap();
    let statement =
        "SELECT 1 AS a, E'two\\nlines \"q\" \\\\ é\\t' AS a, NULL::int, true, '\\xff00'::bytea, '{\"k\":1}'::json,
        timestamptz '2024-02-29 12:00:00+01', ARRAY[1,2] ; ";
    let expected = "[\"1\",\"two\\nlines \\\"q\\\" \\\\ é\\t\",null,\"true\",\"\\\\xff00\",\"{\\\"k\\\":1}\",\"2024-02-29 11:00:00+00\",\"{1,2}\"]\n";
    assert_eq!(ask(&transaction, statement, &[]).await.unwrap(), expected);
    assert_eq!(ask(&transaction, "SELECT 1 WHERE false", &[]).await.unwrap(), "");
    assert_eq!(ask(&transaction, "VALUES (1), (2) -- all", &[]).await.unwrap(), "[\"1\"]\n[\"2\"]\n");
    assert_eq!(ask(&transaction, "WITH q AS (SELECT 3) TABLE q", &[]).await.unwrap(), "[\"3\"]\n");
    let ordered = ask(&transaction, "SELECT n FROM generate_series(1, 1000) n ORDER BY n DESC", &[]).await.unwrap();
    assert!(ordered.starts_with("[\"1000\"]\n[\"999\"]\n") && ordered.ends_with("[\"1\"]\n"));
    let wide = (1..=300).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(ask(&transaction, &format!("SELECT {wide}"), &[]).await.unwrap().matches('"').count(), 600);
    transaction.end().await.unwrap();
}

#[tokio::test]
async fn parameters_are_values_and_nothing_else() {
    let cluster = Cluster::shared();
    let transaction = begin(&cluster.local()).await.unwrap();
    let statement = "SELECT n, $2 FROM generate_series(1, 3) n WHERE n = $1";
    assert_eq!(ask(&transaction, statement, &["2", "'; --"]).await.unwrap(), "[\"2\",\"'; --\"]\n");
    assert_eq!(ask(&transaction, "SELECT $1::bigint + 1", &["41"]).await.unwrap(), "[\"42\"]\n");
    for (parameters, what) in [(&["2"][..], "has 2 parameters, and 1"), (&["x", "y"], "22P02")] {
        let error = refused(&transaction, statement, parameters).await;
        assert_eq!(error.code, Code::Invalid);
        assert!(error.message.contains(what), "{}", error.message);
    }
}

#[tokio::test]
async fn only_one_statement_that_reads_is_run_and_an_error_costs_nothing() {
    let cluster = Cluster::shared();
    cluster.psql("CREATE TABLE IF NOT EXISTS only_reads (n int); CREATE ROLE weak LOGIN");
    let transaction = begin(&SqlGrant { user: "weak".into(), ..cluster.local() }).await.unwrap();
    for (statement, code) in [
        ("SELECT 1; SELECT 2", Code::Invalid),
        ("SELECT 1) AS q(c1); COMMIT; SELECT (1", Code::Invalid),
        ("SELECT 1) AS q(c1), (SELECT 2", Code::Invalid),
        ("COMMIT", Code::Invalid),
        ("", Code::Invalid),
        ("SELECT", Code::Invalid),
        ("SHOW server_version", Code::Invalid),
        ("EXPLAIN SELECT 1", Code::Invalid),
        ("INSERT INTO only_reads VALUES (1) RETURNING n", Code::Invalid),
        ("WITH w AS (INSERT INTO only_reads VALUES (1) RETURNING n) SELECT n FROM w", Code::Invalid),
        ("SELECT nothing FROM nowhere", Code::Invalid),
        ("SELECT 1 / 0", Code::Invalid),
        ("SELECT /* open", Code::Invalid),
        ("SELECT n FROM only_reads", Code::Denied),
        ("SELECT set_config('transaction_read_only', 'off', true)", Code::Invalid),
    ] {
        let error = refused(&transaction, statement, &[]).await;
        assert_eq!(error.code, code, "{statement}: {}", error.message);
    }
    // Refused from PostgreSQL 16 on; before, it is undone with the transaction.
    let _ = ask(&transaction, "SELECT lo_create(424242)", &[]).await;
    // The view is still the one that was exported, and others can still share it.
    let share = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '{}'",
        transaction.shared_name().unwrap()
    );
    cluster.psql(&share);
    assert_eq!(ask(&transaction, "SELECT 1", &[]).await.unwrap(), "[\"1\"]\n");
    transaction.end().await.unwrap();
    assert_eq!(cluster.psql("SELECT count(*) FROM pg_largeobject_metadata WHERE oid = 424242"), "0");
}

#[tokio::test]
async fn every_query_sees_the_instant_that_was_seen() {
    let cluster = Cluster::shared();
    cluster.psql("DROP TABLE IF EXISTS instants; CREATE TABLE instants (n int); INSERT INTO instants VALUES (1)");
    let host_before = since_1970();
    let transaction = begin(&cluster.local()).await.unwrap();
    let (from, to) = transaction.seen();
    // The server runs on this machine, so both clocks are the same.
    assert!(host_before <= from && from <= to && to <= (since_1970().0, since_1970().1 + 1000), "{from:?} {to:?}");
    assert!(transaction.ahead_of_host_ms().abs() < 10_000);
    cluster.psql("INSERT INTO instants VALUES (2)");
    assert_eq!(ask(&transaction, "SELECT count(*) FROM instants", &[]).await.unwrap(), "[\"1\"]\n");
    assert!(begin(&cluster.local()).await.unwrap().seen().0 > to);
}

fn since_1970() -> (i64, u32) {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    (since.as_secs() as i64, since.subsec_nanos())
}

#[tokio::test]
async fn a_result_is_read_or_dropped_before_the_next_question() {
    let cluster = Cluster::shared();
    let transaction = begin(&cluster.local()).await.unwrap();
    let endless = "SELECT repeat('x', 1000) FROM (SELECT generate_series(1, 100000000)) n";
    let mut rows = BufReader::new(transaction.query(endless, &[]).await.unwrap());
    let mut line = String::new();
    rows.read_line(&mut line).await.unwrap();
    assert_eq!(line.len(), 1005);
    assert_eq!(refused(&transaction, "SELECT 1", &[]).await.code, Code::Invalid);
    drop(rows);
    assert_eq!(ask(&transaction, "SELECT 1", &[]).await.unwrap(), "[\"1\"]\n");
    let unread = transaction.query(endless, &[]).await.unwrap();
    transaction.end().await.unwrap();
    let error = tokio::io::copy(&mut BufReader::new(unread), &mut tokio::io::sink()).await.unwrap_err();
    assert_eq!(Error::of(&error).unwrap().code, Code::Canceled);
}

#[tokio::test]
async fn a_query_without_a_first_row_ends_on_the_server_too() {
    let cluster = Cluster::shared();
    let grant = SqlGrant { timeout: Some(Duration::from_millis(1500)), ..cluster.local() };
    let transaction = begin(&grant).await.unwrap();
    let error = refused(&transaction, "SELECT 'sleeper' FROM pg_sleep(1000)", &[]).await;
    assert_eq!(error.code, Code::Timeout);
    assert!(error.message.contains("no row within 1.5 s"), "{}", error.message);
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%''sleeper''%'";
    assert_eq!(cluster.psql(&format!("{asleep} AND pid <> pg_backend_pid()")), "0");
    assert_eq!(ask(&transaction, "SELECT 1", &[]).await.unwrap(), "[\"1\"]\n");
}

#[tokio::test]
async fn a_question_that_nobody_waits_for_any_more_does_not_spoil_the_next() {
    let cluster = Cluster::shared();
    let transaction = begin(&cluster.local()).await.unwrap();
    let forgotten = transaction.query("SELECT 'forgotten' FROM pg_sleep(1000)", &[]);
    let runs = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%''forgotten''%'";
    let noticed = async {
        while cluster.psql(&format!("{runs} AND pid <> pg_backend_pid()")) != "1" {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = forgotten => panic!("an answer after {:?}", answer.err()),
        () = noticed => {}
    }
    assert_eq!(ask(&transaction, "SELECT 1", &[]).await.unwrap(), "[\"1\"]\n");
}

#[tokio::test]
async fn a_stopped_run_ends_a_query_and_its_stream() {
    let cluster = Cluster::shared();
    let stop = CancellationToken::new();
    let database = Database::open("main", &cluster.local());
    let transaction = database.begin(stop.clone(), Instant::now() + PATIENCE).await.unwrap();
    let mut rows = transaction.query("SELECT generate_series(1, 100000000)", &[]).await.unwrap();
    rows.read_u8().await.unwrap();
    stop.cancel();
    let error = tokio::io::copy(&mut rows, &mut tokio::io::sink()).await.unwrap_err();
    assert_eq!(Error::of(&error).unwrap().code, Code::Canceled);
    assert_eq!(refused(&transaction, "SELECT 1 FROM pg_sleep(1000)", &[]).await.code, Code::Canceled);
    assert_eq!(database.begin(stop, Instant::now() + PATIENCE).await.err().unwrap().code, Code::Canceled);
}

#[tokio::test]
async fn a_server_that_dies_ends_the_stream_in_an_error() {
    let cluster = Cluster::start(false);
    let grant = cluster.grant("localhost", SslMode::Prefer);
    let transaction = begin(&grant).await.expect("prefer is content with a server that does not encrypt");
    let mut rows =
        transaction.query("SELECT repeat('x', 1000) FROM (SELECT generate_series(1, 100000000)) n", &[]).await.unwrap();
    rows.read_u8().await.unwrap();
    cluster.crash();
    let error = tokio::io::copy(&mut rows, &mut tokio::io::sink()).await.unwrap_err();
    let error = Error::of(&error).unwrap();
    assert_eq!((error.code, error.retryable), (Code::Unavailable, true), "{}", error.message);
    assert_eq!(transaction.end().await.unwrap_err().code, Code::Unavailable);
    let error = begin(&grant).await.err().unwrap();
    assert_eq!((error.code, error.retryable), (Code::Unavailable, true));
    let place = format!("connecting to localhost:{}/postgres as test: ", cluster.port);
    assert!(error.message.starts_with(&place) && error.message.contains("refused"), "{}", error.message);
}

#[tokio::test]
async fn a_refusal_says_whom_it_refused_and_never_the_password() {
    let cluster = Cluster::shared();
    let good = cluster.grant("localhost", SslMode::Prefer);
    std::fs::write(cluster.path("wrong"), "swordfish").unwrap();
    let wrong = SqlGrant { password: Some(Source::File(cluster.path("wrong"))), ..good.clone() };
    let none = SqlGrant { password: None, ..good.clone() };
    let absent = SqlGrant { database: "absent".into(), ..good.clone() };
    let unreadable = SqlGrant { password: Some(Source::File(cluster.path("nothing"))), ..good.clone() };
    for (grant, code, what) in [
        (wrong, Code::Denied, "password authentication failed"),
        (none, Code::Denied, "set password in grant.sql.main"),
        (absent, Code::NotFound, "\"absent\" does not exist"),
        (unreadable, Code::Unavailable, "reading the secret from file"),
    ] {
        let error = begin(&grant).await.err().unwrap();
        assert_eq!(error.code, code, "{}", error.message);
        assert!(error.message.contains(what), "{}", error.message);
        assert!(error.message.contains(" as test") && !error.message.contains("swordfish"), "{}", error.message);
        assert!(!error.message.contains(PASSWORD), "{}", error.message);
    }
    let database = Database::open("main", &good);
    let version = database.server_version(CancellationToken::new(), Instant::now() + PATIENCE).await.unwrap();
    assert_eq!(version, cluster.psql("SHOW server_version"));
    assert_eq!(database.engine(CancellationToken::new(), Instant::now() + PATIENCE).await, Engine::Postgresql);
    assert_eq!(database.location(), format!("localhost:{}/postgres", cluster.port));
}

#[tokio::test]
async fn sslmode_checks_what_libpq_checks() {
    let cluster = Cluster::shared();
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    for (host, mode, ca, expected) in [
        ("localhost", SslMode::Disable, None, Ok("[\"false\"]\n")),
        ("localhost", SslMode::Prefer, None, Ok("[\"true\"]\n")),
        ("localhost", SslMode::Require, None, Ok("[\"true\"]\n")),
        ("localhost", SslMode::Require, Some("other.crt"), Err(Code::Denied)),
        ("127.0.0.1", SslMode::Require, Some("ca.crt"), Ok("[\"true\"]\n")),
        ("127.0.0.1", SslMode::VerifyCa, Some("ca.crt"), Ok("[\"true\"]\n")),
        ("127.0.0.1", SslMode::VerifyCa, Some("server.crt"), Ok("[\"true\"]\n")),
        ("localhost", SslMode::VerifyCa, Some("other.crt"), Err(Code::Denied)),
        ("localhost", SslMode::VerifyCa, None, Err(Code::Denied)),
        ("localhost", SslMode::VerifyFull, Some("ca.crt"), Ok("[\"true\"]\n")),
        ("127.0.0.1", SslMode::VerifyFull, Some("ca.crt"), Err(Code::Denied)),
        ("localhost", SslMode::VerifyFull, Some("other.crt"), Err(Code::Denied)),
        ("localhost", SslMode::VerifyFull, Some("missing.crt"), Err(Code::Invalid)),
        ("localhost", SslMode::VerifyFull, Some("password"), Err(Code::Invalid)),
    ] {
        let grant = SqlGrant { ca: ca.map(|name| cluster.path(name)), ..cluster.grant(host, mode) };
        let answer = match begin(&grant).await {
            Ok(transaction) => Ok(ask(&transaction, encrypted, &[]).await.unwrap()),
            Err(error) => Err(error),
        };
        let answer = answer.as_ref().map(String::as_str).map_err(|error| error.code);
        assert_eq!(answer, expected, "{host} {mode:?} {ca:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_encrypt_is_refused_when_that_is_required() {
    let cluster = Cluster::start(false);
    let error = begin(&cluster.grant("localhost", SslMode::Require)).await.err().unwrap();
    assert_eq!(error.code, Code::Denied);
    assert!(error.message.contains("server does not support TLS"), "{}", error.message);
}

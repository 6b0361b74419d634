//! A real server that is frozen: what waits, what is seen, and how it ends whatever happens.

use std::{
    io::{BufRead, Read},
    process::{Child, Stdio},
};

use super::*;

/// A dump's standard output.
type Dump = std::io::BufReader<std::process::ChildStdout>;

/// Two tables that grow together, and enough rows for a dump's buffers.
const GROWING: &str = "CREATE OR REPLACE TABLE first (n int AUTO_INCREMENT PRIMARY KEY, t varchar(200));
    CREATE OR REPLACE TABLE second (n int AUTO_INCREMENT PRIMARY KEY);
    INSERT INTO first (t) SELECT repeat('x', 100) FROM seq_1_to_2000; INSERT INTO second SELECT seq FROM seq_1_to_2000";

/// Writes into both until it is stopped.
const WRITER: &str = "BEGIN NOT ATOMIC LOOP
    START TRANSACTION; INSERT INTO first (t) VALUES ('y'); INSERT INTO second VALUES (NULL); COMMIT;
    END LOOP; END";

/// A writer, stopped when dropped.
struct Writer(Child);

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn writer(server: &Server, statements: &str) -> Writer {
    Writer(server.writer(statements).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

fn rows(server: &Server) -> u64 {
    server.sql("SELECT count(*) FROM first").parse().unwrap()
}

async fn count(transaction: &Transaction, table: &str) -> String {
    let answer = ask(transaction, &format!("SELECT count(*) FROM {table}"), &[]).await.unwrap();
    answer.replace(['[', ']', '"', '\n'], "")
}

/// Begins a dump, and waits until its transaction has begun.
fn dump(server: &Server) -> (Writer, Dump) {
    let mut child = server.dump().args(["first", "second"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("CREATE TABLE") {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "a dump without a table");
    }
    (Writer(child), output)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_begins_while_it_is_frozen_shows_what_the_view_shows() {
    let server = Server::start(false);
    server.sql(GROWING);
    let mut transaction = begin(&server.local()).await.unwrap();
    let begun = count(&transaction, "first").await;
    let _writer = writer(&server, WRITER);
    until("somebody writes", || rows(&server) > 2100).await;
    let seen = transaction.seen();
    transaction.freeze(60).await.unwrap();
    assert!(transaction.seen().0 > seen.1, "the view is taken anew");
    let frozen = (rows(&server), rows(&server));
    assert_eq!(frozen.0, frozen.1);
    let (mut child, mut output) = dump(&server);
    assert_eq!(rows(&server), frozen.0, "nobody writes until the dump has begun");
    transaction.thaw().await.unwrap();
    until("the writer goes on", || rows(&server) > frozen.0 + 100).await;
    let (first, second) = (count(&transaction, "first").await, count(&transaction, "second").await);
    assert_eq!((first.clone(), second), (frozen.0.to_string(), frozen.0.to_string()));
    assert_ne!(first, begun);
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    assert!(child.0.wait().unwrap().success());
    for table in ["first", "second"] {
        let dumped = text.matches(&format!("INSERT INTO `{table}`")).count();
        assert_eq!(dumped.to_string(), first, "{table}");
    }
    assert_eq!(transaction.thaw().await.unwrap_err().code, Code::Invalid);
    transaction.end().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_ends_by_itself_and_then_the_thaw_says_so() {
    let server = Server::start(false);
    server.sql(GROWING);
    let mut transaction = begin(&server.local()).await.unwrap();
    for (seconds, code) in [(0, Code::Invalid), (601, Code::Invalid)] {
        assert_eq!(transaction.freeze(seconds).await.unwrap_err().code, code);
    }
    transaction.freeze(1).await.unwrap();
    assert_eq!(transaction.freeze(1).await.unwrap_err().code, Code::Invalid);
    // It comes back only when writes go on.
    server.sql("INSERT INTO second VALUES (NULL)");
    let error = transaction.thaw().await.unwrap_err();
    assert_eq!(error.code, Code::Timeout, "{}", error.message);
    assert!(error.message.contains("not thawed within 1 s"), "{}", error.message);
    assert_eq!(count(&transaction, "second").await, "2000", "the view outlives the freeze");
    // A freeze whose session was killed was none.
    transaction.freeze(60).await.unwrap();
    let holder =
        "SELECT id FROM information_schema.processlist WHERE command = 'Sleep' AND id NOT IN (connection_id(),";
    let own = ask(&transaction, "SELECT connection_id()", &[]).await.unwrap().replace(['[', ']', '"', '\n'], "");
    let holder = server.sql(&format!("{holder} {own})"));
    server.sql(&format!("KILL CONNECTION {holder}; INSERT INTO second VALUES (NULL)"));
    let error = transaction.thaw().await.unwrap_err();
    assert_eq!(error.code, Code::Unavailable, "{}", error.message);
    // One that is dropped with its transaction, too.
    transaction.freeze(60).await.unwrap();
    drop(transaction);
    server.sql("INSERT INTO second VALUES (NULL)");
    let mut transaction = begin(&server.local()).await.unwrap();
    transaction.freeze(60).await.unwrap();
    transaction.end().await.unwrap();
    server.sql("INSERT INTO second VALUES (NULL)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_does_not_wait_for_ever_and_leaves_nobody_waiting() {
    let server = Server::start(false);
    server.sql(GROWING);
    let mut transaction = begin(&server.local()).await.unwrap();
    let locker = writer(&server, "LOCK TABLES first WRITE; SELECT 'locker', sleep(1000)");
    until("a table is locked", || server.sql(&running("locker")) == "1").await;
    let error = transaction.freeze(1).await.unwrap_err();
    assert_eq!((error.code, error.retryable), (Code::Timeout, true), "{}", error.message);
    assert!(error.message.contains("did not end within 1 s"), "{}", error.message);
    server.sql("INSERT INTO second VALUES (NULL)");
    assert_eq!(count(&transaction, "second").await, "2000", "the view is the old one");
    drop(locker);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_it_nothing_is_frozen() {
    let server = Server::shared();
    let mut transaction = begin(&SqlGrant { user: "weak".into(), ..server.local() }).await.unwrap();
    let seen = transaction.seen();
    let error = transaction.freeze(10).await.unwrap_err();
    assert_eq!(error.code, Code::Denied, "{}", error.message);
    assert!(error.message.contains("GRANT RELOAD ON *.* TO the user weak"), "{}", error.message);
    assert_eq!(transaction.seen(), seen);
    assert_eq!(transaction.thaw().await.unwrap_err().code, Code::Invalid);
    assert_eq!(ask(&transaction, "SELECT count(*) FROM readable", &[]).await.unwrap(), "[\"0\"]\n");
}

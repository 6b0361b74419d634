//! What becomes of requests, with servers that do not keep to the rules: stand-ins of a few lines, since a real one
//! would not lie about its lengths.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{
    config::{Grants, HttpGrant, http as config, origin::Origin},
    repository::Pass,
    sandbox::{
        bindings::host::{
            http::{Host as _, HostExchange as _, HostResponse as _, HostService as _},
            snapshot::{self, Host as _},
            streams::{self, Host as _, HostInputStream as _, HostOutputStream as _},
        },
        operation::Operation,
        testing::{MemoryDraft, Recorder, session},
    },
    secret::Source as SecretSource,
};

const BACKUP: Operation = Operation::Backup(Pass::InStage);
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A stand-in for a server: gives the same answer to every request.
struct StandIn {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl StandIn {
    /// `close`: it hangs up after each answer.
    async fn start(answer: &str, close: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, connections) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicUsize>::default());
        let (answer, all, count) = (answer.to_owned(), seen.clone(), connections.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, answer.clone(), close, all.clone()));
            }
        });
        Self { port, seen, connections }
    }

    fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, answer: String, close: bool, seen: Arc<Mutex<Vec<String>>>) {
    loop {
        let (request, whole) = request(&mut stream).await;
        if request.is_empty() {
            return;
        }
        seen.lock().unwrap().push(request);
        if !whole || stream.write_all(answer.as_bytes()).await.is_err() || close {
            return;
        }
    }
}

/// A request as it came, and whether it came whole.
async fn request(stream: &mut TcpStream) -> (String, bool) {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let chunked = head.contains("transfer-encoding: chunked");
            if (chunked && body.ends_with("\r\n0\r\n\r\n")) || (!chunked && body.len() >= length.unwrap_or(0)) {
                return (text, true);
            }
        }
        if !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
            return (text, false);
        }
    }
}

fn grant(port: u16) -> HttpGrant {
    HttpGrant {
        origin: Origin { secure: false, host: "127.0.0.1".into(), port },
        base: "/base".into(),
        methods: vec!["GET".into(), "POST".into()],
        paths: vec!["/wiki".into()],
        ca: None,
        identity: None,
        credential: None,
        timeout: Duration::from_secs(30),
        connect_timeout: Duration::from_secs(10),
    }
}

struct Call {
    state: State,
    draft: Arc<MemoryDraft>,
}

fn call(operation: Operation, grant: HttpGrant) -> Call {
    let draft = Arc::new(MemoryDraft::default());
    let mut session = session(&Arc::new(Recorder::default()));
    session.draft = Some(draft.clone());
    session.limits.part_time = Duration::from_secs(60);
    session.limits.no_progress = Duration::from_secs(20);
    session.grants = Arc::new(Grants { http: BTreeMap::from([("api".to_owned(), grant)]), ..Grants::default() });
    Call { state: State::new(Arc::new(session), operation, "p"), draft }
}

fn asked(method: &str, path: &str) -> http::Request {
    http::Request {
        method: method.into(),
        path_and_query: path.into(),
        headers: vec![("Accept".into(), "text/plain".into())],
        timeout_ms: None,
        attributes: Vec::new(),
    }
}

fn code<T>(answer: Answer<T>) -> Option<Code> {
    match answer {
        Err(Fail::Plugin(error)) => Some(error.code.into()),
        _ => None,
    }
}

fn again<T: 'static>(handle: &Resource<T>) -> Resource<T> {
    Resource::new_own(handle.rep())
}

impl Call {
    async fn exchange(
        &mut self,
        request: http::Request,
        body: Option<Resource<InputStream>>,
    ) -> Answer<Resource<Response>> {
        let service = self.state.get("api".into()).await?;
        let exchange = self.state.start(service, request, body).await?;
        self.state.wait(exchange).await
    }

    async fn body(&mut self, request: http::Request) -> Answer<Resource<InputStream>> {
        let response = self.exchange(request, None).await?;
        Ok(self.state.body(response).await.unwrap())
    }

    async fn read(&mut self, body: &Resource<InputStream>) -> Answer<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            match self.state.read(again(body), 1 << 16).await? {
                piece if piece.is_empty() => return Ok(all),
                piece => all.extend(piece),
            }
        }
    }
}

fn secret(value: &str) -> (tempfile::NamedTempFile, SecretSource) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), value).unwrap();
    let source = SecretSource::File(file.path().into());
    (file, source)
}

#[tokio::test]
async fn a_request_goes_to_the_granted_place_with_the_hosts_credential() {
    let server = StandIn::start(OK, true).await;
    let (_file, password) = secret("hunter2 \u{21}\n");
    let credential = Some(config::Credential::Basic { user: "backup".into(), password });
    let mut call = call(BACKUP, HttpGrant { credential, ..grant(server.port) });
    let response = call.exchange(asked("GET", "/wiki/_search?q=1"), None).await.unwrap();
    assert_eq!(call.state.status(again(&response)).await.unwrap(), 200);
    let body = call.state.body(response).await.unwrap();
    assert_eq!(call.read(&body).await.unwrap(), b"ok");
    let seen = &server.requests()[0];
    assert!(seen.starts_with("GET /base/wiki/_search?q=1 HTTP/1.1\r\n"), "{seen}");
    // base64 of "backup:hunter2 !"
    assert!(seen.contains("authorization: Basic YmFja3VwOmh1bnRlcjIgIQ==\r\n"), "{seen}");
    assert!(
        seen.contains(&format!("host: 127.0.0.1:{}\r\n", server.port)) && seen.contains("accept: text/plain"),
        "{seen}"
    );
}

#[tokio::test]
async fn a_secret_that_no_header_can_hold_is_refused_before_anything_is_sent() {
    let server = StandIn::start(OK, true).await;
    let (_file, token) = secret("two\r\nHost: lines");
    let mut call =
        call(BACKUP, HttpGrant { credential: Some(config::Credential::Bearer(token)), ..grant(server.port) });
    let Err(Fail::Plugin(error)) = call.exchange(asked("GET", "/wiki"), None).await else { panic!("it was sent") };
    assert!(error.message.contains("line break") && !error.message.contains("lines"), "{}", error.message);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_credential_that_the_server_sends_back_is_masked() {
    let echo = "HTTP/1.1 200 OK\r\nX-You: ApiKey tok-en-value\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n";
    let server = StandIn::start(echo, true).await;
    let (_file, value) = secret("ApiKey tok-en-value");
    let credential = Some(config::Credential::Header { name: "X-Api-Key".into(), value });
    let mut call = call(BACKUP, HttpGrant { credential, ..grant(server.port) });
    let response = call.exchange(asked("GET", "/wiki"), None).await.unwrap();
    assert!(server.requests()[0].contains("x-api-key: ApiKey tok-en-value\r\n"));
    let headers = call.state.headers(response).await.unwrap();
    assert!(headers.contains(&("x-you".into(), "[secret]".into())), "{headers:?}");
    assert!(headers.contains(&("set-cookie".into(), "a=b".into())));
    assert_eq!(call.state.mask.apply("it said tok-en-value".into()), "it said [secret]");
}

#[tokio::test]
async fn what_is_not_granted_is_denied_and_nothing_is_sent() {
    let server = StandIn::start(OK, true).await;
    let mut call = call(BACKUP, grant(server.port));
    let headers =
        |name: &str, value: &str| http::Request { headers: vec![(name.into(), value.into())], ..asked("GET", "/wiki") };
    for (request, wanted) in [
        (asked("DELETE", "/wiki"), Code::Denied),
        (asked("get", "/wiki"), Code::Denied),
        (asked("GET /x HTTP/1.1\r\n", "/wiki"), Code::Invalid),
        (asked("GET", "/other"), Code::Denied),
        (asked("GET", "/wiki/../other"), Code::Invalid),
        (asked("GET", "http://other/wiki"), Code::Invalid),
        (headers("Host", "other"), Code::Denied),
        (headers("authorization", "Basic x"), Code::Denied),
        (headers("Transfer-Encoding", "chunked"), Code::Denied),
        (headers("Content_Length", "3"), Code::Denied),
        (headers("X-HTTP-Method-Override", "DELETE"), Code::Denied),
        (headers("X-A", "b\r\nHost: other"), Code::Invalid),
        (headers("X-A\r\nHost", "other"), Code::Invalid),
        (headers("X A", "b"), Code::Invalid),
        (headers("", "b"), Code::Invalid),
        (headers("X-A", "b\0"), Code::Invalid),
        (headers("X-A", &"b".repeat(9000)), Code::Limit),
        (http::Request { headers: vec![("a".into(), "b".repeat(8000)); 9], ..asked("GET", "/wiki") }, Code::Limit),
        (http::Request { headers: vec![("a".into(), "b".into()); 65], ..asked("GET", "/wiki") }, Code::Limit),
    ] {
        let shown = format!("{request:?}");
        assert_eq!(code(call.exchange(request, None).await), Some(wanted), "{shown}");
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 0);
    let Err(Fail::Plugin(error)) = call.exchange(asked("DELETE", "/wiki"), None).await else { panic!() };
    assert!(
        error.message.ends_with("[step.wiki.grant.http.api]\nmethods = [\"GET\", \"POST\", \"DELETE\"]"),
        "{}",
        error.message
    );
    let Err(Fail::Plugin(error)) = call.state.get("other".into()).await.map(drop) else { panic!() };
    assert!(error.message.contains("[step.wiki.grant.http.other]"), "{}", error.message);
}

#[tokio::test]
async fn an_answer_that_is_not_whole_is_never_taken_for_whole() {
    for (answer, wanted) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", Code::Corrupt),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", Code::Corrupt),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n", Code::Corrupt),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n", Code::Corrupt),
        ("HTTP/1.1 200 OK\r\n\r\nnobody knows where it ends", Code::Corrupt),
    ] {
        let server = StandIn::start(answer, true).await;
        let mut call = call(BACKUP, grant(server.port));
        let body = call.body(asked("GET", "/wiki")).await.unwrap();
        assert_eq!(code(call.read(&body).await), Some(wanted), "{answer}");
        assert_eq!(code(call.state.read(body, 1).await), Some(wanted), "it ends the second time: {answer}");
        let body = call.body(asked("GET", "/wiki")).await.unwrap();
        let meta = snapshot::Meta { modified: None, mode: None, owner: None, attributes: Vec::new() };
        assert!(call.state.put("kept".into(), body, meta).await.is_err());
        assert!(call.draft.held.lock().unwrap().is_empty(), "{answer}");
    }
}

#[tokio::test]
async fn an_answer_whose_head_is_none_is_named() {
    let long = |bytes| format!("HTTP/1.1 200 OK\r\nX-A: {}\r\n\r\n", "a".repeat(bytes));
    for (answer, wanted) in [
        ("220 mail.example ESMTP\r\n", Code::Corrupt),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", Code::Corrupt),
        (&long(64 << 10), Code::Limit),
        (&long(1 << 17), Code::Limit),
        (&long(1 << 20), Code::Limit),
        ("", Code::Unavailable),
    ] {
        let server = StandIn::start(answer, true).await;
        let mut call = call(BACKUP, grant(server.port));
        assert_eq!(code(call.exchange(asked("GET", "/wiki"), None).await), Some(wanted), "{answer:.40}");
    }
}

#[tokio::test]
async fn redirects_and_refusals_of_the_server_are_answers() {
    for (line, status) in [("302 Found\r\nLocation: http://other/", 302), ("503 Later", 503)] {
        let server = StandIn::start(&format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n"), true).await;
        let mut call = call(BACKUP, grant(server.port));
        let response = call.exchange(asked("GET", "/wiki"), None).await.unwrap();
        assert_eq!(call.state.status(response).await.unwrap(), status);
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let server = StandIn::start("", false).await;
    let mut call = call(BACKUP, HttpGrant { timeout: Duration::from_millis(50), ..grant(server.port) });
    let Err(Fail::Plugin(error)) = call.exchange(asked("GET", "/wiki"), None).await else { panic!() };
    assert_eq!((Code::from(error.code), error.retryable), (Code::Timeout, true), "{}", error.message);
    // The plugin's own time is the shorter one: with the grant's, the test would not end.
    let mut call = self::call(BACKUP, HttpGrant { timeout: Duration::from_secs(3600), ..grant(server.port) });
    let request = http::Request { timeout_ms: Some(50), ..asked("POST", "/wiki") };
    let Err(Fail::Plugin(error)) = call.exchange(request, None).await else { panic!() };
    assert_eq!((Code::from(error.code), error.retryable), (Code::Timeout, false), "{}", error.message);
}

#[tokio::test]
async fn an_answer_that_stops_moving_is_given_up() {
    let server = StandIn::start("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", false).await;
    let mut call = call(BACKUP, grant(server.port));
    call.state.watch.no_progress = Duration::from_secs(1);
    let body = call.body(asked("GET", "/wiki")).await.unwrap();
    assert_eq!(code(call.read(&body).await), Some(Code::Timeout));
}

#[tokio::test]
async fn nobody_there_is_worth_another_try() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let mut call = call(BACKUP, grant(port));
    let Err(Fail::Plugin(error)) = call.exchange(asked("POST", "/wiki"), None).await else { panic!() };
    assert_eq!((Code::from(error.code), error.retryable), (Code::Unavailable, true), "{}", error.message);
}

#[tokio::test]
async fn a_short_body_has_its_length_and_a_long_one_comes_in_chunks() {
    let server = StandIn::start(OK, true).await;
    let mut call = call(BACKUP, grant(server.port));
    for (bytes, sign) in
        [(0, "content-length: 0\r\n"), (3, "content-length: 3\r\n"), (200_000, "transfer-encoding: chunked\r\n")]
    {
        let body = call.state.from_bytes(vec![b'x'; bytes]).await.unwrap();
        call.exchange(asked("POST", "/wiki"), Some(body)).await.unwrap();
        let seen = server.requests().pop().unwrap();
        assert!(seen.contains(sign), "{bytes}: {seen:.300}");
        assert_eq!(seen.split_once("\r\n\r\n").unwrap().1.matches('x').count(), bytes);
    }
    call.exchange(asked("POST", "/wiki"), None).await.unwrap();
    assert!(server.requests().pop().unwrap().contains("content-length: 0\r\n"));
}

#[tokio::test]
async fn a_request_whose_body_breaks_is_never_sent_whole() {
    for bytes in [10, 300_000] {
        let server = StandIn::start(OK, true).await;
        let mut call = call(BACKUP, grant(server.port));
        let (output, input) = call.state.pipe().await.unwrap();
        let service = call.state.get("api".into()).await.unwrap();
        let exchange = call.state.start(service, asked("POST", "/wiki"), Some(input)).await.unwrap();
        call.state.write(again(&output), vec![b'x'; bytes]).await.unwrap();
        streams::HostOutputStream::drop(&mut call.state, output).await.unwrap();
        let Err(Fail::Plugin(error)) = call.state.wait(exchange).await else { panic!("it was taken for whole") };
        assert!(error.message.contains("body broke"), "{}", error.message);
        let seen = server.requests();
        assert!(seen.iter().all(|request| !request.ends_with("\r\n0\r\n\r\n")), "{seen:?}");
    }
}

#[tokio::test]
async fn waiting_for_an_answer_while_holding_the_requests_other_end_is_invalid() {
    let server = StandIn::start(OK, true).await;
    let mut call = call(BACKUP, grant(server.port));
    let (_output, input) = call.state.pipe().await.unwrap();
    assert_eq!(code(call.exchange(asked("POST", "/wiki"), Some(input)).await), Some(Code::Invalid));
}

#[tokio::test]
async fn a_connection_serves_again_once_its_answer_was_read() {
    for (close, connections) in [(false, 1), (true, 3)] {
        let server = StandIn::start(OK, close).await;
        let mut call = call(BACKUP, grant(server.port));
        let service = call.state.get("api".into()).await.unwrap();
        for _ in 0..3 {
            let exchange = call.state.start(again(&service), asked("GET", "/wiki"), None).await.unwrap();
            let response = call.state.wait(exchange).await.unwrap();
            let body = call.state.body(response).await.unwrap();
            assert_eq!(call.read(&body).await.unwrap(), b"ok");
        }
        assert_eq!((server.requests().len(), server.connections.load(Ordering::SeqCst)), (3, connections));
    }
}

#[tokio::test]
async fn an_exchange_that_is_dropped_ends_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut call = call(BACKUP, grant(listener.local_addr().unwrap().port()));
    let service = call.state.get("api".into()).await.unwrap();
    let exchange = call.state.start(service, asked("GET", "/wiki"), None).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    assert!(request(&mut stream).await.1);
    http::HostExchange::drop(&mut call.state, exchange).await.unwrap();
    assert!(!matches!(stream.read(&mut [0; 1]).await, Ok(1..)), "it still sends");
}

#[tokio::test]
async fn open_requests_count_as_streams() {
    let server = StandIn::start("", false).await;
    let mut call = call(BACKUP, grant(server.port));
    let mut session = session(&Arc::new(Recorder::default()));
    session.limits.open_streams = 2;
    session.grants = call.state.session.grants.clone();
    call.state = State::new(Arc::new(session), BACKUP, "p");
    let service = call.state.get("api".into()).await.unwrap();
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(code(call.state.start(again(&service), asked("GET", "/wiki"), None).await));
    }
    assert_eq!(codes, [None, None, Some(Code::Limit)]);
}

#[tokio::test]
async fn verify_reaches_no_service() {
    let mut call = call(Operation::Verify, grant(1));
    assert_eq!(code(call.state.get("api".into()).await), Some(Code::Unsupported));
}

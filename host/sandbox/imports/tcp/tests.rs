//! A guest's calls on connections to peers that behave, and to peers that do not.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::*;
use crate::{
    config::Grants,
    digest::Digest,
    repository::Pass,
    sandbox::{
        bindings::host::{
            snapshot::{self, Host as _},
            streams::{Algorithm, Host as _, HostInputStream, HostOutputStream},
            tcp::{Host as _, HostService as _},
        },
        operation::Operation,
        testing::{MemoryDraft, Recorder, session},
    },
};

const BACKUP: Operation = Operation::Backup(Pass::InStage);

/// What a test lets one call of a plugin do.
struct Guest {
    state: State,
    draft: Arc<MemoryDraft>,
}

fn again<T: 'static>(handle: &Resource<T>) -> Resource<T> {
    Resource::new_own(handle.rep())
}

#[track_caller]
fn error<T>(answer: Answer<T>) -> (Code, String) {
    match answer {
        Err(Fail::Plugin(error)) => (error.code.into(), error.message),
        Err(Fail::Trap(trap)) => panic!("{trap}"),
        Ok(_) => panic!("it went well"),
    }
}

impl Guest {
    fn new(operation: Operation, endpoint: &str, idle: Duration) -> Self {
        let grant = TcpGrant {
            endpoints: vec![Endpoint::parse(endpoint).unwrap()],
            tls: None,
            connect_timeout: Duration::from_secs(20),
            idle,
        };
        let draft = Arc::new(MemoryDraft::default());
        let mut session = session(&Arc::new(Recorder::default()));
        session.draft = Some(draft.clone());
        session.grants = Arc::new(Grants { tcp: [("broker".to_owned(), grant)].into(), ..Grants::default() });
        Self { state: State::new(Arc::new(session), operation, "p"), draft }
    }

    async fn try_connect(&mut self, endpoint: &str) -> Answer<(Resource<InputStream>, Resource<OutputStream>)> {
        let service = self.state.get("broker".into()).await?;
        self.state.connect(service, endpoint.into(), None).await
    }

    async fn write(&mut self, output: &Resource<OutputStream>, data: &[u8]) -> Answer<()> {
        self.state.write(again(output), data.to_vec()).await
    }

    async fn read(&mut self, input: &Resource<InputStream>) -> Answer<Vec<u8>> {
        self.state.read(again(input), 1 << 16).await
    }

    async fn store(&mut self, path: &str, content: Resource<InputStream>) -> Answer<snapshot::Stored> {
        let meta = snapshot::Meta { modified: None, mode: None, owner: None, attributes: Vec::new() };
        self.state.put(path.into(), content, meta).await
    }

    fn held(&self) -> Vec<(String, Vec<u8>)> {
        let held = self.draft.held.lock().unwrap();
        held.iter().map(|(path, (bytes, _))| (path.to_text(), bytes.clone())).collect()
    }
}

/// A guest that is connected to a peer which does this.
async fn connected<F, T>(
    idle: Duration,
    peer: impl FnOnce(TcpStream) -> F,
) -> (Guest, Resource<InputStream>, Resource<OutputStream>, JoinHandle<T>)
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = listener.local_addr().unwrap().to_string();
    let mut guest = Guest::new(BACKUP, &endpoint, idle);
    let (input, output) = guest.try_connect(&endpoint).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    (guest, input, output, tokio::spawn(peer(stream)))
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(100);

/// Reads to the end, then sends all of it back.
async fn echo_at_the_end(mut stream: TcpStream) {
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    stream.write_all(&heard).await.unwrap();
}

#[tokio::test]
async fn a_finished_half_leaves_the_other_open() {
    let (mut guest, input, output, _peer) = connected(LONG, echo_at_the_end).await;
    guest.write(&output, b"a request").await.unwrap();
    guest.state.finish(output).await.unwrap();
    assert_eq!(guest.read(&input).await.unwrap(), b"a request");
    assert_eq!(guest.read(&input).await.unwrap(), b"");
}

fn frames(bodies: &[&[u8]]) -> Vec<u8> {
    bodies.iter().flat_map(|body| [&(body.len() as u32).to_be_bytes()[..], body].concat()).collect()
}

#[tokio::test]
async fn frames_are_peeked_taken_skipped_and_stored_without_passing_through_the_guest() {
    let big = vec![7; 3 << 20];
    let sent = frames(&[b"first", b"skipped", &big, b"last"]);
    let (mut guest, input, _output, _peer) =
        connected(LONG, async move |mut stream: TcpStream| stream.write_all(&sent).await.unwrap()).await;
    for (path, stored) in [("first", true), ("", false), ("big", true), ("last", true)] {
        let begun = guest.state.peek(again(&input), 2).await.unwrap();
        let header = guest.state.peek(again(&input), 4).await.unwrap();
        assert_eq!(begun, header[..2]);
        let length = u64::from(u32::from_be_bytes(header.try_into().unwrap()));
        assert_eq!(guest.state.skip(again(&input), 4).await.unwrap(), 4);
        if stored {
            let body = guest.state.take(again(&input), length).await.unwrap();
            guest.store(path, body).await.unwrap();
        } else {
            assert_eq!(guest.state.skip(again(&input), length).await.unwrap(), length);
        }
    }
    assert_eq!(guest.read(&input).await.unwrap(), b"");
    let held = |path: &str, bytes: &[u8]| (format!("wiki/p/{path}"), bytes.to_vec());
    assert_eq!(guest.held(), [held("big", &big), held("first", b"first"), held("last", b"last")]);
}

#[tokio::test]
async fn a_frame_that_is_cut_off_is_corrupt_and_not_stored() {
    let (mut guest, input, _output, _peer) =
        connected(LONG, async |mut stream: TcpStream| stream.write_all(b"half").await.unwrap()).await;
    let body = guest.state.take(input, 8).await.unwrap();
    assert_eq!(error(guest.store("body", body).await).0, Code::Corrupt);
    assert!(guest.held().is_empty());
}

#[tokio::test]
async fn bytes_are_moved_into_a_connection_with_their_digest() {
    let (mut guest, _input, output, peer) = connected(LONG, async |mut stream: TcpStream| {
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        heard
    })
    .await;
    let data: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    let source = guest.state.from_bytes(data.clone()).await.unwrap();
    let moved = guest.state.splice(again(&output), again(&source), 1_000_000).await.unwrap();
    assert_eq!(moved, 1_000_000);
    let digest = guest.state.splice_digest(again(&output), source, 2_000_000, Algorithm::Sha256).await.unwrap();
    assert_eq!(digest, Digest::of(&data[1_000_000..]).as_bytes());
    guest.state.finish(output).await.unwrap();
    assert!(peer.await.unwrap() == data);
}

#[tokio::test]
async fn a_peer_that_says_nothing_ends_a_read_in_timeout_and_can_be_read_again() {
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let (mut guest, input, _output, _peer) = connected(SHORT, async move |mut stream: TcpStream| {
        told.await.unwrap();
        stream.write_all(b"late").await.unwrap();
        stream
    })
    .await;
    let (code, message) = error(guest.read(&input).await);
    assert_eq!(code, Code::Timeout);
    assert!(message.contains("127.0.0.1:") && message.contains("no byte moved for 100ms (idle)"), "{message}");
    tell.send(()).unwrap();
    let late = loop {
        match guest.read(&input).await {
            Ok(late) => break late,
            again => assert_eq!(error(again).0, Code::Timeout),
        }
    };
    assert_eq!(late, b"late");
}

#[tokio::test]
async fn a_plugin_can_shorten_how_long_it_waits_and_not_lengthen_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = listener.local_addr().unwrap().to_string();
    for (idle, asked, limit) in [(LONG, Some(50), "50ms"), (SHORT, Some(u32::MAX), "100ms"), (SHORT, None, "100ms")] {
        let mut guest = Guest::new(BACKUP, &endpoint, idle);
        let service = guest.state.get("broker".into()).await.unwrap();
        let (input, _output) = guest.state.connect(service, endpoint.clone(), asked).await.unwrap();
        let (code, message) = error(guest.read(&input).await);
        assert!(code == Code::Timeout && message.contains(limit), "{message}");
    }
}

#[tokio::test]
async fn a_peer_that_takes_nothing_ends_a_write_in_timeout_and_the_connection_with_it() {
    let (mut guest, input, output, _peer) = connected(SHORT, async |stream: TcpStream| stream).await;
    let block = vec![0; 4 << 20];
    let (code, message) = loop {
        match guest.write(&output, &block).await {
            Ok(()) => {}
            failed => break error(failed),
        }
    };
    // Never `invalid`: whoever reads at the other end is not this guest.
    assert!(code == Code::Timeout && message.contains("writing to 127.0.0.1:"), "{message}");
    let (code, message) = error(guest.write(&output, b"more").await);
    assert!(code == Code::Invalid && message.contains("connect anew"), "{message}");
    assert_eq!(error(guest.state.finish(output).await).0, Code::Invalid);
    assert_eq!(error(guest.read(&input).await).0, Code::Io);
}

#[tokio::test]
async fn a_peer_that_drips_is_waited_for() {
    let idle = Duration::from_secs(1);
    let (mut guest, input, _output, _peer) = connected(idle, async move |mut stream: TcpStream| {
        let mut drips = tokio::time::interval(idle / 20);
        for _ in 0..30 {
            drips.tick().await;
            stream.write_all(b".").await.unwrap();
        }
    })
    .await;
    let stored = guest.store("drips", input).await.unwrap();
    assert_eq!(stored.size, 30);
}

#[tokio::test]
async fn an_output_that_is_dropped_unfinished_resets_the_connection_for_both() {
    let (mut guest, input, output, peer) = connected(LONG, async |mut stream: TcpStream| {
        let mut heard = Vec::new();
        (stream.read_to_end(&mut heard).await, heard)
    })
    .await;
    guest.write(&output, b"half a requ").await.unwrap();
    HostOutputStream::drop(&mut guest.state, output).await.unwrap();
    let (code, message) = error(guest.read(&input).await);
    assert!(code == Code::Io && message.contains("dropped before it was finished"), "{message}");
    let (heard, _) = peer.await.unwrap();
    assert_eq!(heard.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_reader_that_waits_learns_that_the_output_was_dropped() {
    let (mut guest, input, output, _peer) = connected(LONG, async |stream: TcpStream| stream).await;
    let meta = snapshot::Meta { modified: None, mode: None, owner: None, attributes: Vec::new() };
    let pending = guest.state.submit("answer".into(), input, meta).await.unwrap();
    tokio::task::yield_now().await;
    HostOutputStream::drop(&mut guest.state, output).await.unwrap();
    let (_, message) = error(snapshot::HostPending::wait(&mut guest.state, pending).await);
    assert!(message.contains("dropped before it was finished"), "{message}");
}

#[tokio::test]
async fn a_peer_that_resets_the_connection_is_unavailable() {
    let (mut guest, input, output, peer) =
        connected(LONG, async |stream: TcpStream| stream.set_zero_linger().unwrap()).await;
    peer.await.unwrap();
    let (code, message) = error(guest.store("answer", input).await);
    assert!(code == Code::Io && message.contains("reset"), "{message}");
    let gone = loop {
        match guest.write(&output, b"anyone?").await {
            Ok(()) => {}
            failed => break error(failed),
        }
    };
    assert_eq!(gone.0, Code::Unavailable, "{}", gone.1);
}

#[tokio::test]
async fn an_input_that_is_dropped_leaves_the_output_open() {
    let (mut guest, input, output, peer) = connected(LONG, async |mut stream: TcpStream| {
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        heard
    })
    .await;
    HostInputStream::drop(&mut guest.state, input).await.unwrap();
    guest.write(&output, b"all of it").await.unwrap();
    guest.state.finish(output).await.unwrap();
    assert_eq!(peer.await.unwrap(), b"all of it");
}

#[tokio::test]
async fn only_a_granted_endpoint_is_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut guest = Guest::new(BACKUP, &format!("LOCALHOST:{port}"), LONG);
    assert!(guest.try_connect(&format!("Localhost:{port}")).await.is_ok());
    listener.accept().await.unwrap();
    for other in [format!("127.0.0.1:{port}"), "localhost:1".to_owned(), format!("localhost.example.org:{port}")] {
        let (code, message) = error(guest.try_connect(&other).await);
        assert_eq!(code, Code::Denied);
        let line = format!("[step.wiki.grant.tcp.broker]\nendpoints = [\"localhost:{port}\", \"{other}\"]");
        assert!(message.contains(&line), "{message}");
    }
    for bad in ["localhost", "a b:1", "", &"x".repeat(1 << 20)] {
        let (code, message) = error(guest.try_connect(bad).await);
        assert!(code == Code::Invalid && message.len() < 300, "{message}");
    }
    let mut accepted = std::pin::pin!(listener.accept());
    assert!(futures_util::poll!(accepted.as_mut()).is_pending());
}

#[tokio::test]
async fn nothing_is_connected_in_verify() {
    let mut guest = Guest::new(Operation::Verify, "localhost:1", LONG);
    assert_eq!(error(guest.try_connect("localhost:1").await).0, Code::Unsupported);
}

#[tokio::test]
async fn a_wait_for_a_peer_ends_with_the_run() {
    let (mut guest, input, _output, _peer) = connected(LONG, async |stream: TcpStream| stream).await;
    let stop = guest.state.session.stop.clone();
    let (read, ()) = tokio::join!(guest.read(&input), async { stop.cancel() });
    assert_eq!(error(read).0, Code::Canceled);
}

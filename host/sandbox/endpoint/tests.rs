//! Names whose addresses are chosen by the test, and a real TLS server: `openssl s_server`.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{
    config::ClientCertificate,
    sandbox::stream::socket::{Reader, Terms, Writer, halves},
};

fn endpoint(text: &str) -> Endpoint {
    Endpoint::parse(text).unwrap()
}

fn grant(endpoints: &[&str]) -> TcpGrant {
    let limit = Duration::from_secs(20);
    let endpoints = endpoints.iter().map(|text| endpoint(text)).collect();
    TcpGrant { endpoints, tls: None, connect_timeout: limit, idle: limit }
}

/// Connects to the first endpoint of the grant, whose name stands for these addresses.
async fn connect(grant: &TcpGrant, addresses: &[&str]) -> Result<Wire, Error> {
    let target = Target { name: "broker", grant, endpoint: &grant.endpoints[0] };
    let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    target.connect(async |_| Ok(addresses)).await
}

async fn refusal(grant: &TcpGrant, addresses: &[&str]) -> Error {
    match connect(grant, addresses).await {
        Err(error) => error,
        Ok(_) => panic!("connected"),
    }
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn a_name_that_turns_into_an_address_of_this_machine_is_refused_and_nothing_is_connected() {
    let (listener, port) = listener().await;
    let grant = grant(&[&format!("broker-0.example.org:{port}")]);
    for (address, kind) in [
        ("127.0.0.1", "loopback"),
        ("127.255.0.9", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("255.255.255.255", "broadcast"),
    ] {
        let error = refusal(&grant, &[address]).await;
        assert_eq!(error.code, Code::Denied, "{address}: {error}");
        assert!(error.message.contains(kind) && error.message.contains("grant.tcp.broker"), "{error}");
    }
    let mut accepted = std::pin::pin!(listener.accept());
    assert!(futures_util::poll!(accepted.as_mut()).is_pending());
}

#[tokio::test]
async fn an_address_of_this_machine_is_reached_where_it_was_granted_as_such() {
    let (listener, port) = listener().await;
    let literal = format!("127.0.0.1:{port}");
    for (endpoints, addresses) in [
        (vec![format!("broker-0:{port}"), literal.clone()], vec!["127.0.0.1"]),
        (vec![format!("broker-0:{port}"), literal.clone()], vec!["::ffff:127.0.0.1"]),
        (vec![format!("localhost:{port}")], vec!["127.0.0.1"]),
        // Not looked up at all.
        (vec![literal.clone()], vec!["192.0.2.1"]),
        // One that is not meant does not stand in the way of one that is.
        (vec![format!("broker-0:{port}"), literal.clone()], vec!["169.254.169.254", "127.0.0.1"]),
    ] {
        let endpoints: Vec<_> = endpoints.iter().map(String::as_str).collect();
        assert!(connect(&grant(&endpoints), &addresses).await.is_ok(), "{endpoints:?} {addresses:?}");
        listener.accept().await.unwrap();
    }
    let other_port = grant(&[&format!("broker-0:{port}"), "127.0.0.1:1"]);
    assert_eq!(refusal(&other_port, &["127.0.0.1"]).await.code, Code::Denied);
    assert_eq!(refusal(&grant(&[&format!("localhost:{port}")]), &["169.254.1.1"]).await.code, Code::Denied);
}

#[tokio::test]
async fn nobody_who_answers_is_unavailable() {
    let (listener, port) = listener().await;
    drop(listener);
    let error = refusal(&grant(&[&format!("127.0.0.1:{port}")]), &[]).await;
    assert_eq!((error.code, error.retryable), (Code::Unavailable, true));
    let error = refusal(&grant(&["nobody:1"]), &[]).await;
    assert!(error.code == Code::Unavailable && error.message.contains("no address"), "{error}");
    let unknown = grant(&["strongroom-test.invalid:1"]);
    let target = Target { name: "broker", grant: &unknown, endpoint: &unknown.endpoints[0] };
    let error = target.connect(look_up).await.err().unwrap();
    assert!(error.code == Code::Unavailable && error.message.contains("strongroom-test.invalid:1"), "{error}");
}

#[tokio::test]
async fn connecting_ends_at_its_deadline() {
    let mut never = grant(&["broker-0:1"]);
    never.connect_timeout = Duration::from_millis(50);
    let target = Target { name: "broker", grant: &never, endpoint: &never.endpoints[0] };
    let error = target.connect(async |_| std::future::pending().await).await.err().unwrap();
    assert!(error.code == Code::Unavailable && error.message.contains("50ms (connect-timeout)"), "{error}");
    // A server that accepts and then says nothing to a TLS client.
    let (keys, (listener, port)) = (Keys::new(), listener().await);
    let mut silent = grant(&[&format!("127.0.0.1:{port}")]);
    (silent.tls, silent.connect_timeout) = (Some(keys.tls("ca", None)), Duration::from_millis(200));
    let error = refusal(&silent, &[]).await;
    assert!(error.message.contains("200ms (connect-timeout)"), "{error}");
    drop(listener);
}

/// Two authorities, `ca` and `other`, and what `ca` says of `server` and `client`.
struct Keys(tempfile::TempDir);

impl Keys {
    fn new() -> Self {
        let keys = Self(tempfile::tempdir().unwrap());
        for authority in ["ca", "other"] {
            keys.make(authority, &[]);
        }
        for (name, signer) in [("server", "ca"), ("client", "ca"), ("stranger", "other")] {
            let (certificate, key) = (format!("{signer}.crt"), format!("{signer}.key"));
            let names = "subjectAltName=DNS:localhost,DNS:broker.example.org";
            let signed = ["-CA", &certificate, "-CAkey", &key, "-addext", names];
            keys.make(name, &[&signed[..], &["-addext", "basicConstraints=critical,CA:FALSE"]].concat());
        }
        keys
    }

    fn make(&self, name: &str, more: &[&str]) {
        let (subject, key, certificate) = (format!("/CN={name}"), format!("{name}.key"), format!("{name}.crt"));
        let made = Command::new("/usr/bin/openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", &subject, "-keyout", &key, "-out", &certificate])
            .args(more)
            .current_dir(self.0.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// TLS with that authority, shown that certificate.
    fn tls(&self, ca: &str, client: Option<&str>) -> TcpTls {
        let identity = client.map(|name| ClientCertificate {
            certificate: self.path(&format!("{name}.crt")),
            key: self.path(&format!("{name}.key")),
        });
        TcpTls { ca: Some(self.path(&format!("{ca}.crt"))), identity, server_name: None }
    }
}

/// `openssl s_server`, which sends each line back in reverse and wants a client certificate. Killed when dropped.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(keys: &Path, version: &str) -> Self {
        let mut process = Command::new("/usr/bin/openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-rev", version, "-cert", "server.crt", "-key", "server.key"])
            .args(["-CAfile", "ca.crt", "-Verify", "1", "-verify_return_error"])
            .current_dir(keys)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut ports = lines.filter_map(|line| line.strip_prefix("ACCEPT ")?.rsplit_once(':')?.1.parse().ok());
        let port = ports.next().unwrap();
        // What it goes on saying is read, so that it never waits for a reader.
        std::thread::spawn(move || ports.for_each(drop));
        Self { process, port }
    }

    fn grant(&self, tls: TcpTls) -> TcpGrant {
        TcpGrant { tls: Some(tls), ..grant(&[&format!("localhost:{}", self.port)]) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn apart(wire: Wire) -> (Reader, Writer) {
    let terms = Terms { peer: "localhost".into(), idle: Duration::from_secs(20), moved: Default::default() };
    halves(wire, terms)
}

/// Says a line and hears the answer; or why not.
async fn ask(reader: &mut Reader, writer: &mut Writer) -> io::Result<Vec<u8>> {
    writer.write(b"hello\n").await?;
    let mut answer = vec![0; 6];
    reader.read_exact(&mut answer).await.map(|_| answer)
}

#[tokio::test]
async fn a_server_and_its_client_prove_who_they_are() {
    let keys = Keys::new();
    for version in ["-tls1_3", "-tls1_2"] {
        let server = Server::start(keys.0.path(), version);
        let named = TcpTls { server_name: Some("broker.example.org".into()), ..keys.tls("ca", Some("client")) };
        for tls in [keys.tls("ca", Some("client")), named] {
            let (mut reader, mut writer) = apart(connect(&server.grant(tls), &["127.0.0.1"]).await.unwrap());
            assert_eq!(ask(&mut reader, &mut writer).await.unwrap(), b"olleh\n");
        }
    }
}

#[tokio::test]
async fn a_server_that_cannot_prove_who_it_is_is_denied() {
    let keys = Keys::new();
    let server = Server::start(keys.0.path(), "-tls1_3");
    let named = TcpTls { server_name: Some("other.example.org".into()), ..keys.tls("ca", Some("client")) };
    for tls in [keys.tls("other", Some("client")), named] {
        let error = refusal(&server.grant(tls), &["127.0.0.1"]).await;
        assert!(error.code == Code::Denied && error.message.contains("check tls in grant.tcp.broker"), "{error}");
    }
    let ip = TcpGrant {
        endpoints: vec![endpoint(&format!("127.0.0.1:{}", server.port))],
        ..server.grant(keys.tls("ca", Some("client")))
    };
    assert_eq!(refusal(&ip, &[]).await.code, Code::Denied);
}

#[tokio::test]
async fn a_client_that_cannot_prove_who_it_is_is_denied() {
    let keys = Keys::new();
    for version in ["-tls1_3", "-tls1_2"] {
        for client in [None, Some("stranger")] {
            let server = Server::start(keys.0.path(), version);
            // With TLS 1.3 the server says so only when the client thinks that all is well.
            let error = match connect(&server.grant(keys.tls("ca", client)), &["127.0.0.1"]).await {
                Err(error) => error,
                Ok(wire) => {
                    let (mut reader, mut writer) = apart(wire);
                    let refused = ask(&mut reader, &mut writer).await.unwrap_err();
                    Error::of(&refused).unwrap().clone()
                }
            };
            assert_eq!(error.code, Code::Denied, "{version} {client:?}: {error}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_named() {
    let keys = Keys::new();
    let (listener, port) = listener().await;
    std::fs::write(keys.path("empty.pem"), "").unwrap();
    for (tls, name) in [
        (TcpTls { ca: Some(keys.path("empty.pem")), ..TcpTls::default() }, "empty.pem"),
        (keys.tls("absent", None), "absent.crt"),
        (keys.tls("ca", Some("absent")), "absent.key"),
    ] {
        let tls = TcpGrant { tls: Some(tls), ..grant(&[&format!("127.0.0.1:{port}")]) };
        let error = refusal(&tls, &[]).await;
        assert!(error.code == Code::Invalid && error.message.contains(name), "{error}");
    }
    let mut swapped = keys.tls("ca", Some("client"));
    swapped.identity.as_mut().unwrap().key = keys.path("stranger.key");
    let tls = TcpGrant { tls: Some(swapped), ..grant(&[&format!("127.0.0.1:{port}")]) };
    let error = refusal(&tls, &[]).await;
    assert!(error.code == Code::Invalid && error.message.contains("stranger.key"), "{error}");
    drop(listener);
}

#[tokio::test]
async fn a_tls_stream_that_ends_without_saying_so_ends_in_an_error() {
    let keys = Keys::new();
    let mut server = Server::start(keys.0.path(), "-tls1_3");
    let wire = connect(&server.grant(keys.tls("ca", Some("client"))), &["127.0.0.1"]).await.unwrap();
    let (mut reader, mut writer) = apart(wire);
    assert_eq!(ask(&mut reader, &mut writer).await.unwrap(), b"olleh\n");
    server.process.kill().unwrap();
    let cut = reader.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(Error::of(&cut).unwrap().code, Code::Corrupt, "{cut}");
}

/// A server that reads until it is told that nothing more comes, then answers and says that it is done.
async fn answer_at_the_end(keys: &Keys, listener: TcpListener) -> Vec<u8> {
    use tokio::io::AsyncWriteExt;
    use tokio_rustls::{
        TlsAcceptor,
        rustls::{
            ServerConfig,
            crypto::ring,
            pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        },
    };
    let chain = vec![CertificateDer::from_pem_file(keys.path("server.crt")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(keys.path("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(ring::default_provider().into());
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(std::sync::Arc::new(config.with_single_cert(chain, key).unwrap()));
    let (stream, _): (TcpStream, _) = listener.accept().await.unwrap();
    let mut stream = acceptor.accept(stream).await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    stream.write_all(b"heard").await.unwrap();
    stream.shutdown().await.unwrap();
    heard
}

#[tokio::test]
async fn a_finished_half_of_a_tls_stream_leaves_the_other_open() {
    let keys = Keys::new();
    let (listener, port) = listener().await;
    let tls = TcpGrant { tls: Some(keys.tls("ca", None)), ..grant(&[&format!("localhost:{port}")]) };
    let client = async {
        let (mut reader, mut writer) = apart(connect(&tls, &["127.0.0.1"]).await.unwrap());
        writer.write(b"all of it").await.unwrap();
        writer.finish().await.unwrap();
        let mut answer = Vec::new();
        reader.read_to_end(&mut answer).await.unwrap();
        answer
    };
    let (heard, answer) = tokio::join!(answer_at_the_end(&keys, listener), client);
    assert_eq!((&heard[..], &answer[..]), (&b"all of it"[..], &b"heard"[..]));
}

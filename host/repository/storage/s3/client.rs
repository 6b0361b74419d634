//! Sends requests to the one server of a repository: one at a time on each connection, kept a while for the next.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::OnceCell,
    time::{self, Instant},
};
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use super::{
    super::wire::{Pace, Pulse, Speeds, Wire},
    answer::Answer,
};
use crate::{
    config::{Remote, place},
    diagnostic::causes,
    tls,
};

/// Largest head of an answer, in bytes; hyper reads at most 100 headers.
const HEAD_MAX: usize = 64 << 10;
/// How long a connection waits for another request: below what servers commonly allow.
const IDLE_TIME: Duration = Duration::from_secs(4);
/// How long it may take from the end of one answer until it takes another request.
const READY_TIME: Duration = Duration::from_millis(200);

/// See the module.
pub(super) struct Client {
    place: place::S3,
    ca: Option<PathBuf>,
    timeout: Duration,
    connections: usize,
    speeds: Arc<Speeds>,
    tls: OnceCell<TlsConnector>,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

/// A connection. The task that moves its bytes ends with it.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    pulse: Arc<Pulse>,
    _task: AbortOnDropHandle<()>,
}

impl Client {
    pub(super) fn new(place: &place::S3, remote: &Remote) -> Self {
        let speeds = Speeds { up: remote.limit_upload.map(Pace::new), down: remote.limit_download.map(Pace::new) };
        Self {
            place: place.clone(),
            ca: remote.ca.clone(),
            timeout: remote.timeout,
            connections: remote.connections.into(),
            speeds: Arc::new(speeds),
            tls: OnceCell::new(),
            idle: Mutex::default(),
        }
    }

    /// Sends a request, whose repetition does no harm, and reads the answer, whose body has `max` bytes at most.
    pub(super) async fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
        max: u64,
    ) -> io::Result<Answer> {
        let request = || {
            let mut request =
                Request::builder().method(method).uri(target).header("host", self.place.origin.authority());
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            request.body(Full::new(body.clone())).map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))
        };
        if let Some(mut connection) = self.idle().await
            && let Ok(answer) = self.exchange(&mut connection, request()?, max).await
        {
            self.keep(connection);
            return Ok(answer);
        }
        // The server may have closed an idle one at the same moment: only what fails on a new one has failed.
        let mut connection = self.connect().await?;
        let answer = self.exchange(&mut connection, request()?, max).await?;
        self.keep(connection);
        Ok(answer)
    }

    async fn exchange(
        &self,
        connection: &mut Connection,
        request: Request<Full<Bytes>>,
        max: u64,
    ) -> io::Result<Answer> {
        let pulse = Arc::clone(&connection.pulse);
        let asked = async {
            let answer = connection.sender.send_request(request).await.map_err(|why| self.broken(&why))?;
            self.read(answer, max).await
        };
        pulse.within(asked).await
    }

    async fn read(&self, answer: Response<Incoming>, max: u64) -> io::Result<Answer> {
        let (head, mut incoming) = answer.into_parts();
        let mut body = Vec::new();
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|why| self.broken(&why))?;
            body.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            if body.len() as u64 > max {
                let message = format!("the S3 server's answer is longer than {max} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
        }
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    fn broken(&self, why: &hyper::Error) -> io::Error {
        let message = format!("the connection to {} broke: {}", self.place.origin.authority(), causes(why));
        io::Error::new(io::ErrorKind::ConnectionAborted, message)
    }

    async fn connect(&self) -> io::Result<Connection> {
        match time::timeout(self.timeout, self.dial()).await {
            Ok(connected) => connected,
            Err(_) => {
                let within = humantime::format_duration(self.timeout);
                let message = format!("no connection to {} within {within} (timeout)", self.place.origin.authority());
                Err(io::Error::new(io::ErrorKind::TimedOut, message))
            }
        }
    }

    async fn dial(&self) -> io::Result<Connection> {
        let connected = TcpStream::connect((self.place.origin.address(), self.place.origin.port)).await;
        let stream = connected.map_err(|cause| self.unconnected(&cause))?;
        // Requests are small, and whoever asks waits for the answer.
        let _ = stream.set_nodelay(true);
        let pulse = Pulse::new(self.timeout);
        let wire = Wire::new(stream, Arc::clone(&pulse), Arc::clone(&self.speeds));
        if !self.place.origin.secure {
            return self.shake(wire, pulse).await;
        }
        let name = tls::server_name(self.place.origin.address()).map_err(invalid)?;
        let encrypted = self.tls().await?.connect(name, wire).await;
        self.shake(encrypted.map_err(|cause| self.unconnected(&cause))?, pulse).await
    }

    async fn shake(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        pulse: Arc<Pulse>,
    ) -> io::Result<Connection> {
        let shaken = http1::Builder::new().max_buf_size(HEAD_MAX).handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|why| self.broken(&why))?;
        let task = tokio::spawn(async move {
            // Whoever waits for an answer is told by the sender; an idle connection may end.
            let _ = connection.await;
        });
        Ok(Connection { sender, pulse, _task: AbortOnDropHandle::new(task) })
    }

    /// The authorities' file is read when it is needed, on a thread that may block.
    async fn tls(&self) -> io::Result<&TlsConnector> {
        let made = self.tls.get_or_try_init(async || {
            let ca = self.ca.clone();
            let read = move || tls::client(tls::Check::AuthorityAndName, ca.as_deref(), None);
            let config = tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?.map_err(invalid)?;
            Ok(TlsConnector::from(Arc::new(config)))
        });
        made.await
    }

    fn unconnected(&self, cause: &io::Error) -> io::Error {
        let message = format!("connecting to {}: {}", self.place.origin.authority(), causes(cause));
        match tls::is_refusal(cause) {
            true => invalid(format!("{message}\nhelp: compare url and ca with the server's certificate")),
            // Not as if a file were not there.
            false => io::Error::new(io::ErrorKind::ConnectionAborted, message),
        }
    }

    /// Keeps one for the next request.
    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(connection, since)| since.elapsed() < IDLE_TIME && !connection.sender.is_closed());
        if idle.len() < self.connections {
            idle.push((connection, Instant::now()));
        }
    }

    /// One that takes another request.
    async fn idle(&self) -> Option<Connection> {
        loop {
            let (mut connection, since) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if since.elapsed() < IDLE_TIME
                && let Ok(Ok(())) = time::timeout(READY_TIME, connection.sender.ready()).await
            {
                return Some(connection);
            }
        }
    }
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

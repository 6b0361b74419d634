//! Connections to a granted service: made within the grant's time, and kept a short while for the next request.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hyper::{
    client::conn::http1::{self, SendRequest},
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{self, Instant},
};
use tokio_util::task::AbortOnDropHandle;

use super::{Sent, failure};
use crate::{
    config::HttpGrant,
    sandbox::{fault::Code, native::Error, tls},
};

/// The most that is read at once, in bytes: each piece wakes whoever waits for it. hyper reads heads up to that, of at most
/// 100 headers.
const PIECE_BYTES_MAX: usize = 256 << 10;

/// Most connections that wait for another request.
const IDLE_MAX: usize = 4;
/// How long they do: well below what servers commonly allow (Node.js and Apache httpd: 5 s), so that few of them are
/// closed at the moment when they are used.
const IDLE_TIME: Duration = Duration::from_secs(2);
/// How long a connection may take from the end of one answer until it takes another request.
const READY_TIME: Duration = Duration::from_millis(200);

/// A connection. The task that moves its bytes ends with it.
pub(super) struct Connection {
    pub(super) sender: SendRequest<Sent>,
    _task: AbortOnDropHandle<()>,
}

/// Connects within the grant's time.
pub(super) async fn open(name: &str, grant: &HttpGrant) -> Result<Connection, Error> {
    let doing = format!("connecting to {}", grant.origin);
    match time::timeout(grant.connect_timeout, dial(&doing, name, grant)).await {
        Ok(connected) => connected,
        Err(_) => {
            let within = humantime::format_duration(grant.connect_timeout);
            Err(Error::passing(
                Code::Unavailable,
                format!("{doing}: no connection within {within} (connect-timeout of grant.http.{name})"),
            ))
        }
    }
}

async fn dial(doing: &str, name: &str, grant: &HttpGrant) -> Result<Connection, Error> {
    let stream = TcpStream::connect((grant.origin.address(), grant.origin.port)).await;
    let stream = stream.map_err(|cause| failure::connecting(doing, name, &cause))?;
    // Requests are small, and whoever asks waits for the answer.
    let _ = stream.set_nodelay(true);
    if !grant.origin.secure {
        return shake(doing, stream).await;
    }
    let host = tls::server_name(grant.origin.address())
        .map_err(|what| Error::new(Code::Invalid, format!("{doing}: {what}")))?;
    let connector = tls::connector(doing, grant.ca.clone(), grant.identity.clone()).await?;
    let encrypted = connector.connect(host, stream).await;
    shake(doing, encrypted.map_err(|cause| failure::connecting(doing, name, &cause))?).await
}

async fn shake(
    doing: &str,
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
) -> Result<Connection, Error> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|cause| {
        Error::passing(Code::Unavailable, format!("{doing}: {}", crate::diagnostic::causes(&cause)))
    })?;
    let task = tokio::spawn(async move {
        // Whoever waits for an answer is told by the sender; an idle connection may end.
        let _ = connection.await;
    });
    Ok(Connection { sender, _task: AbortOnDropHandle::new(task) })
}

async fn handshake<T: Read + Write + Unpin + Send + 'static>(
    stream: T,
) -> hyper::Result<(SendRequest<Sent>, http1::Connection<T, Sent>)> {
    http1::Builder::new().max_buf_size(PIECE_BYTES_MAX).handshake(stream).await
}

/// Connections whose answers were read to their end.
#[derive(Default)]
pub(super) struct Pool(Mutex<Vec<(Connection, Instant)>>);

impl Pool {
    /// Keeps one for the next request, if there is room.
    pub(super) fn give(&self, connection: Connection) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(connection, since)| since.elapsed() < IDLE_TIME && !connection.sender.is_closed());
        if idle.len() < IDLE_MAX {
            idle.push((connection, Instant::now()));
        }
    }

    /// One that takes another request.
    pub(super) async fn take(&self) -> Option<Connection> {
        loop {
            let (mut connection, since) = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if since.elapsed() < IDLE_TIME
                && let Ok(Ok(())) = time::timeout(READY_TIME, connection.sender.ready()).await
            {
                return Some(connection);
            }
        }
    }
}

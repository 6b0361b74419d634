//! Both halves of a connection. A half that moves nothing for too long fails; one that was torn is never taken for whole.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::Sleep,
};
use tokio_rustls::client::TlsStream;

use crate::{
    diagnostic::causes,
    sandbox::{fault::Code, native::Error},
};

/// What bytes go over.
pub enum Wire {
    /// As they are.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// Closes it so that the peer sees an error, not an end.
    fn reset(self) {
        let socket = match &self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref().0,
        };
        // Refused only for what is no socket any more; then there is nobody to tell.
        let _ = socket.set_zero_linger();
    }
}

/// How a connection is named in errors, and how long it may be idle.
pub struct Terms {
    /// `broker:9092 (tcp "broker")`
    pub peer: String,
    /// How long a read or a write may move nothing.
    pub idle: Duration,
    /// Bumped by what is written.
    pub moved: Arc<AtomicU64>,
}

struct Connection {
    terms: Terms,
    state: Mutex<State>,
}

struct State {
    /// None once it was aborted.
    wire: Option<Wire>,
    reader: Option<Waker>,
}

/// The half that reads.
pub struct Reader {
    connection: Arc<Connection>,
    idle: Idle,
}

/// The half that writes. Dropped before it was finished, it aborts the connection.
pub struct Writer {
    connection: Arc<Connection>,
    idle: Idle,
    progress: Progress,
}

#[derive(Clone, Copy, PartialEq)]
enum Progress {
    /// Everything was written so far.
    Whole,
    /// A write began, and did not end well.
    Torn,
    Finished,
}

/// Both halves.
pub fn halves(wire: Wire, terms: Terms) -> (Reader, Writer) {
    let idle = || Idle { limit: terms.idle, until: None };
    let (reading, writing) = (idle(), idle());
    let state = Mutex::new(State { wire: Some(wire), reader: None });
    let connection = Arc::new(Connection { terms, state });
    let reader = Reader { connection: connection.clone(), idle: reading };
    (reader, Writer { connection, idle: writing, progress: Progress::Whole })
}

impl Connection {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn abort(&self) {
        let mut state = self.state();
        if let Some(wire) = state.wire.take() {
            wire.reset();
        }
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }

    fn aborted(&self) -> io::Error {
        let message =
            format!("the connection to {} was aborted: its output was dropped before it was finished", self.terms.peer);
        Error::new(Code::Io, message).into()
    }

    /// What went wrong, in the words that a plugin gets.
    fn failed(&self, doing: &str, cause: io::Error) -> io::Error {
        use io::ErrorKind as K;
        if Error::of(&cause).is_some() {
            return cause;
        }
        let message = format!("{doing} {}: {}", self.terms.peer, causes(&cause));
        let error = match cause.kind() {
            K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe | K::NotConnected | K::TimedOut => {
                Error::passing(Code::Unavailable, message)
            }
            // TLS says that it ended without having been told so.
            K::UnexpectedEof => Error::new(Code::Corrupt, message),
            // A server that wants another certificate says so only after the handshake (RFC 8446, section 4.4.2.4).
            K::InvalidData if message.contains("alert") => Error::new(Code::Denied, message),
            K::InvalidData => Error::new(Code::Corrupt, message),
            _ => Error::new(Code::Io, message),
        };
        error.into()
    }
}

/// How long one half has waited.
struct Idle {
    limit: Duration,
    until: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    /// What the half did, or `timeout` when it has waited for too long.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        done: Poll<io::Result<T>>,
        late: impl FnOnce(Duration) -> io::Error,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.until = None;
            return done;
        }
        let limit = self.limit;
        let until = self.until.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if until.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.until = None;
        Poll::Ready(Err(late(limit)))
    }
}

fn late(doing: &str, peer: &str, limit: Duration) -> io::Error {
    let limit = humantime::format_duration(limit);
    Error::passing(Code::Timeout, format!("{doing} {peer}: no byte moved for {limit} (idle)")).into()
}

impl AsyncRead for Reader {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { connection, idle } = self.get_mut();
        let mut state = connection.state();
        let polled = match &mut state.wire {
            Some(Wire::Plain(socket)) => Pin::new(socket).poll_read(context, buffer),
            Some(Wire::Tls(stream)) => Pin::new(stream.as_mut()).poll_read(context, buffer),
            None => Poll::Ready(Err(connection.aborted())),
        };
        state.reader = polled.is_pending().then(|| context.waker().clone());
        drop(state);
        let doing = "reading from";
        let polled = polled.map_err(|cause| connection.failed(doing, cause));
        idle.watch(context, polled, |limit| late(doing, &connection.terms.peer, limit))
    }
}

impl Writer {
    /// Writes all of `data`, and hands it to the system.
    ///
    /// # Errors
    /// `timeout` when the peer takes nothing for too long, `unavailable` when it is gone, `invalid` after a write that
    /// failed: nobody knows how much of that one has arrived.
    pub async fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.begin()?;
        self.write_all(data).await?;
        self.flush().await?;
        self.progress = Progress::Whole;
        Ok(())
    }

    /// Tells the peer that nothing more comes. The other half goes on.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn finish(mut self) -> io::Result<()> {
        self.begin()?;
        self.shutdown().await?;
        self.progress = Progress::Finished;
        Ok(())
    }

    /// Torn until the step that begins here has ended well: it may be given up in the middle.
    fn begin(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.progress, Progress::Torn) == Progress::Whole {
            return Ok(());
        }
        let message = format!("writing to {}: an earlier write failed; connect anew", self.connection.terms.peer);
        Err(Error::new(Code::Invalid, message).into())
    }

    fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        step: impl FnOnce(Pin<&mut (dyn AsyncWrite + Unpin)>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let Self { connection, idle, .. } = self;
        let mut state = connection.state();
        let polled = match &mut state.wire {
            Some(Wire::Plain(socket)) => step(Pin::new(socket), context),
            Some(Wire::Tls(stream)) => step(Pin::new(stream.as_mut()), context),
            None => Poll::Ready(Err(connection.aborted())),
        };
        drop(state);
        let doing = "writing to";
        let polled = polled.map_err(|cause| connection.failed(doing, cause));
        idle.watch(context, polled, |limit| late(doing, &connection.terms.peer, limit))
    }
}

impl AsyncWrite for Writer {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.poll(context, |wire, context| wire.poll_write(context, data));
        if let Poll::Ready(Ok(count)) = written {
            self.connection.terms.moved.fetch_add(count as u64, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(context, |wire, context| wire.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(context, |wire, context| wire.poll_shutdown(context))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.progress != Progress::Finished {
            self.connection.abort();
        }
    }
}

//! Bodies in both directions, a chunk at a time. One that breaks is never taken for whole: not by the server, not here.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http_body_util::{Either, Full};
use hyper::body::{Body, Buf, Bytes, Frame, Incoming};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio_util::{io::poll_read_buf, sync::CancellationToken};

use super::{
    Question, Sent,
    connection::{Connection, Pool},
    failure,
};
use crate::sandbox::{fault::Code, native::Error, stream::Detached};

/// A body that is no longer, in bytes, is sent from memory, with its length.
const SHORT_BYTES_MAX: usize = 64 << 10;
/// What is read of a longer one at once, in bytes.
const CHUNK_BYTES: usize = 256 << 10;

/// A request's body, ready to be sent.
pub(super) struct Ready {
    pub(super) content: Sent,
    /// Known where it is in memory; else it is sent in chunks.
    pub(super) length: Option<u64>,
    /// Set once nothing of it is left to be read.
    pub(super) sent: CancellationToken,
}

/// Takes the beginning of a body in: a short one needs no chunks, which not every server understands.
pub(super) async fn sent(body: Option<Detached>, question: &Question, sent: CancellationToken) -> io::Result<Ready> {
    let Some(mut source) = body else {
        sent.cancel();
        // RFC 9110 §8.6: where a body is expected, its absence is said.
        let length = (!question.is_repeatable() && question.method != hyper::Method::DELETE).then_some(0);
        return Ok(Ready { content: Either::Left(Full::default()), length, sent });
    };
    let mut head = Vec::new();
    (&mut source).take(SHORT_BYTES_MAX as u64 + 1).read_to_end(&mut head).await?;
    if head.len() <= SHORT_BYTES_MAX {
        sent.cancel();
        let length = Some(head.len() as u64);
        return Ok(Ready { content: Either::Left(Full::new(head.into())), length, sent });
    }
    let content = Either::Right(Upload { head: Some(head.into()), source, sent: sent.clone() });
    Ok(Ready { content, length: None, sent })
}

/// A long body. An error of its source ends the connection before the last chunk, so that the server misses it.
pub(super) struct Upload {
    head: Option<Bytes>,
    source: Detached,
    sent: CancellationToken,
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Some(Ok(Frame::data(head))));
        }
        let mut chunk = bytes::BytesMut::with_capacity(CHUNK_BYTES);
        match ready!(poll_read_buf(Pin::new(&mut self.source), context, &mut chunk)) {
            Ok(0) => {
                self.sent.cancel();
                Poll::Ready(None)
            }
            Ok(_) => Poll::Ready(Some(Ok(Frame::data(chunk.freeze())))),
            Err(broken) => Poll::Ready(Some(Err(broken))),
        }
    }
}

/// The body of an answer. Its end is the end that was announced, or an error.
pub struct Download {
    body: Incoming,
    rest: Bytes,
    /// Its end can be told from a broken connection.
    bounded: bool,
    label: String,
    /// Gone once the body is at its end.
    connection: Option<Connection>,
    pool: Arc<Pool>,
    failed: Option<Error>,
}

impl Download {
    /// `framed` where not only a length tells where it ends.
    pub(super) fn new(body: Incoming, framed: bool, label: String, connection: Connection, pool: Arc<Pool>) -> Self {
        let bounded = framed || body.is_end_stream() || body.size_hint().exact().is_some();
        Self { body, rest: Bytes::new(), bounded, label, connection: Some(connection), pool, failed: None }
    }

    /// The next piece; an empty one is the end.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, Error>> {
        loop {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Poll::Ready(Ok(data)),
                    _ => {}
                },
                Some(Err(cause)) => return Poll::Ready(Err(failure::reading(&self.label, &cause))),
                None if !self.bounded => {
                    let why = "the server announced neither its length nor its end, so that a part of it would look like all of it";
                    return Poll::Ready(Err(Error::new(
                        Code::Corrupt,
                        format!("reading the answer to {}: {why}", self.label),
                    )));
                }
                None => {
                    if let Some(connection) = self.connection.take() {
                        self.pool.give(connection);
                    }
                    return Poll::Ready(Ok(Bytes::new()));
                }
            }
        }
    }
}

impl AsyncRead for Download {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let download = &mut *self;
        if let Some(failed) = &download.failed {
            return Poll::Ready(Err(failed.clone().into()));
        }
        if download.rest.is_empty() && download.connection.is_some() {
            match ready!(download.poll_piece(context)) {
                Ok(piece) => download.rest = piece,
                Err(error) => {
                    download.connection = None;
                    download.failed = Some(error.clone());
                    return Poll::Ready(Err(error.into()));
                }
            }
        }
        let count = download.rest.len().min(buffer.remaining());
        buffer.put_slice(&download.rest[..count]);
        download.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}

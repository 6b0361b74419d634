//! Both ways between readers that block and readers that wait: neither ever blocks a thread of the runtime.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, ReadBuf},
    runtime::Handle,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::Detached;

const CHUNK_BYTES_MIN: usize = 8 << 10;
const CHUNK_BYTES_MAX: usize = 1 << 20;

/// A reader that blocks, read on threads that may.
pub struct Threaded<R> {
    state: State<R>,
}

enum State<R> {
    Idle(Option<R>, Vec<u8>, usize),
    Busy(JoinHandle<(R, Vec<u8>, io::Result<()>)>),
}

impl<R: io::Read + Send + 'static> Threaded<R> {
    /// Wraps it.
    pub fn new(reader: R) -> Self {
        Self { state: State::Idle(Some(reader), Vec::new(), 0) }
    }
}

impl<R: io::Read + Send + Unpin + 'static> AsyncRead for Threaded<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match &mut self.state {
                State::Idle(_, chunk, position) if *position < chunk.len() => {
                    let count = (chunk.len() - *position).min(buffer.remaining());
                    buffer.put_slice(&chunk[*position..*position + count]);
                    *position += count;
                    return Poll::Ready(Ok(()));
                }
                State::Idle(reader, chunk, _) => {
                    let Some(reader) = reader.take() else { return Poll::Ready(Ok(())) };
                    let (chunk, size) = (std::mem::take(chunk), buffer.remaining());
                    self.state = State::Busy(tokio::task::spawn_blocking(move || read_chunk(reader, chunk, size)));
                }
                State::Busy(task) => {
                    let (reader, chunk, read) = ready!(Pin::new(task).poll(context)).map_err(io::Error::other)?;
                    let ended = chunk.is_empty();
                    self.state = State::Idle(Some(reader), chunk, 0);
                    read?;
                    if ended {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}

fn read_chunk<R: io::Read>(mut reader: R, mut chunk: Vec<u8>, size: usize) -> (R, Vec<u8>, io::Result<()>) {
    chunk.resize(size.clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX), 0);
    let read = loop {
        match reader.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read,
        }
    };
    chunk.truncate(*read.as_ref().unwrap_or(&0));
    (reader, chunk, read.map(drop))
}

/// A source for a thread that may block. It fails as soon as `stop` fires.
pub fn reader(content: Detached, handle: Handle, stop: CancellationToken) -> Box<dyn io::Read + Send> {
    match content.into_plain() {
        Ok(plain) => plain,
        Err(content) => Box::new(Bridge { content, handle, stop }),
    }
}

struct Bridge {
    content: Box<Detached>,
    handle: Handle,
    stop: CancellationToken,
}

impl io::Read for Bridge {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self { content, handle, stop } = self;
        handle.block_on(async {
            tokio::select! {
                biased;
                () = stop.cancelled() => Err(io::Error::other("given up")),
                read = content.read(buffer) => read,
            }
        })
    }
}

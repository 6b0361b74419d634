//! A child's three pipes: its output as a stream that knows how the child ended, its input, and what it said last.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::AtomicU64},
    task::{Context, Poll, ready},
    time::Duration,
};

use rustix::process::Signal;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    process::{ChildStderr, ChildStdin, ChildStdout},
    sync::watch,
    task::JoinHandle,
    time,
};
use tokio_util::sync::CancellationToken;

use super::{
    Bounds, bump,
    child::Group,
    supervise::{Ended, end_of},
};
use crate::{
    sandbox::{fault::Code, native::Error},
    secret::Secret,
};

/// How much of standard error is kept, in bytes.
const TAIL_BYTES: usize = 4 << 10;

/// How long to wait for the end of standard error after the child's: something that it started may hold it open.
const LINGER: Duration = Duration::from_millis(500);

/// How long after its bounds the supervisor may take to say how a child ended: more than all of its own waits.
const LAST_WORD: Duration = Duration::from_secs(20);

/// What is moved at once, in bytes: a Linux pipe holds as much.
const CHUNK_BYTES: usize = 64 << 10;

/// Standard output. Its end is the child's accepted exit, or an error.
pub struct Stdout {
    pipe: ChildStdout,
    moved: Arc<AtomicU64>,
    quiet: CancellationToken,
    bounds: Bounds,
    /// The pipe has ended.
    drained: bool,
    /// The child has ended well.
    accepted: bool,
    judged: Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>,
    result: Option<Result<(), Error>>,
}

impl Stdout {
    pub(super) fn new(
        pipe: ChildStdout,
        moved: Arc<AtomicU64>,
        quiet: CancellationToken,
        bounds: Bounds,
        mut ended: watch::Receiver<Option<Ended>>,
    ) -> Self {
        let within = bounds.clone();
        let judged = Box::pin(async move {
            // The supervisor ends the child at these bounds too, and knows better why: it goes first.
            tokio::select! {
                biased;
                ended = end_of(&mut ended, &within.label) => ended.accepted(),
                error = beyond(&within) => Err(error),
            }
        });
        Self { pipe, moved, quiet, bounds, drained: false, accepted: false, judged, result: None }
    }

    /// Bytes, or the pipe's end, or nothing yet.
    fn poll_pipe(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.pipe).poll_read(cx, buf))?;
        bump(&self.moved, buf.filled().len() - before);
        if buf.filled().len() == before && buf.remaining() > 0 {
            self.drained = true;
            self.quiet.cancel();
        }
        Poll::Ready(Ok(()))
    }

    /// How the child ended, and with it this stream.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if self.accepted && self.drained {
                return Poll::Ready(Ok(()));
            }
            ready!(self.judged.as_mut().poll(cx))?;
            // Something that the child started still holds the pipe: what it writes is output too.
            self.accepted = true;
            let bounds = self.bounds.clone();
            self.judged = Box::pin(async move { Err(bounds.reached().await) });
        }
    }
}

/// Long enough after the bounds for the supervisor to have said what happened.
async fn beyond(bounds: &Bounds) -> Error {
    let error = bounds.reached().await;
    time::sleep(LAST_WORD).await;
    error
}

impl AsyncRead for Stdout {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stdout = &mut *self;
        if let Some(result) = &stdout.result {
            return Poll::Ready(result.clone().map_err(io::Error::from));
        }
        if !stdout.drained {
            match stdout.poll_pipe(cx, buf) {
                Poll::Ready(Ok(())) if stdout.drained => {}
                Poll::Ready(done) => return Poll::Ready(done),
                Poll::Pending => {}
            }
        }
        let result = ready!(stdout.poll_end(cx));
        stdout.result = Some(result.clone());
        Poll::Ready(result.map_err(io::Error::from))
    }
}

impl Drop for Stdout {
    fn drop(&mut self) {
        self.quiet.cancel();
    }
}

/// Brings a stream to standard input.
pub struct Feed {
    pub source: Box<dyn AsyncRead + Send + Unpin>,
    pub stdin: ChildStdin,
    pub moved: Arc<AtomicU64>,
    pub label: Arc<str>,
}

impl Feed {
    /// Runs until the source or the child ends. A source that breaks takes the child with it, and that *before* its
    /// input is closed: a tool that sees the end of its input believes that it has seen all.
    pub(super) async fn run(
        mut self,
        group: Arc<Group>,
        spoiled: Arc<OnceLock<Error>>,
        killed: CancellationToken,
        mut ended: watch::Receiver<Option<Ended>>,
    ) {
        let label = self.label.clone();
        let broken = tokio::select! {
            _ = end_of(&mut ended, &label) => return,
            fed = self.copy() => fed.err(),
        };
        if let Some(cause) = broken {
            let (code, retryable) = Error::of(&cause).map_or((Code::Io, false), |error| (error.code, error.retryable));
            let message = format!("{label} was killed because its input broke: {cause}");
            let _ = spoiled.set(Error { code, message, retryable });
            group.signal(Signal::KILL);
            killed.cancel();
        }
    }

    async fn copy(&mut self) -> io::Result<()> {
        copy(&mut self.source, &mut self.stdin, &self.moved).await
    }
}

/// A child that closes its input early is judged by its exit status alone; it knows. Of any other failure it would know
/// nothing, and take what it has for all.
async fn copy(
    source: &mut (impl AsyncRead + Unpin),
    stdin: &mut (impl AsyncWrite + Unpin),
    moved: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let count = source.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        match stdin.write_all(&buffer[..count]).await {
            Err(closed) if closed.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
        bump(moved, count);
    }
}

/// The end of standard error, read all the time so that the child never waits for its reader.
pub struct Tail {
    kept: Arc<Mutex<Kept>>,
    reading: JoinHandle<()>,
    secrets: Vec<Secret>,
}

#[derive(Default)]
struct Kept {
    bytes: VecDeque<u8>,
    /// Something before them was dropped.
    cut: bool,
}

impl Tail {
    /// Begins to read.
    pub fn collect(stderr: ChildStderr, mut secrets: Vec<Secret>) -> Self {
        secrets.retain(|secret| !secret.expose().is_empty());
        // A secret that holds another one is masked first.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        let room = TAIL_BYTES + secrets.first().map_or(0, |longest| longest.expose().len());
        let kept = Arc::new(Mutex::new(Kept::default()));
        let reading = tokio::spawn(keep(stderr, kept.clone(), room));
        Self { kept, reading, secrets }
    }

    /// What was said last, once the child is gone.
    pub async fn finish(&mut self) -> String {
        if time::timeout(LINGER, &mut self.reading).await.is_err() {
            self.reading.abort();
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let cut = kept.cut;
        mask(kept.bytes.make_contiguous(), cut, &self.secrets)
    }
}

async fn keep(mut stderr: ChildStderr, kept: Arc<Mutex<Kept>>, room: usize) {
    let mut buffer = vec![0; TAIL_BYTES];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes.extend(&buffer[..count]);
        let excess = kept.bytes.len().saturating_sub(room);
        kept.cut |= excess > 0;
        kept.bytes.drain(..excess);
    }
}

/// The last [`TAIL_BYTES`] as text without the secrets, not even the rest of one that lost its beginning.
fn mask(bytes: &[u8], cut: bool, secrets: &[Secret]) -> String {
    let mut bytes = bytes;
    if cut {
        let rest_of = |secret: &Secret| {
            let value = secret.expose().as_bytes();
            (1..value.len()).map(|from| &value[from..]).find(|rest| bytes.starts_with(rest)).map_or(0, <[u8]>::len)
        };
        bytes = &bytes[secrets.iter().map(rest_of).max().unwrap_or(0)..];
    }
    let mut text = Vec::with_capacity(bytes.len());
    while let Some((first, rest)) = bytes.split_first() {
        match secrets.iter().find(|secret| bytes.starts_with(secret.expose().as_bytes())) {
            Some(secret) => {
                text.extend_from_slice(b"[secret]");
                bytes = &bytes[secret.expose().len()..];
            }
            None => {
                text.push(*first);
                bytes = rest;
            }
        }
    }
    let tail = &text[text.len().saturating_sub(TAIL_BYTES)..];
    String::from_utf8_lossy(tail).replace(|letter: char| letter.is_control() && !matches!(letter, '\n' | '\t'), " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An input that fails so.
    struct Broken(io::ErrorKind);

    impl AsyncWrite for Broken {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(self.0.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn an_input_that_cannot_be_fed_is_an_error_and_one_that_was_closed_is_not() {
        let moved = AtomicU64::new(0);
        let full = copy(&mut &b"rows"[..], &mut Broken(io::ErrorKind::StorageFull), &moved).await.unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        copy(&mut &b"rows"[..], &mut Broken(io::ErrorKind::BrokenPipe), &moved).await.unwrap();
    }

    #[test]
    fn no_part_of_a_secret_is_left_at_the_edge() {
        let secrets = [Secret::new("hunter2hunter2"), Secret::new("hunter2")];
        assert_eq!(mask(b"ter2hunter2 said hunter2!", true, &secrets), " said [secret]!");
        assert_eq!(mask(b"hunter2hunter2", false, &secrets), "[secret]");
        assert_eq!(mask(b"2 of them", false, &secrets), "2 of them");
        assert_eq!(mask(b"\x1b[31mred\xff\n", false, &secrets), " [31mred\u{fffd}\n");
    }
}

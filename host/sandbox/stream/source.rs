//! Where the bytes of an input stream come from, with what was peeked and what is still to be skipped.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, ReadBuf},
    sync::OwnedMutexGuard,
};

use super::blocking::Threaded;
use crate::{
    repository::{Identity, whole::Whole},
    sandbox::budget::{Budget, Charge, Spent},
};

/// Bytes to come.
pub enum Body {
    /// In memory.
    Bytes(Bytes),
    /// A regular file, read where blocking does not matter.
    File(Whole<File>),
    /// A reader that blocks (an archive's entry).
    Blocking(Box<dyn io::Read + Send>),
    /// A tool's output, a query's rows, a pipe, a tee.
    Async(Box<dyn AsyncRead + Send + Unpin>),
    /// Some bytes of another stream.
    Part(Part),
    /// One after the other.
    Chain(VecDeque<Source>),
}

/// A [`Body`] and what was done to it so far.
pub struct Source {
    body: Body,
    peeked: BytesMut,
    skip: u64,
    moved: Option<Arc<AtomicU64>>,
    identity: Option<Identity>,
    charge: Option<Charge>,
}

impl Source {
    /// Untouched.
    pub fn new(body: Body) -> Self {
        Self { body, peeked: BytesMut::new(), skip: 0, moved: None, identity: None, charge: None }
    }

    /// The same; what it holds in memory is charged to the guest.
    pub fn charged(body: Body, charge: Charge) -> Self {
        Self { charge: Some(charge), ..Self::new(body) }
    }

    /// Charges the guest for `bytes` that will be peeked and kept.
    ///
    /// # Errors
    /// When it has no more memory.
    pub fn charge(&mut self, budget: &Arc<Budget>, bytes: usize) -> Result<(), Spent> {
        let bytes = bytes as u64;
        match &mut self.charge {
            Some(charge) => charge.raise(bytes),
            None => budget.charge(bytes).map(|charge| self.charge = Some(charge)),
        }
    }

    /// A regular file that looked like `identity` when it was opened.
    pub fn file(file: File, identity: Identity) -> Self {
        Self { identity: Some(identity), ..Self::new(Body::File(Whole::at_least(file, identity.size))) }
    }

    /// Bumps `moved` with every byte from now on.
    pub fn counted(self, moved: Arc<AtomicU64>) -> Self {
        Self { moved: Some(moved), ..self }
    }

    /// How the file looked, while nothing was read of it.
    pub fn identity(&self) -> Option<Identity> {
        self.identity.filter(|_| self.is_file())
    }

    /// A file of which nothing was read.
    pub fn is_file(&self) -> bool {
        matches!(self.body, Body::File(_)) && self.peeked.is_empty() && self.skip == 0
    }

    /// The next bytes, without consuming them: `max` unless it ends before.
    pub async fn peek(&mut self, max: usize) -> io::Result<&[u8]> {
        while self.peeked.len() < max {
            let mut peeked = std::mem::take(&mut self.peeked);
            peeked.reserve(max - peeked.len());
            // Restored in every case: what was read before an error is not lost, nor when the wait is given up.
            let mut room = Peeking { source: self, peeked };
            if room.fill(max).await? == 0 {
                break;
            }
        }
        Ok(&self.peeked[..max.min(self.peeked.len())])
    }

    /// What a thread that may block reads from, if that needs no help of the runtime.
    pub(super) fn into_plain(self) -> Result<Box<dyn io::Read + Send>, Box<Self>> {
        if self.skip > 0 {
            return Err(Box::new(self));
        }
        let peeked = io::Cursor::new(self.peeked);
        let rest: Box<dyn io::Read + Send> = match self.body {
            Body::Bytes(bytes) => Box::new(io::Cursor::new(bytes)),
            Body::File(file) => Box::new(file),
            Body::Blocking(reader) => reader,
            body => return Err(Box::new(Self { body, peeked: peeked.into_inner(), ..self })),
        };
        match peeked.get_ref().is_empty() {
            true => Ok(rest),
            false => Ok(Box::new(io::Read::chain(peeked, rest))),
        }
    }

    fn poll_skip(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let from_peeked = self.skip.min(self.peeked.len() as u64);
        self.peeked.advance(from_peeked as usize);
        self.skip -= from_peeked;
        let mut waste = vec![0; self.skip.min(64 << 10) as usize];
        while self.skip > 0 {
            let max = self.skip.min(waste.len() as u64) as usize;
            let mut buffer = ReadBuf::new(&mut waste[..max]);
            ready!(self.body.poll(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Err(ended_early()));
            }
            self.skip -= buffer.filled().len() as u64;
        }
        Poll::Ready(Ok(()))
    }
}

/// Puts what was peeked back, however reading more ends.
struct Peeking<'a> {
    source: &'a mut Source,
    peeked: BytesMut,
}

impl Peeking<'_> {
    async fn fill(&mut self, max: usize) -> io::Result<usize> {
        let room = max - self.peeked.len();
        let mut limited = (&mut *self.source).take(room as u64);
        limited.read_buf(&mut self.peeked).await
    }
}

impl Drop for Peeking<'_> {
    fn drop(&mut self) {
        self.source.peeked = std::mem::take(&mut self.peeked);
    }
}

impl AsyncRead for Source {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.skip > 0 {
            ready!(self.poll_skip(context))?;
        }
        if !self.peeked.is_empty() {
            let count = self.peeked.len().min(buffer.remaining());
            buffer.put_slice(&self.peeked.split_to(count));
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(self.body.poll(context, buffer))?;
        if let Some(moved) = &self.moved {
            moved.fetch_add((buffer.filled().len() - before) as u64, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl Body {
    fn poll(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.make_async();
        match self {
            Self::Bytes(bytes) => {
                let count = bytes.len().min(buffer.remaining());
                buffer.put_slice(&bytes.split_to(count));
                Poll::Ready(Ok(()))
            }
            Self::Async(reader) => Pin::new(reader).poll_read(context, buffer),
            Self::Part(part) => part.poll(context, buffer),
            Self::Chain(parts) => poll_chain(parts, context, buffer),
            Self::File(_) | Self::Blocking(_) => Poll::Ready(Err(io::Error::other("the reader is gone"))),
        }
    }

    /// What blocks moves to threads that may.
    fn make_async(&mut self) {
        if !matches!(self, Self::File(_) | Self::Blocking(_)) {
            return;
        }
        *self = match std::mem::replace(self, Self::Bytes(Bytes::new())) {
            Self::File(file) => Self::Async(Box::new(Threaded::new(file))),
            Self::Blocking(reader) => Self::Async(Box::new(Threaded::new(reader))),
            body => body,
        };
    }
}

fn poll_chain(
    parts: &mut VecDeque<Source>,
    context: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    let before = buffer.filled().len();
    while let Some(first) = parts.front_mut() {
        ready!(Pin::new(first).poll_read(context, buffer))?;
        if buffer.filled().len() > before || buffer.remaining() == 0 {
            break;
        }
        parts.pop_front();
    }
    Poll::Ready(Ok(()))
}

/// The next bytes of another stream, which is locked as long as this lives.
pub struct Part {
    parent: OwnedMutexGuard<Source>,
    left: u64,
}

impl Part {
    /// The next `n` bytes of `parent`.
    pub fn new(parent: OwnedMutexGuard<Source>, n: u64) -> Self {
        Self { parent, left: n }
    }

    fn poll(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.left == 0 || buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let max = self.left.min(buffer.remaining() as u64) as usize;
        let mut limited = ReadBuf::new(buffer.initialize_unfilled_to(max));
        ready!(Pin::new(&mut *self.parent).poll_read(context, &mut limited))?;
        let count = limited.filled().len();
        if count == 0 {
            return Poll::Ready(Err(ended_early()));
        }
        buffer.advance(count);
        self.left -= count as u64;
        Poll::Ready(Ok(()))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.parent.skip += self.left;
    }
}

/// The stream ended inside of what was announced.
pub fn ended_early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the stream ended before the bytes that were asked for")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_file_that_shrinks_after_it_was_opened_is_an_error_and_one_that_grows_is_not() {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), "0123456789").unwrap();
        let open = |left| Whole::at_least(File::open(path.path()).unwrap(), left);
        let (mut shrunk, mut bytes) = (open(12), Vec::new());
        assert_eq!(shrunk.read_to_end(&mut bytes).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(open(10).read_to_end(&mut Vec::new()).unwrap(), 10);
        assert_eq!(open(8).read_to_end(&mut Vec::new()).unwrap(), 10);
    }
}

//! Bytes that live in the host: what the guest's stream handles stand for, and who would wait for whom.
//!
//! A guest makes one call at a time. A call that waits for bytes which only the same guest could bring, or for room
//! which only the same guest could make, would never end. So every stream knows the pipes and tees that it is fed by,
//! these know which of their ends the guest still holds, and a wait on a stuck one is answered with `invalid`.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use tokio::sync::{Mutex, Notify, OwnedMutexGuard};

pub mod blocking;
pub mod output;
pub mod pipe;
pub mod socket;
pub mod source;
pub mod tee;

use super::budget::Charge;
pub use output::OutputStream;
use pipe::Pipe;
use source::{Body, Part, Source};
use tee::Tee;

/// Most bytes that one `read` brings into the guest.
pub const READ_BYTES_MAX: usize = 1 << 20;
/// Most bytes that `peek` holds.
pub const PEEK_BYTES_MAX: usize = 4 << 20;
/// What a pipe or a tee holds between its ends.
pub const BUFFER_BYTES: usize = 1 << 20;
/// How deep streams may be made of streams (`take`, `tee`, `concat`): a read goes down all the way.
pub const DEPTH_MAX: u32 = 32;
/// Most pipes and tees that one stream may be fed by: a tee that is joined again doubles them.
pub const FEEDS_MAX: usize = 4096;

/// Something between two ends that the guest may both hold.
#[derive(Clone)]
pub enum Feed {
    /// A pipe.
    Pipe(Arc<Pipe>),
    /// A tee, and which of its halves.
    Tee(Arc<Tee>, usize),
}

impl Feed {
    /// Whether a reader of it waits for something that only the guest can do.
    pub fn is_stuck(&self) -> bool {
        match self {
            Self::Pipe(pipe) => pipe.is_starved(),
            Self::Tee(tee, half) => tee.waits(*half),
        }
    }

    /// Whether what goes into that pipe comes out here again.
    pub fn comes_from(&self, other: &Arc<Pipe>) -> bool {
        matches!(self, Self::Pipe(pipe) if Arc::ptr_eq(pipe, other))
    }

    fn count(&self, held: bool, change: isize) {
        match self {
            Self::Pipe(pipe) => pipe.count(held, change),
            Self::Tee(tee, half) => tee.count(*half, held, change),
        }
    }
}

/// Keeps a [`Feed`] told whether its reader is the guest (held) or somebody in the host (loose).
pub struct Hold {
    /// What is read.
    pub feed: Feed,
    held: bool,
}

impl Hold {
    /// Counts a reader.
    pub fn new(feed: Feed, held: bool) -> Self {
        feed.count(held, 1);
        Self { feed, held }
    }

    fn loose(&self) -> Self {
        Self::new(self.feed.clone(), false)
    }
}

impl Clone for Hold {
    fn clone(&self) -> Self {
        Self::new(self.feed.clone(), self.held)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.feed.count(self.held, -1);
    }
}

/// Ends once one of `feeds` waits for the guest.
pub async fn stuck(feeds: &[Feed], changed: &Notify) {
    if feeds.is_empty() {
        return std::future::pending().await;
    }
    loop {
        let change = changed.notified();
        if feeds.iter().any(Feed::is_stuck) {
            return;
        }
        change.await;
    }
}

/// One of the streams that a guest may hold.
pub struct Open(Arc<AtomicU32>);

impl Open {
    /// Takes a place; none when all `max` are taken.
    pub fn take(count: &Arc<AtomicU32>, max: u32) -> Option<Self> {
        if count.fetch_add(1, Ordering::Relaxed) >= max {
            count.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self(count.clone()))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a guest's `input-stream` stands for.
pub struct InputStream {
    source: Arc<Mutex<Source>>,
    holds: Vec<Hold>,
    depth: u32,
    _open: Open,
}

/// A part of the stream is still unread: the stream cannot be used until that part is gone.
#[derive(Debug, thiserror::Error)]
#[error("a part taken from this stream is still unread: hand it on or drop it first")]
pub struct PartOpen;

/// A stream would be made of streams that are made of streams, and so on, deeper than a host can read.
#[derive(Debug, thiserror::Error)]
#[error("streams are nested more than {DEPTH_MAX} deep, or made of more than {FEEDS_MAX} pipes and tees")]
pub struct TooDeep;

impl InputStream {
    /// A stream in the guest's hands.
    pub fn new(source: Source, feeds: Vec<Feed>, open: Open) -> Self {
        let holds = feeds.into_iter().map(|feed| Hold::new(feed, true)).collect();
        Self { source: Arc::new(Mutex::new(source)), holds, depth: 0, _open: open }
    }

    /// A stream that is made of streams, the deepest of them `depth` deep.
    ///
    /// # Errors
    /// When that is too deep.
    pub fn made_of(depth: u32, source: Source, feeds: Vec<Feed>, open: Open) -> Result<Self, TooDeep> {
        if depth >= DEPTH_MAX || feeds.len() > FEEDS_MAX {
            return Err(TooDeep);
        }
        Ok(Self { depth: depth + 1, ..Self::new(source, feeds, open) })
    }

    /// How deep it is made of streams.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// The source, for one call.
    pub fn lock(&self) -> Result<OwnedMutexGuard<Source>, PartOpen> {
        self.source.clone().try_lock_owned().map_err(|_| PartOpen)
    }

    /// What it is fed by.
    pub fn feeds(&self) -> Vec<Feed> {
        self.holds.iter().map(|hold| hold.feed.clone()).collect()
    }

    /// The next `n` bytes as a source of their own.
    pub fn take(&self, n: u64) -> Result<Source, PartOpen> {
        Ok(Source::new(Body::Part(Part::new(self.lock()?, n))))
    }

    /// Takes it out of the guest's hands.
    pub fn detach(self) -> Result<Detached, PartOpen> {
        let source = Arc::try_unwrap(self.source).map_err(|_| PartOpen)?.into_inner();
        let holds = self.holds.iter().map(Hold::loose).collect();
        Ok(Detached { source, holds, depth: self.depth })
    }
}

/// A stream that somebody in the host reads. Dropping it lets go of what feeds it.
pub struct Detached {
    /// The bytes.
    pub source: Source,
    /// How deep it is made of streams.
    pub depth: u32,
    holds: Vec<Hold>,
}

impl Detached {
    /// What it is fed by.
    pub fn feeds(&self) -> Vec<Feed> {
        self.holds.iter().map(|hold| hold.feed.clone()).collect()
    }

    /// What a thread that may block can read without the runtime's help.
    fn into_plain(self) -> Result<Box<dyn std::io::Read + Send>, Box<Self>> {
        let Self { source, holds, depth } = self;
        match holds.is_empty() {
            true => source.into_plain().map_err(|source| Box::new(Self { source: *source, holds, depth })),
            false => Err(Box::new(Self { source, holds, depth })),
        }
    }

    /// True where reading it depends on nothing but the disk.
    pub fn is_file(&self) -> bool {
        self.holds.is_empty() && self.source.is_file()
    }
}

impl tokio::io::AsyncRead for Detached {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.source).poll_read(context, buffer)
    }
}

/// One stream after the other, what it is fed by, and how deep the deepest of them is.
pub fn concat(parts: Vec<Detached>) -> (Source, Vec<Feed>, u32) {
    let feeds = parts.iter().flat_map(Detached::feeds).collect();
    let depth = parts.iter().map(|part| part.depth).max().unwrap_or(0);
    (Source::new(Body::Chain(parts.into_iter().map(|part| part.source).collect())), feeds, depth)
}

/// A source that is already in memory, for which the guest is charged.
pub fn bytes(data: Vec<u8>, charge: Charge) -> Source {
    Source::charged(Body::Bytes(Bytes::from(data)), charge)
}

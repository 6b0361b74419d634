//! Takes content into a repository: small content whole in the caller's thread, long content cut by it, and sealed by all
//! cores.

use std::{
    collections::VecDeque,
    io::{self, Read},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use super::{
    cut::{self, Cutter},
    pack::BlobKind,
    writer::{Saved, Writer},
};
use crate::{
    digest::Digest,
    name::RawPath,
    repository::{
        Error, Stored, cores,
        pool::{Gone, Pool},
        sums::{Sums, fill},
    },
};

/// Bytes of long content that are looked at first; more where they hold no cut.
const WINDOW: usize = 2 << 20;

/// Content that is in the repository.
pub(super) struct Taken {
    pub blobs: Vec<Digest>,
    pub stored: Stored,
}

/// See the module.
pub(super) struct Intake {
    writer: Arc<Writer>,
    cutter: Cutter,
    /// Seals the blobs of all long contents.
    pool: Pool<Job>,
    /// Room for small content and one byte more.
    rooms: Mutex<Vec<Vec<u8>>>,
}

impl Intake {
    pub(super) fn new(writer: Arc<Writer>, polynomial: u64) -> Self {
        let pool = Pool::new(cores(), || {
            let writer = Arc::clone(&writer);
            move |Job { blob, reply }| {
                let saved = writer.save(BlobKind::Data, &blob);
                // Nobody waits any more when the content has failed.
                let _ = reply.send((saved, blob));
            }
        });
        Self { writer, cutter: Cutter::new(polynomial), pool, rooms: Mutex::default() }
    }

    /// Reads `content` to its end.
    pub(super) fn take(&self, path: &RawPath, content: &mut dyn Read) -> Result<Taken, Error> {
        let mut room = self.lock_rooms().pop().unwrap_or_else(|| vec![0; cut::MIN + 1]);
        let count = fill(content, &mut room).map_err(Error::source(path))?;
        if count > cut::MIN {
            return Cutting::new(self, room).run(path, content);
        }
        let taken = self.take_small(&room[..count]);
        self.give_back(room);
        taken
    }

    fn take_small(&self, content: &[u8]) -> Result<Taken, Error> {
        if content.is_empty() {
            return Ok(Taken { blobs: Vec::new(), stored: Sums::whole(content, Digest::of(b""), 0) });
        }
        let Saved { id, new_bytes } = self.writer.save(BlobKind::Data, content)?;
        Ok(Taken { blobs: vec![id], stored: Sums::whole(content, id, new_bytes) })
    }

    fn lock_rooms(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, mut room: Vec<u8>) {
        room.resize(cut::MIN + 1, 0);
        let mut rooms = self.lock_rooms();
        if rooms.len() < 2 * cores() {
            rooms.push(room);
        }
    }
}

/// Long content on its way.
struct Cutting<'a> {
    intake: &'a Intake,
    /// Read and not cut yet.
    ahead: Vec<u8>,
    ended: bool,
    sums: Sums,
    blobs: Vec<Digest>,
    new_bytes: u64,
    under_way: VecDeque<Receiver<Done>>,
    spare: Vec<Vec<u8>>,
}

impl<'a> Cutting<'a> {
    fn new(intake: &'a Intake, first: Vec<u8>) -> Self {
        let mut sums = Sums::default();
        sums.add(&first);
        let (blobs, under_way, spare) = (Vec::new(), VecDeque::new(), Vec::new());
        Self { intake, ahead: first, ended: false, sums, blobs, new_bytes: 0, under_way, spare }
    }

    fn run(mut self, path: &RawPath, content: &mut dyn Read) -> Result<Taken, Error> {
        while !(self.ended && self.ahead.is_empty()) {
            match self.intake.cutter.first(&self.ahead, self.ended) {
                Some(count) => self.send(count)?,
                None => self.read_more(content).map_err(Error::source(path))?,
            }
        }
        while !self.under_way.is_empty() {
            self.receive()?;
        }
        Ok(Taken { blobs: self.blobs, stored: self.sums.stored(self.new_bytes) })
    }

    fn read_more(&mut self, content: &mut dyn Read) -> io::Result<()> {
        let start = self.ahead.len();
        let length = if start < WINDOW { WINDOW } else { start + WINDOW };
        self.ahead.resize(length, 0);
        let count = fill(content, &mut self.ahead[start..])?;
        self.ahead.truncate(start + count);
        self.ended = start + count < length;
        self.sums.add(&self.ahead[start..]);
        Ok(())
    }

    /// Sends the first `count` bytes on their way.
    fn send(&mut self, count: usize) -> Result<(), Error> {
        if self.under_way.len() > cores().min(16) {
            self.receive()?;
        }
        let mut blob = self.spare.pop().unwrap_or_default();
        blob.clear();
        blob.extend_from_slice(&self.ahead[..count]);
        self.ahead.drain(..count);
        let (reply, answer) = sync_channel(1);
        self.intake.pool.submit(Job { blob, reply }).map_err(|Gone| gone())?;
        self.under_way.push_back(answer);
        Ok(())
    }

    fn receive(&mut self) -> Result<(), Error> {
        let Some(answer) = self.under_way.pop_front() else { return Ok(()) };
        let (saved, buffer) = answer.recv().map_err(|_| gone())?;
        let Saved { id, new_bytes } = saved?;
        self.blobs.push(id);
        self.new_bytes += new_bytes;
        self.spare.push(buffer);
        Ok(())
    }
}

/// A blob that was saved, and the buffer that it came in.
type Done = (Result<Saved, Error>, Vec<u8>);

struct Job {
    blob: Vec<u8>,
    reply: SyncSender<Done>,
}

fn gone() -> Error {
    Error::io("sealing a blob")(io::Error::other("a sealing thread has died"))
}

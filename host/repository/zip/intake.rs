//! Takes content into a set: small content whole in the caller's thread, long content as a stream of chunks.

use std::{
    collections::VecDeque,
    io::{self, Read},
    sync::{Mutex, PoisonError, mpsc::Receiver},
};

use super::{
    header::{self, Content, Method},
    pack::{self, CHUNK, Packed, Packer, Pool},
    set::{Place, Set, Stream},
};
use crate::{
    config::Compression,
    name::RawPath,
    repository::{
        Error, Meta, Stored, cores,
        sums::{self, fill},
    },
};

/// Content that ends within this many bytes is packed in one go.
const SMALL_MAX: usize = 1 << 20;

/// Content that is in the set.
pub(super) struct Taken {
    pub place: Place,
    pub content: Content,
    pub stored: Stored,
}

/// Buffers and deflate states, used by one call at a time each.
pub(super) struct Intake {
    compression: Compression,
    pool: Pool,
    benches: Mutex<Vec<Bench>>,
}

struct Bench {
    packer: Packer,
    /// Room for small content and one byte more. What was in it is never cleared: that would cost as much as reading.
    room: Vec<u8>,
    output: Vec<u8>,
}

impl Intake {
    pub(super) fn new(compression: Compression) -> Self {
        Self { compression, pool: Pool::new(), benches: Mutex::default() }
    }

    /// Whether packing `input` is wanted and worth the time.
    fn packs(&self, input: &[u8]) -> bool {
        self.compression.is_auto() && pack::shrinks(input)
    }

    /// Reads `content` to its end into `set`.
    pub(super) fn take(
        &self,
        set: &Set,
        path: &RawPath,
        name: &[u8],
        content: &mut dyn Read,
        meta: &Meta,
    ) -> Result<Taken, Error> {
        let spare = self.benches.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let fresh = || Bench { packer: Packer::new(), room: Vec::new(), output: Vec::new() };
        let mut bench = spare.unwrap_or_else(fresh);
        bench.room.resize(SMALL_MAX + 1, 0);
        let count = fill(content, &mut bench.room).map_err(Error::source(path))?;
        let taken = if count <= SMALL_MAX {
            let packs = count > 0 && self.packs(&bench.room[..count]);
            bench.take_small(set, name, meta, count, packs)
        } else if self.packs(&bench.room) {
            let first = std::mem::take(&mut bench.room);
            self.give_back(bench);
            return Packing::new(self, set, name, meta)?.run(path, first, content);
        } else {
            take_stored(set, path, name, meta, &mut bench.room, content)
        };
        self.give_back(bench);
        taken
    }

    fn give_back(&self, bench: Bench) {
        let mut benches = self.benches.lock().unwrap_or_else(PoisonError::into_inner);
        if benches.len() < 2 * cores() {
            benches.push(bench);
        }
    }
}

impl Bench {
    /// Takes what the first `count` bytes of the room hold.
    fn take_small(&mut self, set: &Set, name: &[u8], meta: &Meta, count: usize, packs: bool) -> Result<Taken, Error> {
        let mut sums = Sums::default();
        sums.add(&self.room[..count]);
        let header = header::local(name, meta, Content::NONE, false);
        self.output.clear();
        self.output.extend(&header);
        let method = self.put_small(count, packs).map_err(Error::io("packing"))?;
        let packed = (self.output.len() - header.len()) as u64;
        let content = Content { method, crc: sums.crc.clone().finalize(), size: sums.common.size(), packed };
        self.output[..header.len()].copy_from_slice(&header::local(name, meta, content, false));
        let place = set.append(&self.output)?;
        Ok(Taken { place, content, stored: sums.common.stored(packed) })
    }

    /// Appends them to the output, packed where that makes them smaller.
    fn put_small(&mut self, count: usize, packs: bool) -> io::Result<Method> {
        let (start, input) = (self.output.len(), &self.room[..count]);
        if packs {
            self.packer.whole(input, &mut self.output)?;
            if self.output.len() - start < input.len() {
                return Ok(Method::Deflated);
            }
        }
        self.output.truncate(start);
        self.output.extend(input);
        Ok(Method::Stored)
    }
}

/// A long stream that is stored as it is: its first bytes, which fill `buffer`, do not shrink.
fn take_stored(
    set: &Set,
    path: &RawPath,
    name: &[u8],
    meta: &Meta,
    buffer: &mut [u8],
    content: &mut dyn Read,
) -> Result<Taken, Error> {
    let (mut stream, mut sums, mut count) = (set.stream()?, Sums::default(), buffer.len());
    stream.write(&header::local(name, meta, Content::NONE, true))?;
    while count > 0 {
        sums.add(&buffer[..count]);
        stream.write(&buffer[..count])?;
        count = fill(content, buffer).map_err(Error::source(path))?;
    }
    finish(stream, name, meta, Method::Stored, sums.common.size(), sums)
}

fn finish(
    stream: Stream<'_>,
    name: &[u8],
    meta: &Meta,
    method: Method,
    packed: u64,
    sums: Sums,
) -> Result<Taken, Error> {
    let content = Content { method, crc: sums.crc.clone().finalize(), size: sums.common.size(), packed };
    let place = stream.finish(&header::local(name, meta, content, true))?;
    Ok(Taken { place, content, stored: sums.common.stored(packed) })
}

/// A long stream whose chunks the pool packs, while this thread reads and writes them in order.
struct Packing<'a> {
    intake: &'a Intake,
    name: &'a [u8],
    meta: &'a Meta,
    stream: Stream<'a>,
    sums: Sums,
    under_way: VecDeque<Receiver<io::Result<Packed>>>,
    spare: Vec<Packed>,
    packed: u64,
}

impl<'a> Packing<'a> {
    fn new(intake: &'a Intake, set: &'a Set, name: &'a [u8], meta: &'a Meta) -> Result<Self, Error> {
        let mut stream = set.stream()?;
        stream.write(&header::local(name, meta, Content::NONE, true))?;
        let (under_way, spare) = (VecDeque::new(), Vec::new());
        Ok(Self { intake, name, meta, stream, sums: Sums::default(), under_way, spare, packed: 0 })
    }

    fn run(mut self, path: &RawPath, first: Vec<u8>, content: &mut dyn Read) -> Result<Taken, Error> {
        let (mut input, mut before) = (first, Vec::new());
        while !input.is_empty() {
            input = self.chunk(input, &mut before)?;
            input.resize(CHUNK, 0);
            let count = fill(content, &mut input).map_err(Error::source(path))?;
            input.truncate(count);
        }
        while !self.under_way.is_empty() {
            self.write_oldest()?;
        }
        self.stream.write(&pack::FINISH)?;
        let packed = self.packed + pack::FINISH.len() as u64;
        finish(self.stream, self.name, self.meta, Method::Deflated, packed, self.sums)
    }

    /// Sends a chunk on its way; returns a buffer for the next one.
    fn chunk(&mut self, input: Vec<u8>, before: &mut Vec<u8>) -> Result<Vec<u8>, Error> {
        self.sums.add(&input);
        let next = input[input.len().saturating_sub(32 << 10)..].to_vec();
        if self.under_way.len() > cores().min(16) {
            self.write_oldest()?;
        }
        let spare = self.spare.pop().unwrap_or_else(|| Packed { input: Vec::new(), output: Vec::new() });
        let job = self.intake.pool.submit(before, input, spare.output).map_err(Error::io("packing"))?;
        self.under_way.push_back(job);
        *before = next;
        Ok(spare.input)
    }

    fn write_oldest(&mut self) -> Result<(), Error> {
        let Some(answer) = self.under_way.pop_front() else { return Ok(()) };
        let packed = answer.recv().unwrap_or_else(|_| Err(pack::gone()));
        let packed = packed.map_err(Error::io("packing"))?;
        self.stream.write(&packed.output)?;
        self.packed += packed.output.len() as u64;
        self.spare.push(packed);
        Ok(())
    }
}

/// What is counted of content on its way.
#[derive(Default)]
struct Sums {
    crc: crc32fast::Hasher,
    common: sums::Sums,
}

impl Sums {
    fn add(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
        self.common.add(bytes);
    }
}

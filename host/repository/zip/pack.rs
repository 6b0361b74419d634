//! Deflate: one buffer at a time, or the chunks of a long stream on all cores.
//!
//! Chunks are packed independently, each with the last 32 KiB of the one before it as its dictionary, and end on a byte
//! boundary (`Z_SYNC_FLUSH`), so that joined they are one deflate stream. What does not shrink is stored.

use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::repository::{cores, pool};

/// zlib's scale. Measured on a third text, a third binaries, a third noise: 2 % larger than `zip -6`, in a third of its
/// processor time; level 6 takes a fifth more time for half a percent.
const LEVEL: u32 = 4;
/// How far back deflate looks.
const WINDOW: usize = 32 << 10;
/// Bytes of a stream that are packed at a time.
pub(super) const CHUNK: usize = 512 << 10;
/// An empty last block: ends a stream of chunks.
pub(super) const FINISH: [u8; 2] = [3, 0];

/// A deflate state that is used again and again.
pub(super) struct Packer {
    deflate: Compress,
}

impl Packer {
    pub(super) fn new() -> Self {
        Self { deflate: Compress::new(Compression::new(LEVEL), false) }
    }

    /// Appends `input`, packed as a whole deflate stream, to `output`.
    pub(super) fn whole(&mut self, input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        run(&mut self.deflate, &[], input, output, FlushCompress::Finish)
    }

    /// Appends `input`, packed as a piece of a deflate stream, to `output`.
    pub(super) fn piece(&mut self, before: &[u8], input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        let start = output.len();
        if shrinks(input) {
            run(&mut self.deflate, before, input, output, FlushCompress::Sync)?;
        }
        if output.len() == start || output.len() - start >= input.len() {
            output.truncate(start);
            stored_blocks(input, output);
        }
        Ok(())
    }
}

/// Whether packing `input` is worth the time, told from samples of it.
pub(super) fn shrinks(input: &[u8]) -> bool {
    const SAMPLE: usize = 8 << 10;
    if input.len() < 64 || !looks_random(input) {
        return true;
    }
    let starts = [0, input.len() / 2, input.len().saturating_sub(SAMPLE)];
    let count = if input.len() <= 2 * SAMPLE { 1 } else { 3 };
    starts[..count].iter().any(|start| repeats(&input[*start..input.len().min(start + SAMPLE)]))
}

/// Whether more than one place in fifty of `sample` repeats four bytes from before.
fn repeats(sample: &[u8]) -> bool {
    let mut last = [0_u16; 4096];
    let repeated = sample.windows(4).enumerate().filter(|(at, word)| {
        let hash = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(0x9e37_79b1) >> 20;
        let before = usize::from(std::mem::replace(&mut last[hash as usize], *at as u16));
        before < *at && sample[before..before + 4] == **word
    });
    repeated.count() * 50 > sample.len()
}

/// Whether single bytes of `input` are spread so evenly that only repetition could make it shrink.
fn looks_random(input: &[u8]) -> bool {
    let mut counts = [0_u32; 256];
    let stride = (input.len() / 4096).max(1);
    let sampled = input.iter().step_by(stride).map(|byte| counts[usize::from(*byte)] += 1).count() as f64;
    let used = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / sampled);
    let bits: f64 = used.map(|share| -share * share.log2()).sum();
    // Few samples cannot show eight bits even of perfect noise.
    bits > sampled.log2().min(8.0) - 0.7
}

fn run(
    deflate: &mut Compress,
    before: &[u8],
    input: &[u8],
    output: &mut Vec<u8>,
    flush: FlushCompress,
) -> io::Result<()> {
    deflate.reset();
    if !before.is_empty() {
        deflate.set_dictionary(before).map_err(io::Error::other)?;
    }
    output.reserve(input.len() / 2 + 1024);
    loop {
        let used = deflate.total_in() as usize;
        let status = deflate.compress_vec(&input[used..], output, flush).map_err(io::Error::other)?;
        let all = deflate.total_in() as usize == input.len();
        let ended = match flush {
            FlushCompress::Finish => status == Status::StreamEnd,
            _ => all && output.len() < output.capacity(),
        };
        if ended {
            return Ok(());
        }
        output.reserve(input.len() / 4 + 1024);
    }
}

/// `input` as deflate blocks that are not packed: five bytes for each 65,535.
fn stored_blocks(input: &[u8], output: &mut Vec<u8>) {
    for block in input.chunks(0xffff) {
        let length = block.len() as u16;
        output.push(0);
        output.extend(length.to_le_bytes());
        output.extend((!length).to_le_bytes());
        output.extend(block);
    }
}

/// A chunk on its way through the pool.
struct Job {
    before: Vec<u8>,
    input: Vec<u8>,
    output: Vec<u8>,
    reply: SyncSender<io::Result<Packed>>,
}

/// A packed chunk, and the buffer that it came in.
pub(super) struct Packed {
    pub input: Vec<u8>,
    pub output: Vec<u8>,
}

/// Threads that pack chunks for every long stream of a draft.
pub(super) struct Pool(pool::Pool<Job>);

impl Pool {
    pub(super) fn new() -> Self {
        Self(pool::Pool::new(cores() * 2, || {
            let mut packer = Packer::new();
            move |job| pack(&mut packer, job)
        }))
    }

    /// Packs `input` some time; `before` is what came ahead of it in the stream. Waits when the pool has plenty to do.
    pub(super) fn submit(
        &self,
        before: &[u8],
        input: Vec<u8>,
        output: Vec<u8>,
    ) -> io::Result<Receiver<io::Result<Packed>>> {
        let (reply, answer) = sync_channel(1);
        let before = before[before.len().saturating_sub(WINDOW)..].to_vec();
        self.0.submit(Job { before, input, output, reply }).map_err(|pool::Gone| gone())?;
        Ok(answer)
    }
}

/// What waits for a chunk whose thread has died.
pub(super) fn gone() -> io::Error {
    io::Error::other("a packing thread has died")
}

fn pack(packer: &mut Packer, job: Job) {
    let Job { before, input, mut output, reply } = job;
    output.clear();
    let packed = packer.piece(&before, &input, &mut output).map(|()| Packed { input, output });
    // Nobody waits any more when the stream has failed.
    let _ = reply.send(packed);
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 88_172_645_463_325_252_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn pieces_joined_are_one_stream() {
        let text = "the quick brown fox ".repeat(5000).into_bytes();
        let pieces = [&text[..], &noise(200_000), b"", b"x", &text];
        let mut packer = Packer::new();
        let (mut packed, mut before) = (Vec::new(), Vec::<u8>::new());
        for piece in pieces {
            packer.piece(&before, piece, &mut packed).unwrap();
            before = piece[piece.len().saturating_sub(WINDOW)..].to_vec();
        }
        packed.extend(FINISH);
        let mut back = Vec::new();
        flate2::read::DeflateDecoder::new(&packed[..]).read_to_end(&mut back).unwrap();
        assert!(back == pieces.concat());
    }

    #[test]
    fn a_dictionary_makes_a_repetition_cheap() {
        let (mut packer, noise) = (Packer::new(), noise(30_000));
        let mut packed = Vec::new();
        run(&mut packer.deflate, &noise, &noise, &mut packed, FlushCompress::Sync).unwrap();
        assert!(packed.len() < 1000, "{}", packed.len());
    }

    #[test]
    fn noise_is_told_from_what_shrinks() {
        assert!(!shrinks(&noise(100_000)));
        assert!(!shrinks(&noise(1000)));
        assert!(shrinks(&"some text, again and again; ".repeat(100).into_bytes()));
        assert!(shrinks(&noise(2000).repeat(50)));
    }

    #[test]
    fn what_does_not_shrink_grows_by_five_bytes_a_block() {
        let mut packed = Vec::new();
        Packer::new().piece(&[], &noise(CHUNK), &mut packed).unwrap();
        assert_eq!(packed.len(), CHUNK + CHUNK.div_ceil(0xffff) * 5);
    }
}

//! BLAKE2s (RFC 7693) of many short messages, four at a time: a guest has no instruction for any digest, but vectors of
//! four words.
//!
//! A lane whose message is at its end takes the next one.

use wide::{bytemuck::cast, u8x16, u32x4};

const BLOCK_BYTES: usize = 64;
const LANES: usize = 4;
const NOTHING: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];

/// §2.6
const VECTOR: [u32; 8] =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

/// §2.5: a digest of 32 bytes, no key.
const PARAMETERS: u32 = 0x0101_0020;

/// §2.7
const ORDER: [[usize; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

/// Messages that wait to be hashed.
#[derive(Debug, Clone, Default)]
pub(super) struct Messages {
    /// Padded, one behind the other.
    bytes: Vec<u8>,
    /// Where each of them ends with its padding, and how long it is without.
    ends: Vec<(usize, u32)>,
}

/// One of the messages that are hashed side by side.
#[derive(Default, Clone, Copy)]
struct Lane<'a> {
    blocks: &'a [[u8; BLOCK_BYTES]],
    /// How many bytes were hashed, and how many there are.
    hashed: u32,
    length: u32,
    is_busy: bool,
}

impl Messages {
    /// Goes on with the message that was begun.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Ends it: §3.3.
    pub(super) fn end(&mut self) {
        let begin = self.begin();
        let length = self.bytes.len() - begin;
        self.bytes.resize(begin + length.next_multiple_of(BLOCK_BYTES).max(BLOCK_BYTES), 0);
        self.ends.push((self.bytes.len(), u32::try_from(length).unwrap_or(u32::MAX)));
    }

    fn begin(&self) -> usize {
        self.ends.last().map_or(0, |(end, _)| *end)
    }

    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Hashes all of them; the words of their digests come in any order, as they are written.
    pub(super) fn digests(&mut self, mut each: impl FnMut([u32; 8])) {
        let mut begin = 0;
        let mut waiting = self.ends.iter().map(|(end, length)| {
            let message = self.bytes.get(begin..*end).unwrap_or_default();
            begin = *end;
            Lane { blocks: message.as_chunks::<BLOCK_BYTES>().0, hashed: 0, length: *length, is_busy: true }
        });
        let mut lanes = [Lane::default(); LANES];
        let mut state = VECTOR.map(u32x4::splat);
        loop {
            for (at, lane) in lanes.iter_mut().enumerate().filter(|(_, lane)| lane.blocks.is_empty()) {
                if lane.is_busy {
                    each(state.map(|word| word.to_array()[at].swap_bytes()));
                }
                *lane = waiting.next().unwrap_or_default();
                begin_lane(&mut state, at);
            }
            if lanes.iter().all(|lane| !lane.is_busy) {
                break;
            }
            let blocks = lanes.each_mut().map(Lane::next);
            let ended = lanes.map(|lane| if lane.blocks.is_empty() { u32::MAX } else { 0 });
            compress(&mut state, blocks, lanes.map(|lane| lane.hashed).into(), ended.into());
        }
        self.bytes.clear();
        self.ends.clear();
    }
}

impl<'a> Lane<'a> {
    fn next(&mut self) -> &'a [u8; BLOCK_BYTES] {
        let Some((block, rest)) = self.blocks.split_first() else { return &NOTHING };
        self.hashed = self.length.min(self.hashed + BLOCK_BYTES as u32);
        self.blocks = rest;
        block
    }
}

fn begin_lane(state: &mut [u32x4; 8], lane: usize) {
    for (at, word) in state.iter_mut().enumerate() {
        let mut words = word.to_array();
        words[lane] = VECTOR[at] ^ if at == 0 { PARAMETERS } else { 0 };
        *word = words.into();
    }
}

/// §3.2, for a block of each lane. Fewer than 2^32 bytes were hashed, so the upper half of their number is zero.
fn compress(state: &mut [u32x4; 8], blocks: [&[u8; BLOCK_BYTES]; LANES], hashed: u32x4, ended: u32x4) {
    let message: [u32x4; 16] = std::array::from_fn(|word| blocks.map(|block| little(block, word)).into());
    let mut words = [u32x4::splat(0); 16];
    for at in 0..8 {
        (words[at], words[at + 8]) = (state[at], u32x4::splat(VECTOR[at]));
    }
    words[12] ^= hashed;
    words[14] ^= ended;
    // Written out, so that nothing has to be moved or looked for between them.
    macro_rules! rounds {
        ($($round:literal)+) => {$(round::<$round>(&mut words, &message);)+};
    }
    rounds!(0 1 2 3 4 5 6 7 8 9);
    for at in 0..8 {
        state[at] ^= words[at] ^ words[at + 8];
    }
}

#[inline(always)]
fn round<const ROUND: usize>(words: &mut [u32x4; 16], message: &[u32x4; 16]) {
    macro_rules! mixed {
        ($($turn:literal: $a:literal $b:literal $c:literal $d:literal),+) => {$(
            let (x, y) = (message[ORDER[ROUND][2 * $turn]], message[ORDER[ROUND][2 * $turn + 1]]);
            [words[$a], words[$b], words[$c], words[$d]] = mix([words[$a], words[$b], words[$c], words[$d]], x, y);
        )+};
    }
    mixed!(0: 0 4 8 12, 1: 1 5 9 13, 2: 2 6 10 14, 3: 3 7 11 15, 4: 0 5 10 15, 5: 1 6 11 12, 6: 2 7 8 13, 7: 3 4 9 14);
}

/// §3.1
#[inline(always)]
fn mix([a, b, c, d]: [u32x4; 4], x: u32x4, y: u32x4) -> [u32x4; 4] {
    let a = a + b + x;
    let d = turned_bytes::<2>(d ^ a);
    let c = c + d;
    let b = turned::<12>(b ^ c);
    let a = a + b + y;
    let d = turned_bytes::<1>(d ^ a);
    let c = c + d;
    [a, turned::<7>(b ^ c), c, d]
}

fn little(block: &[u8; BLOCK_BYTES], word: usize) -> u32 {
    block.as_chunks::<4>().0.get(word).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// To the right.
fn turned<const BITS: u32>(words: u32x4) -> u32x4 {
    (words >> BITS) | (words << (32 - BITS))
}

/// To the right by whole bytes: taken in another order, which is one instruction instead of three.
#[inline(always)]
fn turned_bytes<const BYTES: usize>(words: u32x4) -> u32x4 {
    let order: [u8; 16] = std::array::from_fn(|at| (at / 4 * 4 + (at + BYTES) % 4) as u8);
    cast(cast::<_, u8x16>(words).shuffle(order.into()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use blake2::{Blake2s256, Digest};

    use super::*;

    fn expected(message: &[u8]) -> [u32; 8] {
        let digest: [u8; 32] = Blake2s256::digest(message).into();
        std::array::from_fn(|word| u32::from_be_bytes(digest.as_chunks::<4>().0[word]))
    }

    fn counted(digests: impl IntoIterator<Item = [u32; 8]>) -> BTreeMap<[u32; 8], u32> {
        let mut counts = BTreeMap::new();
        digests.into_iter().for_each(|digest| *counts.entry(digest).or_default() += 1);
        counts
    }

    fn assert_hashed(messages: &[Vec<u8>]) {
        let mut waiting = Messages::default();
        for message in messages {
            let (first, second) = message.split_at(message.len() / 3);
            waiting.append(first);
            waiting.append(second);
            waiting.end();
        }
        let mut digests = Vec::new();
        waiting.digests(|digest| digests.push(digest));
        assert_eq!(counted(digests), counted(messages.iter().map(|message| expected(message))));
        assert_eq!(waiting.len(), 0);
    }

    fn message(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 7 + length) as u8).collect()
    }

    #[test]
    fn messages_of_every_length_have_their_own_digest() {
        let all: Vec<_> = (0..300).map(message).collect();
        assert_hashed(&all);
        for one in all {
            assert_hashed(&[one]);
        }
    }

    #[test]
    fn lanes_that_end_at_different_times_take_nothing_from_each_other() {
        for count in 0..9 {
            assert_hashed(
                &(0..count).map(|at| message([3000, 1, 64, 500, 55, 56][at % 6] * (1 + at / 6))).collect::<Vec<_>>(),
            );
        }
        assert_hashed(&vec![message(70); 11]);
    }
}

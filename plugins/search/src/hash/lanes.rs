//! SHA-256 (FIPS 180-4) of many short messages, four at a time: a guest has no instruction for it, but vectors of four
//! words. A lane whose message is at its end takes the next one.

use wide::u32x4;

const BLOCK_BYTES: usize = 64;
const LANES: usize = 4;
const NOTHING: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];

/// §5.3.3
const BEGIN: [u32; 8] =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

/// §4.2.2
#[rustfmt::skip]
const ROUNDS: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// Messages that wait to be hashed.
#[derive(Debug, Clone, Default)]
pub(super) struct Messages {
    /// Padded, one behind the other.
    bytes: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Messages {
    /// Goes on with the message that was begun.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Ends it: §5.1.1.
    pub(super) fn end(&mut self) {
        let begin = self.ends.last().copied().unwrap_or_default();
        let length = self.bytes.len() - begin;
        self.bytes.push(0x80);
        let padded = (length + 9).next_multiple_of(BLOCK_BYTES);
        self.bytes.resize(begin + padded - 8, 0);
        self.bytes.extend_from_slice(&(length as u64 * 8).to_be_bytes());
        self.ends.push(self.bytes.len());
    }

    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Hashes all of them; their digests come in any order.
    pub(super) fn digests(&mut self, mut each: impl FnMut([u32; 8])) {
        let mut begin = 0;
        let mut waiting = self.ends.iter().map(|end| {
            let message = self.bytes.get(begin..*end).unwrap_or_default();
            begin = *end;
            message.as_chunks::<BLOCK_BYTES>().0
        });
        let mut lanes: [&[[u8; BLOCK_BYTES]]; LANES] = [&[]; LANES];
        let mut busy = [false; LANES];
        let mut state = BEGIN.map(u32x4::splat);
        loop {
            for (at, lane) in lanes.iter_mut().enumerate() {
                if !lane.is_empty() {
                    continue;
                }
                if std::mem::take(&mut busy[at]) {
                    each(state.map(|word| word.to_array()[at]));
                }
                if let Some(message) = waiting.next() {
                    (*lane, busy[at]) = (message, true);
                    begin_lane(&mut state, at);
                }
            }
            if !busy.contains(&true) {
                break;
            }
            let blocks = lanes.each_mut().map(|lane| match lane.split_first() {
                Some((block, rest)) => {
                    *lane = rest;
                    block
                }
                None => &NOTHING,
            });
            compress(&mut state, blocks);
        }
        self.bytes.clear();
        self.ends.clear();
    }
}

fn begin_lane(state: &mut [u32x4; 8], lane: usize) {
    for (word, begin) in state.iter_mut().zip(BEGIN) {
        let mut words = word.to_array();
        words[lane] = begin;
        *word = words.into();
    }
}

/// §6.2.2, for a block of each lane.
fn compress(state: &mut [u32x4; 8], blocks: [&[u8; BLOCK_BYTES]; LANES]) {
    let mut schedule: [u32x4; 16] = std::array::from_fn(|word| swapped(blocks.map(|block| little(block, word)).into()));
    let mut words = *state;
    for (turn, constants) in ROUNDS.as_chunks::<16>().0.iter().enumerate() {
        words = match turn {
            0 => sixteen::<true>(words, constants, &mut schedule),
            _ => sixteen::<false>(words, constants, &mut schedule),
        };
    }
    for (own, new) in state.iter_mut().zip(words) {
        *own += new;
    }
}

/// Sixteen rounds, each written out, so that nothing has to be moved or looked for between them.
fn sixteen<const FIRST: bool>(mut words: [u32x4; 8], constants: &[u32; 16], schedule: &mut [u32x4; 16]) -> [u32x4; 8] {
    macro_rules! rounds {
        ($($at:literal)+) => {$(
            if !FIRST {
                schedule[$at] = next(schedule, $at);
            }
            words = round(words, constants[$at], schedule[$at]);
        )+};
    }
    rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    words
}

#[inline(always)]
fn round([a, b, c, d, e, f, g, h]: [u32x4; 8], constant: u32, word: u32x4) -> [u32x4; 8] {
    let one = h + (turned::<6>(e) ^ turned::<11>(e) ^ turned::<25>(e));
    let one = one + (g ^ (e & (f ^ g))) + u32x4::splat(constant) + word;
    let two = (turned::<2>(a) ^ turned::<13>(a) ^ turned::<22>(a)) + ((a & b) ^ (c & (a ^ b)));
    [one + two, a, b, c, d + one, e, f, g]
}

/// The word of the schedule sixteen behind the one that stands there.
#[inline(always)]
fn next(schedule: &[u32x4; 16], at: usize) -> u32x4 {
    let (near, far) = (schedule[(at + 1) % 16], schedule[(at + 14) % 16]);
    let near = turned::<7>(near) ^ turned::<18>(near) ^ (near >> 3);
    let far = turned::<17>(far) ^ turned::<19>(far) ^ (far >> 10);
    schedule[at] + near + schedule[(at + 9) % 16] + far
}

fn little(block: &[u8; BLOCK_BYTES], word: usize) -> u32 {
    block.as_chunks::<4>().0.get(word).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// Words whose bytes stand in the other order.
fn swapped(words: u32x4) -> u32x4 {
    let (odd, even) = (u32x4::splat(0x00ff_00ff), u32x4::splat(0xff00_ff00));
    turned::<8>(words & odd) | turned::<24>(words & even)
}

/// To the right.
fn turned<const BITS: u32>(words: u32x4) -> u32x4 {
    (words >> BITS) | (words << (32 - BITS))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sha2::{Digest, Sha256};

    use super::*;

    fn expected(message: &[u8]) -> [u32; 8] {
        let digest: [u8; 32] = Sha256::digest(message).into();
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

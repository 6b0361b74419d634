//! Finds where an object or a list ends, 64 bytes at a time.
//!
//! Of each block there are masks with a bit for a byte: its quotes, what opens and what closes. A quote turns on and off
//! what is inside of a text, so one mask says which braces are none. As long as fewer close than are open, a block is done
//! with by counting. After Langdale and Lemire, "Parsing Gigabytes of JSON per Second" (2019), whose second half, a look at
//! each token, is not needed here.

use wide::u8x16;

pub(super) const BLOCK_BYTES: usize = 64;

/// What is open where a block ends.
pub(super) struct Structure {
    /// How many objects and lists; the first was opened before the first block.
    depth: u32,
    /// All bits where a text goes on, else none.
    in_text: u64,
    /// One where the next byte is escaped.
    escaped: u64,
    /// Whether a line ended between two tokens.
    pub(super) breaks: bool,
}

/// A block that is not simply passed over.
pub(super) enum Met {
    /// How many of its bytes belong to the object or list that ends here.
    End(usize),
    /// How many of its bytes are before what cannot stand there.
    Wrong(usize),
}

impl Structure {
    pub(super) fn open() -> Self {
        Self { depth: 1, in_text: 0, escaped: 0, breaks: false }
    }

    /// Goes over the next block.
    #[inline(always)]
    pub(super) fn pass(&mut self, block: &[u8; BLOCK_BYTES]) -> Option<Met> {
        let chunks = chunks(block);
        let mut quotes = mask(chunks, |chunk| chunk.simd_eq(u8x16::splat(b'"')));
        // With that bit, brackets are braces.
        let opens = mask(chunks, |chunk| (chunk | u8x16::splat(0x20)).simd_eq(u8x16::splat(b'{')));
        let closes = mask(chunks, |chunk| (chunk | u8x16::splat(0x20)).simd_eq(u8x16::splat(b'}')));
        let rare = chunks
            .into_iter()
            .fold(u8x16::splat(0), |any, chunk| any | control(chunk) | chunk.simd_eq(u8x16::splat(b'\\')));
        let is_rare = rare.any() || self.escaped > 0;
        let mut backslashes = 0;
        if is_rare {
            backslashes = mask(chunks, |chunk| chunk.simd_eq(u8x16::splat(b'\\')));
            quotes &= !self.escapes(backslashes);
        }
        let inside = toggled(quotes) ^ self.in_text;
        self.in_text = 0_u64.wrapping_sub(inside >> 63);
        let end = self.levels(opens & !inside, closes & !inside);
        if is_rare && let Some(wrong) = self.rare(mask(chunks, control), backslashes, inside, block, end) {
            return Some(Met::Wrong(wrong));
        }
        end.map(Met::End)
    }

    /// Opens and closes what does so in a block; where the first closes, the bytes up to there.
    #[inline(always)]
    fn levels(&mut self, opens: u64, closes: u64) -> Option<usize> {
        if closes.count_ones() < self.depth {
            self.depth += opens.count_ones();
            self.depth -= closes.count_ones();
            return None;
        }
        let mut rest = opens | closes;
        while rest > 0 {
            let at = rest.trailing_zeros();
            if opens >> at & 1 == 1 {
                self.depth += 1;
            } else {
                self.depth -= 1;
                if self.depth == 0 {
                    return Some(at as usize + 1);
                }
            }
            rest &= rest - 1;
        }
        None
    }

    /// Which bytes stand behind a backslash that is not itself behind one.
    #[cold]
    fn escapes(&mut self, backslashes: u64) -> u64 {
        let (mut escapes, mut left) = (self.escaped, backslashes & !self.escaped);
        self.escaped = 0;
        while left > 0 {
            let at = left.trailing_zeros();
            left &= left - 1;
            match 2 << at {
                0 => self.escaped = 1,
                next => {
                    escapes |= next;
                    left &= !next;
                }
            }
        }
        escapes
    }

    /// Control bytes stand between tokens only, as blanks, and backslashes in texts only. Where one does not, its place.
    #[cold]
    fn rare(
        &mut self,
        controls: u64,
        backslashes: u64,
        inside: u64,
        block: &[u8; BLOCK_BYTES],
        end: Option<usize>,
    ) -> Option<usize> {
        let own = end.filter(|end| *end < BLOCK_BYTES).map_or(u64::MAX, |end| (1 << end) - 1);
        let is = |byte| mask(chunks(block), |chunk| chunk.simd_eq(u8x16::splat(byte)));
        let lines = is(b'\n') | is(b'\r');
        let wrong = own & (controls & (inside | !(lines | is(b'\t'))) | backslashes & !inside);
        self.breaks |= lines & own > 0;
        (wrong > 0).then_some(wrong.trailing_zeros() as usize)
    }
}

#[inline(always)]
fn chunks(block: &[u8; BLOCK_BYTES]) -> [u8x16; 4] {
    let chunks = block.as_chunks::<16>().0;
    std::array::from_fn(|at| chunks.get(at).copied().unwrap_or_default().into())
}

/// A bit for each byte of which that is so.
#[inline(always)]
fn mask(chunks: [u8x16; 4], is: impl Fn(u8x16) -> u8x16) -> u64 {
    chunks.into_iter().rev().fold(0, |mask, chunk| mask << 16 | u64::from(is(chunk).to_bitmask()))
}

#[inline(always)]
fn control(chunk: u8x16) -> u8x16 {
    chunk.min(u8x16::splat(0x1f)).simd_eq(chunk)
}

/// Each bit turns on or off all that follow it, and itself.
#[inline(always)]
fn toggled(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

//! Where content is cut into blobs: at places that its own bytes choose, so that what was inserted or removed moves no
//! other cut.
//!
//! restic cuts with Rabin fingerprints; its format does not prescribe where. FastCDC
//! (<https://www.usenix.org/conference/atc16/technical-sessions/presentation/xia>) is five times faster. Its table is
//! made from the repository's own polynomial, so that the sizes of blobs tell a stranger nothing of known content.

use std::borrow::Cow;

use fastcdc::v2020::{Normalization, cut_gear, get_gear_with_seed, select_masks};

/// Bytes of the shortest blob but the last; what is no longer is never cut.
pub(super) const MIN: usize = 512 << 10;
/// Bytes of a blob, most often.
const AVERAGE: usize = 1 << 20;
/// Bytes of the longest blob.
pub(super) const MAX: usize = 8 << 20;

/// Finds cuts.
pub(super) struct Cutter {
    gear: Cow<'static, [u64]>,
    gear_shifted: Cow<'static, [u64]>,
    masks: (u64, u64),
}

impl Cutter {
    /// `seed`: the repository's polynomial.
    pub(super) fn new(seed: u64) -> Self {
        let (gear, gear_shifted) = get_gear_with_seed(seed);
        Self { gear, gear_shifted, masks: select_masks(AVERAGE, Normalization::Level1) }
    }

    /// Bytes of the first blob of `content`. None where its end is not in it yet; `ended`: nothing follows.
    pub(super) fn first(&self, content: &[u8], ended: bool) -> Option<usize> {
        let seen = &content[..content.len().min(MAX)];
        if seen.len() <= MIN {
            return ended.then_some(seen.len());
        }
        let (short, long) = self.masks;
        let (gear, shifted) = (&self.gear, &self.gear_shifted);
        let (_, cut) = cut_gear(seen, MIN, AVERAGE, MAX, short, long, short << 1, long << 1, gear, shifted);
        let certain = ended || cut < seen.len() || seen.len() == MAX;
        certain.then_some(cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::conformance::noise;

    fn cuts(cutter: &Cutter, mut content: &[u8]) -> Vec<usize> {
        let mut cuts = Vec::new();
        while !content.is_empty() {
            let cut = cutter.first(content, true).unwrap();
            cuts.push(cut);
            content = &content[cut..];
        }
        cuts
    }

    #[test]
    fn an_insertion_moves_no_later_cut() {
        let cutter = Cutter::new(0x3d_a335_8b4d_c173);
        let content = noise(20 << 20);
        let before = cuts(&cutter, &content);
        let after = cuts(&cutter, &[b"inserted", &content[..]].concat());
        assert!(before.len() > 8, "{before:?}");
        assert_eq!(before[1..], after[1..]);
        assert_ne!(before, cuts(&Cutter::new(0x3d_a335_8b4d_c175), &content));
        assert!(before[..before.len() - 1].iter().all(|cut| (MIN..=MAX).contains(cut)));
    }

    #[test]
    fn a_cut_is_said_once_it_is_certain() {
        let cutter = Cutter::new(0x3d_a335_8b4d_c173);
        let content = noise(9 << 20);
        let cut = cutter.first(&content, false).unwrap();
        for seen in [0, 1, MIN, cut - 1, cut] {
            assert_eq!(cutter.first(&content[..seen], false), None, "{seen}");
            assert_eq!(cutter.first(&content[..seen], true), Some(seen), "{seen}");
        }
        assert_eq!(cutter.first(&content[..cut + 2], false), Some(cut));
        assert_eq!(cutter.first(&vec![0; MAX], false), Some(MAX));
    }
}

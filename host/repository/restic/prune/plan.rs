//! Decides which packs go, and which are copied first.

use std::collections::HashMap;

use super::{MaxUnused, Pruned};
use crate::{
    digest::Digest,
    repository::restic::{
        index::{ById, Index, PackLine},
        pack::BlobKind,
    },
};

/// What a pack holds.
#[derive(Clone, Copy, Debug, Default)]
struct Use {
    blobs: u32,
    /// Bytes of all blobs.
    sealed: u64,
    used_blobs: u32,
    /// Bytes of those that are needed.
    used: u64,
    /// Whether there are trees in it.
    trees: bool,
}

/// What each pack holds.
#[derive(Default)]
pub(super) struct Uses {
    packs: ById<Use>,
    /// Whether the index names a pack that is gone.
    gone: bool,
}

impl Uses {
    /// Adds a pack.
    pub(super) fn add(&mut self, line: &PackLine) {
        let entry = self.packs.entry(line.id).or_default();
        for blob in line.blobs.iter().map(|line| line.blob()) {
            entry.blobs += 1;
            entry.sealed += u64::from(blob.length);
            entry.trees |= blob.kind == BlobKind::Tree;
        }
    }

    /// Notes that the index names a pack that is gone: it is written anew.
    pub(super) fn note_gone(&mut self) {
        self.gone = true;
    }

    fn count_used(&mut self, index: &Index) {
        index.each_blob(&mut |pack, blob, used| {
            if let Some(entry) = self.packs.get_mut(pack).filter(|_| used) {
                entry.used_blobs += 1;
                entry.used += u64::from(blob.length);
            }
        });
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Plan {
    pub pruned: Pruned,
    /// Packs that stay as they are.
    keep: ById<()>,
    /// Packs of which nothing is needed.
    remove: Vec<Digest>,
    /// Packs to be copied, their bytes, and how many of their blobs are needed.
    pub repack: ById<(u64, u32)>,
    unlisted: Vec<Digest>,
    /// Whether the index names a pack that is gone.
    gone: bool,
}

impl Plan {
    /// Decides. `found`: packs that are there, and their bytes.
    pub(super) fn new(
        index: &Index,
        mut uses: Uses,
        found: HashMap<Digest, u64>,
        max_unused: MaxUnused,
        snapshots: u64,
    ) -> Self {
        uses.count_used(index);
        let mut plan = Self::default();
        (plan.pruned.snapshots, plan.gone) = (snapshots, uses.gone);
        let mut partly = Vec::new();
        for (id, size) in found {
            match uses.packs.get(&id) {
                None => {
                    plan.pruned.unlisted.add(size);
                    plan.unlisted.push(id);
                }
                Some(entry) if entry.used_blobs == 0 => {
                    plan.pruned.removed.add(size);
                    plan.remove.push(id);
                }
                Some(entry) if entry.used_blobs < entry.blobs => partly.push((id, size, *entry)),
                Some(_) => plan.keep(id, size),
            }
        }
        let used = uses.packs.values().map(|entry| entry.used).sum();
        plan.choose(partly, max_unused.bytes(used));
        plan
    }

    /// Of packs that are partly needed: those that hold trees are copied, so that trees stay close together; of the
    /// others the most wasteful ones, until no more than `unused_max` bytes stay that nobody needs.
    fn choose(&mut self, mut partly: Vec<(Digest, u64, Use)>, unused_max: u64) {
        let waste = |entry: &Use| (entry.sealed - entry.used) as f64 / entry.used.max(1) as f64;
        partly.sort_by(|(_, _, one), (_, _, other)| {
            other.trees.cmp(&one.trees).then(waste(other).total_cmp(&waste(one)))
        });
        let mut unused: u64 = partly.iter().map(|(_, _, entry)| entry.sealed - entry.used).sum();
        for (id, size, entry) in partly {
            if !entry.trees && unused <= unused_max {
                self.keep(id, size);
                continue;
            }
            unused -= entry.sealed - entry.used;
            self.pruned.repacked.add(size);
            self.pruned.copied_bytes += entry.used;
            self.repack.insert(id, (size, entry.used_blobs));
        }
        self.pruned.unused_bytes = unused;
    }

    fn keep(&mut self, id: Digest, size: u64) {
        self.pruned.kept.add(size);
        self.keep.insert(id, ());
    }

    /// Whether there is nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        !self.gone && self.going().next().is_none()
    }

    /// Packs that go in the end.
    pub(super) fn going(&self) -> impl Iterator<Item = &Digest> {
        self.remove.iter().chain(self.repack.keys()).chain(&self.unlisted)
    }

    /// Whether the new index still names a pack.
    pub(super) fn keeps(&self, pack: &Digest) -> bool {
        self.keep.contains_key(pack)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Amount, *};

    fn entry(sealed: u64, used: u64, trees: bool) -> Use {
        Use { blobs: 2, sealed, used_blobs: 1, used, trees }
    }

    fn chosen(unused_max: u64) -> (Vec<u8>, u64) {
        let mut plan = Plan::default();
        let packs = [entry(100, 90, false), entry(100, 20, false), entry(100, 50, false), entry(100, 99, true)];
        let id = |number: usize| Digest::of(&[number as u8]);
        plan.choose(packs.into_iter().enumerate().map(|(at, entry)| (id(at), 100, entry)).collect(), unused_max);
        assert_eq!(plan.pruned.kept.packs + plan.pruned.repacked.packs, 4);
        let chosen = (0..4).filter(|at| plan.repack.contains_key(&id(*at))).map(|at| at as u8).collect();
        (chosen, plan.pruned.unused_bytes)
    }

    #[test]
    fn the_most_wasteful_packs_are_copied_until_little_enough_is_left() {
        assert_eq!(chosen(0), (vec![0, 1, 2, 3], 0));
        assert_eq!(chosen(10), (vec![1, 2, 3], 10));
        assert_eq!(chosen(59), (vec![1, 2, 3], 10));
        assert_eq!(chosen(60), (vec![1, 3], 60));
        assert_eq!(chosen(u64::MAX), (vec![3], 140));
    }

    #[test]
    fn a_share_is_of_what_is_left_and_used() {
        assert_eq!(MaxUnused::Percent(5.0).bytes(95), 5);
        assert_eq!(MaxUnused::Percent(0.0).bytes(95), 0);
        assert_eq!(MaxUnused::Percent(100.0).bytes(95), u64::MAX);
        let parsed = ["5%", "2K", "unlimited"].map(|text| text.parse::<MaxUnused>().unwrap());
        assert_eq!(parsed, [MaxUnused::Percent(5.0), MaxUnused::Bytes(2048), MaxUnused::Unlimited]);
        assert!("some".parse::<MaxUnused>().is_err());
    }

    #[test]
    fn what_is_freed_is_what_goes_without_what_is_copied() {
        let amount = |bytes| Amount { packs: 1, bytes };
        let pruned = Pruned {
            removed: amount(10),
            unlisted: amount(20),
            repacked: amount(30),
            copied_bytes: 25,
            ..Pruned::default()
        };
        assert_eq!(pruned.freed_bytes(), 35);
    }
}

//! Which batches of a partition are kept whole, which are looked into, and which of their records stay. Nothing but
//! decisions: no I/O.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{cut::Cut, settings::Late};

/// What a batch's header says, as far as it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The first offset that it covers.
    pub base: i64,
    /// The offset behind the last one that it covers: the way on, for a compacted batch covers more than it holds.
    pub next: i64,
    /// Records in it.
    pub count: u64,
    /// The latest time of a record in it, in milliseconds.
    pub newest: i64,
    /// Its records have the time at which the broker took them.
    pub appended: bool,
    /// It holds no record but a transaction's end.
    pub control: bool,
    /// It belongs to a transaction.
    pub transactional: bool,
    /// Who produced it; -1: nobody who says so.
    pub producer: i64,
}

/// Why something is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It comes before what is read.
    Before,
    /// It came after the fence.
    Fence,
    /// It is newer than the cut.
    Newer,
    /// It is older than the cut, lies behind a newer record, and such are dropped.
    Late,
    /// It is a transaction's end.
    Control,
    /// Its transaction was aborted.
    Aborted,
}

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// All of it is kept as it is.
    Whole,
    /// None of it is.
    Not(Why),
    /// Each record has to be looked at.
    Straddles,
}

/// Decides over one partition, in the order of its offsets.
#[derive(Debug, Clone)]
pub struct Keeper {
    from: i64,
    fence: i64,
    cut: i64,
    late: Late,
    /// A record newer than the cut has been seen.
    passed: bool,
}

impl Keeper {
    /// Keeps offsets from `from` up to `fence`, which is not part of it, and times up to the cut, which is.
    pub fn new(from: i64, fence: i64, cut: &Cut) -> Self {
        Self { from, fence, cut: cut.at, late: cut.late, passed: false }
    }

    /// Nothing before `offset` is kept any more: it was seen, or deleted.
    pub fn advance(&mut self, offset: i64) {
        self.from = self.from.max(offset);
    }

    /// What becomes of a batch that is no control batch and was not aborted.
    pub fn batch(&mut self, batch: &Facts) -> Fate {
        if batch.next <= self.from {
            return Fate::Not(Why::Before);
        }
        if batch.base >= self.fence {
            return Fate::Not(Why::Fence);
        }
        let inside = batch.base >= self.from && batch.next <= self.fence;
        let newer = batch.newest > self.cut;
        if self.late == Late::Drop && self.passed {
            return if inside { Fate::Not(Why::Late) } else { Fate::Straddles };
        }
        match (inside, newer) {
            (true, false) => Fate::Whole,
            (true, true) if batch.appended && batch.count > 0 => {
                self.passed = true;
                Fate::Not(Why::Newer)
            }
            _ => Fate::Straddles,
        }
    }

    /// Why a record of a batch that straddles is not kept; none: it is.
    pub fn record(&mut self, offset: i64, time: i64) -> Option<Why> {
        if offset < self.from {
            return Some(Why::Before);
        }
        if offset >= self.fence {
            return Some(Why::Fence);
        }
        if time > self.cut {
            self.passed = true;
            return Some(Why::Newer);
        }
        (self.passed && self.late == Late::Drop).then_some(Why::Late)
    }
}

/// Which transactional batches of one fetch answer belong to aborted transactions: from its first offset to its end
/// marker every batch of that producer does.
#[derive(Debug, Default)]
pub struct Aborted {
    /// First offset and producer, the latest first.
    coming: Vec<(i64, i64)>,
    open: BTreeSet<i64>,
}

impl Aborted {
    /// The list of the answer: producer and first offset of each.
    pub fn new(list: impl IntoIterator<Item = (i64, i64)>) -> Self {
        let mut coming: Vec<_> = list.into_iter().map(|(producer, first)| (first, producer)).collect();
        coming.sort_by(|one, other| other.cmp(one));
        Self { coming, open: BTreeSet::new() }
    }

    /// Why this batch, the next one, holds nothing to keep; none: it may.
    pub fn see(&mut self, batch: &Facts) -> Option<Why> {
        while let Some((_, producer)) = self.coming.pop_if(|(first, _)| *first < batch.next) {
            self.open.insert(producer);
        }
        if batch.control {
            // Whatever it says, it is where that producer's transaction ends.
            self.open.remove(&batch.producer);
            return Some(Why::Control);
        }
        (batch.transactional && self.open.contains(&batch.producer)).then_some(Why::Aborted)
    }
}

/// What was seen of a partition, by offsets: every one of them has to be accounted for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tally {
    /// Records kept.
    pub kept: u64,
    /// Offsets that hold something which is not kept, by the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<Why, u64>,
    /// Offsets without a record inside batches and between them: compaction makes such holes.
    #[serde(default)]
    pub holes: u64,
}

impl Tally {
    /// Something that is not kept.
    pub fn leave_out(&mut self, why: Why, count: u64) {
        *self.left_out.entry(why).or_default() += count;
    }

    /// How many were left out for that reason.
    pub fn left_out(&self, why: Why) -> u64 {
        self.left_out.get(&why).copied().unwrap_or_default()
    }

    /// Records that the brokers' own offsets promise between `from` and `fence`, less what was seen and knowingly not
    /// kept. Holes count as accounted for only where the topic is compacted.
    pub fn promised(&self, from: i64, fence: i64, compacted: bool) -> u64 {
        let offsets = u64::try_from(fence.saturating_sub(from)).unwrap_or_default();
        let inside = [Why::Newer, Why::Late, Why::Control, Why::Aborted];
        let gone: u64 = inside.iter().map(|why| self.left_out(*why)).sum();
        offsets.saturating_sub(gone).saturating_sub(if compacted { self.holes } else { 0 })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn cut(at: i64, late: Late) -> Cut {
        Cut { at, slack: 0, late, from: None }
    }

    /// A plain batch with these offsets and newest time.
    pub(crate) fn batch(base: i64, next: i64, newest: i64) -> Facts {
        let count = u64::try_from(next - base).unwrap();
        let (appended, control, transactional) = (false, false, false);
        Facts { base, next, count, newest, appended, control, transactional, producer: -1 }
    }

    #[test]
    fn a_batch_inside_the_cut_is_kept_whole_and_one_across_it_is_looked_into() {
        let mut keeper = Keeper::new(10, 100, &cut(1000, Late::Keep));
        assert_eq!(keeper.batch(&batch(10, 20, 1000)), Fate::Whole);
        assert_eq!(keeper.batch(&batch(20, 30, 1001)), Fate::Straddles);
        assert_eq!(keeper.batch(&batch(95, 100, 900)), Fate::Whole);
        assert_eq!(keeper.batch(&batch(95, 101, 900)), Fate::Straddles);
        assert_eq!(keeper.batch(&batch(8, 12, 900)), Fate::Straddles);
        assert_eq!(keeper.batch(&batch(5, 10, 900)), Fate::Not(Why::Before));
        assert_eq!(keeper.batch(&batch(100, 101, 900)), Fate::Not(Why::Fence));
    }

    #[test]
    fn a_batch_with_the_brokers_time_is_inside_or_not() {
        let mut keeper = Keeper::new(0, 100, &cut(1000, Late::Keep));
        let appended = |newest| Facts { appended: true, ..batch(0, 5, newest) };
        assert_eq!(keeper.batch(&appended(1000)), Fate::Whole);
        assert_eq!(keeper.batch(&appended(1001)), Fate::Not(Why::Newer));
    }

    #[test]
    fn late_records_are_kept_or_dropped_as_the_operator_says() {
        for (late, wanted) in [(Late::Keep, vec![0, 2]), (Late::Drop, vec![0])] {
            let mut keeper = Keeper::new(0, 4, &cut(1000, late));
            let records = [(0, 900), (1, 1500), (2, 980), (3, 1600)];
            let kept = records.iter().filter(|(offset, time)| keeper.record(*offset, *time).is_none());
            assert_eq!(kept.map(|(offset, _)| *offset).collect::<Vec<i64>>(), wanted);
            let behind = if late == Late::Keep { Fate::Whole } else { Fate::Not(Why::Late) };
            assert_eq!(keeper.batch(&batch(2, 3, 10)), behind);
        }
    }

    #[test]
    fn an_aborted_transaction_ends_with_its_marker_and_others_go_on() {
        let of = |producer, base, next| Facts { transactional: true, producer, ..batch(base, next, 0) };
        let end = |producer, base| Facts { control: true, ..of(producer, base, base + 1) };
        let mut aborted = Aborted::new([(7, 20), (7, 0), (8, 2)]);
        let seen = [
            of(7, 0, 2),
            of(8, 2, 4),
            end(7, 4),
            of(7, 5, 10),
            batch(10, 12, 0),
            end(8, 12),
            of(8, 13, 20),
            end(7, 19),
            of(7, 20, 22),
        ];
        let fates: Vec<_> = seen.iter().map(|facts| aborted.see(facts)).collect();
        let (gone, end) = (Some(Why::Aborted), Some(Why::Control));
        assert_eq!(fates, [gone, gone, end, None, None, end, None, end, gone]);
    }

    #[test]
    fn offsets_that_nobody_accounts_for_are_missing() {
        let mut tally = Tally { kept: 6, ..Tally::default() };
        tally.leave_out(Why::Newer, 2);
        tally.leave_out(Why::Control, 1);
        tally.leave_out(Why::Fence, 50);
        assert_eq!(tally.promised(0, 10, false), 7);
        tally.holes = 1;
        assert_eq!((tally.promised(0, 10, false), tally.promised(0, 10, true)), (7, 6));
        assert_eq!(tally.promised(10, 0, true), 0);
    }
}

//! From offsets that groups have committed to offsets of the restored partition: the first record that was kept at or
//! behind the committed offset, else the end. Only those that are needed are remembered, so a partition of any length
//! takes no more memory than its groups.

use std::collections::{BTreeMap, BTreeSet};

/// The committed offsets of one partition, on their way.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    waiting: BTreeSet<i64>,
    found: BTreeMap<i64, i64>,
}

impl Marks {
    /// Those offsets are to be translated.
    pub fn new(committed: impl IntoIterator<Item = i64>) -> Self {
        Self { waiting: committed.into_iter().collect(), found: BTreeMap::new() }
    }

    /// The record with the offset `source` of the source is the record `target` of the restored partition. Records
    /// come in the order of their offsets.
    pub fn pass(&mut self, source: i64, target: i64) {
        while let Some(first) = self.waiting.first().copied().filter(|first| *first <= source) {
            self.waiting.pop_first();
            self.found.insert(first, target);
        }
    }

    /// Whether a record behind `source` can still matter.
    pub fn next(&self) -> Option<i64> {
        self.waiting.first().copied()
    }

    /// All of them: what lies behind the last record is the end of the restored partition.
    pub fn end(mut self, end: i64) -> BTreeMap<i64, i64> {
        self.found.extend(self.waiting.into_iter().map(|committed| (committed, end)));
        self.found
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{
        keep::{Keeper, tests::cut},
        settings::Late,
    };

    fn cases() -> Vec<Value> {
        serde_json::from_str(include_str!("../fixtures/partition-cases.json")).unwrap()
    }

    /// The offsets that are kept.
    fn kept(case: &Value) -> Vec<i64> {
        let number = |name: &str| case[name].as_i64().unwrap();
        let mut keeper = Keeper::new(number("log_start"), number("end"), &cut(number("cut"), Late::Keep));
        let records = case["records"].as_array().unwrap();
        let pairs = records.iter().map(|record| (record[0].as_i64().unwrap(), record[1].as_i64().unwrap()));
        pairs.filter(|(offset, time)| keeper.record(*offset, *time).is_none()).map(|(offset, _)| offset).collect()
    }

    #[test]
    fn every_case_of_the_fixture_keeps_and_translates_as_it_says() {
        let cases = cases();
        assert_eq!(cases.len(), 10);
        for case in cases {
            let (name, kept) = (&case["case"], kept(&case));
            let wanted: Vec<i64> = serde_json::from_value(case["keep"].clone()).unwrap();
            assert_eq!(kept, wanted, "{name}");
            let mut marks = Marks::new(case["committed"].as_i64());
            for (target, source) in kept.iter().enumerate() {
                marks.pass(*source, target as i64);
            }
            let translated = marks.end(kept.len() as i64).into_values().next();
            assert_eq!(translated, case["new_committed"].as_i64(), "{name}");
        }
    }

    #[test]
    fn several_groups_wait_for_the_same_partition() {
        let mut marks = Marks::new([40, 5, 5, 0, 12]);
        marks.pass(5, 0);
        assert_eq!(marks.next(), Some(12));
        marks.pass(11, 1);
        marks.pass(30, 2);
        assert_eq!(marks.end(3), [(0, 0), (5, 0), (12, 2), (40, 3)].into());
    }
}

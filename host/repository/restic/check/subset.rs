//! How much of the packs a check reads: as restic's `--read-data` and `--read-data-subset` say it
//! (<https://restic.readthedocs.io/en/stable/045_working_with_repos.html#checking-integrity-and-consistency>).

use std::str::FromStr;

use crate::{digest::Digest, repository::restic::amount};

/// What of the packs is read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Reading {
    /// None.
    #[default]
    Nothing,
    /// Every byte.
    All,
    /// The `part`th of `of` groups, which are the same each time: checked one after the other they are all.
    Group {
        /// From 1 on.
        part: u8,
        /// 255 at most.
        of: u8,
    },
    /// So many of a hundred packs, chosen at random.
    Percent(f64),
    /// About as many bytes, chosen at random.
    Bytes(u64),
}

impl FromStr for Reading {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no subset: write 2/5 (the second of five groups), or 2.5% or 10G (so much, chosen at random)"
            )
        };
        let share = || amount::percent(text).filter(|percent| *percent > 0.0).map(Self::Percent);
        let parsed = match text.split_once('/') {
            Some((part, of)) => group(part, of),
            None => share().or_else(|| amount::bytes(text).filter(|bytes| *bytes > 0).map(Self::Bytes)),
        };
        parsed.ok_or_else(wrong)
    }
}

fn group(part: &str, of: &str) -> Option<Reading> {
    let (part, of) = (part.parse().ok()?, of.parse().ok()?);
    (1..=of).contains(&part).then_some(Reading::Group { part, of })
}

impl Reading {
    /// Chooses among packs and their sizes.
    pub(super) fn choose(self, mut packs: Vec<(Digest, u64)>) -> Vec<(Digest, u64)> {
        match self {
            Self::Nothing => packs.clear(),
            Self::All => {}
            Self::Group { part, of } => packs.retain(|(id, _)| id.as_bytes()[0] % of == part - 1),
            Self::Percent(percent) => {
                shuffle(&mut packs);
                let count = (packs.len() as f64 * percent / 100.0).ceil() as usize;
                packs.truncate(count);
            }
            Self::Bytes(bytes) => {
                shuffle(&mut packs);
                let mut before = 0_u64;
                packs.retain(|(_, size)| {
                    let wanted = before < bytes;
                    before = before.saturating_add(*size);
                    wanted
                });
            }
        }
        packs
    }
}

fn shuffle(packs: &mut [(Digest, u64)]) {
    packs.sort_by_cached_key(|_| rand::random::<u64>());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packs() -> Vec<(Digest, u64)> {
        (0..100_u8).map(|number| (Digest::of(&[number]), 10)).collect()
    }

    #[test]
    fn groups_are_all_packs_and_each_pack_is_in_one() {
        let mut all = Vec::new();
        for part in 1..=7 {
            all.extend(format!("{part}/7").parse::<Reading>().unwrap().choose(packs()));
        }
        let mut wanted = packs();
        wanted.sort();
        all.sort();
        assert_eq!(all, wanted);
    }

    #[test]
    fn a_share_is_as_many_packs_as_it_says() {
        let count = |text: &str| text.parse::<Reading>().unwrap().choose(packs()).len();
        assert_eq!([count("2.5%"), count("100%"), count("0.01%")], [3, 100, 1]);
        assert_eq!([count("95"), count("1K"), count("1")], [10, 100, 1]);
        assert_eq!((Reading::All.choose(packs()).len(), Reading::Nothing.choose(packs()).len()), (100, 0));
    }

    #[test]
    fn what_is_no_subset_is_refused() {
        for text in ["", "0/5", "6/5", "1/0", "1/256", "0%", "101%", "NaN%", "-1%", "0", "x", "1X", "/", "%"] {
            assert!(text.parse::<Reading>().is_err(), "{text}");
        }
    }
}

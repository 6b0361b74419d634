//! Damage that reading a snapshot back shows: named up to a bound, beyond it only counted.

use std::sync::{Mutex, PoisonError};

/// Differences that are named.
const NAMED_MAX: usize = 1000;

/// See the module.
#[derive(Default)]
pub(super) struct Damage(Mutex<(Vec<String>, u64)>);

impl Damage {
    /// Names a difference.
    pub(super) fn name(&self, what: String) {
        let mut damage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        damage.1 += 1;
        if damage.0.len() < NAMED_MAX {
            damage.0.push(what);
        }
    }

    /// All that were named, and how many were not.
    pub(super) fn named(self) -> Vec<String> {
        let (mut named, count) = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        if count > named.len() as u64 {
            named.push(format!("and {} more differences", count - named.len() as u64));
        }
        named
    }
}

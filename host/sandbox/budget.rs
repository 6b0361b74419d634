//! The memory that one call may take up: its own, and what the host holds for it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytesize::ByteSize;

/// What may be used (`limits.memory`), and what is.
pub struct Budget {
    used: AtomicU64,
    max: u64,
    step: String,
}

/// More than there is. Says so to the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the plugin takes up {} with what the host holds for it, limits.memory is {}; allow more with [step.{step}.limits] memory = \"{}\"",
    ByteSize(*.used), ByteSize(*.max), ByteSize(.max.saturating_mul(2))
)]
pub struct Spent {
    used: u64,
    max: u64,
    step: String,
}

impl Budget {
    /// `max` bytes for a call of `step`.
    pub fn new(max: u64, step: &str) -> Arc<Self> {
        Arc::new(Self { used: AtomicU64::new(0), max, step: step.to_owned() })
    }

    /// Takes `bytes` for as long as the call lasts.
    ///
    /// # Errors
    /// When there are not so many left.
    pub fn spend(&self, bytes: u64) -> Result<(), Spent> {
        let take = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.max);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => Ok(()),
            Err(used) => Err(Spent { used: used.saturating_add(bytes), max: self.max, step: self.step.clone() }),
        }
    }

    /// Takes `bytes` until the charge is dropped.
    ///
    /// # Errors
    /// When there are not so many left.
    pub fn charge(self: &Arc<Self>, bytes: u64) -> Result<Charge, Spent> {
        self.spend(bytes)?;
        Ok(Charge { budget: self.clone(), bytes })
    }
}

/// A piece of a [`Budget`]. Dropping it gives it back.
pub struct Charge {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Charge {
    /// Makes it `bytes`, unless it is as large already.
    ///
    /// # Errors
    /// When there are not so many left.
    pub fn raise(&mut self, bytes: u64) -> Result<(), Spent> {
        let more = bytes.saturating_sub(self.bytes);
        self.budget.spend(more)?;
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_can_be_taken_again_and_no_more() {
        let budget = Budget::new(10, "wiki");
        let mut six = budget.charge(6).unwrap();
        assert!(budget.charge(5).is_err() && six.raise(11).is_err());
        six.raise(10).unwrap();
        six.raise(3).unwrap();
        let spent = budget.spend(1).unwrap_err().to_string();
        assert!(spent.contains("11 B") && spent.contains("[step.wiki.limits] memory = \"20 B\""), "{spent}");
        drop(six);
        budget.spend(10).unwrap();
        assert!(budget.charge(u64::MAX).is_err());
    }
}

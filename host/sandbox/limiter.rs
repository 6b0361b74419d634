//! What one instance may use up: linear memory over all its memories, tables, and guest compute.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use wasmtime::ResourceLimiter;

use super::{budget::Budget, state::words};

const MEMORIES_MAX: usize = 4;
const TABLES_MAX: usize = 16;
const INSTANCES_MAX: usize = 64;
const TABLE_ELEMENTS_MAX: usize = 200_000;

/// Counts memory over all memories of the store.
pub struct Limiter {
    budget: Arc<Budget>,
    elements: usize,
    /// What was refused: the trap or the abort that follows is the limit's doing.
    pub refused: Option<String>,
}

impl Limiter {
    /// Within this budget.
    pub fn new(budget: Arc<Budget>) -> Self {
        Self { budget, elements: 0, refused: None }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        match self.budget.spend(desired.saturating_sub(current) as u64) {
            Ok(()) => Ok(true),
            Err(spent) => {
                self.refused = Some(spent.to_string());
                Ok(false)
            }
        }
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let elements = self.elements.saturating_add(desired.saturating_sub(current));
        if elements > TABLE_ELEMENTS_MAX {
            self.refused =
                Some(format!("the plugin asks for a table of {elements} elements; {TABLE_ELEMENTS_MAX} are the most"));
            return Ok(false);
        }
        self.elements = elements;
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}

/// Time that the guest itself has computed.
pub struct Compute {
    used: Duration,
    limit: Duration,
    last: Instant,
    away: u64,
}

/// The limit on compute was reached.
#[derive(Debug, thiserror::Error)]
#[error("the plugin computed longer than limits.compute allows")]
pub struct ComputeEnded;

/// What one look can add at most: looks come every tick while the guest computes, so that a longer gap was the host's.
const LOOK_MAX: Duration = Duration::from_millis(30);

impl Compute {
    /// At most `limit`.
    pub fn new(limit: Duration) -> Self {
        Self { used: Duration::ZERO, limit, last: Instant::now(), away: 0 }
    }

    /// A tick has passed while the guest computed. `away` are the microseconds that it has waited in the host so far.
    ///
    /// # Errors
    /// When the limit is reached.
    pub fn look(&mut self, away: u64) -> Result<(), ComputeEnded> {
        let now = Instant::now();
        let waited = Duration::from_micros(away - self.away.min(away));
        self.used += (now - self.last).saturating_sub(waited).min(LOOK_MAX);
        (self.last, self.away) = (now, away);
        if self.used > self.limit { Err(ComputeEnded) } else { Ok(()) }
    }

    /// What to tell the operator.
    pub fn describe(&self, step: &str) -> String {
        format!(
            "the plugin computed for {} without coming to an end (limits.compute); allow more with [step.{step}.limits] compute = \"{}\"",
            words(self.limit),
            words(self.limit * 2)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_over_all_memories_and_a_refusal_is_remembered() {
        let mut limiter = Limiter::new(Budget::new(3 << 20, "wiki"));
        assert!(limiter.memory_growing(0, 2 << 20, None).unwrap());
        assert!(limiter.memory_growing(0, 1 << 20, None).unwrap());
        assert!(!limiter.memory_growing(1 << 20, 2 << 20, None).unwrap());
        assert!(limiter.refused.unwrap().contains("[step.wiki.limits] memory = \"6.0 MiB\""));
    }
}

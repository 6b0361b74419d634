//! `log`: lines and progress for the operator, counted, cut and masked.

use std::time::{Duration, Instant};

use crate::sandbox::{
    bindings::host::log,
    ledger::Level,
    operation::{Capability, Operation},
    state::State,
};

/// Longest line, in bytes.
const LINE_BYTES_MAX: usize = 16 << 10;
/// Most fields of a line.
const FIELDS_MAX: usize = 32;
/// Longest words of `progress`, in bytes.
const WHAT_BYTES_MAX: usize = 200;
/// Progress is passed on this often at most.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// What a call may still log.
pub struct LogBudget {
    left: u64,
    told: bool,
    last_progress: Option<Instant>,
    /// The last line of level `error`: what a panicking guest says before it traps.
    pub last_error: Option<String>,
}

impl LogBudget {
    /// `bytes` in all.
    pub fn new(bytes: u64) -> Self {
        Self { left: bytes, told: false, last_progress: None, last_error: None }
    }

    /// Takes what a line costs; false when nothing is left.
    fn spend(&mut self, bytes: usize) -> bool {
        let left = self.left.checked_sub(bytes as u64);
        self.left = left.unwrap_or(0);
        left.is_some()
    }
}

impl log::Host for State {
    fn emit(&mut self, level: log::Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        let message = cut(self.mask.apply(message), LINE_BYTES_MAX);
        if level == log::Level::Error {
            self.log.last_error = Some(message.clone());
        }
        // A guest that panics in `describe` may say so, but nobody else hears it.
        if self.operation == Operation::Describe {
            return Ok(());
        }
        self.enter_or_trap(Capability::Log)?;
        let fields: Vec<_> = fields.into_iter().take(FIELDS_MAX).map(|field| self.field(field)).collect();
        let size = message.len() + fields.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() + 1;
        if self.log.spend(size) {
            self.session.ledger.log(level.into(), &message, &fields);
        } else if !std::mem::replace(&mut self.log.told, true) {
            self.session.ledger.log(Level::Warn, &self.dropped(), &[]);
        }
        Ok(())
    }

    fn progress(&mut self, what: String, done: u64, total: Option<u64>) -> wasmtime::Result<()> {
        self.enter_or_trap(Capability::Log)?;
        let now = Instant::now();
        let soon = self.log.last_progress.is_some_and(|last| now - last < PROGRESS_EVERY);
        if !soon {
            self.log.last_progress = Some(now);
            let what = cut(self.mask.apply(what), WHAT_BYTES_MAX);
            self.session.ledger.progress(&what, done, total);
        }
        Ok(())
    }
}

impl State {
    fn field(&self, (key, value): (String, String)) -> (String, String) {
        (cut(self.mask.apply(key), WHAT_BYTES_MAX), cut(self.mask.apply(value), LINE_BYTES_MAX))
    }

    fn dropped(&self) -> String {
        let limit = self.session.limits.log_bytes;
        format!(
            "further lines dropped: the part has logged {limit} bytes (limits.log-bytes); allow more with [step.{}.limits] log-bytes = {}",
            self.session.step,
            limit.saturating_mul(2)
        )
    }
}

impl From<log::Level> for Level {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Debug => Self::Debug,
            log::Level::Info => Self::Info,
            log::Level::Warn => Self::Warn,
            log::Level::Error => Self::Error,
        }
    }
}

/// `text`, at most `max` bytes of it, at a character's border.
pub fn cut(mut text: String, max: usize) -> String {
    if text.len() > max {
        let end = (0..=max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

//! Whether this process was told to stop: it is told once, and as a whole.

use std::sync::atomic::{AtomicBool, Ordering};

static TOLD: AtomicBool = AtomicBool::new(false);

/// From now on whoever tries things again tries no more, and what fails is taken for canceled.
pub fn to_stop() {
    TOLD.store(true, Ordering::Relaxed);
}

/// Whether [`to_stop`] was called.
pub fn is_to_stop() -> bool {
    TOLD.load(Ordering::Relaxed)
}

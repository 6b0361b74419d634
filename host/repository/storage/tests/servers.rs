//! The servers of the integration tests, for the tests of one storage.

#[path = "../../../../tests/support/bucket.rs"]
pub mod bucket;
#[path = "../../../../tests/support/faults.rs"]
pub mod faults;
#[path = "../../../../tests/support/sshd.rs"]
pub mod sshd;
#[path = "../../../../tests/support/web.rs"]
pub mod web;

use std::time::{Duration, Instant};

pub const DEADLINE: Duration = Duration::from_secs(60);

pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < until, "this did not happen: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

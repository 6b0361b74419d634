//! The integration tests: one program, so that the binary, the plugins and the database server are there once.

// Not every helper is used by every set of tests.
#[allow(dead_code)]
mod support;

/// The harness itself: that it sees what it promises to see.
mod harness;

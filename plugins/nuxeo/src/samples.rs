//! Sample instances.

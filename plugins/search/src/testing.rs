//! A small engine in memory.

//! Runs a plan: stages, barrier, journal, lock. Prints nothing: it emits [`event::Event`]s.

pub mod event;

//! Runs a plan: the pass ahead, stages, the settled barrier, the journal, the lock. Prints nothing: it emits
//! [`event::Event`]s.
//!
//! `backup`, `restore`, `verify` and `copy` are the four runs. A part's side (`part`) takes what its calls leave behind, the
//! `board` is what all parts share, `seal` proves a backup and publishes it, `forget` removes older snapshots, `reading` is what reads a sealed snapshot.

pub mod backup;
mod board;
pub mod copies;
pub mod copy;
pub mod doctor;
pub mod event;
pub mod forget;
pub mod holds;
pub mod inspect;
mod journal;
pub mod locks;
mod part;
pub mod reading;
pub mod restore;
pub mod scratch;
mod seal;
mod stages;
pub mod stop;
pub mod target;
pub mod telling;
pub mod verify;

//! Strongroom, in reading order: `config → plan → run → snapshot → report`.
//!
//! The house is a line of rooms. Data goes from left to right, names are borrowed only from rooms to the left.
//!
//! - Words that anyone may use: a [`diagnostic`] about a file or a product, a [`digest`], a [`name`] in raw bytes, a
//!   [`secret`] that never prints itself, whether the process was [`told`] to stop.
//! - [`config`]: the pipeline file as meant, and the lock that pins who may use its grants.
//! - [`tls`]: whom to trust when a connection is encrypted.
//! - [`plan`]: what plugins said, decided once. Pure: no I/O, no clock.
//! - [`snapshot`]: what a snapshot says of itself, and what it is worth.
//! - [`repository`]: where snapshots live; a draft is written, an archive is read.
//! - [`sandbox`]: holds plugins. Control flow in the sandbox, bytes in the host.
//! - [`run`]: backup, restore, verify. Emits events, prints nothing.
//! - [`report`]: reads events and tells people, programs and a log.
//! - [`commands`]: a recipe for each verb of [`cli`].

pub mod diagnostic;
pub mod digest;
pub mod name;
pub mod secret;
pub mod told;

pub mod config;
pub mod tls;
pub mod plan;
pub mod snapshot;
pub mod repository;
pub mod sandbox;
pub mod run;
pub mod report;
pub mod cli;
pub mod commands;

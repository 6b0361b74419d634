//! The host's side of the contract: one file for each interface in `wit/`.

pub mod archive;
pub mod context;
pub mod dirs;
pub mod holds;
pub mod http;
pub mod log;
pub mod secrets;
pub mod snapshot;
pub mod sql;
pub mod streams;
pub mod tcp;
pub mod tools;

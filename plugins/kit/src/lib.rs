//! Write a strongroom plugin.
//!
//! A plugin is a type that implements [`Plugin`] and is named in [`plugin!`]. It reaches the world only through the
//! modules below, one for each interface of the contract in `wit/`, and of each only what the operator's pipeline
//! grants by name. Bytes stay in the host: a plugin says where they go and never needs to copy them.
//!
//! Natively the same modules talk to a scripted host ([`testing::Host`]), so a plugin is tested with `cargo test`.

#[allow(unsafe_code, clippy::all)]
#[doc(hidden)]
pub mod bindings;
#[cfg(target_arch = "wasm32")]
use bindings::strongroom::plugin as host;
#[cfg(not(target_arch = "wasm32"))]
use testing::imports as host;

pub mod about;
pub mod archive;
pub mod context;
pub mod dirs;
mod error;
#[doc(hidden)]
pub mod export;
pub mod holds;
pub mod http;
pub mod log;
mod pages;
mod plugin;
pub mod product;
pub mod secrets;
pub mod snapshot;
pub mod sql;
pub mod streams;
pub mod tcp;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod tools;
pub mod tree;

pub use self::{
    about::{Description, Need},
    context::{Instant, InstantKind, Timestamp},
    error::{Context, Error, ErrorCode, Result},
    log::Level,
    plugin::Plugin,
    product::{Finding, Inspection, Outcome, Part, Pass, Purpose, Receipt, Severity, Stage},
    snapshot::{Evidence, Meta, TreeOptions, TreeReport},
    streams::{Algorithm, InputStream, OutputStream},
    tools::Tool,
};

/// The README's plugin is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

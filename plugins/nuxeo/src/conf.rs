//! How a Nuxeo instance is configured: what its launcher reads, and what follows from it.

pub mod blobs;
pub mod chain;
mod defaults;
pub mod effective;
pub mod encrypted;
pub mod expand;
pub mod files;
mod paths;
pub mod properties;
pub mod rewrite;
pub mod secret;

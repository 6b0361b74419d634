//! How a Nuxeo instance is configured: what its launcher reads, and what follows from it.

pub mod blobs;
pub mod expand;
pub mod properties;
pub mod rewrite;

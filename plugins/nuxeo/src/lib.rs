//! Backs up and restores Nuxeo: its databases, its blobs, the rest of its data and its configuration.

pub mod conf;

//! Conversations with scripted brokers: as they should be, and as they should not.

mod asking;
mod broker;
mod hostile;
mod reading;
mod writing;

use super::{Cluster, Options};
use crate::{Login, Result};

/// A client that tries again twice at most.
fn connect() -> Result<Cluster> {
    Cluster::connect("kafka", Login::None, options())
}

fn options() -> Options {
    Options { retries: 2, ..Options::default() }
}

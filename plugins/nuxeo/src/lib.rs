//! Backs up and restores Nuxeo: its databases, its blobs, the rest of its data and its configuration.
//!
//! What its files say comes first (`conf`, and `instance`, which puts it together with the grants), then what a snapshot
//! holds of it (`stores`, `content`, `stored`, `embedded`), then what is done: `inspect`, `backup`, `gc`, `restore`,
//! `verify`.

use strongroom_plugin::{Description, Error, Inspection, Outcome, Part, Pass, Plugin, Purpose, Result, plugin};

pub mod backup;
pub mod conf;
pub mod content;
pub mod describe;
pub mod embedded;
pub mod findings;
pub mod gc;
pub mod hex;
pub mod inspect;
pub mod instance;
pub mod paths;
pub mod restore;
pub mod settings;
pub mod stored;
pub mod stores;
pub mod verify;

/// The plugin.
#[derive(Default)]
pub struct Nuxeo;

plugin!(Nuxeo);

impl Plugin for Nuxeo {
    fn describe() -> Description {
        describe::description()
    }

    fn inspect(&self, purpose: Purpose) -> Result<Inspection> {
        match purpose {
            Purpose::Backup => inspect::inspect(),
            Purpose::Restore => restore::inspect(),
        }
    }

    fn backup(&self, part: &Part, pass: Pass) -> Result<Outcome> {
        backup::backup(part, pass)
    }

    fn restore(&self, part: &Part) -> Result<Outcome> {
        restore::restore(part)
    }

    fn verify(&self, part: &Part) -> Result<Outcome> {
        verify::verify(part)
    }

    fn probe(&self, part: &Part) -> Result<Outcome> {
        restore::probe(part)
    }

    fn release(&self, hold: &str, data: &[u8]) -> Result<()> {
        match hold {
            gc::HOLD => gc::release(data),
            _ => Err(Error::invalid(format!("Nuxeo has no hold {hold:?}"))),
        }
    }
}

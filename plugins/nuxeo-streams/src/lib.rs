//! Backs up and restores what Nuxeo keeps in Kafka, cut at the instant of its databases.
//!
//! Decisions come first (`prefix`, `inventory`, `cut`, `keep`, `translate`, `hash`), then what a snapshot holds
//! (`store`) and how brokers and a registry are asked (`broker`, `scan`, `schemas`), then what is done: `inspect`, `backup`, `restore`, `verify`.

use strongroom_plugin::{Description, Inspection, Outcome, Part, Pass, Plugin, Purpose, Result, plugin};

pub mod backup;
pub mod broker;
pub mod cut;
pub mod describe;
pub mod findings;
pub mod hash;
pub mod inspect;
pub mod inventory;
pub mod keep;
pub mod prefix;
pub mod restore;
pub mod scan;
pub mod schemas;
pub mod settings;
pub mod store;
pub mod translate;
pub mod verify;

/// The plugin.
#[derive(Default)]
pub struct NuxeoStreams;

plugin!(NuxeoStreams);

impl Plugin for NuxeoStreams {
    fn describe() -> Description {
        describe::description()
    }

    fn inspect(&self, purpose: Purpose) -> Result<Inspection> {
        match purpose {
            Purpose::Backup => inspect::inspect(),
            Purpose::Restore => restore::inspect(),
        }
    }

    fn backup(&self, part: &Part, _: Pass) -> Result<Outcome> {
        backup::backup(part)
    }

    fn restore(&self, part: &Part) -> Result<Outcome> {
        restore::restore(part)
    }

    fn verify(&self, part: &Part) -> Result<Outcome> {
        verify::verify(part)
    }

    fn probe(&self, _: &Part) -> Result<Outcome> {
        Ok(Outcome::new("nothing to ask: a restore has read everything back"))
    }
}

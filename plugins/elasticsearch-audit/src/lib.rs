//! Backs up and restores indices of Elasticsearch and OpenSearch, such as Nuxeo's audit: whole, proved by count and hash.
//!
//! What may be set comes first (`settings`, `describe`, `findings`), then which indices are meant (`names`) and which way
//! is taken (`way`, `kept`), then what is done: `inspect`, `backup`, `restore`, `release`,
//! `verify`. `strongroom-search` does the work.

use strongroom_plugin::{Description, Inspection, Outcome, Part, Pass, Plugin, Purpose, Result, plugin};

pub mod backup;
pub mod describe;
pub mod findings;
pub mod inspect;
pub mod kept;
pub mod names;
pub mod release;
pub mod restore;
pub mod settings;
pub mod verify;
pub mod way;

/// The plugin.
#[derive(Default)]
pub struct ElasticsearchAudit;

plugin!(ElasticsearchAudit);

impl Plugin for ElasticsearchAudit {
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

    fn release(&self, _: &str, data: &[u8]) -> Result<()> {
        release::release(data)
    }
}

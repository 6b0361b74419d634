//! Backs up and restores Confluence: one node or a cluster, on PostgreSQL, MySQL, MariaDB or an embedded database.
//!
//! The files that say what a site is come first (`cfg`, `init`, `setenv`, `tomcat`, `jdbc`, and `site`, which puts them
//! together), then what a snapshot holds of it (`home`, `install`, `triple`, `layout`), then what is done: `inspect`, `backup`, `restore`, `verify`.

use strongroom_database::jdbc;
use strongroom_plugin::{Description, Inspection, Outcome, Part, Pass, Plugin, Purpose, Result, plugin};

pub mod backup;
pub mod build;
pub mod cfg;
pub mod cipher;
pub mod describe;
pub mod embedded;
pub mod findings;
pub mod grants;
pub mod home;
pub mod index;
pub mod init;
pub mod inspect;
pub mod install;
pub mod layout;
pub mod opensearch;
pub mod paths;
pub mod restore;
pub mod setenv;
pub mod settings;
pub mod site;
pub mod tomcat;
pub mod triple;
pub mod verify;

#[cfg(test)]
mod samples;

/// The plugin.
#[derive(Default)]
pub struct Confluence;

plugin!(Confluence);

impl Plugin for Confluence {
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

    fn release(&self, _: &str, data: &[u8]) -> Result<()> {
        opensearch::release(data)
    }

    fn probe(&self, part: &Part) -> Result<Outcome> {
        match part.name.as_str() {
            inspect::part::DATABASE => restore::probe(),
            inspect::part::SEARCH_INDEX => Ok(Outcome::new("nothing to ask: a restore has read everything back")),
            _ => Ok(Outcome::new("nothing to ask: this part is files")),
        }
    }
}

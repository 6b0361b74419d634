//! Brings streams back under a new prefix: topics made anew, records in their order, offsets translated.
//!
//! What is there already is never touched. A part that was interrupted removes the topics that it had made, by what it
//! wrote down before it made them, and begins again.

use strongroom_plugin::{Error, Outcome, Part, Result};

use self::target::Target;
use crate::{
    broker::{self, Broker},
    describe::grant,
    inspect::part,
    schemas,
    settings::Settings,
};

mod configs;
mod fence;
mod inspect;
mod load;
mod origin;
mod positions;
mod records;
mod target;
mod topics;

pub use inspect::inspect;
pub(crate) use origin::batches;

/// Restores one part.
///
/// # Errors
/// Then the part is not restored.
pub fn restore(part: &Part) -> Result<Outcome> {
    if part.name == part::SCHEMAS {
        return schemas::restore();
    }
    let settings = Settings::read()?;
    let mut broker = broker::connect(grant::KAFKA, &settings)?;
    let target = Target::read(&settings)?;
    let mut source = match settings.replicate {
        true => Some(broker::connect(origin::service(), &settings)?),
        false => None,
    };
    with(&mut broker, source.as_mut(), part, &target)
}

pub(crate) fn with<B: Broker>(broker: &mut B, source: Option<&mut B>, part: &Part, target: &Target) -> Result<Outcome> {
    match part.name.as_str() {
        part::FENCE => fence::restore(broker, target),
        part::POSITIONS => positions::restore(broker, target),
        name if name.starts_with(part::RECORDS) => records::restore(broker, source, part, target),
        name => Err(Error::unsupported(format!("this plugin stores no part {name:?}"))),
    }
}

#[cfg(test)]
mod tests;

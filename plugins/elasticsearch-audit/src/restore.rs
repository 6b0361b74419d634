//! Brings indices back, under the names that the operator gives them.

use strongroom_plugin::{Outcome, Part, Result};

use crate::settings::Settings;

mod inspect;

pub use inspect::inspect;

/// Restores one part.
///
/// # Errors
/// Then the part is not restored.
pub fn restore(part: &Part) -> Result<Outcome> {
    let settings = Settings::read()?;
    strongroom_search::restore::restore(&settings.reach()?, &settings.rename, part)
}

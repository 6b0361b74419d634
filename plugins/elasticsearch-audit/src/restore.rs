//! Brings indices back, under the names that the operator gives them.

use strongroom_plugin::{Outcome, Part, Result};

use strongroom_search::restore::{self, Wanted};

use crate::settings::Settings;

mod inspect;

pub use inspect::inspect;

/// Restores one part.
///
/// # Errors
/// Then the part is not restored.
pub fn restore(part: &Part) -> Result<Outcome> {
    let settings = Settings::read()?;
    let reach = settings.reach()?;
    let wanted = Wanted { renamed: settings.rename, repository: settings.repository, ..Wanted::default() };
    restore::restore(&reach, &wanted, part)
}

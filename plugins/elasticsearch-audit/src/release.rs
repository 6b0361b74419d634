//! Removes what a run that has died left on the engine.

use strongroom_plugin::Result;
use strongroom_search::{Reach, made::Made, view::Pace};

use crate::describe::grant;

/// Removes what a hold names.
///
/// # Errors
/// When the engine does not answer: it is tried again later.
pub fn release(data: &[u8]) -> Result<()> {
    let made = Made::of(data)?;
    made.remove(&Reach::connect(grant::ENGINE, grant::SNAPSHOTS, None, Pace::default())?)
}

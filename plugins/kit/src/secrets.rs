//! Secrets granted by name, for what the host cannot do itself.

use crate::{Result, host::secrets as host};

/// The value. Each reveal is counted; what was revealed is masked in all that the plugin logs or reports.
///
/// # Errors
/// `denied` when it is not granted.
pub fn reveal(grant: &str) -> Result<String> {
    Ok(host::reveal(grant)?)
}

//! Where the part `configuration` holds what lies in several directories: below `dirs/` and the name of the grant.

use std::collections::BTreeSet;

use strongroom_database::located::Located;
use strongroom_plugin::{Result, archive};

use crate::inspect::part;

/// The directory in the part that holds one for each grant.
pub const DIRS: &str = "dirs";

/// Where something is in the part.
pub fn stored_at(located: &Located) -> String {
    let path = format!("{DIRS}/{}/{}", located.grant, located.path);
    path.trim_end_matches('/').to_owned()
}

/// The grants that the part of a snapshot holds something of.
///
/// # Errors
/// As [`archive::items`].
pub fn grants() -> Result<BTreeSet<String>> {
    let mut grants = BTreeSet::new();
    for item in archive::items(part::CONFIGURATION, DIRS) {
        let path = item?.path;
        let rest = path.strip_prefix(DIRS).unwrap_or_default().trim_start_matches('/');
        grants.extend(rest.split('/').next().filter(|grant| !grant.is_empty()).map(str::to_owned));
    }
    Ok(grants)
}

//! The embedded H2 database, as `inspect` found it: it is copied while Nuxeo is stopped, and never otherwise.

use strongroom_database::{embedded::Embedded, jdbc::Vendor, located::Located};
use strongroom_plugin::{Part, Result};

use crate::inspect::setting;

/// The product that runs it, for people.
pub const PRODUCT: &str = "Nuxeo";

/// The database whose files lie there.
pub fn at(place: Located, stem: &str) -> Embedded {
    Embedded { vendor: Vendor::H2, at: place, stem: stem.to_owned(), product: PRODUCT, signs: Vec::new() }
}

/// That of a part's settings.
///
/// # Errors
/// `invalid` when they are not what `inspect` wrote.
pub fn of(part: &Part) -> Result<Embedded> {
    let place = Located::new(part.expect_setting(setting::GRANT)?, part.expect_setting(setting::PATH)?);
    Ok(at(place, part.expect_setting(setting::EMBEDDED)?))
}

//! Where a site's embedded database is.

use strongroom_database::embedded::Embedded;
use strongroom_plugin::{Error, Result};

use crate::{
    describe::grant,
    site::{Located, Place, Site, plain},
};

/// Confluence's own sign that it runs, in the home.
const LOCK: &str = "lock";

/// The site's embedded database; none where it has no such database.
///
/// # Errors
/// `invalid` when its files lie in no granted directory, or not in one of their own.
pub fn of(site: &Site) -> Result<Option<Embedded>> {
    let Some(url) = site.database.file() else { return Ok(None) };
    let outside = || {
        let stem = &url.stem;
        Error::invalid(format!("the database {stem} lies in no directory of its own below a granted one"))
    };
    let Place::Granted(grant, below) = site.place(&plain(&url.stem))? else { return Err(outside()) };
    let (path, stem) = below.rsplit_once('/').ok_or_else(outside)?;
    Ok(Some(Embedded {
        vendor: url.vendor,
        at: Located::new(grant, path),
        stem: stem.to_owned(),
        product: "Confluence",
        signs: vec![Located::new(grant::HOME, LOCK)],
    }))
}

//! What can be said while the home directory is not granted, or another directory is granted in its place.

use strongroom_plugin::{ErrorCode, Finding, Inspection, Result, dirs};

use super::part;
use crate::{
    describe::{self, grant},
    grants,
    site::{self, CFG},
};

/// None when the granted home is one.
pub(super) fn inspect() -> Result<Option<Inspection>> {
    match dirs::get(grant::HOME) {
        Ok(dir) if dir.find(CFG)?.is_some() => return Ok(None),
        Ok(_) => {}
        Err(error) if matches!(error.code, ErrorCode::Denied | ErrorCode::NotFound) => {}
        Err(error) => return Err(error),
    }
    let granted = grants::path(grant::HOME);
    let there = match &granted {
        Some(path) => format!("there is no {CFG} in {path}, which is granted as dirs.home"),
        None => "the home directory is not granted as dirs.home".to_owned(),
    };
    let named = site::named_home()?.filter(|home| granted.as_ref() != Some(&home.path));
    let Some(home) = named else {
        let finding = Finding::blocker("home-missing", part::HOME, format!("{there}, and nothing says where it is"));
        return Ok(Some(Inspection::of([]).finding(finding)));
    };
    let message = format!("{there}; {} says that it is {}", home.from, home.path);
    let seen =
        Inspection::of([]).want(describe::home(&home.path)).fact("home", format!("{} ({})", home.path, home.from));
    Ok(Some(seen.finding(Finding::blocker("home-missing", part::HOME, message))))
}

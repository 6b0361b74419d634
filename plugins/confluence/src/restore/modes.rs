//! Takes every right on Confluence's own secrets from group and others.

use strongroom_plugin::{
    Outcome, Result, archive,
    dirs::{Dir, Kind},
};

use crate::inspect::part;

pub(super) fn tighten(home: &Dir, outcome: Outcome) -> Result<Outcome> {
    let mut tightened = 0;
    for item in archive::items(part::SECRETS, "") {
        let path = item?.path;
        // `shared-home` itself is only on the way.
        if path == crate::home::SHARED {
            continue;
        }
        tightened += u64::from(tighten_one(home, &path)?);
    }
    for base in ["", "shared-home/"] {
        for name in ["keys", "secured"] {
            tightened += u64::from(tighten_one(home, &format!("{base}{name}"))?);
        }
    }
    Ok(outcome.fact("rights taken from group and others", format!("{tightened} entries")))
}

fn tighten_one(home: &Dir, path: &str) -> Result<bool> {
    match home.find(path)? {
        Some(stat) if matches!(stat.kind, Kind::File | Kind::Directory) && stat.mode & 0o077 != 0 => {
            home.set_mode(path, stat.mode & 0o700)?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

//! Takes every right on the site's secrets from group and others.

use strongroom_database::trees::Target;
use strongroom_plugin::{
    Outcome, Result, archive,
    dirs::{self, Dir, Kind},
};

use crate::{describe::grant, home, inspect::part, triple};

pub(super) fn tighten(targets: &[Target], outcome: Outcome) -> Result<Outcome> {
    let mut tightened = 0;
    for target in targets {
        let dir = dirs::get(&target.to.grant)?;
        for item in archive::items(part::SECRETS, &target.from) {
            let path = item?.path;
            // What has a place elsewhere is that place's; the home itself and `shared-home` are only on the way.
            let elsewhere = target.from.is_empty() && (path == triple::ELSEWHERE || path.starts_with("dirs/"));
            let below = path[target.from.len()..].trim_start_matches('/');
            if !elsewhere && !below.is_empty() && below != home::SHARED {
                tightened += u64::from(tighten_one(&dir, below)?);
            }
        }
        let bases: &[&str] = if target.to.grant == grant::HOME { &["", "shared-home/"] } else { &[""] };
        for base in bases {
            for name in ["keys", "secured"] {
                tightened += u64::from(tighten_one(&dir, &format!("{base}{name}"))?);
            }
        }
    }
    Ok(outcome.fact("rights taken from group and others", format!("{tightened} entries")))
}

fn tighten_one(dir: &Dir, path: &str) -> Result<bool> {
    match dir.find(path)? {
        Some(stat) if matches!(stat.kind, Kind::File | Kind::Directory) && stat.mode & 0o077 != 0 => {
            dir.set_mode(path, stat.mode & 0o700)?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

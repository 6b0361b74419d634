//! Where each part of a snapshot goes.

use strongroom_plugin::{Context, Error, Result, archive};

use crate::{
    cfg::{self, Cfg},
    describe::grant,
    grants, home,
    inspect::part,
    paths::Paths,
    site::{CFG, below},
};

/// A place in a granted directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The directory grant.
    pub(super) grant: String,
    /// Below it; empty for the directory itself.
    pub(super) path: String,
}

impl Target {
    /// The place of a part that is a directory.
    ///
    /// # Errors
    /// When the snapshot's configuration cannot be read.
    pub(super) fn of(name: &str) -> Result<Self> {
        match name {
            part::HOME | part::SECRETS => Ok(Self::whole(grant::HOME)),
            part::ATTACHMENTS => Self::attachments(),
            _ => Ok(Self::whole(name)),
        }
    }

    fn whole(grant: &str) -> Self {
        Self { grant: grant.into(), path: String::new() }
    }

    /// The directory that is granted for it, if the configuration can name it; else where it was in the home.
    fn attachments() -> Result<Self> {
        let in_home = |path: &str| Self { grant: grant::HOME.into(), path: path.into() };
        let cfg = archived_cfg()?;
        let Some(value) = cfg.as_ref().and_then(|cfg| cfg.get("attachments.dir")) else {
            return Ok(in_home(home::ATTACHMENTS));
        };
        if grants::has("dirs", grant::ATTACHMENTS) {
            return Ok(Self::whole(grant::ATTACHMENTS));
        }
        // A name that stands for the home is never a path of its own.
        let old = Paths::noted()?.and_then(|paths| paths.get(grant::HOME).map(str::to_owned));
        let old = old.unwrap_or_else(|| "${confluenceHome}".into());
        match below(&cfg::expand(value, &old), &old) {
            Some(path) if !path.is_empty() => Ok(in_home(path)),
            _ => Ok(Self::whole(grant::ATTACHMENTS)),
        }
    }
}

/// The configuration in the snapshot's home; none where that part is not in it.
///
/// # Errors
/// `corrupt` when it is not one.
pub(super) fn archived_cfg() -> Result<Option<Cfg>> {
    if !archive::parts()?.iter().any(|name| name == part::HOME) || !archive::exists(part::HOME, CFG)? {
        return Ok(None);
    }
    let doing = format!("reading {}/{CFG} in the snapshot", part::HOME);
    let bytes = archive::open(part::HOME, CFG)?.bytes(cfg::SIZE_MAX).context(&doing)?;
    Cfg::parse(&bytes).map(Some).map_err(|bad| Error::corrupt(bad.to_string()).context(doing))
}

//! Where each part of a snapshot goes.

use std::collections::BTreeSet;

use strongroom_database::{dump::DUMP, trees::Target};
use strongroom_plugin::{Context, Error, Result, TreeOptions, archive};

use crate::{
    cfg::{self, Cfg, Homes},
    describe::grant,
    grants, home,
    inspect::part,
    jdbc::Url,
    paths::Paths,
    site::{CFG, Located, below, cluster, plain},
    triple,
};

/// The places of a part that is directories or files.
///
/// # Errors
/// When the snapshot's configuration cannot be read.
pub(super) fn all(name: &str) -> Result<Vec<Target>> {
    Ok(match name {
        part::SECRETS => secrets()?,
        part::ATTACHMENTS => vec![Target::whole(attachments()?)],
        part::DATABASE => vec![Target::whole(embedded()?)],
        _ => vec![Target::whole(top(name))],
    })
}

/// What of the part goes there.
pub(super) fn options(target: &Target) -> TreeOptions {
    let elsewhere = target.from.is_empty().then(|| format!("/{}", triple::ELSEWHERE));
    TreeOptions::default().excluding(elsewhere)
}

/// Whether the part `database` is files instead of a dump.
///
/// # Errors
/// As [`archive::exists`].
pub(super) fn is_embedded() -> Result<bool> {
    Ok(!archive::exists(part::DATABASE, DUMP)?)
}

fn top(grant: &str) -> Located {
    Located { grant: grant.into(), path: String::new() }
}

/// Secrets of the home go there; those of other grants lie in the part below their names.
fn secrets() -> Result<Vec<Target>> {
    let mut targets = vec![Target::whole(top(grant::HOME))];
    let mut grants = BTreeSet::new();
    for item in archive::items(part::SECRETS, triple::ELSEWHERE) {
        let path = item?.path;
        let rest = path.strip_prefix(triple::ELSEWHERE).unwrap_or_default().trim_start_matches('/');
        grants.extend(rest.split('/').next().filter(|grant| !grant.is_empty()).map(str::to_owned));
    }
    let elsewhere = |grant: String| Target { from: format!("{}/{grant}", triple::ELSEWHERE), to: top(&grant) };
    targets.extend(grants.into_iter().map(elsewhere));
    Ok(targets)
}

/// The directory that is granted for it, if the configuration can name it; else where it was in a directory of the site.
fn attachments() -> Result<Located> {
    let cfg = archived_cfg()?;
    let shared = cfg.as_ref().is_some_and(cluster::is_clustered);
    let standard =
        Located { grant: if shared { grant::SHARED_HOME } else { grant::HOME }.into(), path: home::ATTACHMENTS.into() };
    let Some(value) = cfg.as_ref().and_then(|cfg| cfg.get("attachments.dir")) else { return Ok(standard) };
    if grants::has("dirs", grant::ATTACHMENTS) {
        return Ok(top(grant::ATTACHMENTS));
    }
    let found = located(value)?.filter(|at| at.grant != grant::HOME || !at.path.is_empty());
    Ok(found.unwrap_or_else(|| top(grant::ATTACHMENTS)))
}

/// The directory of an embedded database's files.
fn embedded() -> Result<Located> {
    let doing = "looking for the place of the embedded database";
    let cfg =
        archived_cfg()?.ok_or_else(|| Error::not_found("the snapshot has no confluence.cfg.xml").context(doing))?;
    let url = cfg.get("hibernate.connection.url").and_then(|url| Url::parse(url).ok()?.file());
    let stem = url.map(|url| plain(&url.stem)).unwrap_or_default();
    let unknown =
        || Error::corrupt(format!("the snapshot's confluence.cfg.xml names no files for it: {stem:?}")).context(doing);
    let directory = stem.rsplit_once('/').map(|(directory, _)| directory).ok_or_else(unknown)?;
    located(directory)?.ok_or_else(unknown)
}

/// Where a path of the configuration lay in the site's directories; in a granted one, if there is a choice.
fn located(value: &str) -> Result<Option<Located>> {
    // Without a note the name that stands for the home is the home.
    const HOME: &str = "${confluenceHome}";
    let noted = Paths::noted()?.unwrap_or_default();
    let local = noted.get(grant::HOME).unwrap_or(HOME);
    let shared = noted.get(grant::SHARED_HOME).unwrap_or(local);
    let path = plain(&Homes { local, shared }.expand(value));
    let in_home = below(&path, local).map(|path| Located { grant: grant::HOME.into(), path: path.into() });
    Ok(match noted.locate(&path) {
        Some((grant, path)) if grants::has("dirs", grant) || in_home.is_none() => {
            Some(Located { grant: grant.into(), path: path.into() })
        }
        _ => in_home,
    })
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

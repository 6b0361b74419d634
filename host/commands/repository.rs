//! Opens the repository that the pipeline file or the command line names, and makes one.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;

use super::{Exit, pipeline};
use crate::{
    cli::{Global, RepoArgs},
    config::{self, Config, Format, Place, Remote},
    report::{self, exit},
    repository::{
        Repository,
        restic::{self, ResticRepository},
        zip::ZipRepository,
    },
    secret::Source,
};

/// The one that backups are written to, for what opens no encrypted set.
pub(super) fn of_pipeline(config: &Config) -> anyhow::Result<Arc<dyn Repository>> {
    Ok(match config.repository.format {
        Format::Zip => Arc::new(zip(config, &config.repository)?),
        Format::Restic => Arc::new(of_restic(config, &config.repository)?),
    })
}

/// One of the pipeline's, for what reads its snapshots. `identity` opens encrypted sets; none: the pipeline file's does.
pub(super) fn to_read(
    config: &Config,
    repository: &config::Repository,
    identity: Option<Source>,
) -> anyhow::Result<Arc<dyn Repository>> {
    Ok(match repository.format {
        Format::Zip => opened(zip(config, repository)?, identity.or_else(|| repository.identity.clone()))?,
        Format::Restic => Arc::new(of_restic(config, repository)?),
    })
}

/// One that snapshots are copied to: whatever is written there is read back.
pub(super) fn to_copy_to(config: &Config, repository: &config::Repository) -> anyhow::Result<Arc<dyn Repository>> {
    let opened = match repository.format {
        Format::Zip => to_read(config, repository, None)?,
        Format::Restic => Arc::new(of_restic(config, repository)?.reading_back()),
    };
    // An empty directory may be one whose file system is not mounted: no copy is made there unasked, in no format.
    match opened.exists().context("looking for the repository")? {
        true => Ok(opened),
        false => {
            let help = "`strongroom init` makes it; or mount what it lies on, or correct its url";
            let message = format!("there is no repository at {}\nhelp: {help}", repository.url);
            Err(Exit::new(exit::MISSING, message).into())
        }
    }
}

/// A zip repository before an identity is added.
fn zip(config: &Config, repository: &config::Repository) -> anyhow::Result<ZipRepository> {
    let drafts = config.state.join("drafts").join(&repository.name);
    Ok(zip_at(&repository.url, &repository.remote, drafts)?
        .compressing(repository.compression)
        .encrypted_to(&repository.recipients, config.state.join("spill")))
}

fn zip_at(place: &Place, remote: &Remote, drafts: PathBuf) -> anyhow::Result<ZipRepository> {
    ZipRepository::at(place, remote, drafts).with_context(|| format!("opening the repository {place}"))
}

fn of_restic(config: &Config, repository: &config::Repository) -> anyhow::Result<ResticRepository> {
    let config::Repository { name, url, password, compression, remote, .. } = repository;
    let password = password.as_ref().with_context(|| format!("[repository.{name}] names no password"))?;
    Ok(at(url, remote, password, config.state.join("spill"))?.compressing(*compression))
}

/// What `--repo` means.
enum Named {
    /// One of the pipeline file's: the one that it names, or the one that backups are written to.
    Own(Box<Config>, Box<config::Repository>),
    /// A place.
    Place(Place),
}

fn of_name(global: &Global, args: &RepoArgs) -> anyhow::Result<Named> {
    let Some(place) = &args.repo else {
        let config = pipeline::config(global)?;
        let repository = config.repository.clone();
        return Ok(Named::Own(config.into(), repository.into()));
    };
    // A place is meant where there is no pipeline file, or none that can be read.
    let Ok(config) = pipeline::config(global) else { return Ok(Named::Place(place.clone())) };
    let is_named = |repository: &&config::Repository| place.directory() == Some(Path::new(&repository.name));
    let repository = std::iter::once(&config.repository).chain(&config.copies).find(is_named).cloned();
    Ok(match repository {
        Some(repository) => Named::Own(config.into(), repository.into()),
        None => Named::Place(place.clone()),
    })
}

fn at(place: &Place, remote: &Remote, password: &Source, spill: PathBuf) -> anyhow::Result<ResticRepository> {
    let password = password.resolve().context("reading the password of the repository")?;
    ResticRepository::at(place, remote, password, spill).with_context(|| format!("opening the repository {place}"))
}

/// The pipeline's that is meant, for what removes snapshots: it is never done to a directory that no pipeline names.
pub(super) fn of_own(global: &Global, args: &RepoArgs) -> anyhow::Result<(Config, Arc<dyn Repository>)> {
    let Named::Own(config, repository) = of_name(global, args)? else {
        let message = "--repo names no repository of the pipeline file\nhelp: write it there, or name one that is";
        return Err(Exit::refused(message).into());
    };
    // What is removed need not be opened; an identity only lists more of it.
    let opened: Arc<dyn Repository> = match (repository.format, args.identity.clone().map(Source::File)) {
        (Format::Zip, None) => Arc::new(zip(&config, &repository)?),
        (_, identity) => to_read(&config, &repository, identity)?,
    };
    exists(&*opened)?;
    Ok((*config, opened))
}

/// The one that is meant: `--repo`, else the pipeline's. It must be there.
pub(super) fn named(global: &Global, args: &RepoArgs) -> anyhow::Result<Arc<dyn Repository>> {
    let repository = match of_name(global, args)? {
        Named::Own(config, repository) => to_read(&config, &repository, args.identity.clone().map(Source::File))?,
        Named::Place(place) => by_place(&place, args)?,
    };
    exists(&*repository)?;
    Ok(repository)
}

/// A repository, for verbs that only one format has.
pub(super) enum Meant {
    /// Of format zip.
    Zip,
    /// Of format restic.
    Restic(ResticRepository),
}

/// As [`named`].
pub(super) fn meant(global: &Global, args: &RepoArgs) -> anyhow::Result<Meant> {
    let restic = match of_name(global, args)? {
        Named::Own(_, repository) if repository.format == Format::Zip => return Ok(Meant::Zip),
        Named::Own(config, repository) => of_restic(&config, &repository)?,
        Named::Place(place) => match zip_in(&place, args)? {
            None => by_password(&place, args)?,
            Some(zip) => {
                exists(&zip)?;
                return Ok(Meant::Zip);
            }
        },
    };
    exists(&restic)?;
    Ok(Meant::Restic(restic))
}

/// The repository, if what lies there has format zip: what lies there tells, and elsewhere a password, too.
fn zip_in(place: &Place, args: &RepoArgs) -> anyhow::Result<Option<ZipRepository>> {
    let is_zip = match place.directory() {
        Some(directory) => !restic::is_in(directory),
        None if args.password_file.is_some() => false,
        None => ZipRepository::is_at(place, &Remote::default())
            .with_context(|| format!("looking for a repository at {place}"))?,
    };
    // Nothing is written by way of the command line alone.
    is_zip.then(|| zip_at(place, &Remote::default(), std::env::temp_dir())).transpose()
}

fn by_place(place: &Place, args: &RepoArgs) -> anyhow::Result<Arc<dyn Repository>> {
    match zip_in(place, args)? {
        Some(zip) => opened(zip, args.identity.clone().map(Source::File)),
        None => Ok(Arc::new(by_password(place, args)?)),
    }
}

fn by_password(place: &Place, args: &RepoArgs) -> anyhow::Result<ResticRepository> {
    let Some(password) = args.password_file.clone().map(Source::File) else {
        let message = format!(
            "{place} is a repository of format restic, which opens with a password\nhelp: pass --password-file FILE"
        );
        return Err(Exit::new(exit::WRONG_PASSWORD, message).into());
    };
    // Nothing is written by way of the command line alone: nothing spills.
    at(place, &Remote::default(), &password, std::env::temp_dir())
}

/// Adds what opens encrypted sets.
fn opened(repository: ZipRepository, identity: Option<Source>) -> anyhow::Result<Arc<dyn Repository>> {
    let Some(source) = identity else { return Ok(Arc::new(repository)) };
    let secret = source.resolve().context("reading the identity that opens encrypted snapshots")?;
    let opened = repository.opened_by(&secret).with_context(|| format!("using the identity from {source}"))?;
    Ok(Arc::new(opened))
}

/// Refuses a repository that is not there.
pub(super) fn exists(repository: &dyn Repository) -> anyhow::Result<()> {
    match repository.exists().context("looking for the repository")? {
        true => Ok(()),
        false => {
            let (place, maker) = (repository.place().display().to_string(), repository.maker());
            let message = format!("there is no repository at {place}\nhelp: {maker} makes it, or correct the path");
            Err(Exit::new(exit::MISSING, message).into())
        }
    }
}

/// `init`: makes the repositories of the pipeline that are not there yet.
pub(super) fn init(global: &Global) -> anyhow::Result<u8> {
    let config = pipeline::config(global)?;
    let mut made = false;
    for repository in std::iter::once(&config.repository).chain(&config.copies) {
        made |= make(global, &config, repository)?;
    }
    if !made {
        let place = &config.repository.url;
        let message = match config.copies.len() {
            0 => format!("there is a repository at {place} already; it was left as it is"),
            _ => format!("there is a repository at {place} already, and so are all copies; they were left as they are"),
        };
        return Err(Exit::refused(message).into());
    }
    Ok(exit::DONE)
}

/// Makes one, unless it is there.
fn make(global: &Global, config: &Config, repository: &config::Repository) -> anyhow::Result<bool> {
    let opened: Arc<dyn Repository> = match repository.format {
        Format::Zip => Arc::new(zip(config, repository)?),
        Format::Restic => Arc::new(of_restic(config, repository)?),
    };
    if opened.exists().context("looking for the repository")? {
        return Ok(false);
    }
    let making = || format!("making the repository {}", repository.name);
    // Copies that are cut alike share their pieces.
    match (config.repository.format, repository.format) {
        (Format::Restic, Format::Restic) if repository.name != config.repository.name => {
            of_restic(config, repository)?.init_like(&of_restic(config, &config.repository)?).with_context(making)?;
        }
        _ => opened.init().with_context(making)?,
    }
    report::print(&report::init::made(&opened.place(), repository.format, global.json))?;
    Ok(true)
}

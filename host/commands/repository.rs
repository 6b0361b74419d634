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

/// The pipeline's, for what opens no encrypted set.
pub(super) fn of_pipeline(config: &Config) -> anyhow::Result<Arc<dyn Repository>> {
    Ok(match config.repository.format {
        Format::Zip => Arc::new(zip(config)),
        Format::Restic => Arc::new(of_restic(config)?),
    })
}

/// The same before an identity is added.
fn zip(config: &Config) -> ZipRepository {
    let repository = &config.repository;
    // A repository of this format lies nowhere else: `config` refuses that.
    let directory = repository.url.directory().unwrap_or(Path::new("/nonexistent"));
    ZipRepository::new(directory)
        .compressing(repository.compression)
        .encrypted_to(&repository.recipients, config.state.join("spill"))
}

fn of_restic(config: &Config) -> anyhow::Result<ResticRepository> {
    let config::Repository { url, password, compression, remote, .. } = &config.repository;
    let password = password.as_ref().context("the pipeline file names no password for its repository")?;
    Ok(at(url, remote, password, config.state.join("spill"))?.compressing(*compression))
}

fn at(place: &Place, remote: &Remote, password: &Source, spill: PathBuf) -> anyhow::Result<ResticRepository> {
    let password = password.resolve().context("reading the password of the repository")?;
    ResticRepository::at(place, remote, password, spill).with_context(|| format!("opening the repository {place}"))
}

/// The one that is meant: `--repo`, else the pipeline's. It must be there.
pub(super) fn named(global: &Global, args: &RepoArgs) -> anyhow::Result<Arc<dyn Repository>> {
    let repository = match &args.repo {
        Some(place) => by_place(place, args)?,
        None => {
            let config = pipeline::config(global)?;
            match config.repository.format {
                Format::Zip => {
                    opened(zip(&config), args.identity.clone().map(Source::File).or(config.repository.identity))?
                }
                Format::Restic => of_pipeline(&config)?,
            }
        }
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
    let restic = match &args.repo {
        Some(place) => match zip_in(place) {
            None => by_password(place, args)?,
            Some(directory) => {
                exists(&ZipRepository::new(directory))?;
                return Ok(Meant::Zip);
            }
        },
        None => {
            let config = pipeline::config(global)?;
            match config.repository.format {
                Format::Zip => return Ok(Meant::Zip),
                Format::Restic => of_restic(&config)?,
            }
        }
    };
    exists(&restic)?;
    Ok(Meant::Restic(restic))
}

/// The directory, if what lies in it has format zip: what lies there tells, and elsewhere there is none of that format.
fn zip_in(place: &Place) -> Option<&Path> {
    place.directory().filter(|directory| !restic::is_in(directory))
}

fn by_place(place: &Place, args: &RepoArgs) -> anyhow::Result<Arc<dyn Repository>> {
    match zip_in(place) {
        Some(directory) => opened(ZipRepository::new(directory), args.identity.clone().map(Source::File)),
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

/// `init`: makes the pipeline's repository.
pub(super) fn init(global: &Global) -> anyhow::Result<u8> {
    let config = pipeline::config(global)?;
    let repository = of_pipeline(&config)?;
    let place = repository.place();
    if repository.exists().context("looking for the repository")? {
        let message = format!("there is a repository at {} already; it was left as it is", place.display());
        return Err(Exit::refused(message).into());
    }
    repository.init().context("making the repository")?;
    report::print(&report::init::made(&place, config.repository.format, global.json))?;
    Ok(exit::DONE)
}

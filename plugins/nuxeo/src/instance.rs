//! An instance as its own files and the grants describe it.

use strongroom_database::{
    grants,
    located::{Located, below},
};
use strongroom_plugin::{
    Error, Result,
    dirs::{self, Kind},
};

use crate::{
    conf::{
        chain::{self, Layout},
        effective::{Effective, Version},
        files::{Files, Look, Mounts},
    },
    describe::grant,
    paths::Paths,
    settings::Settings,
};

/// The file that says how Nuxeo runs.
pub const CONF: &str = "nuxeo.conf";

/// Below the home: templates that the operator may have changed.
pub const TEMPLATES: &str = "templates";

/// What was found.
#[derive(Debug)]
pub struct Instance {
    /// The step's configuration.
    pub settings: Settings,
    /// What its files come to.
    pub effective: Effective,
    /// Where it sees what is granted.
    pub paths: Paths,
    /// `nuxeo.conf`.
    pub conf: Located,
}

/// Where `nuxeo.conf` is among the grants.
pub fn conf() -> Located {
    match grants::has("dirs", grant::CONFIGURATION) {
        true => Located::new(grant::CONFIGURATION, CONF),
        false => Located::new(grant::HOME, format!("bin/{CONF}")),
    }
}

impl Instance {
    /// Reads the granted directories.
    ///
    /// # Errors
    /// When the home is not granted, or the configuration cannot be read.
    pub fn read() -> Result<Self> {
        let settings = Settings::read()?;
        let conf = conf();
        let paths = Paths::granted([(grant::HOME, settings.home.as_ref())]);
        let unknown = || Error::invalid("the host does not show where the home is: set home in the step's config");
        let layout = Layout {
            home: paths.get(grant::HOME).ok_or_else(unknown)?.to_owned(),
            conf: paths.path(&conf.grant, &conf.path).ok_or_else(unknown)?,
            conf_d: paths.path(&conf.grant, "conf.d").filter(|_| conf.grant == grant::CONFIGURATION),
            environment: settings.environment.clone(),
        };
        let chain = chain::read(&Granted::of(&paths)?, &layout)?;
        let version = settings.version.as_deref().and_then(Version::parse);
        let effective = Effective::of(chain, &layout, version);
        let paths = named(&effective, &settings);
        Ok(Self { settings, effective, paths, conf })
    }

    /// Where an absolute path of the configuration lies; none where it lies in no granted directory, or behind a link:
    /// that leads out of what was granted, or might.
    pub fn place(&self, path: &str) -> Option<Located> {
        let at = self.paths.locate(path).map(|(grant, rest)| Located::new(grant, rest))?;
        (!is_behind_link(&at)).then_some(at)
    }

    /// The same, if a file or a directory is there.
    ///
    /// # Errors
    /// As [`dirs::Dir::find`].
    pub fn present(&self, path: &str) -> Result<Option<Located>> {
        let Some(at) = self.place(path) else { return Ok(None) };
        let found = if at.path.is_empty() { true } else { is_plain(&at)? };
        Ok(found.then_some(at))
    }
}

fn is_behind_link(at: &Located) -> bool {
    let ends = at.path.match_indices('/').map(|(end, _)| end).chain([at.path.len()]).filter(|end| *end > 0);
    let link = |end: usize| {
        let above = Located::new(&at.grant, &at.path[..end]);
        above.find().is_ok_and(|found| found.is_some_and(|stat| stat.kind == Kind::Symlink))
    };
    ends.into_iter().any(link)
}

fn is_plain(at: &Located) -> Result<bool> {
    Ok(at.find()?.is_some_and(|stat| matches!(stat.kind, Kind::File | Kind::Directory)))
}

/// What the configuration is read from: the data directory is known only afterwards.
struct Granted {
    mounts: Mounts,
    /// Where the templates of a home are that holds none: those of an image, which are as the product ships them.
    out_of_reach: Option<String>,
}

impl Granted {
    fn of(paths: &Paths) -> Result<Self> {
        let mut mounts = Mounts::default();
        let templates = grants::many(grant::TEMPLATES);
        for name in [grant::HOME, grant::CONFIGURATION].into_iter().chain(templates.iter().map(String::as_str)) {
            if let Some(path) = paths.get(name) {
                mounts.add(path, dirs::get(name)?);
            }
        }
        let shipped = paths.path(grant::HOME, TEMPLATES);
        let out_of_reach = if dirs::get(grant::HOME)?.exists(TEMPLATES)? { None } else { shipped };
        Ok(Self { mounts, out_of_reach })
    }

    fn reaches(&self, path: &str) -> bool {
        self.out_of_reach.as_ref().is_none_or(|templates| below(path, templates).is_none())
    }
}

impl Files for Granted {
    fn read(&self, path: &str, bytes_max: usize) -> Result<Look> {
        if self.reaches(path) { self.mounts.read(path, bytes_max) } else { Ok(Look::OutOfReach) }
    }

    fn names(&self, path: &str) -> Result<Vec<String>> {
        if self.reaches(path) { self.mounts.names(path) } else { Ok(Vec::new()) }
    }
}

/// A directory that is granted for a purpose is that which the configuration names for it.
fn named(effective: &Effective, settings: &Settings) -> Paths {
    let directories = &effective.directories;
    let store = effective.blob_stores.first().and_then(|store| store.path.as_ref());
    Paths::granted([
        (grant::HOME, settings.home.as_ref()),
        (grant::DATA, Some(&directories.data)),
        (grant::BINARIES, store),
        (grant::TRANSIENT, Some(&directories.transientstores)),
        (grant::STREAM, Some(&directories.chronicle)),
    ])
}

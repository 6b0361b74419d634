//! A Confluence site as its own files describe it: where its home is, which version runs, where its database is.

use strongroom_plugin::{
    Context, Error, Finding, Result,
    dirs::{self, Dir, Kind},
};

use self::database::Database;
use crate::{
    cfg::{self, Cfg},
    describe::grant,
    grants, init,
    install::{self, Version},
    setenv,
    settings::Settings,
    triple,
};

pub mod database;

/// The main configuration file, in the home and in its `shared-home`.
pub const CFG: &str = "confluence.cfg.xml";

/// The largest properties file or script that is read.
const TEXT_MAX: usize = 1 << 20;

/// Where Confluence sees its home directory, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomePath {
    /// Absolute, on Confluence's machine.
    pub path: String,
    /// The file or setting that says so.
    pub from: &'static str,
}

/// Where something lies that the configuration names by an absolute path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a granted directory, at a path below it.
    Granted(String, String),
    /// In none of them.
    Outside,
}

/// What was found.
#[derive(Debug)]
pub struct Site {
    /// The home directory's path.
    pub home: HomePath,
    /// As `pom.properties` has it.
    pub version: Option<String>,
    /// The home's configuration.
    pub cfg: Cfg,
    /// The database.
    pub database: Database,
    /// The node's name in a cluster, and the files that give it.
    pub node: Option<(String, &'static str)>,
    /// Which of [`triple::NAMES`] lie in the home or in its `shared-home`, as paths below the home.
    pub secrets: Vec<String>,
    /// Contradictions between the files.
    pub findings: Vec<Finding>,
}

impl Site {
    /// Reads the granted installation and home.
    ///
    /// # Errors
    /// When the home cannot be read, or its `confluence.cfg.xml` is not one.
    pub fn read() -> Result<Self> {
        let home_dir = dirs::get(grant::HOME)?;
        let installed = Installed::read()?;
        let mut findings = Vec::new();
        let home = home_path(&installed, &Settings::read()?, &mut findings)?;
        let cfg = read_cfg(&home_dir, CFG)?;
        let database = Database::read(&cfg, installed.server.as_deref(), &home.path);
        Ok(Self {
            version: installed.version,
            node: node(&cfg, installed.setenv.as_deref(), &mut findings),
            secrets: present_secrets(&home_dir)?,
            home,
            cfg,
            database,
            findings,
        })
    }

    /// Whether it is one node of several.
    pub fn clustered(&self) -> bool {
        let on = |name: &str| self.cfg.get(name).is_some_and(|value| value.trim() == "true");
        self.cfg.setup_type.as_deref() == Some("cluster") || on("confluence.cluster")
    }

    /// Which of [`triple::NAMES`] it cannot do without.
    pub fn secrets_required(&self) -> Vec<&'static str> {
        let found: Vec<&str> = self.secrets.iter().map(|path| path.rsplit('/').next().unwrap_or(path)).collect();
        let version = self.version.as_deref().and_then(Version::parse);
        triple::required(version, triple::secured_property(&self.cfg), &found)
    }

    /// The attachment directory's path as Confluence sees it.
    pub fn attachments(&self) -> String {
        let configured = self.cfg.path("attachments.dir", &self.home.path);
        configured.unwrap_or_else(|| format!("{}/{}", self.home.path, crate::home::ATTACHMENTS))
    }

    /// Where an absolute path of the configuration lies.
    ///
    /// # Errors
    /// As [`dirs::locate`].
    pub fn place(&self, path: &str) -> Result<Place> {
        if let Some(below) = below(path, &self.home.path) {
            return Ok(Place::Granted(grant::HOME.into(), below.into()));
        }
        if !path.starts_with('/') {
            return Ok(Place::Outside);
        }
        Ok(dirs::locate(path)?.map_or(Place::Outside, |(grant, below)| Place::Granted(grant, below)))
    }
}

/// What of `path` lies below `base`; empty when they are equal.
pub fn below<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(base.trim_end_matches('/'))?;
    match rest.strip_prefix('/') {
        Some(rest) => Some(rest.trim_matches('/')),
        None => rest.is_empty().then_some(""),
    }
}

/// Parses one copy of the configuration.
///
/// # Errors
/// When it is not there or not usable; the message names it.
pub fn read_cfg(home: &Dir, path: &str) -> Result<Cfg> {
    let doing = || format!("reading {path} in the home directory");
    let bytes = home.read(path, cfg::SIZE_MAX + 1).context(doing())?;
    Cfg::parse(&bytes).map_err(|bad| Error::corrupt(bad.to_string()).context(doing()))
}

/// What the files of the installation directory say. None of them must be there.
#[derive(Debug, Default)]
struct Installed {
    version: Option<String>,
    homes: Vec<String>,
    setenv: Option<String>,
    server: Option<Vec<u8>>,
}

impl Installed {
    fn read() -> Result<Self> {
        let dir = match dirs::get(grant::INSTALL) {
            Ok(dir) => dir,
            Err(error) if error.code == strongroom_plugin::ErrorCode::Denied => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let pom = optional(&dir, install::POM)?;
        let init = optional(&dir, install::INIT)?;
        let setenv = optional(&dir, install::SETENV)?;
        Ok(Self {
            version: pom.and_then(|file| init::values(&file, "version").pop()),
            homes: init.map(|file| init::values(&file, init::HOME)).unwrap_or_default(),
            setenv: setenv.map(|file| String::from_utf8_lossy(&file).into_owned()),
            server: optional(&dir, install::SERVER)?,
        })
    }
}

fn optional(dir: &Dir, path: &str) -> Result<Option<Vec<u8>>> {
    match dir.read(path, TEXT_MAX) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.context(format!("looking at {path} in the installation directory"))),
    }
}

/// The operator's word, then the Java machine's option, then the last live line of the init file, then the grant.
fn home_path(installed: &Installed, settings: &Settings, findings: &mut Vec<Finding>) -> Result<HomePath> {
    let script = installed.setenv.as_deref().unwrap_or_default();
    let option = setenv::system_property(script, init::HOME).filter(|value| !value.contains('$'));
    let granted = grants::path(grant::HOME);
    let candidates = [
        (settings.home.clone(), "[step.….config] home"),
        (option, install::SETENV),
        (installed.homes.last().cloned(), install::INIT),
        (granted, "the grant dirs.home"),
    ];
    let mut said = candidates.into_iter().filter_map(|(path, from)| {
        let path = path?.trim_end_matches('/').to_owned();
        path.starts_with('/').then_some(HomePath { path, from })
    });
    let home = said.next().ok_or_else(|| {
        Error::not_found(
            "no file of the installation names the home directory: set home = \"/path\" in the step's config",
        )
    })?;
    for other in said.filter(|other| other.path != home.path) {
        let message =
            format!("{} says {}, {} says {}: {} is taken", home.from, home.path, other.from, other.path, home.path);
        findings.push(Finding::warning("home-contradiction", "home", message));
    }
    if installed.homes.iter().any(|path| Some(path) != installed.homes.last()) {
        let all = installed.homes.join(", ");
        let message = format!("{} assigns {} more than once ({all}): the last one counts", install::INIT, init::HOME);
        findings.push(Finding::warning("home-contradiction", "home", message));
    }
    Ok(home)
}

fn node(cfg: &Cfg, script: Option<&str>, findings: &mut Vec<Finding>) -> Option<(String, &'static str)> {
    const NAME: &str = "confluence.cluster.node.name";
    let option = script.and_then(|script| setenv::system_property(script, NAME));
    match (cfg.get(NAME).map(str::to_owned), option) {
        (Some(cfg), Some(option)) if cfg == option => Some((cfg, "confluence.cfg.xml and bin/setenv.sh")),
        (Some(cfg), Some(option)) => {
            let message = format!("confluence.cfg.xml says {cfg}, bin/setenv.sh says {option}");
            findings.push(Finding::warning("node-contradiction", "node", message));
            Some((option, install::SETENV))
        }
        (Some(cfg), None) => Some((cfg, CFG)),
        (None, Some(option)) => Some((option, install::SETENV)),
        (None, None) => None,
    }
}

/// Which of [`triple::NAMES`] are there, as paths below the home.
///
/// # Errors
/// When the home cannot be looked at.
pub fn present_secrets(home: &Dir) -> Result<Vec<String>> {
    let mut present = Vec::new();
    for base in ["", "shared-home/"] {
        for name in triple::NAMES {
            let path = format!("{base}{name}");
            if let Some(stat) = home.find(&path)?
                && matches!(stat.kind, Kind::File | Kind::Directory)
            {
                present.push(path);
            }
        }
    }
    Ok(present)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_knows_where_a_name_ends() {
        assert_eq!(below("/a/b/c", "/a/b"), Some("c"));
        assert_eq!(below("/a/b/", "/a/b"), Some(""));
        assert_eq!(below("/a/b", "/a/b/"), Some(""));
        assert_eq!(below("/a/bc", "/a/b"), None);
    }
}

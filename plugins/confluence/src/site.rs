//! A Confluence site as its own files describe it: where its home is, which version runs, where its database is.

use strongroom_plugin::{
    Context, Error, Finding, Result,
    dirs::{self, Dir, Kind},
};

use self::{cluster::Cluster, database::Database, installed::Installed, search::Search};
use crate::{
    cfg::{self, Cfg, Homes},
    cipher::Cipher,
    describe::grant,
    grants, init,
    install::{self, Version},
    settings::Settings,
    triple,
};

pub mod cluster;
pub mod database;
pub mod installed;
pub mod search;

pub use strongroom_database::located::{Located, below};

/// The main configuration file, in the home and in its `shared-home`.
pub const CFG: &str = "confluence.cfg.xml";

/// Where Confluence sees its home directory, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomePath {
    /// Absolute, on Confluence's machine.
    pub path: String,
    /// The file or setting that says so.
    pub from: &'static str,
}

impl HomePath {
    /// None unless the path is absolute.
    fn new(path: &str, from: &'static str) -> Option<Self> {
        let path = plain(path).trim_end_matches('/').to_owned();
        (path.starts_with('/') || is_on_drive(&path)).then_some(Self { path, from })
    }
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
    /// The step's configuration.
    pub settings: Settings,
    /// The home directory's path.
    pub home: HomePath,
    /// As `pom.properties` has it.
    pub version: Option<String>,
    /// The home's configuration.
    pub cfg: Cfg,
    /// The database.
    pub database: Database,
    /// What holds the search index.
    pub search: Search,
    /// The node's name in a cluster, and the files that give it.
    pub node: Option<(String, String)>,
    /// What makes it one of several nodes.
    pub cluster: Option<Cluster>,
    /// Which of [`triple::NAMES`] lie in a home of a node, in its `shared-home`, or in the cluster's shared home.
    pub secrets: Vec<Located>,
    /// The files of an encrypted database password.
    pub cipher: Cipher,
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
        let settings = Settings::read()?;
        let mut findings = Vec::new();
        let home = home_path(&installed, &settings, &mut findings)?;
        let cfg = read_cfg(&home_dir, CFG)?;
        let cluster = Cluster::read(&cfg, &settings)?;
        let shared = cluster.as_ref().and_then(|cluster| cluster.shared.as_deref());
        let homes = Homes { local: &home.path, shared: shared.unwrap_or(&home.path) };
        Ok(Self {
            database: Database::read(&cfg, &installed.tomcat, homes),
            search: Search::read(&cfg, &installed, homes),
            node: node(&cfg, &installed, &mut findings),
            secrets: present_secrets(cluster.as_ref())?,
            cipher: Cipher::read(&cfg, &installed, &settings, &home.path)?,
            version: installed.version,
            settings,
            home,
            cfg,
            cluster,
            findings,
        })
    }

    /// What the variables of its configuration stand for.
    pub fn homes(&self) -> Homes<'_> {
        Homes { local: &self.home.path, shared: self.shared_home().unwrap_or(&self.home.path) }
    }

    /// The shared home of a cluster, as its nodes see it.
    pub fn shared_home(&self) -> Option<&str> {
        self.cluster.as_ref()?.shared.as_deref()
    }

    /// Its version, as far as decisions need it.
    pub fn version(&self) -> Option<Version> {
        self.version.as_deref().and_then(Version::parse)
    }

    /// Which of [`triple::NAMES`] it cannot do without.
    pub fn secrets_required(&self) -> Vec<&'static str> {
        let found: Vec<&str> = self.secrets.iter().map(Located::name).collect();
        triple::required(self.version(), triple::secured_property(&self.cfg), &found)
    }

    /// The attachment directory's path as Confluence sees it.
    pub fn attachments(&self) -> String {
        let configured = self.cfg.path("attachments.dir", self.homes()).map(|path| plain(&path));
        configured.unwrap_or_else(|| format!("{}/{}", self.homes().shared, crate::home::ATTACHMENTS))
    }

    /// Where an absolute path of the configuration lies.
    ///
    /// # Errors
    /// As [`dirs::locate`].
    pub fn place(&self, path: &str) -> Result<Place> {
        if let Some(shared) = self.shared_home()
            && grants::has("dirs", grant::SHARED_HOME)
            && let Some(below) = below(path, shared)
        {
            return Ok(Place::Granted(grant::SHARED_HOME.into(), below.into()));
        }
        place_of(path, &self.home.path)
    }
}

/// Where an absolute path lies, with `home` as the path under which the site sees what is granted as its home.
///
/// # Errors
/// As [`dirs::locate`].
pub fn place_of(path: &str, home: &str) -> Result<Place> {
    if let Some(below) = below(path, home) {
        return Ok(Place::Granted(grant::HOME.into(), below.into()));
    }
    if !path.starts_with('/') {
        return Ok(Place::Outside);
    }
    Ok(dirs::locate(path)?.map_or(Place::Outside, |(grant, below)| Place::Granted(grant, below)))
}

/// A path of Windows with its backslashes as slashes; any other as it is.
pub fn plain(path: &str) -> String {
    if is_on_drive(path) { path.replace('\\', "/") } else { path.to_owned() }
}

/// `C:/…`, with either kind of slash.
fn is_on_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic())
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

/// What the operator's setting and the installation's files say of the home, the word that counts first.
fn named_homes(installed: &Installed, settings: &Settings) -> Vec<HomePath> {
    let mut said: Vec<HomePath> = Vec::new();
    said.extend(settings.home.as_ref().and_then(|path| HomePath::new(path, "[step.….config] home")));
    for script in &installed.scripts {
        let option = script.system_property(init::HOME).filter(|value| script.is_plain(value));
        said.extend(option.and_then(|path| HomePath::new(&path, script.path)));
    }
    said.extend(installed.homes.last().and_then(|path| HomePath::new(path, install::INIT)));
    said
}

/// The home as setting and files name it; none where they do not.
///
/// # Errors
/// When the installation cannot be read.
pub fn named_home() -> Result<Option<HomePath>> {
    Ok(named_homes(&Installed::read()?, &Settings::read()?).into_iter().next())
}

/// The operator's word, then the Java machine's option, then the last live line of the init file, then the grant.
fn home_path(installed: &Installed, settings: &Settings, findings: &mut Vec<Finding>) -> Result<HomePath> {
    let granted = grants::path(grant::HOME).and_then(|path| HomePath::new(&path, "the grant dirs.home"));
    let mut said = named_homes(installed, settings).into_iter().chain(granted);
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

fn node(cfg: &Cfg, installed: &Installed, findings: &mut Vec<Finding>) -> Option<(String, String)> {
    let option = installed.system_property(cluster::NODE_NAME);
    match (cfg.get(cluster::NODE_NAME).map(str::to_owned), option) {
        (Some(cfg), Some((option, script))) if cfg == option => Some((cfg, format!("{CFG} and {script}"))),
        (Some(cfg), Some((option, script))) => {
            let message = format!("{CFG} says {cfg}, {script} says {option}");
            findings.push(Finding::warning("node-contradiction", "node", message));
            Some((option, script.into()))
        }
        (Some(cfg), None) => Some((cfg, CFG.into())),
        (None, Some((option, script))) => Some((option, script.into())),
        (None, None) => None,
    }
}

/// Which of [`triple::NAMES`] are there: in the home, in its `shared-home`, in the cluster's shared home, and in the
/// homes of other nodes. Every copy counts.
fn present_secrets(cluster: Option<&Cluster>) -> Result<Vec<Located>> {
    let mut places = vec![(grant::HOME, ""), (grant::HOME, "shared-home/")];
    if let Some(cluster) = cluster {
        places.extend(grants::has("dirs", grant::SHARED_HOME).then_some((grant::SHARED_HOME, "")));
        places.extend(cluster.nodes.iter().map(|node| (node.grant.as_str(), "")));
    }
    let mut present = Vec::new();
    for (grant, base) in places {
        for name in triple::NAMES {
            let located = Located { grant: grant.into(), path: format!("{base}{name}") };
            if let Some(stat) = located.find()?
                && matches!(stat.kind, Kind::File | Kind::Directory)
            {
                present.push(located);
            }
        }
    }
    Ok(present)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_windows_are_written_with_slashes() {
        assert_eq!(plain("C:\\data\\wiki"), "C:/data/wiki");
        assert_eq!(plain("/a\\b"), "/a\\b");
        assert_eq!(HomePath::new("d:\\wiki\\", install::INIT).unwrap().path, "d:/wiki");
        assert_eq!(HomePath::new("wiki", install::INIT), None);
    }
}

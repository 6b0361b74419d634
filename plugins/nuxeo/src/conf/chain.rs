//! Reads every file that makes up a configuration, in the launcher's order, and keeps all that each key was set to.
//!
//! The order is that of `ConfigurationGenerator` and `ConfigurationHolder` in Nuxeo's nuxeo-launcher-commons: what the
//! templates say counts only where `nuxeo.conf` says nothing, and of two templates the later one counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    rc::Rc,
};

use strongroom_plugin::{Context, Error, Result};

use super::{
    defaults,
    expand::{self, Environment, Expanded},
    files::{Files, Look},
    properties::{self, Charset, Properties},
};

mod templates;

pub use templates::{State, Template};

/// The most files that are read: real instances have a few dozen.
const FILES_MAX: usize = 512;
/// The most assignments of all files together.
const SETTINGS_MAX: usize = properties::ASSIGNMENTS_MAX;

/// Where an instance's configuration is, in the paths that Nuxeo itself uses.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// `NUXEO_HOME`.
    pub home: String,
    /// `NUXEO_CONF`: the `nuxeo.conf` itself.
    pub conf: String,
    /// The directory whose files a container appends to `nuxeo.conf` (`/etc/nuxeo/conf.d`).
    pub conf_d: Option<String>,
    /// The environment of the launcher, as far as the operator gave it.
    pub environment: Environment,
}

/// One value that a key was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Variables of the environment replaced, references to other keys not.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The product ships it; no file that could be read says so.
    Product,
    /// It follows from how Nuxeo is started.
    Start,
    /// A file.
    File {
        /// Which.
        path: Rc<str>,
        /// Its line, from 1.
        line: u32,
        /// Whether it is in the block that the launcher generates.
        block: bool,
        /// Whether it is a file that the operator writes: `nuxeo.conf` or one of `conf.d`.
        own: bool,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Product => f.write_str("the product's default"),
            Self::Start => f.write_str("how Nuxeo is started"),
            Self::File { path, line, block, .. } => {
                write!(f, "{path} line {line}{}", if *block { ", in the generated block" } else { "" })
            }
        }
    }
}

/// Everything that was read.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    settings: BTreeMap<String, Vec<Setting>>,
    /// Templates in the order in which they count, included ones before those that include them.
    pub templates: Vec<Template>,
    /// Whether `templates/nuxeo.defaults` was read; where it was not, what the product ships is assumed.
    pub defaults: bool,
    /// Files that were read, in order, with their charsets.
    pub files: Vec<(Rc<str>, Charset)>,
    /// Files of `conf.d` that do not count: this container appended them at its first start.
    pub appended: Vec<String>,
    /// What `JAVA_OPTS` lines of `nuxeo.conf` add, in order.
    pub java_opts: Vec<String>,
    /// Variables of the environment that values ask for and that were not given.
    pub unset: BTreeSet<String>,
}

/// Reads the configuration of an instance.
///
/// # Errors
/// When there is no `nuxeo.conf`, a file cannot be read or is none that Java could read, or limits are passed.
pub fn read(files: &dyn Files, layout: &Layout) -> Result<Chain> {
    Reading { files, layout, chain: Chain::default(), open: Vec::new(), settings: 0 }.run()
}

impl Chain {
    /// What counts for that key.
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.history(key).last()
    }

    /// All that the key was set to; the last one counts.
    pub fn history(&self, key: &str) -> &[Setting] {
        self.settings.get(key).map_or(&[], Vec::as_slice)
    }

    /// All keys, in byte order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.settings.keys().map(String::as_str)
    }

    /// The value of that key with references replaced.
    pub fn expand(&self, key: &str) -> Option<Expanded> {
        Some(self.expand_text(&self.get(key)?.value))
    }

    /// A text with references to keys replaced.
    pub fn expand_text(&self, text: &str) -> Expanded {
        expand::references(text, |key| Some(self.get(key)?.value.as_str()))
    }

    /// The value of that key with references replaced, trimmed.
    pub fn text(&self, key: &str) -> Option<String> {
        Some(properties::trim(&self.expand(key)?.text).to_owned())
    }

    fn put(&mut self, key: &str, value: &str, origin: Origin) {
        self.settings.entry(key.to_owned()).or_default().push(Setting { value: value.to_owned(), origin });
    }
}

/// A chain that grows.
struct Reading<'a> {
    files: &'a dyn Files,
    layout: &'a Layout,
    chain: Chain,
    /// The directories of templates that are being read.
    open: Vec<String>,
    settings: usize,
}

/// A file that was read and does not count yet.
struct Unit {
    path: Rc<str>,
    own: bool,
    properties: Properties,
}

impl Reading<'_> {
    fn run(mut self) -> Result<Chain> {
        let own = self.own()?;
        for (key, value) in defaults::PRODUCT {
            self.chain.put(key, value, Origin::Product);
        }
        let root = format!("{}/templates", self.home());
        for unit in self.defaults_in(&root)?.unwrap_or_default() {
            self.chain.defaults = true;
            self.apply(&unit);
        }
        let home = self.home().to_owned();
        self.chain.put("nuxeo.home", &home, Origin::Start);
        self.chain.put("nuxeo.conf", &self.layout.conf, Origin::Start);
        templates::include(&mut self, &own)?;
        for unit in &own {
            self.apply(unit);
            self.chain.java_opts.extend(unit.properties.java_opts.iter().map(|one| one.value.clone()));
        }
        Ok(self.chain)
    }

    fn home(&self) -> &str {
        self.layout.home.trim_end_matches('/')
    }

    /// `nuxeo.conf`, and what a container is still to append to it.
    fn own(&mut self) -> Result<Vec<Unit>> {
        let Some(conf) = self.unit(&self.layout.conf.clone(), true)? else {
            let path = &self.layout.conf;
            return Err(Error::not_found(format!("there is no {path}: grant the directory that it is in")));
        };
        let Some(directory) = self.layout.conf_d.as_deref() else { return Ok(vec![conf]) };
        // The launcher has run: then the container has appended what it found at its first start, and appends no more.
        let marker = self.files.read(&format!("{}/configured", self.home()), properties::BYTES_MAX)?;
        let started = conf.properties.block || matches!(marker, Look::Content(_));
        let mut own = vec![conf];
        for name in self.files.names(directory)?.into_iter().take(FILES_MAX) {
            let path = format!("{}/{name}", directory.trim_end_matches('/'));
            match started || own.iter().any(|unit| unit.properties.appended.contains(&path)) {
                true => self.chain.appended.push(self.shown(&path)),
                false => own.extend(self.unit(&path, true)?),
            }
        }
        Ok(own)
    }

    /// `nuxeo.defaults` of a directory and, behind it, that of the environment; none where the first is not there.
    fn defaults_in(&mut self, directory: &str) -> Result<Option<Vec<Unit>>> {
        let Some(unit) = self.unit(&format!("{directory}/nuxeo.defaults"), false)? else { return Ok(None) };
        let mut units = vec![unit];
        if let Some(name) = self.layout.environment.get("NUXEO_ENVIRONMENT").filter(|name| is_name(name)) {
            let path = format!("{directory}/nuxeo.{name}");
            units.extend(self.unit(&path, false)?);
        }
        Ok(Some(units))
    }

    fn unit(&mut self, path: &str, own: bool) -> Result<Option<Unit>> {
        let Look::Content(bytes) = self.files.read(path, properties::BYTES_MAX)? else { return Ok(None) };
        if self.chain.files.len() >= FILES_MAX {
            return Err(Error::limit(format!("the configuration has more than {FILES_MAX} files")));
        }
        let properties = Properties::parse(&bytes).map_err(|error| Error::invalid(error.to_string()));
        let properties = properties.context(format!("reading {path}"))?;
        self.settings += properties.assignments.len();
        if self.settings > SETTINGS_MAX {
            return Err(Error::limit(format!("the configuration sets more than {SETTINGS_MAX} properties")));
        }
        let path: Rc<str> = self.shown(path).into();
        self.chain.files.push((path.clone(), properties.charset));
        Ok(Some(Unit { path, own, properties }))
    }

    fn apply(&mut self, unit: &Unit) {
        for one in &unit.properties.assignments {
            let missing = |name: &&str| !self.layout.environment.contains_key(*name);
            self.chain.unset.extend(expand::variables(&one.value).into_iter().filter(missing).map(str::to_owned));
            let value = expand::environment(&one.value, &self.layout.environment);
            let origin = Origin::File { path: unit.path.clone(), line: one.line, block: one.block, own: unit.own };
            self.chain.put(&one.key, &value, origin);
        }
    }

    /// A path as an operator would name it: below the home directory, or `nuxeo.conf`.
    fn shown(&self, path: &str) -> String {
        if path == self.layout.conf {
            return path.rsplit('/').next().unwrap_or(path).to_owned();
        }
        let home = path.strip_prefix(self.home()).and_then(|rest| rest.strip_prefix('/'));
        home.unwrap_or(path).to_owned()
    }
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains('/')
}

#[cfg(test)]
pub(super) mod tests;

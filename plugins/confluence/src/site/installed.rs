//! What the files of the installation directory say of the site. None of them must be there.

use strongroom_plugin::{
    Context, ErrorCode, Result,
    dirs::{self, Dir, Kind},
};

use crate::{
    describe::grant,
    init, install,
    setenv::{Script, Shell},
};

/// The largest properties file, script or XML file that is read.
const SIZE_MAX: usize = 1 << 20;

/// As far as it could be read.
#[derive(Debug, Default)]
pub struct Installed {
    /// As `pom.properties` has it.
    pub version: Option<String>,
    /// What `confluence-init.properties` assigns, in order.
    pub homes: Vec<String>,
    /// `bin/setenv.sh` and `bin/setenv.bat`: what the first says counts.
    pub scripts: Vec<Script>,
    /// Files of Tomcat that may hold a datasource: paths and contents.
    pub tomcat: Vec<(String, Vec<u8>)>,
}

impl Installed {
    /// Reads what is granted; nothing where the installation is not.
    ///
    /// # Errors
    /// When a file is there and cannot be read.
    pub fn read() -> Result<Self> {
        match dirs::get(grant::INSTALL) {
            Ok(dir) => Self::of(&dir),
            Err(error) if error.code == ErrorCode::Denied => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// The same of any installation directory.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of(dir: &Dir) -> Result<Self> {
        let pom = optional(dir, install::POM)?;
        let init = optional(dir, install::INIT)?;
        let mut scripts = Vec::new();
        for (path, shell) in [(install::SETENV, Shell::Posix), (install::SETENV_BAT, Shell::Windows)] {
            let text = optional(dir, path)?.map(|file| String::from_utf8_lossy(&file).into_owned());
            scripts.extend(text.map(|text| Script { path, shell, text }));
        }
        Ok(Self {
            version: pom.and_then(|file| init::values(&file, "version").pop()),
            homes: init.map(|file| init::values(&file, init::HOME)).unwrap_or_default(),
            scripts,
            tomcat: tomcat(dir)?,
        })
    }

    /// A Java system property, and the script that sets it.
    pub fn system_property(&self, name: &str) -> Option<(String, &'static str)> {
        self.scripts.iter().find_map(|script| Some((script.system_property(name)?, script.path)))
    }

    /// An environment variable, and the script that sets it.
    pub fn variable(&self, name: &str) -> Option<(String, &'static str)> {
        self.scripts.iter().find_map(|script| Some((script.variable(name)?, script.path)))
    }
}

fn optional(dir: &Dir, path: &str) -> Result<Option<Vec<u8>>> {
    match dir.read(path, SIZE_MAX) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.context(format!("looking at {path} in the installation directory"))),
    }
}

/// `conf/server.xml`, and the descriptors of web applications that Tomcat looks for by engine and host.
fn tomcat(dir: &Dir) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files: Vec<_> =
        optional(dir, install::SERVER)?.map(|file| (install::SERVER.to_owned(), file)).into_iter().collect();
    for base in install::CONTEXTS {
        if dir.find(base)?.is_none_or(|stat| stat.kind != Kind::Directory) {
            continue;
        }
        for entry in dir.entries(base) {
            let entry = entry.context(format!("listing {base} in the installation directory"))?;
            if entry.name.ends_with(".xml") && entry.stat.kind == Kind::File {
                let path = format!("{base}/{}", entry.name);
                files.extend(optional(dir, &path)?.map(|file| (path, file)));
            }
        }
    }
    Ok(files)
}

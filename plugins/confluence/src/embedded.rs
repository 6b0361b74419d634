//! An embedded database: which files it is, whether somebody has them open, whether they are whole.
//!
//! H2's "Files" and "MVStore: File Format" and HSQLDB's "Database Files" name the endings and the formats.

use strongroom_plugin::{
    Context, Error, InputStream, Result,
    dirs::{self, Kind, Usage},
};

use crate::{
    describe::grant,
    jdbc::Vendor,
    site::{Located, Place, Site},
};

pub use strongroom_database::embedded::format;

/// Endings of files that say that a database is open: never stored.
pub const LOCKS: [&str; 2] = [".lck", ".lock.db"];

/// Confluence's own sign that it runs, in the home.
const LOCK: &str = "lock";

/// An embedded database's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedded {
    /// H2 or HSQLDB.
    pub vendor: Vendor,
    /// The directory that holds the files, and nothing else.
    pub at: Located,
    /// What their names begin with, before the ending.
    pub stem: String,
}

/// A file as it was at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its name in that directory.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Seconds and nanoseconds.
    modified: (i64, u32),
}

impl Embedded {
    /// Where the site's embedded database is; none where it has no such database.
    ///
    /// # Errors
    /// `invalid` when its files lie in no granted directory, or not in one of their own.
    pub fn of(site: &Site) -> Result<Option<Self>> {
        let Some(url) = site.database.file() else { return Ok(None) };
        let outside = || {
            let stem = &url.stem;
            Error::invalid(format!("the database {stem} lies in no directory of its own below a granted one"))
        };
        let Place::Granted(grant, below) = site.place(&crate::site::plain(&url.stem))? else { return Err(outside()) };
        let (path, stem) = below.rsplit_once('/').ok_or_else(outside)?;
        let at = Located { grant, path: path.to_owned() };
        Ok(Some(Self { vendor: url.vendor, at, stem: stem.to_owned() }))
    }

    /// Its files, without those that only say that it is open.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn files(&self) -> Result<Vec<Seen>> {
        Ok(self.all()?.into_iter().filter(|file| !is_lock(&file.name)).collect())
    }

    fn all(&self) -> Result<Vec<Seen>> {
        let dir = dirs::get(&self.at.grant)?;
        if !dir.exists(&self.at.path)? {
            return Ok(Vec::new());
        }
        let mut files = Vec::new();
        for entry in dir.entries(&self.at.path) {
            let entry = entry.context(format!("listing {}", self.at))?;
            let rest = entry.name.strip_prefix(&self.stem);
            if entry.stat.kind == Kind::File && rest.is_some_and(|rest| rest.starts_with('.')) {
                let modified = (entry.stat.modified.seconds, entry.stat.modified.nanoseconds);
                files.push(Seen { name: entry.name, size: entry.stat.size, modified });
            }
        }
        Ok(files)
    }

    /// Who uses the database or runs Confluence; none when it is proven that nobody does.
    ///
    /// # Errors
    /// When a file cannot be looked at.
    pub fn used(&self) -> Result<Option<String>> {
        let lock = Located { grant: grant::HOME.into(), path: LOCK.into() };
        let below =
            |file: Seen| Located { grant: self.at.grant.clone(), path: format!("{}/{}", self.at.path, file.name) };
        for located in [lock].into_iter().chain(self.all()?.into_iter().map(below)) {
            let usage = match dirs::get(&located.grant)?.in_use(&located.path) {
                Err(error) if error.is_not_found() => continue,
                usage => usage.context(format!("asking who uses {located}"))?,
            };
            match usage {
                Usage::Free => {}
                Usage::Used(who) => return Ok(Some(format!("{located} is in use by {who}"))),
                Usage::Unknown => return Ok(Some(format!("whether {located} is in use cannot be told here"))),
            }
        }
        Ok(None)
    }

    /// One of its files, from `offset` on.
    ///
    /// # Errors
    /// As [`dirs::Dir::open`].
    pub fn open(&self, name: &str, offset: u64) -> Result<InputStream> {
        let stream = dirs::get(&self.at.grant)?.open(&format!("{}/{name}", self.at.path))?;
        stream.skip(offset)?;
        Ok(stream)
    }
}

/// Whether a file of that name only says that a database is open.
pub fn is_lock(name: &str) -> bool {
    LOCKS.iter().any(|ending| name.ends_with(ending))
}

/// What the operator can do about a database that may be open.
pub const STOP: &str =
    "stop Confluence, and let the host see every process of this machine (as root, in no container), then run again";

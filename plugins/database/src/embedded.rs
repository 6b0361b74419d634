//! An embedded database: which files it is, whether somebody has them open, whether they are whole.
//!
//! H2's "Files" and "MVStore: File Format" and HSQLDB's "Database Files" name the endings and the formats.

use strongroom_plugin::{
    Context, Finding, InputStream, Inspection, Outcome, Result, archive, context,
    dirs::{self, Kind, Usage},
};

use self::format::Health;
use crate::{jdbc::Vendor, located::Located};

mod copy;
pub mod format;

pub use copy::backup;

/// The key of the note that lists the files of an embedded database, one a line.
pub const NOTE: &str = "database files";

/// Endings of files that say that a database is open: never stored.
pub const LOCKS: [&str; 2] = [".lck", ".lock.db"];

/// An embedded database's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedded {
    /// H2 or HSQLDB.
    pub vendor: Vendor,
    /// The directory that holds the files, and nothing else.
    pub at: Located,
    /// What their names begin with, before the ending.
    pub stem: String,
    /// The product that runs it, for people.
    pub product: &'static str,
    /// What that has open while it runs, beside the files.
    pub signs: Vec<Located>,
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

    /// Who uses the database or runs the product; none when it is proven that nobody does.
    ///
    /// # Errors
    /// When a file cannot be looked at.
    pub fn used(&self) -> Result<Option<String>> {
        let below =
            |file: Seen| Located { grant: self.at.grant.clone(), path: format!("{}/{}", self.at.path, file.name) };
        used(self.signs.iter().cloned().chain(self.all()?.into_iter().map(below)))
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

/// Who uses one of these, or what lies below them; none when it is proven that nobody does. What is not there is not used.
///
/// # Errors
/// When one cannot be looked at.
pub fn used(places: impl IntoIterator<Item = Located>) -> Result<Option<String>> {
    for located in places {
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

/// Whether a file of that name only says that a database is open.
pub fn is_lock(name: &str) -> bool {
    LOCKS.iter().any(|ending| name.ends_with(ending))
}

/// What the operator can do about a database that may be open.
pub fn stop(product: &str) -> String {
    format!(
        "stop {product}, and let the host see every process of this machine (as root, in no container), then run again"
    )
}

/// What is in the way of a copy, and what must be known.
///
/// # Errors
/// When the files cannot be looked at.
pub fn inspect(database: &Embedded, part: &str, seen: &mut Inspection) -> Result<()> {
    let files = database.files()?;
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    seen.facts.push(("database files".into(), format!("{} in {}", names.join(", "), database.at)));
    if files.is_empty() {
        let message = format!("there are no files {}.* in {}", database.stem, database.at);
        seen.findings.push(Finding::blocker("embedded-missing", part, message));
        return Ok(());
    }
    if let Some(who) = database.used()? {
        let (name, product) = (database.vendor.name(), database.product);
        let stop = stop(product);
        let message =
            format!("{name} lives in files that can only be copied while {product} is stopped, and {who}: {stop}");
        seen.findings.push(Finding::blocker("embedded-in-use", part, message));
    }
    for file in &files {
        seen.findings.extend(health(database, part, file)?);
    }
    let message =
        "what an embedded database holds cannot be read: its files are saved, and not checked against other parts";
    seen.findings.push(Finding::info("embedded-unread", part, message));
    Ok(())
}

/// What is to be said of a file: that it is damaged, or was not closed.
fn health(database: &Embedded, part: &str, file: &Seen) -> Result<Option<Finding>> {
    let (name, product) = (&file.name, database.product);
    Ok(match format::check(name, file.size, |offset| database.open(name, offset))? {
        Health::Closed | Health::Untold => None,
        Health::Unclean => {
            let message = format!("{name} was not closed cleanly: {product} will recover it when it starts");
            Some(Finding::warning("embedded-unclean", part, message))
        }
        Health::Bad(why) => Some(Finding::blocker("embedded-damaged", part, format!("{name}: {why}"))),
    })
}

/// Whether the files of a part are there and what their endings say, to the last one's end.
///
/// # Errors
/// When they cannot be read.
pub fn verify(part: &str, mut outcome: Outcome) -> Result<Outcome> {
    let noted = context::note(NOTE)?.unwrap_or_default();
    let (mut expected, mut sound) = (0, 0);
    for name in noted.lines() {
        expected += 1;
        let size = match archive::stat(part, name) {
            Ok(item) => item.size,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error),
        };
        match format::check(name, size, |offset| archive::open_at(part, name, offset))? {
            Health::Bad(why) => {
                outcome = outcome.finding(Finding::blocker("embedded-damaged", part, format!("{name}: {why}")));
            }
            Health::Closed | Health::Unclean | Health::Untold => sound += 1,
        }
    }
    Ok(outcome.receipt("sound files", expected, sound))
}

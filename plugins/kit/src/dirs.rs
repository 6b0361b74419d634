//! Directories granted by name. Nothing outside them can be named.

use std::io::Write;

pub use crate::bindings::strongroom::plugin::dirs::{Entry, Kind, Stat, Usage};
use crate::{Context, InputStream, OutputStream, Result, host::dirs as host, pages::Pages};

/// A granted directory, or one below it. Paths are relative to it; `""` is the directory itself.
pub struct Dir(pub(crate) host::Dir);

/// The directory that was granted under that name.
///
/// # Errors
/// `denied` when it is not granted, `not-found` when it is not there.
pub fn get(grant: &str) -> Result<Dir> {
    Ok(Dir(host::get(grant)?))
}

/// Which grant an absolute path of the product's configuration lies in, and where below it.
///
/// # Errors
/// `invalid` when it is not absolute.
pub fn locate(absolute: &str) -> Result<Option<(String, String)>> {
    Ok(host::locate(absolute)?)
}

impl Dir {
    /// A directory below this one.
    ///
    /// # Errors
    /// `not-found`, `denied`.
    pub fn open_dir(&self, path: &str) -> Result<Self> {
        Ok(Self(self.0.open_dir(path)?))
    }

    /// What is there; a link is not followed.
    ///
    /// # Errors
    /// `not-found`, `denied`.
    pub fn stat(&self, path: &str) -> Result<Stat> {
        Ok(self.0.stat(path)?)
    }

    /// The same, or nothing where nothing is.
    ///
    /// # Errors
    /// `denied`.
    pub fn find(&self, path: &str) -> Result<Option<Stat>> {
        match self.stat(path) {
            Ok(stat) => Ok(Some(stat)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether anything is there.
    ///
    /// # Errors
    /// `denied`.
    pub fn exists(&self, path: &str) -> Result<bool> {
        Ok(self.find(path)?.is_some())
    }

    /// Where a symbolic link points.
    ///
    /// # Errors
    /// `not-found`, `invalid` when it is no link.
    pub fn read_link(&self, path: &str) -> Result<String> {
        Ok(self.0.read_link(path)?)
    }

    /// Every entry of a directory, in byte order, page by page.
    ///
    /// ```
    /// use strongroom_plugin::{dirs, testing::Host};
    ///
    /// let _host = Host::new().files("home", &[("b.txt", "two"), ("a.txt", "one")]);
    /// let home = dirs::get("home")?;
    /// let names: Vec<_> = home.entries("").map(|entry| Ok(entry?.name)).collect::<strongroom_plugin::Result<_>>()?;
    /// assert_eq!(names, ["a.txt", "b.txt"]);
    /// assert_eq!(home.read_to_string("a.txt", 1000)?, "one");
    /// # Ok::<(), strongroom_plugin::Error>(())
    /// ```
    pub fn entries(&self, path: &str) -> impl Iterator<Item = Result<Entry>> {
        Pages::new(move |last: Option<&Entry>| Ok(self.0.entries(path, last.map(|entry| entry.name.as_str()))?))
    }

    /// Whether a directory has no entry.
    ///
    /// # Errors
    /// `not-found`, `denied`.
    pub fn is_empty(&self, path: &str) -> Result<bool> {
        Ok(self.entries(path).next().transpose()?.is_none())
    }

    /// A file's content.
    ///
    /// # Errors
    /// `not-found`, `denied`, `invalid` when it is no file.
    pub fn open(&self, path: &str) -> Result<InputStream> {
        Ok(InputStream(self.0.open(path)?))
    }

    /// A small file as text.
    ///
    /// # Errors
    /// As [`Self::open`]; `limit` when it is longer than `bytes_max`, `corrupt` when it is not UTF-8.
    pub fn read_to_string(&self, path: &str, bytes_max: usize) -> Result<String> {
        self.open(path)?.text(bytes_max).context(format!("reading {path}"))
    }

    /// A small file as bytes.
    ///
    /// # Errors
    /// As [`Self::open`]; `limit` when it is longer than `bytes_max`.
    pub fn read(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>> {
        self.open(path)?.bytes(bytes_max).context(format!("reading {path}"))
    }

    /// Who has it open or locked.
    ///
    /// # Errors
    /// `not-found`, `denied`.
    pub fn in_use(&self, path: &str) -> Result<Usage> {
        Ok(self.0.in_use(path)?)
    }

    /// Puts `content` in place when it has ended well. Needs `access = "write"`, as all that follows.
    ///
    /// # Errors
    /// `denied`, `io`, what ended `content`.
    pub fn write(&self, path: &str, content: InputStream, mode: Option<u32>) -> Result<u64> {
        Ok(self.0.write(path, content.0, mode)?)
    }

    /// The same for bytes that the plugin makes; in place when finished.
    ///
    /// # Errors
    /// `denied`, `io`.
    pub fn create(&self, path: &str, mode: Option<u32>) -> Result<OutputStream> {
        Ok(OutputStream(self.0.create(path, mode)?))
    }

    /// A whole small file.
    ///
    /// # Errors
    /// `denied`, `io`.
    pub fn write_bytes(&self, path: &str, content: &[u8], mode: Option<u32>) -> Result<()> {
        let mut file = self.create(path, mode)?;
        file.write_all(content)?;
        file.finish()
    }

    /// A new directory.
    ///
    /// # Errors
    /// `exists`, `denied`, `io`.
    pub fn create_dir(&self, path: &str) -> Result<()> {
        Ok(self.0.create_dir(path)?)
    }

    /// Permission bits, as in `chmod`.
    ///
    /// # Errors
    /// `not-found`, `denied`, `io`.
    pub fn set_mode(&self, path: &str, mode: u32) -> Result<()> {
        Ok(self.0.set_mode(path, mode)?)
    }

    /// Renames within the directory.
    ///
    /// # Errors
    /// `not-found`, `denied`, `io`.
    pub fn rename(&self, old: &str, new: &str) -> Result<()> {
        Ok(self.0.rename(old, new)?)
    }

    /// Removes a file, a link or an empty directory.
    ///
    /// # Errors
    /// `not-found`, `denied`, `io`.
    pub fn remove(&self, path: &str) -> Result<()> {
        Ok(self.0.remove(path)?)
    }
}

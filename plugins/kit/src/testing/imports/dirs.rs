//! Real directories below the granted ones.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

use super::streams::{InputStream, OutputStream};
use crate::{
    bindings::strongroom::plugin::{
        dirs::{Entry, Kind, Stat, Usage},
        types::{Error, ErrorCode},
    },
    testing::{denied, fail, io::lowered, state, trees},
};

/// Entries of a page.
const PAGE: usize = 100;

/// A granted directory or one below it.
pub(crate) struct Dir {
    pub(crate) path: PathBuf,
    write: bool,
}

pub(crate) fn get(grant: &str) -> Result<Dir, Error> {
    let root = state(|state| state.dirs.get(grant).cloned()).ok_or_else(|| denied("dirs", grant))?;
    Ok(Dir { path: root.path, write: root.write })
}

pub(crate) fn locate(absolute: &str) -> Result<Option<(String, String)>, Error> {
    if !absolute.starts_with('/') {
        return Err(fail(ErrorCode::Invalid, format!("{absolute:?} is not absolute")));
    }
    Ok(state(|state| {
        let within = state.dirs.iter().filter_map(|(name, root)| {
            let rest = Path::new(absolute).strip_prefix(&root.path).ok()?;
            Some((name.clone(), rest.to_string_lossy().into_owned()))
        });
        within.min_by_key(|(_, rest)| rest.len())
    }))
}

impl Dir {
    /// Nothing outside can be named; a link on the way is followed here, which the real host does not do.
    pub(crate) fn below(&self, path: &str) -> Result<PathBuf, Error> {
        let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        match plain {
            true if path.is_empty() => Ok(self.path.clone()),
            true => Ok(self.path.join(path)),
            false => Err(fail(ErrorCode::Denied, format!("{path:?} leads out of the granted directory"))),
        }
    }

    pub(crate) fn writable(&self, path: &str) -> Result<PathBuf, Error> {
        if !self.write {
            return Err(fail(ErrorCode::Denied, format!("{path:?} lies in a directory that is granted read only")));
        }
        self.below(path)
    }

    pub(crate) fn open_dir(&self, path: &str) -> Result<Self, Error> {
        let below = self.below(path)?;
        match fs::metadata(&below).map_err(lowered)?.is_dir() {
            true => Ok(Self { path: below, write: self.write }),
            false => Err(fail(ErrorCode::Invalid, format!("{path:?} is no directory"))),
        }
    }

    pub(crate) fn stat(&self, path: &str) -> Result<Stat, Error> {
        Ok(stat(&fs::symlink_metadata(self.below(path)?).map_err(lowered)?))
    }

    pub(crate) fn read_link(&self, path: &str) -> Result<String, Error> {
        Ok(fs::read_link(self.below(path)?).map_err(lowered)?.to_string_lossy().into_owned())
    }

    pub(crate) fn entries(&self, path: &str, after: Option<&str>) -> Result<Vec<Entry>, Error> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.below(path)?).map_err(lowered)? {
            names.push(entry.map_err(lowered)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        let rest = names.into_iter().filter(|name| after.is_none_or(|after| name.as_str() > after));
        rest.take(PAGE).map(|name| Ok(Entry { stat: self.stat(&join(path, &name))?, name })).collect()
    }

    pub(crate) fn open(&self, path: &str) -> Result<InputStream, Error> {
        let file = self.below(path)?;
        match fs::metadata(&file).map_err(lowered)?.is_file() {
            true => Ok(InputStream::new(fs::File::open(file).map_err(lowered)?)),
            false => Err(fail(ErrorCode::Invalid, format!("{path:?} is no file"))),
        }
    }

    pub(crate) fn in_use(&self, path: &str) -> Result<Usage, Error> {
        let path = self.below(path)?;
        fs::symlink_metadata(&path).map_err(lowered)?;
        // The innermost word counts.
        let said = |usages: &std::collections::BTreeMap<PathBuf, Usage>| {
            let within = usages.iter().filter(|(said, _)| path.starts_with(said));
            within.max_by_key(|(said, _)| said.as_os_str().len()).map(|(_, usage)| usage.clone())
        };
        Ok(state(|state| said(&state.usages)).unwrap_or(Usage::Unknown))
    }

    pub(crate) fn write(&self, path: &str, content: InputStream, mode: Option<u32>) -> Result<u64, Error> {
        let content = content.all()?;
        place(&self.writable(path)?, &content, mode)?;
        Ok(content.len() as u64)
    }

    pub(crate) fn create(&self, path: &str, mode: Option<u32>) -> Result<OutputStream, Error> {
        let path = self.writable(path)?;
        Ok(OutputStream::into(move |content| place(&path, &content, mode)))
    }

    pub(crate) fn create_dir(&self, path: &str) -> Result<(), Error> {
        fs::create_dir(self.writable(path)?).map_err(lowered)
    }

    pub(crate) fn set_mode(&self, path: &str, mode: u32) -> Result<(), Error> {
        fs::set_permissions(self.writable(path)?, fs::Permissions::from_mode(mode)).map_err(lowered)
    }

    pub(crate) fn rename(&self, old: &str, new: &str) -> Result<(), Error> {
        fs::rename(self.writable(old)?, self.writable(new)?).map_err(lowered)
    }

    pub(crate) fn remove(&self, path: &str) -> Result<(), Error> {
        let path = self.writable(path)?;
        let found = fs::symlink_metadata(&path).map_err(lowered)?;
        if found.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) }.map_err(lowered)
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

fn place(path: &Path, content: &[u8], mode: Option<u32>) -> Result<(), Error> {
    fs::write(path, content).map_err(lowered)?;
    mode.map_or(Ok(()), |mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(lowered))
}

fn stat(found: &fs::Metadata) -> Stat {
    let kind = match found.file_type() {
        kind if kind.is_symlink() => Kind::Symlink,
        kind if kind.is_dir() => Kind::Directory,
        kind if kind.is_file() => Kind::File,
        _ => Kind::Other,
    };
    let modified = trees::modified(found);
    let (mode, uid, gid) = (found.mode() & 0o7777, found.uid(), found.gid());
    Stat { kind, size: found.len(), modified, mode, uid, gid }
}

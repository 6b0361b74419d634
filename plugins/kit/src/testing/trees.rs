//! Whole directories into and out of the scripted snapshot.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::{
    Meta, Timestamp, TreeOptions, TreeReport,
    bindings::strongroom::plugin::types::{Error as Raw, ErrorCode},
};

use super::{Held, fail, io::lowered};

/// What a tree's patterns say of a path.
struct Patterns {
    includes: Option<Gitignore>,
    excludes: Gitignore,
}

impl Patterns {
    fn new(options: &TreeOptions) -> Result<Self, Raw> {
        let includes = (!options.includes.is_empty()).then(|| compile(&options.includes)).transpose()?;
        Ok(Self { includes, excludes: compile(&options.excludes)? })
    }

    fn excluded(&self, path: &str, directory: bool) -> bool {
        self.excludes.matched_path_or_any_parents(path, directory).is_ignore()
    }

    fn included(&self, path: &str, directory: bool) -> bool {
        self.includes.as_ref().is_none_or(|patterns| patterns.matched_path_or_any_parents(path, directory).is_ignore())
    }
}

fn compile(patterns: &[String]) -> Result<Gitignore, Raw> {
    let mut builder = GitignoreBuilder::new("");
    for pattern in patterns {
        builder.add_line(None, pattern).map_err(|error| fail(ErrorCode::Invalid, error.to_string()))?;
    }
    builder.build().map_err(|error| fail(ErrorCode::Invalid, error.to_string()))
}

/// What is kept of a file.
pub(crate) fn meta(found: &fs::Metadata) -> Meta {
    Meta {
        modified: Some(modified(found)),
        mode: Some(found.mode() & 0o7777),
        owner: Some((found.uid(), found.gid())),
        attributes: Vec::new(),
    }
}

pub(crate) fn modified(found: &fs::Metadata) -> Timestamp {
    Timestamp { seconds: found.mtime(), nanoseconds: u32::try_from(found.mtime_nsec()).unwrap_or(0) }
}

/// Reads a directory as entries, relative to it.
pub(crate) fn walk(root: &Path, options: &TreeOptions) -> Result<Vec<(String, Held)>, Raw> {
    let mut found = Vec::new();
    descend(root, "", &Patterns::new(options)?, &mut found).map_err(lowered)?;
    Ok(found)
}

fn descend(root: &Path, below: &str, patterns: &Patterns, found: &mut Vec<(String, Held)>) -> std::io::Result<()> {
    let mut entries = fs::read_dir(root.join(below))?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let seen = entry.metadata()?;
        if patterns.excluded(&path, seen.is_dir()) {
            continue;
        }
        if patterns.included(&path, seen.is_dir()) {
            found.push((path.clone(), held(&entry.path(), &seen)?));
        }
        if seen.is_dir() {
            descend(root, &path, patterns, found)?;
        }
    }
    Ok(())
}

fn held(path: &Path, seen: &fs::Metadata) -> std::io::Result<Held> {
    Ok(if seen.is_symlink() {
        Held::Symlink(fs::read_link(path)?.to_string_lossy().into_owned())
    } else if seen.is_dir() {
        Held::Directory(meta(seen))
    } else {
        Held::File(fs::read(path)?, meta(seen))
    })
}

/// Those entries that the options mean.
pub(crate) fn chosen(entries: Vec<(String, Held)>, options: &TreeOptions) -> Result<Vec<(String, Held)>, Raw> {
    let patterns = Patterns::new(options)?;
    let meant = |(path, held): &(String, Held)| {
        let directory = matches!(held, Held::Directory(_));
        path.is_empty() || !patterns.excluded(path, directory) && patterns.included(path, directory)
    };
    Ok(entries.into_iter().filter(meant).collect())
}

/// Writes entries below a directory.
pub(crate) fn write(root: &Path, entries: &[(String, Held)]) -> std::io::Result<()> {
    for (path, held) in entries {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        match held {
            Held::Directory(_) => fs::create_dir_all(&path)?,
            Held::Symlink(target) => std::os::unix::fs::symlink(target, &path)?,
            Held::File(content, meta) => {
                fs::write(&path, content)?;
                if let Some(mode) = meta.mode {
                    fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
                }
            }
        }
    }
    Ok(())
}

/// What became of them.
pub(crate) fn report(entries: &[(String, Held)], stored: u64) -> TreeReport {
    let of = |wanted: fn(&Held) -> bool| entries.iter().filter(|(_, held)| wanted(held)).count() as u64;
    let size = entries.iter().map(|(_, held)| if let Held::File(content, _) = held { content.len() as u64 } else { 0 });
    let size = size.sum();
    TreeReport {
        expected: entries.len() as u64,
        stored,
        files: of(|held| matches!(held, Held::File(..))),
        directories: of(|held| matches!(held, Held::Directory(_))),
        size,
        new_bytes: size,
        skipped: Vec::new(),
        skipped_count: 0,
    }
}

//! A snapshot that the script holds.

use super::{dirs::Dir, streams::InputStream};
use crate::{
    Algorithm, Meta, TreeOptions, TreeReport,
    bindings::strongroom::plugin::{
        archive::{Item, Kind},
        types::{Error, ErrorCode},
    },
    testing::{Held, fail, io::lowered, state, trees},
};

/// Entries of a page.
const PAGE: usize = 100;

pub(crate) fn parts() -> Result<Vec<String>, Error> {
    let mut parts: Vec<String> = state(|state| state.archive.keys().map(|(part, _)| part.clone()).collect());
    parts.dedup();
    Ok(parts)
}

/// What a part holds below `prefix`, as paths of the part.
fn below(part: &str, prefix: &str) -> Vec<(String, Held)> {
    let inside = |path: &str| {
        let rest = path.strip_prefix(prefix);
        prefix.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'))
    };
    state(|state| {
        let held = state.archive.iter().filter(|((name, path), _)| name == part && inside(path));
        held.map(|((_, path), held)| (path.clone(), held.clone())).collect()
    })
}

fn item(path: String, held: &Held) -> Item {
    let (kind, size, meta) = match held {
        Held::File(content, meta) => (Kind::File, content.len() as u64, meta.clone()),
        Held::Directory(meta) => (Kind::Directory, 0, meta.clone()),
        Held::Symlink(target) => (Kind::Symlink(target.clone()), 0, Meta::default()),
    };
    Item { path, kind, size, meta }
}

pub(crate) fn items(part: &str, prefix: &str, after: Option<&str>) -> Result<Vec<Item>, Error> {
    let all = below(part, prefix).into_iter();
    let rest = all.filter(|(path, _)| after.is_none_or(|after| path.as_str() > after));
    Ok(rest.take(PAGE).map(|(path, held)| item(path, &held)).collect())
}

fn find(part: &str, path: &str) -> Result<Held, Error> {
    let held = state(|state| state.archive.get(&(part.to_owned(), path.to_owned())).cloned());
    held.ok_or_else(|| fail(ErrorCode::NotFound, format!("{part}/{path} is not in the snapshot")))
}

pub(crate) fn stat(part: &str, path: &str) -> Result<Item, Error> {
    Ok(item(path.to_owned(), &find(part, path)?))
}

pub(crate) fn open(part: &str, path: &str, offset: u64) -> Result<InputStream, Error> {
    match find(part, path)? {
        Held::File(content, _) => {
            let stream = InputStream::of(content);
            stream.skip(offset)?;
            Ok(stream)
        }
        _ => Err(fail(ErrorCode::Invalid, format!("{part}/{path} is no file"))),
    }
}

pub(crate) fn restore_tree(
    part: &str,
    path: &str,
    target: &Dir,
    sub_path: &str,
    options: &TreeOptions,
) -> Result<TreeReport, Error> {
    target.writable(sub_path)?;
    let strip = |whole: String| whole[path.len()..].trim_start_matches('/').to_owned();
    let entries: Vec<_> = below(part, path).into_iter().map(|(whole, held)| (strip(whole), held)).collect();
    let entries = trees::chosen(entries, options)?;
    trees::write(&target.below(sub_path)?, &entries).map_err(lowered)?;
    Ok(trees::report(&entries, entries.len() as u64))
}

pub(crate) fn check_names(_part: &str, _prefix: &str, algorithm: Algorithm) -> Result<TreeReport, Error> {
    Err(fail(ErrorCode::Unsupported, format!("the scripted host checks no names by {algorithm:?}")))
}

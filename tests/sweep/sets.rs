//! Reads a set without strongroom: as a zip, its sums, and its record.

use std::{fs::File, io::Read, path::Path};

use sha2::{Digest, Sha256};
use zip::ZipArchive;

use super::subject::{Thing, Things};

/// What a set holds and says of itself.
pub struct Set {
    /// `complete`, `partial`, …
    pub state: String,
    /// Without what strongroom adds.
    pub contents: Things,
}

/// Reads all of it.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read(path: &Path) -> Result<Set, String> {
    let file = File::open(path).map_err(|error| format!("opening it: {error}"))?;
    let mut archive = ZipArchive::new(file).map_err(|error| format!("it is no zip: {error}"))?;
    let mut all = Things::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| format!("entry {index}: {error}"))?;
        let name = entry.name().map_err(|error| error.to_string())?.trim_end_matches('/').to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| format!("{name}: {error}"))?;
        let thing = match () {
            () if entry.is_dir() => Thing::Directory,
            () if entry.is_symlink() => Thing::Link(bytes),
            () => Thing::File(bytes),
        };
        if all.insert(name.clone(), thing).is_some() {
            return Err(format!("{name} is in it twice"));
        }
    }
    check_sums(&all)?;
    let record: serde_json::Value = serde_json::from_slice(file_of(&all, ".strongroom/record.json")?)
        .map_err(|error| format!("its record: {error}"))?;
    let state = record["state"].as_str().unwrap_or_default().to_owned();
    all.retain(|name, _| !name.starts_with(".strongroom") && name != "SHA256SUMS");
    Ok(Set { state, contents: all })
}

fn file_of<'a>(all: &'a Things, name: &str) -> Result<&'a [u8], String> {
    match all.get(name) {
        Some(Thing::File(bytes)) => Ok(bytes),
        _ => Err(format!("it has no {name}")),
    }
}

/// Every file but the sums themselves has its line, and every line its file.
fn check_sums(all: &Things) -> Result<(), String> {
    let sums = String::from_utf8_lossy(file_of(all, "SHA256SUMS")?).into_owned();
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").ok_or_else(|| format!("a line of SHA256SUMS: {line}"))?;
        let digest = Sha256::digest(file_of(all, name)?);
        let own: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        if own != sum {
            return Err(format!("{name} has another sum than SHA256SUMS says"));
        }
    }
    let files = all.values().filter(|thing| matches!(thing, Thing::File(_))).count();
    if sums.lines().count() + 1 != files {
        return Err(format!("SHA256SUMS has {} lines for {files} files", sums.lines().count()));
    }
    Ok(())
}

/// How two trees differ; none: they are the same.
pub fn difference(wanted: &Things, seen: &Things) -> Option<String> {
    let names: std::collections::BTreeSet<_> = wanted.keys().chain(seen.keys()).collect();
    let differs = |name: &&&String| wanted.get(**name) != seen.get(**name);
    let name = names.iter().find(differs)?;
    Some(match (wanted.get(*name), seen.get(*name)) {
        (Some(wanted), Some(seen)) => format!("{name} is another {seen:?} than the {wanted:?} of the source"),
        (Some(wanted), None) => format!("{name} is missing ({wanted:?})"),
        (None, seen) => format!("{name} was not there ({seen:?})"),
    })
}

//! Checks an index of a snapshot with nothing but the snapshot: each line is read, each object compared with its list,
//! all of them with `index.json`. What is missing is named.

use std::collections::HashMap;

use strongroom_plugin::{Result, log};

use crate::{
    hash::{Function, Hasher, Tally},
    objects::{self, Contents, Ids},
    store::{self, Manifest},
};

/// How many missing documents are named.
pub const NAMED_MAX: usize = 20;
/// After so many damages there is no use in looking on: a forged count may be of any length.
const DAMAGE_MAX: usize = 200;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Documents that are there, whole.
    pub tally: Tally,
    /// The first [`NAMED_MAX`] ids that are listed and not there.
    pub missing: Vec<String>,
    /// All of these.
    pub missing_count: u64,
    /// What else is wrong: where, and what.
    pub damage: Vec<(String, String)>,
}

/// Checks one index of a part.
///
/// # Errors
/// When the snapshot cannot be read; damage is no error.
pub fn index(part: &str, manifest: &Manifest) -> Result<Checked> {
    let mut checked = Checked { tally: Tally::by(Function::of(&manifest.hash)), ..Checked::default() };
    for number in 1..=manifest.objects {
        object(part, manifest, number, &mut checked)?;
        if checked.damage.len() >= DAMAGE_MAX {
            break;
        }
        log::progress("documents", checked.tally.documents, Some(manifest.documents));
    }
    let next = store::object(&manifest.index, manifest.objects.saturating_add(1));
    if strongroom_plugin::archive::exists(part, &next)? {
        checked.damage.push((next, format!("index.json counts {} objects, and here is another", manifest.objects)));
    }
    let (counted, hash) = (checked.tally.documents, checked.tally.hash());
    if (counted, &hash) != (manifest.documents, &manifest.hash) {
        let message = format!(
            "the objects hold {counted} documents with the hash {hash}, and index.json says {} with {}",
            manifest.documents, manifest.hash
        );
        checked.damage.push((store::manifest(&manifest.index), message));
    }
    Ok(checked)
}

fn object(part: &str, manifest: &Manifest, number: u32, checked: &mut Checked) -> Result<()> {
    let index = &manifest.index;
    let (contents, mut listed) = match list(part, index, number) {
        Ok((contents, listed)) => (Some(contents), listed),
        Err(error) if is_fatal(&error) => return Err(error),
        Err(error) => {
            checked.damage.push((store::ids(index, number), error.message));
            (None, HashMap::new())
        }
    };
    let path = store::object(index, number);
    let (mut hasher, mut strangers) = (Hasher::by(Function::of(&manifest.hash)), 0_u64);
    let read = objects::read(part, &path, |document| {
        hasher.add(document);
        match listed.get_mut(document.id) {
            Some(left) if *left > 0 => *left -= 1,
            _ => strangers += 1,
        }
        Ok(())
    });
    if let Err(error) = read {
        if is_fatal(&error) {
            return Err(error);
        }
        checked.damage.push((path.clone(), error.message));
    }
    let tally = hasher.tally();
    if let Some(contents) = contents {
        compare(&path, &contents, &tally, strangers, checked);
    }
    missing(listed, checked);
    checked.tally.join(&tally);
    Ok(())
}

/// The ids of an object and how often each is listed: twice where routing puts two documents of an id into two shards.
fn list(part: &str, index: &str, number: u32) -> Result<(Contents, HashMap<String, u32>)> {
    let (contents, mut ids) = Ids::open(part, index, number)?;
    let mut listed: HashMap<String, u32> = HashMap::new();
    while let Some(id) = ids.next_id()? {
        *listed.entry(id).or_default() += 1;
    }
    Ok((contents, listed))
}

fn compare(path: &str, contents: &Contents, tally: &Tally, strangers: u64, checked: &mut Checked) {
    let mut damaged = |message: String| checked.damage.push((path.to_owned(), message));
    if strangers > 0 {
        damaged(format!("it holds {strangers} documents that its list does not name"));
    }
    if tally.documents != contents.documents {
        damaged(format!("it holds {} documents, and its list says {}", tally.documents, contents.documents));
    } else if tally.hash() != contents.hash {
        damaged("it holds as many documents as its list says, but not the same: one was changed".into());
    }
}

fn missing(listed: HashMap<String, u32>, checked: &mut Checked) {
    let mut left: Vec<(String, u32)> = listed.into_iter().filter(|(_, left)| *left > 0).collect();
    left.sort();
    checked.missing_count += left.iter().map(|(_, count)| u64::from(*count)).sum::<u64>();
    let room = NAMED_MAX.saturating_sub(checked.missing.len());
    checked.missing.extend(left.into_iter().map(|(id, _)| id).take(room));
}

/// The run is to stop, or the plugin has not what it needs: that is no damage.
fn is_fatal(error: &strongroom_plugin::Error) -> bool {
    use strongroom_plugin::ErrorCode::{Canceled, Internal, Unsupported};
    matches!(error.code, Canceled | Internal | Unsupported)
}

#[cfg(test)]
mod tests;

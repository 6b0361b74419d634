//! What became of each snapshot's copies, below the state directory: a sealed record is never opened again.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
};

use super::{board::now, journal::write_atomically};
use crate::{repository::copy::Copied, snapshot::copy::CopyState};

/// What is noted of a copy that ended so, now.
pub(super) fn state_of(copied: &Result<Copied, String>) -> CopyState {
    match copied {
        Ok(Copied { entries: Some(_), bytes, new_bytes }) => {
            CopyState::Proven { at: now(), bytes: *bytes, new_bytes: *new_bytes }
        }
        Ok(Copied { entries: None, new_bytes, .. }) => CopyState::Identical { at: now(), bytes: *new_bytes },
        Err(why) => CopyState::Failed { at: now(), why: why.clone() },
    }
}

/// By snapshot, then by the repository's name.
pub type Copies = BTreeMap<String, BTreeMap<String, CopyState>>;

fn file(state: &Path) -> PathBuf {
    state.join("copies.json")
}

/// What is known.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn read(state: &Path) -> io::Result<Copies> {
    match std::fs::read(file(state)) {
        Ok(json) => Ok(serde_json::from_slice(&json)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Copies::new()),
        Err(error) => Err(error),
    }
}

/// Notes how a copy went; of snapshots that are not in `there` any more, nothing is kept. Call it under the pipeline's
/// lock.
pub(super) fn note(
    state: &Path,
    there: &BTreeSet<String>,
    snapshot: &str,
    repository: &str,
    copy: CopyState,
) -> io::Result<()> {
    let mut copies = read(state)?;
    copies.retain(|snapshot, _| there.contains(snapshot));
    copies.entry(snapshot.to_owned()).or_default().insert(repository.to_owned(), copy);
    write_atomically(&file(state), &serde_json::to_vec_pretty(&copies)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_a_copy_counts_and_forgotten_snapshots_leave() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(read(state.path()).unwrap(), Copies::new());
        let there = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
        let proven = state_of(&Ok(Copied { entries: Some(1), bytes: 2, new_bytes: 1 }));
        let failed = state_of(&Err("no route".to_owned()));
        note(state.path(), &there(&["a", "b"]), "a", "offsite", failed).unwrap();
        note(state.path(), &there(&["a", "b"]), "a", "offsite", proven.clone()).unwrap();
        let as_it_is = state_of(&Ok(Copied { entries: None, bytes: 2, new_bytes: 2 }));
        assert_eq!((proven.word(), as_it_is.word(), as_it_is.is_there()), ("proven", "identical", true));
        note(state.path(), &there(&["a", "b"]), "b", "offsite", proven.clone()).unwrap();
        assert_eq!(read(state.path()).unwrap()["a"]["offsite"], proven);
        note(state.path(), &there(&["b"]), "b", "vault", proven).unwrap();
        let copies = read(state.path()).unwrap();
        assert_eq!(copies.keys().collect::<Vec<_>>(), ["b"]);
        assert_eq!(copies["b"].keys().collect::<Vec<_>>(), ["offsite", "vault"]);
        std::fs::write(file(state.path()), "no json").unwrap();
        assert!(read(state.path()).is_err());
    }
}

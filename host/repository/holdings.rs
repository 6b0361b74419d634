//! What a draft holds of one step, as lists of expectations ask for it, and of each part, as the record says it.

use std::collections::HashMap;

use super::{Draft, Error, Held, Kind, zip::awkward_name};
use crate::{name::RawPath, snapshot::expected::Holdings};

/// The files of one step in a draft.
pub struct StepHoldings<'a> {
    draft: &'a dyn Draft,
    step: RawPath,
}

impl<'a> StepHoldings<'a> {
    /// Those of `step`, a single name.
    pub fn new(draft: &'a dyn Draft, step: RawPath) -> Self {
        Self { draft, step }
    }
}

impl Holdings for StepHoldings<'_> {
    type Error = Error;

    fn find(&self, path: &RawPath) -> Result<Option<u64>, Error> {
        Ok(self.draft.find(&self.step.join(path))?.and_then(|held| file_size(&held)))
    }

    fn each_in(&self, part: &RawPath, visit: &mut dyn FnMut(&RawPath, u64)) -> Result<(), Error> {
        self.draft.each(&self.step.join(part), &mut |path, held| {
            if let (Some(path), Some(size)) = (path.below(&self.step), file_size(held)) {
                visit(&path, size);
            }
            true
        })
    }
}

fn file_size(held: &Held) -> Option<u64> {
    (held.kind == Kind::File).then_some(held.size)
}

/// What a draft holds of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartHeld {
    /// Whatever has a path.
    pub entries: u64,
    /// Regular files among them.
    pub files: u64,
    /// Bytes of their content.
    pub bytes: u64,
    /// Entries whose names plain `unzip` does not bring back.
    pub awkward: u64,
}

/// What a draft holds below each `step/part`, in one look over all of it: a run may have thousands of parts.
///
/// # Errors
/// When the draft cannot be read back.
pub fn held_by_part(draft: &dyn Draft) -> Result<HashMap<RawPath, PartHeld>, Error> {
    let mut parts: HashMap<RawPath, PartHeld> = HashMap::new();
    draft.each(&RawPath::root(), &mut |path, held| {
        let part = parts.entry(path.leading(2)).or_default();
        part.entries += 1;
        part.files += u64::from(held.kind == Kind::File);
        part.bytes += held.size;
        part.awkward += u64::from(awkward_name(path));
        true
    })?;
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        repository::{Meta, Pass, Repository, conformance::path, zip::ZipRepository},
        snapshot::expected,
    };

    #[test]
    fn a_list_is_checked_against_the_files_of_its_own_step() {
        let directory = tempfile::tempdir().unwrap();
        let draft = ZipRepository::new(directory.path()).draft("01", "wiki", "2026-11-21T13:00:00Z").unwrap();
        for name in ["one/files/deep/a", "two/files/b"] {
            draft.put(&path(name), &mut &b"12345"[..], &Meta::default(), None, Pass::InStage).unwrap();
        }
        let list = b"[\"a\", \"5\", \"files/*/a\"]\n[\"a\", \"5\", \"files/deep/a\"]\n[\"b\", \"5\", \"files/b\"]\n[\"d\", null, \"files/deep\"]";
        let met = expected::check(|| Ok(&list[..]), &StepHoldings::new(&*draft, path("one"))).unwrap();
        assert_eq!((met.lines, met.met), (4, 2));
        assert_eq!(met.missing, ["b: files/b is not in the snapshot", "d: files/deep is not in the snapshot"]);
    }

    #[test]
    fn what_is_held_is_told_apart_by_part() {
        let directory = tempfile::tempdir().unwrap();
        let draft = ZipRepository::new(directory.path()).draft("01", "wiki", "2026-11-21T13:00:00Z").unwrap();
        for name in ["one/files/deep/a", "one/files/b\\x01", "one/filesystem/c", "two/files/d"] {
            draft.put(&path(name), &mut &b"12345"[..], &Meta::default(), None, Pass::InStage).unwrap();
        }
        draft.put_plain(&path("one/files"), &Kind::Directory, &Meta::default(), Pass::InStage).unwrap();
        let held = held_by_part(&*draft).unwrap();
        assert_eq!(held[&path("one/files")], PartHeld { entries: 3, files: 2, bytes: 10, awkward: 1 });
        assert_eq!(held[&path("one/filesystem")], PartHeld { entries: 1, files: 1, bytes: 5, awkward: 0 });
        assert_eq!(held.len(), 3);
    }
}

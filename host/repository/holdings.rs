//! What a draft holds of one step, as lists of expectations ask for it.

use super::{Draft, Error, Held, Kind};
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
}

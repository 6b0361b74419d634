//! What outlives a run, below the state directory: checkpoints of parts, values for the next run, and a restore's own
//! list of what it made.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, BufRead, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Mutex,
};

use serde::{Deserialize, Serialize};

use super::{board::lock, event::PartName};
use crate::name::RawPath;

/// Checkpoints and values kept from run to run.
pub(crate) struct Kept {
    directory: PathBuf,
    /// Values set in this run: they count only if it completes.
    next: Mutex<BTreeMap<(String, String), Vec<u8>>>,
}

/// Most bytes of one checkpoint or value.
pub(crate) const VALUE_BYTES_MAX: usize = 4 << 20;
/// Most values that one run may set: they are in memory until it has ended.
pub(crate) const VALUES_MAX: usize = 1000;
/// Most bytes of them together, keys included.
pub(crate) const VALUES_BYTES_MAX: usize = 32 << 20;

impl Kept {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, next: Mutex::default() }
    }

    fn checkpoint_path(&self, operation: &str, part: &PartName) -> PathBuf {
        self.directory.join("checkpoints").join(format!("{operation}.{}.{}", part.step, hex(part.part.as_bytes())))
    }

    pub(crate) fn checkpoint(&self, operation: &str, part: &PartName, value: &[u8]) -> io::Result<()> {
        write_atomically(&self.checkpoint_path(operation, part), value)
    }

    pub(crate) fn last_checkpoint(&self, operation: &str, part: &PartName) -> Option<Vec<u8>> {
        std::fs::read(self.checkpoint_path(operation, part)).ok()
    }

    pub(crate) fn forget_checkpoint(&self, operation: &str, part: &PartName) {
        let _ = std::fs::remove_file(self.checkpoint_path(operation, part));
    }

    fn value_path(&self, step: &str, key: &str) -> PathBuf {
        self.directory.join("values").join(format!("{step}.{}", hex(key.as_bytes())))
    }

    /// A value of the last complete run.
    pub(crate) fn value(&self, step: &str, key: &str) -> io::Result<Option<Vec<u8>>> {
        match std::fs::read(self.value_path(step, key)) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets a value; false when the run would keep too many.
    pub(crate) fn set_value(&self, step: &str, key: &str, value: &[u8]) -> bool {
        let (mut next, name) = (lock(&self.next), (step.to_owned(), key.to_owned()));
        let others = next.iter().filter(|(other, _)| **other != name);
        let size = |((_, key), value): (&(String, String), &Vec<u8>)| key.len() + value.len();
        let (count, bytes) = others.fold((0, 0), |(count, sum), entry| (count + 1, sum + size(entry)));
        let fits = count < VALUES_MAX && bytes + key.len() + value.len() <= VALUES_BYTES_MAX;
        if fits {
            next.insert(name, value.to_vec());
        }
        fits
    }

    /// The run is complete: its values are what the next one sees.
    pub(crate) fn commit(&self) -> io::Result<()> {
        std::mem::take(&mut *lock(&self.next))
            .into_iter()
            .try_for_each(|((step, key), value)| write_atomically(&self.value_path(&step, &key), &value))
    }
}

/// What runs and restores that did not end left to go on from, for people; nothing where there is no state yet.
pub(crate) fn left(state: &Path) -> io::Result<Vec<String>> {
    let names = |directory: PathBuf| -> io::Result<Vec<String>> {
        match std::fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            entries => entries?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect(),
        }
    };
    let mut left: Vec<_> = names(state.join("checkpoints"))?
        .iter()
        .filter_map(|name| {
            let mut words = name.splitn(3, '.');
            Some(format!("a checkpoint of a {} of step {}", words.next()?, words.next()?))
        })
        .collect();
    left.extend(names(state.to_owned())?.iter().filter_map(|name| {
        let snapshot = name.strip_prefix("restore-")?.strip_suffix(".ndjson")?;
        Some(format!("an interrupted restore of snapshot {snapshot}"))
    }));
    left.sort();
    Ok(left)
}

/// Keys are a plugin's own words: in a file name they stand as hex.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a small file so that a crash leaves the old content or the new.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    let mut temporary = tempfile::NamedTempFile::new_in(parent)?;
    temporary.write_all(content)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    File::open(parent)?.sync_all()
}

/// A restore's journal: for each part what it made, before it is made, and that it ended.
pub(crate) struct RestoreJournal {
    file: Mutex<File>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    /// A path below a grant's directory will be made.
    Made { step: String, part: String, grant: String, path: String },
    /// The part ended well.
    Done { step: String, part: String },
}

/// What a restore of the same snapshot left when it was interrupted.
#[derive(Default)]
pub(crate) struct Interrupted {
    /// Parts that ended well.
    pub(crate) done: Vec<PartName>,
    /// What unfinished parts made, in the order of making: grant and path.
    pub(crate) made: Vec<(PartName, String, RawPath)>,
}

impl RestoreJournal {
    /// What an earlier attempt to restore `snapshot` left; none when there was none, or it ended.
    pub(crate) fn peek(state: &Path, snapshot: &str) -> io::Result<Option<Interrupted>> {
        match File::open(Self::path(state, snapshot)) {
            Ok(file) => read_lines(file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens the journal of restoring `snapshot`, to go on with it.
    pub(crate) fn open(state: &Path, snapshot: &str) -> io::Result<Self> {
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(Self::path(state, snapshot))?;
        // A line that an earlier attempt left half written must not swallow the first of this one.
        file.write_all(b"\n")?;
        Ok(Self { file: Mutex::new(file) })
    }

    /// Everything was restored: nothing is left to go on with.
    pub(crate) fn forget(state: &Path, snapshot: &str) -> io::Result<()> {
        std::fs::remove_file(Self::path(state, snapshot))
    }

    fn path(state: &Path, snapshot: &str) -> PathBuf {
        state.join(format!("restore-{snapshot}.ndjson"))
    }

    pub(crate) fn made(&self, part: &PartName, grant: &str, path: &RawPath) -> io::Result<()> {
        self.append(&Line::Made {
            step: part.step.clone(),
            part: part.part.clone(),
            grant: grant.to_owned(),
            path: path.to_text(),
        })
    }

    pub(crate) fn done(&self, part: &PartName) -> io::Result<()> {
        self.append(&Line::Done { step: part.step.clone(), part: part.part.clone() })?;
        lock(&self.file).sync_data()
    }

    /// Lines are not synced one by one: after a power cut a file may stand that the journal does not list, and the
    /// next attempt then refuses to touch it.
    fn append(&self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        lock(&self.file).write_all(&text)
    }
}

fn read_lines(file: File) -> io::Result<Interrupted> {
    let mut left = Interrupted::default();
    for line in io::BufReader::new(file).lines() {
        // A line may be cut, where the process died while it wrote it: what it would have named was not made.
        match serde_json::from_str(&line?) {
            Ok(Line::Made { step, part, grant, path }) => {
                if let Ok(path) = RawPath::from_text(&path) {
                    left.made.push((PartName::new(step, part), grant, path));
                }
            }
            Ok(Line::Done { step, part }) => left.done.push(PartName::new(step, part)),
            Err(_) => {}
        }
    }
    left.made.retain(|(part, _, _)| !left.done.contains(part));
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_count_only_after_a_complete_run() {
        let state = tempfile::tempdir().unwrap();
        let kept = Kept::new(state.path().into());
        assert!(kept.set_value("wiki", "token/1", b"new"));
        assert_eq!(kept.value("wiki", "token/1").unwrap(), None);
        kept.commit().unwrap();
        assert_eq!(Kept::new(state.path().into()).value("wiki", "token/1").unwrap().as_deref(), Some(&b"new"[..]));
    }

    #[test]
    fn a_checkpoint_is_found_by_the_next_attempt_of_the_same_part_only() {
        let state = tempfile::tempdir().unwrap();
        let kept = Kept::new(state.path().into());
        let part = PartName::new("wiki", "database");
        kept.checkpoint("restore", &part, b"half way").unwrap();
        assert_eq!(kept.last_checkpoint("restore", &part).as_deref(), Some(&b"half way"[..]));
        assert_eq!(kept.last_checkpoint("restore", &PartName::new("wiki", "home")), None);
        kept.forget_checkpoint("restore", &part);
        assert_eq!(kept.last_checkpoint("restore", &part), None);
    }

    #[test]
    fn what_was_left_is_named_and_nothing_else() {
        let state = tempfile::tempdir().unwrap();
        assert!(left(&state.path().join("none")).unwrap().is_empty());
        std::fs::write(state.path().join("lock"), "").unwrap();
        Kept::new(state.path().into()).checkpoint("backup", &PartName::new("wiki", "database"), b"x").unwrap();
        RestoreJournal::open(state.path(), "0011").unwrap();
        let expected = ["a checkpoint of a backup of step wiki", "an interrupted restore of snapshot 0011"];
        assert_eq!(left(state.path()).unwrap(), expected);
    }

    #[test]
    fn an_interrupted_restore_knows_what_its_unfinished_parts_made() {
        let state = tempfile::tempdir().unwrap();
        let (done, open) = (PartName::new("wiki", "install"), PartName::new("wiki", "home"));
        let path = RawPath::from_text("a/b").unwrap();
        assert!(RestoreJournal::peek(state.path(), "0011").unwrap().is_none());
        let journal = RestoreJournal::open(state.path(), "0011").unwrap();
        journal.made(&done, "install", &path).unwrap();
        journal.done(&done).unwrap();
        journal.made(&open, "home", &path).unwrap();
        lock(&journal.file).write_all(b"{\"made\":{\"st").unwrap();
        drop(journal);
        let before = RestoreJournal::peek(state.path(), "0011").unwrap().unwrap();
        assert_eq!(before.done, [done]);
        assert_eq!(before.made, [(open, "home".to_owned(), path)]);
        RestoreJournal::forget(state.path(), "0011").unwrap();
        assert!(RestoreJournal::peek(state.path(), "0011").unwrap().is_none());
    }
}

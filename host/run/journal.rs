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
use crate::{digest::Digest, name::RawPath};

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

    /// `attempt` is what is being attempted: a backup, or the restore of one snapshot.
    fn checkpoint_path(&self, attempt: &str, part: &PartName) -> PathBuf {
        self.directory.join("checkpoints").join(format!("{attempt}.{}.{}", part.step, hex(part.part.as_bytes())))
    }

    pub(crate) fn checkpoint(&self, attempt: &str, part: &PartName, checkpoint: &Checkpoint) -> io::Result<()> {
        let bytes = [&checkpoint.made.to_le_bytes()[..], &checkpoint.value].concat();
        write_atomically(&self.checkpoint_path(attempt, part), &bytes)
    }

    pub(crate) fn last_checkpoint(&self, attempt: &str, part: &PartName) -> Option<Checkpoint> {
        let bytes = std::fs::read(self.checkpoint_path(attempt, part)).ok()?;
        let (made, value) = bytes.split_first_chunk()?;
        Some(Checkpoint { made: u64::from_le_bytes(*made), value: value.to_vec() })
    }

    /// The part has ended well. A checkpoint that stays would be taken for that of a later attempt.
    pub(crate) fn forget_checkpoint(&self, attempt: &str, part: &PartName) -> io::Result<()> {
        let path = self.checkpoint_path(attempt, part);
        // Most parts leave none, and the directory may be one that this run cannot write to.
        if matches!(path.try_exists(), Ok(false)) {
            return Ok(());
        }
        let removed = match std::fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            // Else it could be back after a power cut.
            removed => removed.and_then(|()| File::open(self.directory.join("checkpoints"))?.sync_all()),
        };
        removed.map_err(|error| {
            io::Error::new(error.kind(), format!("its checkpoint {} could not be removed: {error}", path.display()))
        })
    }

    fn values(&self) -> PathBuf {
        self.directory.join("values")
    }

    /// Which values count: by `step.KEY`, the key in hex, the digest under which each lies beside the index.
    fn index(&self) -> io::Result<BTreeMap<String, Digest>> {
        match std::fs::read(self.values().join(INDEX)) {
            Ok(index) => Ok(serde_json::from_slice(&index)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(error),
        }
    }

    /// A value of the last complete run.
    pub(crate) fn value(&self, step: &str, key: &str) -> io::Result<Option<Vec<u8>>> {
        let index = self.index()?;
        let digest = index.get(&value_name(step, key));
        digest.map(|digest| std::fs::read(self.values().join(digest.to_string()))).transpose()
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

    /// The run is complete: its values are what the next one sees, all of them or, if this is cut short, none.
    pub(crate) fn commit(&self) -> io::Result<()> {
        let next = std::mem::take(&mut *lock(&self.next));
        if next.is_empty() {
            return Ok(());
        }
        let mut index = self.index()?;
        for ((step, key), value) in next {
            let digest = Digest::of(&value);
            let path = self.values().join(digest.to_string());
            if !path.is_file() {
                write_atomically(&path, &value)?;
            }
            index.insert(value_name(&step, &key), digest);
        }
        write_atomically(&self.values().join(INDEX), &serde_json::to_vec_pretty(&index)?)?;
        self.remove_old_values(&index)
    }

    fn remove_old_values(&self, index: &BTreeMap<String, Digest>) -> io::Result<()> {
        let needed: Vec<_> = index.values().map(Digest::to_string).collect();
        for entry in std::fs::read_dir(self.values())? {
            let entry = entry?;
            let name = entry.file_name();
            if name != INDEX && !needed.iter().any(|needed| name == needed.as_str()) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// The file that says which values count.
const INDEX: &str = "index.json";

fn value_name(step: &str, key: &str) -> String {
    format!("{step}.{}", hex(key.as_bytes()))
}

/// How far a part has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// In a restore: the length of its journal. What stands in it before was made when the plugin came this far, and
    /// is not undone: the plugin goes on from here.
    pub(crate) made: u64,
    /// The plugin's own words.
    pub(crate) value: Vec<u8>,
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
    let holds = names(state.join("holds"))?.iter().filter(|name| name.ends_with(".json")).count();
    if holds > 0 {
        left.push(format!("{holds} of the holds that a run took: `strongroom recover`"));
    }
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
    if !parent.is_dir() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        parent.parent().map_or(Ok(()), |above| File::open(above)?.sync_all())?;
    }
    let mut temporary = tempfile::NamedTempFile::new_in(parent)?;
    temporary.write_all(content)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    File::open(parent)?.sync_all()
}

/// Removes what a process that died had begun to write below a state directory, and checkpoints of restores that are
/// over. Call it under its lock only.
pub(crate) fn sweep(state: &Path) -> io::Result<()> {
    for directory in ["", "checkpoints", "values", "holds", "holds/needed"] {
        let entries = match std::fs::read_dir(state.join(directory)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // So `tempfile` names what is not finished.
            if !name.starts_with(".tmp") && !is_of_an_ended_restore(state, &name) {
                continue;
            }
            match entry.file_type()?.is_dir() {
                true => std::fs::remove_dir_all(entry.path())?,
                false => std::fs::remove_file(entry.path())?,
            }
        }
    }
    Ok(())
}

/// Whether a checkpoint of that name belongs to a restore whose journal is gone: it could not be removed then.
fn is_of_an_ended_restore(state: &Path, name: &str) -> bool {
    let attempt = name.split_once('.').map(|(attempt, _)| attempt).filter(|attempt| attempt.starts_with("restore-"));
    let is_over = |attempt: &str| matches!(state.join(format!("{attempt}.ndjson")).try_exists(), Ok(false));
    attempt.is_some_and(|attempt| !name.ends_with(".ndjson") && is_over(attempt))
}

/// A restore's journal: for each part what it made, before it is made, and that it ended.
pub(crate) struct RestoreJournal {
    /// The snapshot that is restored.
    pub(crate) snapshot: String,
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
    /// What unfinished parts made, in the order of making.
    pub(crate) made: Vec<Made>,
}

/// An entry that an unfinished part made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Made {
    /// Whose it is.
    pub(crate) part: PartName,
    /// The grant below which it lies.
    pub(crate) grant: String,
    /// Where it lies there.
    pub(crate) path: RawPath,
    /// Where the journal says so.
    pub(crate) at: u64,
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
        Ok(Self { snapshot: snapshot.to_owned(), file: Mutex::new(file) })
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

    /// Its length, once all of it is on disk.
    pub(crate) fn length(&self) -> io::Result<u64> {
        let file = lock(&self.file);
        file.sync_data()?;
        Ok(file.metadata()?.len())
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
    let mut next = 0;
    for line in io::BufReader::new(file).split(b'\n') {
        let line = line?;
        let at = next;
        next += line.len() as u64 + 1;
        // A line may be cut, where the process died while it wrote it: what it would have named was not made.
        match serde_json::from_slice(&line) {
            Ok(Line::Made { step, part, grant, path }) => {
                if let Ok(path) = RawPath::from_text(&path) {
                    left.made.push(Made { part: PartName::new(step, part), grant, path, at });
                }
            }
            Ok(Line::Done { step, part }) => left.done.push(PartName::new(step, part)),
            Err(_) => {}
        }
    }
    left.made.retain(|made| !left.done.contains(&made.part));
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
    fn values_of_a_run_count_together_or_not_at_all() {
        let state = tempfile::tempdir().unwrap();
        let run = |first: &[u8], second: &[u8]| {
            let kept = Kept::new(state.path().into());
            kept.set_value("wiki", "first", first);
            kept.set_value("wiki", "second", second);
            kept.commit()
        };
        let values =
            || ["first", "second"].map(|key| Kept::new(state.path().into()).value("wiki", key).unwrap().unwrap());
        run(b"old 1", b"old 2").unwrap();
        // The second value cannot be written: what it is to replace is a directory.
        std::fs::create_dir(state.path().join("values").join(Digest::of(b"new 2").to_string())).unwrap();
        std::fs::write(state.path().join("values/.tmp-left"), "half").unwrap();
        let _ = run(b"new 1", b"new 2").unwrap_err();
        assert_eq!(values(), [b"old 1", b"old 2"]);
    }

    #[test]
    fn what_was_half_written_is_swept_away_and_nothing_else() {
        let state = tempfile::tempdir().unwrap();
        let kept = Kept::new(state.path().into());
        kept.checkpoint("backup", &PartName::new("wiki", "a"), &Checkpoint::default()).unwrap();
        std::fs::write(state.path().join("checkpoints/.tmpAb1"), "half").unwrap();
        std::fs::create_dir_all(state.path().join(".tmpdir/below")).unwrap();
        sweep(state.path()).unwrap();
        let left = |name: &str| std::fs::read_dir(state.path().join(name)).unwrap().count();
        assert_eq!((left("checkpoints"), left("")), (1, 1));
    }

    #[test]
    fn a_checkpoint_is_found_by_the_next_attempt_of_the_same_part_only() {
        let state = tempfile::tempdir().unwrap();
        let kept = Kept::new(state.path().into());
        let part = PartName::new("wiki", "database");
        let checkpoint = Checkpoint { made: 77, value: b"half way".to_vec() };
        kept.checkpoint("restore-0011", &part, &checkpoint).unwrap();
        assert_eq!(kept.last_checkpoint("restore-0011", &part), Some(checkpoint));
        assert_eq!(kept.last_checkpoint("restore-0011", &PartName::new("wiki", "home")), None);
        assert_eq!(kept.last_checkpoint("restore-2233", &part), None, "another snapshot is another attempt");
        kept.forget_checkpoint("restore-0011", &part).unwrap();
        assert_eq!(kept.last_checkpoint("restore-0011", &part), None);
        kept.forget_checkpoint("restore-0011", &part).unwrap();
    }

    #[test]
    fn a_checkpoint_that_cannot_be_removed_is_named() {
        let state = tempfile::tempdir().unwrap();
        let (kept, part) = (Kept::new(state.path().into()), PartName::new("wiki", "database"));
        // As a file system does that fails: what is to be removed cannot be.
        let path = kept.checkpoint_path("backup", &part);
        std::fs::create_dir_all(&path).unwrap();
        let error = kept.forget_checkpoint("backup", &part).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
    }

    #[test]
    fn a_checkpoint_goes_with_the_journal_of_its_restore() {
        let state = tempfile::tempdir().unwrap();
        let (kept, part) = (Kept::new(state.path().into()), PartName::new("wiki", "home"));
        RestoreJournal::open(state.path(), "0011").unwrap();
        for attempt in ["backup", "restore-0011", "restore-2233"] {
            kept.checkpoint(attempt, &part, &Checkpoint::default()).unwrap();
        }
        sweep(state.path()).unwrap();
        let there =
            ["backup", "restore-0011", "restore-2233"].map(|attempt| kept.last_checkpoint(attempt, &part).is_some());
        assert_eq!(there, [true, true, false]);
        assert!(RestoreJournal::peek(state.path(), "0011").unwrap().is_some());
    }

    #[test]
    fn what_was_left_is_named_and_nothing_else() {
        let state = tempfile::tempdir().unwrap();
        assert!(left(&state.path().join("none")).unwrap().is_empty());
        std::fs::write(state.path().join("lock"), "").unwrap();
        Kept::new(state.path().into())
            .checkpoint("backup", &PartName::new("wiki", "database"), &Checkpoint::default())
            .unwrap();
        RestoreJournal::open(state.path(), "0011").unwrap();
        std::fs::create_dir(state.path().join("holds")).unwrap();
        std::fs::write(state.path().join("holds/000.json"), "{}").unwrap();
        let expected = [
            "1 of the holds that a run took: `strongroom recover`",
            "a checkpoint of a backup of step wiki",
            "an interrupted restore of snapshot 0011",
        ];
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
        let length = journal.length().unwrap();
        lock(&journal.file).write_all(b"{\"made\":{\"st").unwrap();
        drop(journal);
        let before = RestoreJournal::peek(state.path(), "0011").unwrap().unwrap();
        assert_eq!(before.done, [done]);
        let [made] = &before.made[..] else { panic!("{:?}", before.made) };
        assert_eq!((&made.part, made.grant.as_str(), &made.path), (&open, "home", &path));
        assert!(made.at > 0 && made.at < length, "{} {length}", made.at);
        RestoreJournal::forget(state.path(), "0011").unwrap();
        assert!(RestoreJournal::peek(state.path(), "0011").unwrap().is_none());
    }
}

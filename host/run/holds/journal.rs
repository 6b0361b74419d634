//! Holds on disk, in `holds/` of the state directory: a document each, and what their releases need.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    run::{event::PartName, journal::write_atomically, locks::Holder},
    sandbox::ledger::Scope,
};

/// The version of what [`Hold`] is written as.
const VERSION: u32 = 1;

/// A hold as the journal has it. Secrets are not in it: the pipeline names where they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hold {
    version: u32,
    /// Holds of one state directory are numbered in the order of taking.
    pub number: u64,
    /// The run that took it: the id of the snapshot that it wrote or restored.
    pub run: String,
    /// The step.
    pub step: String,
    /// The part that took it.
    pub part: String,
    /// The plugin's name for it.
    pub name: String,
    /// When it ends by itself.
    pub scope: Scope,
    /// When it was taken, RFC 3339.
    pub taken: String,
    /// When it must have been released, RFC 3339.
    pub deadline: String,
    /// What the plugin calls itself.
    pub plugin: String,
    /// The component that releases it.
    pub component: Digest,
    /// The pipeline file that granted what it needs.
    pub pipeline: PathBuf,
    /// That file's text as it was: configuration, grants and limits of the release.
    pub pipeline_text: Digest,
    /// What the plugin left for the release, in hex.
    data: String,
    /// Why it could not be released when that was last tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl Hold {
    pub(super) fn new(owner: &PartName, name: &str, data: &[u8], scope: Scope, made_by: &MadeBy<'_>) -> Self {
        Self {
            version: VERSION,
            number: 0,
            run: made_by.run.to_owned(),
            step: owner.step.clone(),
            part: owner.part.clone(),
            name: name.to_owned(),
            scope,
            taken: crate::run::board::now(),
            deadline: String::new(),
            plugin: made_by.plugin.to_owned(),
            component: made_by.component,
            pipeline: made_by.pipeline.to_owned(),
            pipeline_text: made_by.pipeline_text,
            data: data.iter().map(|byte| format!("{byte:02x}")).collect(),
            failed: None,
        }
    }

    /// The part that took it.
    pub fn owner(&self) -> PartName {
        PartName::new(&self.step, &self.part)
    }

    /// What the plugin left for the release.
    ///
    /// # Errors
    /// When it is no hex: the document was changed by somebody else.
    pub(super) fn data(&self) -> Result<Vec<u8>, String> {
        let byte = |at: usize| u8::from_str_radix(self.data.get(at..at + 2)?, 16).ok();
        let bytes: Option<_> = (0..self.data.len()).step_by(2).map(byte).collect();
        bytes.ok_or_else(|| "its data are damaged".to_owned())
    }
}

/// What the holds of one step of one run have in common.
pub(super) struct MadeBy<'a> {
    pub(super) run: &'a str,
    pub(super) plugin: &'a str,
    pub(super) component: Digest,
    pub(super) pipeline: &'a Path,
    pub(super) pipeline_text: Digest,
}

/// The holds that stand in a state directory.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// In the order of taking.
    pub holds: Vec<Hold>,
    /// Documents that cannot be read, each with the reason.
    pub unreadable: Vec<String>,
    /// The run of the pipeline that is going on: its holds stand as they should.
    pub going: Option<Holder>,
}

impl Standing {
    /// Why a hold still stands.
    pub fn why(&self, hold: &Hold) -> String {
        match (&hold.failed, &self.going) {
            (Some(why), _) => format!("could not be released: {}", why.lines().next().unwrap_or_default()),
            (None, Some(holder)) => format!("a run is going on: {holder}"),
            (None, None) => "its run died".to_owned(),
        }
    }
}

/// The directory `holds/`.
pub(super) struct Journal {
    directory: PathBuf,
}

impl Journal {
    pub(super) fn of(state: &Path) -> Self {
        Self { directory: state.join("holds") }
    }

    fn document(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{number:012}.json"))
    }

    fn beside(&self, digest: &Digest) -> PathBuf {
        self.directory.join("needed").join(digest.to_string())
    }

    /// All that stand.
    pub(super) fn read(&self) -> io::Result<Standing> {
        let mut standing = Standing::default();
        for path in files(&self.directory)? {
            if path.extension().is_none_or(|ending| ending != "json") {
                continue;
            }
            let parsed = std::fs::read(&path).and_then(|bytes| Ok(serde_json::from_slice::<Hold>(&bytes)?));
            match parsed {
                Ok(hold) if hold.version <= VERSION => standing.holds.push(hold),
                Ok(_) => standing.unreadable.push(format!("{}: written by a newer strongroom", path.display())),
                Err(error) => standing.unreadable.push(format!("{}: {error}", path.display())),
            }
        }
        standing.holds.sort_by_key(|hold| hold.number);
        Ok(standing)
    }

    /// On disk when it returns.
    pub(super) fn write(&self, hold: &Hold) -> io::Result<()> {
        write_atomically(&self.document(hold.number), &serde_json::to_vec_pretty(hold)?)
    }

    /// Gone from the disk when it returns.
    pub(super) fn remove(&self, hold: &Hold) -> io::Result<()> {
        std::fs::remove_file(self.document(hold.number))?;
        File::open(&self.directory)?.sync_all()
    }

    /// Keeps what releases will need: on disk when it returns.
    pub(super) fn keep(&self, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        if self.kept(digest).is_ok() { Ok(()) } else { write_atomically(&self.beside(digest), bytes) }
    }

    /// What was kept, if it is still what it was.
    pub(super) fn kept(&self, digest: &Digest) -> io::Result<Vec<u8>> {
        let path = self.beside(digest);
        let bytes = std::fs::read(&path)
            .map_err(|error| io::Error::new(error.kind(), format!("reading {}: {error}", path.display())))?;
        match Digest::of(&bytes) == *digest {
            true => Ok(bytes),
            false => Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is damaged", path.display()))),
        }
    }

    /// Removes what no hold that stands needs any more. Call it under the pipeline's lock only.
    pub(super) fn tidy(&self) -> io::Result<()> {
        let standing = self.read()?;
        if !standing.unreadable.is_empty() {
            return Ok(());
        }
        let needed: BTreeSet<_> = standing.holds.iter().flat_map(|hold| [hold.component, hold.pipeline_text]).collect();
        let needed: BTreeSet<_> = needed.iter().map(|digest| self.beside(digest)).collect();
        files(&self.directory.join("needed"))?
            .iter()
            .filter(|path| !needed.contains(*path))
            .try_for_each(std::fs::remove_file)
    }
}

/// The files directly in a directory; none where there is no such directory.
fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        // By the listing, not by a look at each: what cannot be looked at must not be passed over.
        if !entry.file_type()?.is_dir() {
            files.push(entry.path());
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(number: u64, data: &[u8]) -> Hold {
        let made_by = MadeBy {
            run: "0011",
            plugin: "scripted",
            component: Digest::of(b"component"),
            pipeline: Path::new("/etc/strongroom/wiki.toml"),
            pipeline_text: Digest::of(b"text"),
        };
        let owner = PartName::new("wiki", "database");
        Hold { number, ..Hold::new(&owner, "maintenance", data, Scope::Run, &made_by) }
    }

    #[test]
    fn a_hold_is_read_as_it_was_written() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::of(state.path());
        let (first, second) = (hold(1, b"\0\xff data"), hold(2, b""));
        journal.write(&second).unwrap();
        journal.write(&first).unwrap();
        let read = journal.read().unwrap().holds;
        assert_eq!(read, [first.clone(), second.clone()], "in the order of taking");
        assert_eq!(read[0].data().unwrap(), b"\0\xff data");
        journal.remove(&first).unwrap();
        assert_eq!(journal.read().unwrap().holds, [second]);
        assert!(Hold { data: "0g".into(), ..first.clone() }.data().is_err());
        assert!(Hold { data: "012".into(), ..first }.data().is_err());
    }

    #[test]
    fn what_a_release_needs_is_kept_until_no_hold_needs_it() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::of(state.path());
        journal.keep(&Digest::of(b"component"), b"component").unwrap();
        journal.keep(&Digest::of(b"other"), b"other").unwrap();
        journal.write(&hold(1, b"")).unwrap();
        journal.tidy().unwrap();
        assert_eq!(journal.kept(&Digest::of(b"component")).unwrap(), b"component");
        assert!(journal.kept(&Digest::of(b"other")).is_err());
        std::fs::write(journal.beside(&Digest::of(b"component")), "changed").unwrap();
        assert!(journal.kept(&Digest::of(b"component")).unwrap_err().to_string().contains("damaged"));
    }

    #[test]
    fn a_document_that_cannot_be_read_hides_no_other_and_nothing_is_tidied_away() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::of(state.path());
        journal.write(&hold(1, b"")).unwrap();
        journal.keep(&Digest::of(b"other"), b"other").unwrap();
        std::fs::write(journal.document(2), "{").unwrap();
        // Its name is there, and nothing can be learned of it.
        std::os::unix::fs::symlink("nowhere", journal.document(3)).unwrap();
        let standing = journal.read().unwrap();
        assert_eq!((standing.holds.len(), standing.unreadable.len()), (1, 2));
        journal.tidy().unwrap();
        assert!(journal.kept(&Digest::of(b"other")).is_ok());
    }
}

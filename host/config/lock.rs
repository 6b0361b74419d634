//! `strongroom.lock`: which component may use which grants. A grant belongs to a digest, never to a name or a path.

use std::{
    collections::BTreeSet,
    fmt,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Config, Step, validate};
use crate::{
    config::LoadError,
    diagnostic::{Diagnostic, Problems},
    digest::Digest,
};

/// The file's name; it lies beside the pipeline file.
pub const FILE_NAME: &str = "strongroom.lock";
const VERSION: u32 = 1;
const HEADER: &str =
    "# written by strongroom; do not edit: `strongroom plugin accept` changes it after you have looked\n\n";

/// What the operator has accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    version: u32,
    #[serde(default, rename = "component")]
    entries: Vec<Entry>,
}

/// One step's component, and what it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Entry {
    /// The step that uses it.
    pub step: String,
    /// What the plugin calls itself.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// The component.
    pub sha256: Digest,
    /// Where it lay when it was accepted: a hint for people.
    pub file: PathBuf,
    /// The interfaces that it imports.
    #[serde(default)]
    pub imports: Vec<String>,
    /// What it asks for, one line each.
    #[serde(default)]
    pub needs: Vec<String>,
    /// The digest of all that it was granted.
    pub grants_sha256: Digest,
    /// The same for people, one line each; secrets by reference.
    #[serde(default)]
    pub grants: Vec<String>,
}

/// Why a step may not use its grants. Printed, it ends in the line to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The step has never been accepted.
    Absent {
        /// The step.
        step: String,
    },
    /// Another component was accepted.
    Digest {
        /// The step.
        step: String,
        /// What was accepted.
        locked: Digest,
        /// What is there.
        found: Digest,
    },
    /// Other grants were accepted.
    Grants {
        /// The step.
        step: String,
        /// Granted since.
        added: Vec<String>,
        /// No longer granted.
        removed: Vec<String>,
    },
}

impl Entry {
    /// What would be accepted for `step`, which runs the component `sha256` from `file`.
    pub fn new(step: &Step, plugin: (&str, &str), sha256: Digest, file: PathBuf) -> Self {
        Self {
            step: step.name.clone(),
            plugin: plugin.0.to_owned(),
            version: plugin.1.to_owned(),
            sha256,
            file,
            imports: Vec::new(),
            needs: Vec::new(),
            grants_sha256: step.grants.digest(),
            grants: step.grants.lines(),
        }
    }
}

impl Default for Lock {
    fn default() -> Self {
        Self { version: VERSION, entries: Vec::new() }
    }
}

impl Lock {
    /// The lock that belongs to a pipeline.
    pub fn path(config: &Config) -> PathBuf {
        config.directory().join(FILE_NAME)
    }

    /// Reads a lock; where there is no file, nothing has been accepted.
    ///
    /// # Errors
    /// When the file cannot be read, is no lock, or is of a later version.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        let text = match validate::read(path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(cause) => return Err(LoadError::Unreadable { path: path.to_owned(), cause }),
            Ok(text) => text,
        };
        let problem = |message: String, span, help: &str| {
            let problems = vec![Diagnostic { message, span, help: Some(help.to_owned()) }];
            LoadError::Problems(Problems { file: path.display().to_string(), text: text.clone(), problems })
        };
        let lock: Self = toml::from_str(&text).map_err(|error| {
            let help = "restore the file, or remove it and accept each plugin again";
            problem(error.message().to_owned(), error.span(), help)
        })?;
        if lock.version > VERSION {
            let message = format!("version {} of the lock is newer than this program", lock.version);
            return Err(problem(message, None, "use the strongroom that wrote it"));
        }
        Ok(lock)
    }

    /// Puts the lock in place in one step: a reader sees the old one or this one.
    ///
    /// # Errors
    /// What the system says; then the old one is still there.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let body = toml::to_string(self).map_err(io::Error::other)?;
        // Readable like the pipeline file: who runs the backup need not be who accepted the plugin.
        let permissions = std::fs::Permissions::from_mode(0o644);
        let mut file =
            tempfile::Builder::new().prefix(".strongroom.lock.").permissions(permissions).tempfile_in(parent)?;
        file.write_all(HEADER.as_bytes())?;
        file.write_all(body.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|failed| failed.error)?;
        std::fs::File::open(parent)?.sync_all()
    }

    /// Whether `step` may use its grants with the component `digest`.
    ///
    /// # Errors
    /// How the two differ.
    pub fn check(&self, step: &Step, digest: &Digest) -> Result<(), Mismatch> {
        let name = || step.name.clone();
        let entry = self.entry(&step.name).ok_or_else(|| Mismatch::Absent { step: name() })?;
        if entry.sha256 != *digest {
            return Err(Mismatch::Digest { step: name(), locked: entry.sha256, found: *digest });
        }
        if entry.grants_sha256 != step.grants.digest() {
            let (locked, asked) = (set(entry.grants.iter().cloned()), set(step.grants.lines()));
            let added = asked.difference(&locked).cloned().collect();
            return Err(Mismatch::Grants {
                step: name(),
                added,
                removed: locked.difference(&asked).cloned().collect(),
            });
        }
        Ok(())
    }

    /// Accepts a component with its grants, in place of what the step had before.
    pub fn accept(&mut self, entry: Entry) {
        self.entries.retain(|old| old.step != entry.step);
        self.entries.push(entry);
        self.entries.sort_by(|left, right| left.step.cmp(&right.step));
    }

    /// What was accepted for a step.
    pub fn entry(&self, step: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.step == step)
    }

    /// Everything that was accepted, by step.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether the component was accepted for any step.
    pub fn contains_digest(&self, digest: &Digest) -> bool {
        self.entries.iter().any(|entry| entry.sha256 == *digest)
    }
}

fn set(lines: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    lines.into_iter().collect()
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Absent { step } | Self::Digest { step, .. } | Self::Grants { step, .. }) = self;
        match self {
            Self::Absent { .. } => write!(f, "the plugin of step {step:?} is not in {FILE_NAME}")?,
            Self::Digest { locked, found, .. } => write!(
                f,
                "the plugin of step {step:?} is not the one that was accepted\n  accepted sha256:{locked}\n  found    sha256:{found}"
            )?,
            Self::Grants { added, removed, .. } => {
                write!(f, "the grants of step {step:?} are not those that were accepted")?;
                removed.iter().try_for_each(|line| write!(f, "\n  - {line}"))?;
                added.iter().try_for_each(|line| write!(f, "\n  + {line}"))?;
            }
        }
        write!(f, "\nlook at it, then run: strongroom plugin accept {step}")
    }
}

impl std::error::Error for Mismatch {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Access, DirGrant, Grants, Limits};

    fn step(path: &str) -> Step {
        let mut grants = Grants::default();
        grants.dirs.insert("home".to_owned(), DirGrant { path: path.into(), access: Access::Read });
        Step {
            name: "wiki".to_owned(),
            plugin: "wiki".to_owned(),
            after: Vec::new(),
            config: serde_json::Value::Null,
            grants,
            limits: Limits::default(),
        }
    }

    fn accepted(step: &Step, digest: Digest) -> Lock {
        let mut lock = Lock::default();
        let entry = Entry::new(step, ("wiki", "0.1.0"), digest, "plugins/wiki.wasm".into());
        lock.accept(Entry { imports: vec!["strongroom:plugin/dirs@0.1.0".to_owned()], ..entry });
        lock
    }

    #[test]
    fn a_lock_reads_what_it_wrote_and_leaves_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        assert_eq!(Lock::read(&path).unwrap(), Lock::default());
        let lock = accepted(&step("/srv/a"), Digest::of(b"one"));
        lock.write(&path).unwrap();
        lock.write(&path).unwrap();
        assert_eq!(Lock::read(&path).unwrap(), lock);
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("# written by strongroom; do not edit"));
    }

    #[test]
    fn only_the_accepted_component_may_use_only_the_accepted_grants() {
        let (before, one, two) = (step("/srv/a"), Digest::of(b"one"), Digest::of(b"two"));
        let mut lock = accepted(&before, one);
        assert_eq!(lock.check(&before, &one), Ok(()));
        assert_eq!(Lock::default().check(&before, &one), Err(Mismatch::Absent { step: "wiki".to_owned() }));
        let other = lock.check(&before, &two).unwrap_err();
        assert!(matches!(other, Mismatch::Digest { locked, found, .. } if (locked, found) == (one, two)));
        let after = step("/srv/b");
        insta::assert_snapshot!(lock.check(&after, &one).unwrap_err(), @r#"
        the grants of step "wiki" are not those that were accepted
          - dirs.home /srv/a, read
          + dirs.home /srv/b, read
        look at it, then run: strongroom plugin accept wiki
        "#);
        lock.accept(Entry::new(&after, ("wiki", "0.2.0"), two, "x.wasm".into()));
        assert_eq!(lock.check(&after, &two), Ok(()));
        assert!(lock.contains_digest(&two) && !lock.contains_digest(&one));
    }

    #[test]
    fn a_lock_that_is_none_or_of_a_later_version_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        for text in ["version = 1\n[[component]]\nstep = 3\n", "version = 2\n", "nonsense"] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(Lock::read(&path), Err(LoadError::Problems(_))), "{text}");
        }
        std::fs::write(&path, b"version = 1 # \xff").unwrap();
        assert!(matches!(Lock::read(&path), Err(LoadError::Unreadable { .. })));
    }
}

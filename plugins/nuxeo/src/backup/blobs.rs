//! Stores a blob store: every file that is named by the digest of what it holds is checked while it is read.

use strongroom_database::located::Located;
use strongroom_plugin::{
    Algorithm, Finding, Outcome, Part, Pass, Result, TreeOptions, TreeReport, context,
    dirs::{self, Dir, Kind},
    snapshot, streams, tree,
};

use super::note;
use crate::{
    conf::blobs::{ENCRYPTED_MAGIC, is_encrypted},
    hex::hex,
    inspect::setting,
    stores::{SETTING, Store, TEMPORARY, digest_pattern},
};

/// How many wrong blobs are findings of their own.
const NAMED_MAX: usize = 20;

pub(super) fn backup(part: &Part, pass: Pass) -> Result<Outcome> {
    let (store, at) = (Store::of(part)?, place(part)?);
    context::set_note(&note::store(&part.name), part.expect_setting(SETTING)?)?;
    let dir = dirs::get(&at.grant)?;
    if !at.path.is_empty() && dir.find(&at.path)?.is_none_or(|stat| stat.kind != Kind::Directory) {
        tree::noted(part, 0)?;
        let message = format!("there is no directory {at}: nothing was stored in it so far");
        let finding = Finding::warning("blobs-absent", &part.name, message);
        return Ok(Outcome::new("no directory of blobs").receipt("entries", 0, 0).finding(finding));
    }
    Blobs { part: &part.name, store, dir, path: at.path }.store(part, pass)
}

pub(super) fn place(part: &Part) -> Result<Located> {
    Ok(Located::new(part.expect_setting(setting::GRANT)?, part.expect_setting(setting::PATH)?))
}

/// A blob store in a granted directory.
struct Blobs<'a> {
    /// The part's name.
    part: &'a str,
    /// How its files are named.
    store: Store,
    /// The granted directory.
    dir: Dir,
    /// The store below it.
    path: String,
}

/// What became of files whose names are not their digests.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wrong {
    /// Paths of those that are damaged.
    damaged: Vec<String>,
    /// How many are encrypted: their names say what they held before.
    encrypted: u64,
    /// There were more than could be looked at.
    more: bool,
}

impl Blobs<'_> {
    fn store(&self, part: &Part, pass: Pass) -> Result<Outcome> {
        let Some((digits, algorithm)) = self.store.digest() else {
            let report = self.put(&TreeOptions::default().excluding(TEMPORARY).tolerant())?;
            if pass == Pass::Ahead {
                return Ok(tree::outcome(&report));
            }
            tree::noted(part, report.stored)?;
            let message = "its files are named by documents and may change: only their presence can be proved";
            return Ok(tree::outcome(&report).finding(Finding::info("blobs-unchecked", self.part, message)));
        };
        let pattern = digest_pattern(digits);
        let mut named = TreeOptions::default().including([&pattern]).excluding(TEMPORARY).tolerant();
        named.name_digest = algorithm;
        let named = self.put(&named)?;
        let others = self.put(&TreeOptions::default().excluding([&pattern]).excluding(TEMPORARY).tolerant())?;
        tree::noted(part, named.files + others.stored)?;
        let of_files = |count: u64| count.saturating_sub(named.directories);
        let outcome = tree::outcome(&others).receipt("blobs", of_files(named.expected), of_files(named.stored));
        let (files, size) = (named.files + others.files, named.size + others.size);
        let outcome = Outcome { summary: format!("{files} files, {size} bytes"), ..outcome };
        match algorithm {
            Some(algorithm) => Ok(self.said(outcome, &named, &self.wrong(&named, algorithm, pass)?, pass)),
            None if pass == Pass::Ahead => Ok(outcome),
            None => Ok(outcome.finding(self.unchecked())),
        }
    }

    fn put(&self, options: &TreeOptions) -> Result<TreeReport> {
        snapshot::put_subtree("", &self.dir, &self.path, options)
    }

    fn unchecked(&self) -> Finding {
        let why = if self.store.encrypted { "they are encrypted" } else { "the host does not know their digest" };
        let message =
            format!("{why}: what the files hold cannot be compared with their names, only that they are there");
        Finding::info("blobs-unchecked", self.part, message)
    }

    /// Looks again at what was wrong in this pass or the one ahead, which reads most files and is the only one to do so.
    fn wrong(&self, report: &TreeReport, algorithm: Algorithm, pass: Pass) -> Result<Wrong> {
        let key = format!("wrong {}", self.part);
        let before = context::note(&key)?.unwrap_or_default();
        let mut paths: Vec<&str> = before.lines().collect();
        paths.extend(report.skipped.iter().map(|(path, _)| path.as_str()));
        paths.sort_unstable();
        paths.dedup();
        let more =
            report.skipped_count > report.skipped.len() as u64 || paths.first().is_some_and(|path| *path == MORE);
        if pass == Pass::Ahead {
            let mut noted = paths.join("\n");
            if more {
                noted = format!("{MORE}\n{noted}");
            }
            context::set_note(&key, &noted)?;
            return Ok(Wrong::default());
        }
        let mut wrong = Wrong { more, ..Wrong::default() };
        for path in paths.into_iter().filter(|path| *path != MORE) {
            match self.look(path, algorithm)? {
                Look::Right => {}
                Look::Encrypted => wrong.encrypted += 1,
                Look::Damaged => wrong.damaged.push(path.to_owned()),
            }
        }
        // A store whose every file is encrypted has more of them than a report names.
        wrong.more &= wrong.encrypted == 0 || !wrong.damaged.is_empty();
        Ok(wrong)
    }

    fn look(&self, path: &str, algorithm: Algorithm) -> Result<Look> {
        let below = if self.path.is_empty() { path.to_owned() } else { format!("{}/{path}", self.path) };
        let content = match self.dir.open(&below) {
            Ok(content) => content,
            // It is in the snapshot as it was. Whether the database needs it is told by its list.
            Err(error) if error.is_not_found() => return Ok(Look::Right),
            Err(error) => return Err(error),
        };
        if is_encrypted(&content.peek(ENCRYPTED_MAGIC.len() as u32)?) {
            return Ok(Look::Encrypted);
        }
        let (_, digest) = streams::digest(algorithm, content)?;
        let right = path.rsplit('/').next() == Some(hex(&digest).as_str());
        Ok(if right { Look::Right } else { Look::Damaged })
    }

    fn said(&self, mut outcome: Outcome, report: &TreeReport, wrong: &Wrong, pass: Pass) -> Outcome {
        if pass == Pass::Ahead {
            return outcome;
        }
        let damaged = wrong.damaged.len() as u64;
        for path in wrong.damaged.iter().take(NAMED_MAX) {
            let message =
                format!("{path} does not hold what its name says: it is truncated or damaged where Nuxeo keeps it");
            outcome = outcome.finding(Finding::blocker("blob-damaged", self.part, message));
        }
        if damaged > NAMED_MAX as u64 || wrong.more {
            let message =
                format!("more than {} blobs do not hold what their names say", NAMED_MAX.max(wrong.damaged.len()));
            outcome = outcome.finding(Finding::blocker("blob-damaged", self.part, message));
        }
        if wrong.encrypted > 0 {
            let message = "some or all of its files are encrypted: their names are digests of what they held before, so that only their presence can be proved";
            outcome = outcome.finding(Finding::info("blobs-unchecked", self.part, message));
            return outcome;
        }
        outcome.receipt("blobs as named", report.files, report.files.saturating_sub(damaged))
    }
}

/// In the note of wrong paths: there were more than it holds. It sorts before every path.
const MORE: &str = "\t";

enum Look {
    Right,
    Encrypted,
    Damaged,
}

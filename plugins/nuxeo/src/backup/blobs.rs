//! Stores a blob store: every file that is named by the digest of what it holds is checked while it is read.

use strongroom_database::located::{Located, pattern};
use strongroom_plugin::{
    Algorithm, Finding, Meta, Outcome, Part, Pass, Result, TreeOptions, TreeReport, context,
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
#[derive(Debug, Default)]
struct Wrong {
    /// Paths of those that the set holds damaged, and why that is known.
    damaged: Vec<(String, String)>,
    /// How many are encrypted: their names say what they held before.
    encrypted: u64,
    /// There were more than a report names.
    more: bool,
    /// How many were stored once more, and are what their names say now.
    mended: u64,
}

impl Blobs<'_> {
    fn store(&self, part: &Part, pass: Pass) -> Result<Outcome> {
        match self.store.digest() {
            Some((digits, Some(algorithm))) => self.checked(part, pass, digits, algorithm),
            digest => self.unchecked(part, pass, digest.is_some()),
        }
    }

    /// What is named by documents, encrypted, or named by a digest that the host does not compute.
    fn unchecked(&self, part: &Part, pass: Pass, digests: bool) -> Result<Outcome> {
        let report = self.put(&TreeOptions::default().excluding(TEMPORARY))?;
        let outcome = tree::outcome(&report);
        if pass == Pass::Ahead {
            return Ok(outcome);
        }
        tree::noted(part, report.stored)?;
        let message = match (digests, self.store.encrypted) {
            (true, true) => {
                "its files are encrypted: their names are digests of what they held before, so that only their presence can be proved"
            }
            (true, false) => {
                "the host does not compute the digest that names its files: only their presence can be proved"
            }
            (false, _) => "its files are named by documents and may change: only their presence can be proved",
        };
        Ok(outcome.finding(Finding::info("blobs-unchecked", self.part, message)))
    }

    fn checked(&self, part: &Part, pass: Pass, digits: usize, algorithm: Algorithm) -> Result<Outcome> {
        let (mut wrong, again) = if pass == Pass::InStage { self.noted()? } else { Default::default() };
        for path in &again {
            self.mend(path, algorithm, &mut wrong)?;
        }
        let named = digest_pattern(digits);
        let mut options = TreeOptions::default().including([&named]).excluding(again.iter().map(|path| pattern(path)));
        options.name_digest = Some(algorithm);
        let blobs = self.put(&options.excluding(TEMPORARY))?;
        let others = self.put(&TreeOptions::default().excluding([&named]).excluding(TEMPORARY))?;
        let outcome = tree::outcome(&others);
        let (files, size) = (blobs.files + wrong.mended + others.files, blobs.size + others.size);
        let outcome = Outcome { summary: format!("{files} files, {size} bytes"), ..outcome };
        if pass == Pass::Ahead {
            self.note(&blobs)?;
            return Ok(outcome);
        }
        self.look(&blobs, &mut wrong)?;
        tree::noted(part, blobs.files + again.len() as u64 + others.stored)?;
        let of_files = |count: u64| count.saturating_sub(blobs.directories) + again.len() as u64;
        let outcome = outcome.receipt("blobs", of_files(blobs.expected), of_files(blobs.stored));
        Ok(self.said(outcome, blobs.files + again.len() as u64, &wrong))
    }

    /// Blobs come and go while they are read.
    fn put(&self, options: &TreeOptions) -> Result<TreeReport> {
        snapshot::put_subtree("", &self.dir, &self.path, &options.clone().tolerant())
    }

    fn below(&self, path: &str) -> String {
        if self.path.is_empty() { path.to_owned() } else { format!("{}/{path}", self.path) }
    }

    fn note_key(&self) -> String {
        format!("wrong {}", self.part)
    }

    /// Most files are read in the pass ahead, and only there: the one in the stage must know what was wrong.
    fn note(&self, report: &TreeReport) -> Result<()> {
        let mut paths: Vec<&str> = wrong_ones(report).map(|(path, _)| path.as_str()).collect();
        if report.skipped_count > report.skipped.len() as u64 {
            paths.push(MORE);
        }
        context::set_note(&self.note_key(), &paths.join("\n"))
    }

    /// What the pass ahead noted: what became of encrypted ones, and the paths of those that must be stored once more.
    fn noted(&self) -> Result<(Wrong, Vec<String>)> {
        let (mut wrong, mut again) = (Wrong::default(), Vec::new());
        for path in context::note(&self.note_key())?.unwrap_or_default().lines() {
            match path {
                MORE => wrong.more = true,
                path if self.is_encrypted(path)? => wrong.encrypted += 1,
                path => again.push(path.to_owned()),
            }
        }
        Ok((wrong, again))
    }

    fn is_encrypted(&self, path: &str) -> Result<bool> {
        match self.dir.open(&self.below(path)) {
            Ok(content) => Ok(is_encrypted(&content.peek(ENCRYPTED_MAGIC.len() as u32)?)),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Stores a file once more, and compares the very bytes that are stored.
    fn mend(&self, path: &str, algorithm: Algorithm, wrong: &mut Wrong) -> Result<()> {
        let below = self.below(path);
        let mut damaged = |why: String| wrong.damaged.push((path.to_owned(), why));
        let Some(stat) = self.dir.find(&below)? else {
            damaged("it did not hold what its name says when it was stored, and is gone".into());
            return Ok(());
        };
        let (kept, read) = streams::tee(self.dir.open(&below)?)?;
        let pending = snapshot::submit(path, kept, &Meta::from(&stat))?;
        let (_, digest) = streams::digest(algorithm, read)?;
        pending.wait()?;
        let digest = hex(&digest);
        match path.rsplit('/').next() == Some(digest.as_str()) {
            true => wrong.mended += 1,
            false => damaged(format!("its content's digest is {digest}, not its name")),
        }
        Ok(())
    }

    /// What this pass has read is in the set as it was read: looking again could only say that it is right elsewhere.
    fn look(&self, report: &TreeReport, wrong: &mut Wrong) -> Result<()> {
        wrong.more |= report.skipped_count > report.skipped.len() as u64;
        for (path, why) in wrong_ones(report) {
            match self.is_encrypted(path)? {
                true => wrong.encrypted += 1,
                false => wrong.damaged.push((path.clone(), why.clone())),
            }
        }
        // A store whose every file is encrypted has more of them than a report names.
        wrong.more &= wrong.encrypted == 0 || !wrong.damaged.is_empty();
        Ok(())
    }

    fn said(&self, mut outcome: Outcome, files: u64, wrong: &Wrong) -> Outcome {
        let damaged = wrong.damaged.len() as u64;
        let blocker = |message: String| Finding::blocker("blob-damaged", self.part, message);
        for (path, why) in wrong.damaged.iter().take(NAMED_MAX) {
            outcome = outcome.finding(blocker(format!("{path}: {why}")));
        }
        if damaged > NAMED_MAX as u64 {
            outcome = outcome.finding(blocker(format!("{damaged} blobs do not hold what their names say")));
        }
        if wrong.more {
            outcome = outcome.finding(blocker("more blobs do not hold what their names say than can be named".into()));
        }
        if wrong.encrypted > 0 {
            let message = format!(
                "{} or more of its files are encrypted: their names are digests of what they held before, so that only their presence can be proved",
                wrong.encrypted
            );
            return outcome.finding(Finding::info("blobs-unchecked", self.part, message));
        }
        outcome.receipt("blobs as named", files, files.saturating_sub(damaged))
    }
}

/// What a report names beside files that went while they were looked at: those are in no set, and the database's list
/// says whether it needs them.
fn wrong_ones(report: &TreeReport) -> impl Iterator<Item = &(String, String)> {
    report.skipped.iter().filter(|(_, why)| why != "vanished")
}

/// In the note of wrong paths: there were more than it holds.
const MORE: &str = "\t";

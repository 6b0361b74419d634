//! What must hold after a fault, whichever it was.

use std::{fs, io, path::Path, process::Command};

use super::{
    cases::{Case, Promise},
    held::Ended,
    sets,
    subject::{self, Place, Thing, Things},
};

/// Words that no message may hold: they are for the one who wrote the program.
const NOT_FOR_PEOPLE: &[&str] =
    &["panicked", "RUST_BACKTRACE", "stack backtrace", "unwrap()", "Os { code", "unreachable"];

/// Codes that a verb may end with, and what a shell says of a program that could not be started.
const CODES: &[i32] = &[0, 1, 3, 4, 5, 10, 11];

/// Most lines of an error.
const LINES_MAX: usize = 40;

/// A run that is over, and what must be looked at.
pub struct After<'a> {
    pub place: &'a Place,
    pub case: &'static Case,
    pub ended: Ended,
    /// The fault was that the program is killed.
    pub killed: bool,
    /// Every so often a set is also proved with `unzip` and `sha256sum`.
    pub thoroughly: bool,
    /// What the reading verbs print without a fault.
    pub printed: &'a str,
    /// Whether its standard output or error was what failed: then it cannot say so.
    pub mute: bool,
    /// The system said that something is not there: nobody can know of a hold then, or of the change it stands for.
    pub denied: bool,
}

impl After<'_> {
    /// Everything that does not hold.
    pub fn check(&self) -> io::Result<Vec<String>> {
        let mut wrong = Vec::new();
        self.check_end(&mut wrong)?;
        self.check_older(&mut wrong)?;
        match self.case.promise {
            Promise::Backup => self.check_sets(&mut wrong)?,
            Promise::Restore | Promise::Extract => self.check_restored(&mut wrong)?,
            Promise::Read | Promise::Look => self.check_read(&mut wrong)?,
            Promise::Forget => self.check_forgotten(&mut wrong)?,
            Promise::Recover => {}
        }
        self.check_held(&mut wrong)?;
        Ok(wrong)
    }

    fn text(&self) -> io::Result<(String, String)> {
        let read = |name: &str| {
            Ok::<_, io::Error>(String::from_utf8_lossy(&fs::read(self.place.root.join(name))?).into_owned())
        };
        Ok((read("out")?, read("err")?))
    }

    fn check_end(&self, wrong: &mut Vec<String>) -> io::Result<()> {
        let (out, err) = self.text()?;
        let code = self.ended.code();
        if self.ended.hung {
            wrong.push("it did not end".into());
        }
        if !self.ended.left.is_empty() {
            wrong.push(format!("children were left: {:?}", self.ended.left));
        }
        for word in NOT_FOR_PEOPLE.iter().filter(|word| out.contains(**word) || err.contains(**word)) {
            wrong.push(format!(
                "it says {word:?}: {}",
                err.lines().find(|line| line.contains(*word)).unwrap_or_default()
            ));
        }
        let expected = CODES.contains(&code) || (self.killed && code == -9);
        if !expected {
            wrong.push(format!("it ended with {code}"));
        }
        if !self.killed && !self.mute && code != 0 && err.trim().is_empty() && out.trim().is_empty() {
            wrong.push(format!("it ended with {code} and said nothing"));
        }
        if err.lines().count() > LINES_MAX {
            wrong.push(format!("its error has {} lines", err.lines().count()));
        }
        Ok(())
    }

    fn check_older(&self, wrong: &mut Vec<String>) -> io::Result<()> {
        // What is forgotten is whole, or gone.
        let may_go = |set: &Path| self.case.promise == Promise::Forget && self.place.aging.as_deref() == Some(set);
        for set in self.place.older()? {
            let now = self.place.root.join("repository").join(set.file_name().unwrap_or_default());
            if may_go(&now) && !now.exists() {
                continue;
            }
            if fs::read(&now).ok() != fs::read(&set).ok() {
                wrong.push(format!("the older set is lost or changed: {}", now.display()));
            }
        }
        Ok(())
    }

    /// The new sets: whole, and what their state says.
    fn check_sets(&self, wrong: &mut Vec<String>) -> io::Result<()> {
        let older = self.place.older()?;
        let is_new = |set: &&std::path::PathBuf| !older.iter().any(|old| old.file_name() == set.file_name());
        let sets = self.place.sets()?;
        let new: Vec<_> = sets.iter().filter(is_new).collect();
        let mut states = Vec::new();
        for set in &new {
            match sets::read(set) {
                Ok(read) => {
                    self.check_state(&read, wrong);
                    states.push(read.state);
                }
                Err(why) => wrong.push(format!("a visible set is not whole: {why}")),
            }
            if self.thoroughly {
                wrong.extend(prove_by_hand(set).err());
            }
        }
        let state = states.first().map_or("none", String::as_str);
        let fits = match self.ended.code() {
            0 => state == "complete",
            3 => state == "partial",
            4 => state == "unproven" || state == "inconsistent",
            -9 => state == "none" || state == "complete",
            _ => state == "none",
        };
        if !fits || new.len() > 1 {
            wrong.push(format!("it ended with {} and the new sets are {states:?}", self.ended.code()));
        }
        if !new.is_empty() && self.place.run(&["verify", "--any-state"])?.0 != 0 {
            wrong.push("its own set does not verify".into());
        }
        Ok(())
    }

    fn check_state(&self, set: &sets::Set, wrong: &mut Vec<String>) {
        let difference = sets::difference(&self.place.contents, &set.contents);
        match (set.state.as_str(), difference) {
            ("complete", Some(difference)) => wrong.push(format!("a FALSE complete: {difference}")),
            // Less may be there, but nothing else and nothing half.
            (_, Some(_)) => {
                let held = |name: &String| set.contents.contains_key(name);
                let source: Things = self.place.contents.clone().into_iter().filter(|(name, _)| held(name)).collect();
                if let Some(difference) = sets::difference(&source, &set.contents) {
                    wrong.push(format!("a {} set holds what the source does not: {difference}", set.state));
                }
            }
            _ => {}
        }
    }

    fn check_restored(&self, wrong: &mut Vec<String>) -> io::Result<()> {
        match self.ended.code() {
            0 => wrong.extend(self.restored_difference()?.map(|why| format!("a FALSE restore: {why}"))),
            // One that was killed may leave half a file, which the next attempt takes away.
            -9 => {}
            _ => wrong.extend(self.half_restored()?.map(|why| format!("a failed restore left {why}"))),
        }
        Ok(())
    }

    /// How what was restored differs from the source.
    fn restored_difference(&self) -> io::Result<Option<String>> {
        let root = &self.place.root;
        if self.case.promise == Promise::Extract {
            return Ok(sets::difference(&self.place.contents, &below(&subject::listing(&root.join("restored"))?)));
        }
        let (source, target) = (root.join("files"), root.join("restored"));
        if let Some(difference) = sets::difference(&subject::listing(&source)?, &subject::listing(&target)?) {
            return Ok(Some(difference));
        }
        if subject::attributes(&source)? != subject::attributes(&target)? {
            return Ok(Some("modes or times differ".into()));
        }
        let dump = root.join("dump.txt");
        let loaded = dump.exists() && fs::read(dump)? != fs::read(root.join("loaded/dump")).unwrap_or_default();
        Ok(loaded.then(|| "the dump was not loaded whole".into()))
    }

    /// A file under its own name that has not its own content.
    fn half_restored(&self) -> io::Result<Option<String>> {
        let target = subject::listing(&self.place.root.join("restored"))?;
        let wanted = match self.case.promise {
            Promise::Extract => self.place.contents.clone(),
            _ => subject::listing(&self.place.root.join("files"))?,
        };
        let half = |(name, thing): &(&String, &Thing)| match thing {
            Thing::Directory => false,
            thing => !name.contains(".strongroom/") && *name != "SHA256SUMS" && wanted.get(*name) != Some(*thing),
        };
        Ok(target.iter().find(half).map(|(name, thing)| format!("half of {name} ({thing:?})")))
    }

    fn check_forgotten(&self, wrong: &mut Vec<String>) -> io::Result<()> {
        let (sets, (_, err)) = (self.place.sets()?.len(), self.text()?);
        let said = ["unreadable and left alone", "later than now", "was there when it began"]
            .iter()
            .any(|words| err.contains(words));
        if self.ended.code() == 0 && sets != 1 && !said && !self.mute {
            wrong.push(format!("it ended well and {sets} sets are there instead of one"));
        }
        Ok(())
    }

    /// A product that is still held stands in the journal, and a verb that releases does not end well then.
    fn check_held(&self, wrong: &mut Vec<String>) -> io::Result<()> {
        let (held, holds) = (self.place.is_held(), self.place.holds()?);
        if self.denied {
            return Ok(());
        }
        if held && holds == 0 {
            wrong.push("the product is held, and no journal knows it".into());
        }
        if held && self.ended.code() == 0 && matches!(self.case.promise, Promise::Backup | Promise::Recover) {
            wrong.push("it ended well and the product is still held".into());
        }
        Ok(())
    }

    fn check_read(&self, wrong: &mut Vec<String>) -> io::Result<()> {
        let mut left = self.place.leftovers()?;
        // What could not be removed because of the fault, the next run removes.
        left.retain(|left| !left.starts_with("tmp/"));
        if !left.is_empty() && !self.killed {
            wrong.push(format!("a verb that only reads left {left:?}"));
        }
        let (out, _) = self.text()?;
        let compared = self.case.promise == Promise::Read;
        if compared && self.ended.code() == 0 && !self.mute && steady(&out) != steady(self.printed) {
            wrong.push(format!("it ended well and printed {out}and not {}", self.printed));
        }
        Ok(())
    }

    /// The run after it, without any fault: it does what was asked for, and sweeps up.
    pub fn check_next(&self) -> io::Result<Vec<String>> {
        let mut wrong = Vec::new();
        if self.case.promise == Promise::Restore {
            self.check_restored_again(&mut wrong)?;
        }
        let before = self.place.sets()?;
        let (code, text) = self.place.run(&["backup"])?;
        if code != 0 {
            wrong.push(format!("the next backup ended with {code}: {text}"));
        }
        let sets = self.place.sets()?;
        for set in sets.iter().filter(|set| !before.contains(set)) {
            match sets::read(set) {
                Ok(read) => self.check_state(&read, &mut wrong),
                Err(why) => wrong.push(format!("the next set is not whole: {why}")),
            }
        }
        if self.place.is_held() || self.place.holds()? > 0 {
            wrong.push("after the next run a hold still stands".into());
        }
        let mut left = self.place.leftovers()?;
        // A journal or a checkpoint that could not be removed is the next restore's, not the next backup's.
        let of_restore =
            |left: &String| left.starts_with("state/restore-") || left.starts_with("state/checkpoints/restore.");
        left.retain(|left| self.case.promise != Promise::Restore || !of_restore(left));
        if !left.is_empty() {
            wrong.push(format!("after the next run there is still {left:?}"));
        }
        Ok(wrong)
    }

    fn check_restored_again(&self, wrong: &mut Vec<String>) -> io::Result<()> {
        // One that had ended well is not repeated: its target is full. So is that of one killed when all was done.
        if self.ended.code() != 0 {
            let (code, text) = self.place.run(self.case.arguments)?;
            let differs = self.restored_difference()?;
            if differs.is_some() || code != 0 && !text.contains("is not empty") {
                wrong.push(format!("the restore after it ended with {code}, {differs:?}: {text}"));
            }
        }
        // What a restore notes about its target is meant to stay.
        let _ = fs::remove_file(self.place.root.join("state/targets.json"));
        Ok(())
    }
}

/// What lies below the parts of a set: without what strongroom adds, and the directories that only name a step or a part.
fn below(things: &Things) -> Things {
    let of_part = |name: &str| !name.starts_with(".strongroom") && name.matches('/').count() > 1;
    things.iter().filter(|(name, _)| of_part(name)).map(|(name, thing)| (name.clone(), thing.clone())).collect()
}

/// What is printed, without what differs from run to run: times.
fn steady(text: &str) -> String {
    let units = ["ms", "s", "m", "h", "day", "days", "month", "months", "year", "years"];
    let is_time = |word: &&str| {
        let unit = word.trim_start_matches(|letter: char| letter.is_ascii_digit());
        unit.len() < word.len() && units.contains(&unit)
    };
    let words = text.split_whitespace().filter(|word| !is_time(word));
    words.collect::<Vec<_>>().join(" ")
}

/// `unzip -t` and `sha256sum -c`.
fn prove_by_hand(set: &Path) -> Result<(), String> {
    let tested = Command::new("unzip").arg("-tqq").arg(set).output().map_err(|error| format!("unzip: {error}"))?;
    if !tested.status.success() {
        return Err(format!("unzip -t: {}", String::from_utf8_lossy(&tested.stdout)));
    }
    let out = tempfile::tempdir().map_err(|error| error.to_string())?;
    let unpacked = Command::new("unzip").arg("-qq").arg(set).arg("-d").arg(out.path()).status();
    let summed = Command::new("sha256sum").args(["--quiet", "-c", "SHA256SUMS"]).current_dir(out.path()).output();
    match (unpacked, summed) {
        (Ok(unpacked), Ok(summed)) if unpacked.success() && summed.status.success() => Ok(()),
        other => Err(format!("sha256sum -c: {other:?}")),
    }
}

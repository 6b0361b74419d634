//! A restore: looks at the snapshot and the target first, refuses what would mix or overwrite, then brings back part by
//! part: database, files, fence, records, positions.

use std::{collections::BTreeMap, os::unix::fs::DirBuilderExt, sync::Arc, time::Instant as Clock};

use cap_std::{ambient_authority, fs::Dir};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    board::{Board, now},
    event::{Event, Operation, PartName, Summary},
    holds::{self, Holds, Origin, Watching},
    inspect::{Look, inspect},
    journal::{Interrupted, Made, RestoreJournal},
    part::{PartSide, restoring, telling},
    reading::{Reading, counted},
    stop::EXIT_CANCELED,
    target::{self, Ownership, Target},
};
use crate::{
    config::Access,
    diagnostic::{Finding, Severity},
    plan::inspection::{Attributes, Part, Stage},
    repository::cores,
    sandbox::Request,
};

/// What the operator chose and consented to.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Steps; none means all.
    pub steps: Vec<String>,
    /// Parts, `part` or `step/part`; none means all.
    pub parts: Vec<String>,
    /// Over what is there already.
    pub overwrite: bool,
    /// Beside another snapshot's parts.
    pub mix: bool,
    /// Links that point outside the target.
    pub outside_links: bool,
    /// Although the snapshot does not verify.
    pub force_damaged: bool,
    /// Change nothing, not even make a target that is not there.
    pub dry_run: bool,
}

/// What a restore would do with one part.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Which.
    pub part: PartName,
    /// When.
    pub stage: Stage,
    /// Bytes of content.
    pub bytes: u64,
    /// What it writes into.
    pub targets: Vec<Target>,
    /// An earlier, interrupted attempt restored it already.
    pub done: bool,
}

/// What a restore would do, and why it would not.
#[derive(Clone, Debug, Default)]
pub struct Previews {
    /// In order.
    pub parts: Vec<Preview>,
    /// Each thing that stands in the way; none: it would run.
    pub refused: Vec<Refused>,
}

/// Something that stands in the way of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// A sentence: what, and what to do.
    pub why: String,
    /// Whether it is a policy (mixing, trust) rather than a fact.
    pub policy: bool,
}

/// A restore that has looked, and not yet written.
pub struct Prepared {
    reading: Reading,
    choice: Choice,
    board: Arc<Board>,
    parts: Vec<(String, Part)>,
    interrupted: Option<Interrupted>,
    /// Parts of which an attempt before made something that is gone.
    emptied: Vec<PartName>,
    /// What would happen.
    pub previews: Previews,
    started: String,
    clock: Clock,
}

/// Looks at the snapshot, the target and what an interrupted attempt left. Makes target directories that are not there
/// (unless it is a dry run), since their plugins look at them; changes nothing else.
pub async fn prepare(reading: Reading, choice: Choice) -> Prepared {
    let board = reading.board();
    let mut prepared = Prepared {
        board,
        choice,
        parts: Vec::new(),
        interrupted: None,
        emptied: Vec::new(),
        previews: Previews::default(),
        started: now(),
        clock: Clock::now(),
        reading,
    };
    prepared.check_bytes().await;
    prepared.read_journal();
    prepared.make_targets();
    if prepared.previews.refused.is_empty() {
        prepared.ask_plugins().await;
    }
    prepared.look_at_targets().await;
    prepared
}

impl Prepared {
    fn refuse(&mut self, why: impl Into<String>, policy: bool) {
        self.previews.refused.push(Refused { why: why.into(), policy });
    }

    async fn check_bytes(&mut self) {
        let proof = self.reading.prove().await;
        for damage in &proof.damage {
            let subject = self.reading.record.snapshot.clone();
            self.board.find(Finding::new(Severity::Warning, "damaged", subject, damage.clone()));
        }
        if let (Some(first), false) = (proof.damage.first(), self.choice.force_damaged) {
            let count = proof.damage.len();
            self.refuse(
                format!(
                    "the snapshot does not verify ({count} differences; {first}): restore what can be read with \
                     --force-damaged"
                ),
                false,
            );
        }
    }

    fn read_journal(&mut self) {
        match RestoreJournal::peek(&self.reading.state, &self.reading.record.snapshot) {
            Ok(interrupted) => self.interrupted = interrupted,
            Err(error) => self.refuse(format!("reading the journal of an earlier restore: {error}"), false),
        }
    }

    fn done(&self, part: &PartName) -> bool {
        self.interrupted.as_ref().is_some_and(|interrupted| interrupted.done.contains(part))
    }

    /// Whether the operator chose that part.
    fn chosen(&self, step: &str, part: &str) -> bool {
        let by_step = self.choice.steps.is_empty() || self.choice.steps.iter().any(|chosen| chosen == step);
        let full = format!("{step}/{part}");
        let by_part =
            self.choice.parts.is_empty() || self.choice.parts.iter().any(|chosen| *chosen == full || chosen == part);
        by_step && by_part
    }

    async fn ask_plugins(&mut self) {
        let steps: Vec<_> = self.reading.record.steps.iter().map(|step| step.name.clone()).collect();
        let chosen = self.choice.steps.clone();
        for step in steps.iter().filter(|step| chosen.is_empty() || chosen.contains(step)) {
            match self.ask(step).await {
                Ok(parts) => self.parts.extend(parts.into_iter().map(|part| (step.clone(), part))),
                Err(why) => self.refuse(format!("step {step}: {why}"), false),
            }
        }
        self.parts.sort_by_key(|(_, part)| Stage::RESTORE.iter().position(|stage| *stage == part.stage));
        if self.parts.is_empty() && self.previews.refused.is_empty() {
            self.refuse("no part of the snapshot was chosen: `strongroom ls` lists them", false);
        }
    }

    async fn ask(&mut self, name: &str) -> Result<Vec<Part>, String> {
        let Some(step) = self.reading.steps.get(name).cloned() else {
            return Err("the target pipeline has no such step, or no trusted component for it".to_owned());
        };
        let inspection = inspect(Look {
            step: name,
            plugin: &step.plugin,
            plugin_name: &step.plugin_name,
            config: &step.config,
            grants: step.grants.clone(),
            limits: &step.limits,
            archive: Some(self.reading.archive.clone()),
            notes: self.reading.notes(),
            attributes: self.attributes(),
            observer: self.reading.observer.clone(),
            stop: self.reading.stop.clone(),
            scratch: &self.reading.scratch,
        })
        .await
        .map_err(|fault| fault.to_string())?;
        for finding in inspection.findings {
            let part = PartName::new(name, finding.subject.clone());
            // What an interrupted attempt restored is in the target because of us.
            if finding.code == "target-not-empty" && self.ours(&part) {
                continue;
            }
            let finding = self.board.weigh(&PartName::new(name, ""), finding);
            if finding.severity == Severity::Blocker {
                self.refuse(format!("{name}: {}: {} ({})", finding.subject, finding.message, finding.code), false);
            }
        }
        let kept: Vec<_> =
            self.reading.parts().map(|(step, part)| (step.name.clone(), part.part.name.clone())).collect();
        let wanted =
            |part: &Part| kept.contains(&(name.to_owned(), part.name.clone())) && self.chosen(name, &part.name);
        Ok(inspection.parts.into_iter().filter(wanted).collect())
    }

    /// Whether an interrupted attempt has restored that part, or begun to.
    fn ours(&self, part: &PartName) -> bool {
        let begun = |interrupted: &Interrupted| interrupted.made.iter().any(|made| made.part == *part);
        self.done(part) || self.interrupted.as_ref().is_some_and(begun)
    }

    fn attributes(&self) -> Attributes {
        let mut attributes = vec![("snapshot".to_owned(), self.reading.record.snapshot.clone())];
        let consents = [("overwrite", self.choice.overwrite), ("outside-links", self.choice.outside_links)];
        attributes.extend(
            consents.iter().filter(|(_, given)| *given).map(|(name, _)| ((*name).to_owned(), "yes".to_owned())),
        );
        attributes
    }

    async fn look_at_targets(&mut self) {
        let ownership = match Ownership::read(&self.reading.state) {
            Ok(ownership) => ownership,
            Err(error) => return self.refuse(format!("reading whose snapshot each target holds: {error}"), false),
        };
        let bytes: BTreeMap<_, _> =
            self.reading.parts().map(|(step, part)| (PartName::new(&step.name, &part.part.name), part.bytes)).collect();
        for (step, part) in self.parts.clone() {
            let name = PartName::new(&step, &part.name);
            let Some(grants) = self.reading.steps.get(&step).map(|step| step.grants.clone()) else { continue };
            let targets = match target::look(&grants, &part.uses, &self.reading.stop).await {
                Ok(targets) => targets,
                Err(error) => {
                    self.refuse(format!("{name}: looking at its target: {error}"), false);
                    continue;
                }
            };
            let size = bytes.get(&name).copied().unwrap_or_default();
            self.forget_what_was_emptied(&name, &targets);
            targets.iter().for_each(|target| self.judge(&name, target, &ownership, size));
            let done = self.done(&name);
            self.previews.parts.push(Preview { part: name, stage: part.stage, bytes: size, targets, done });
        }
        self.previews.refused.dedup();
    }

    /// What an attempt before restored is done only as long as it is there.
    fn forget_what_was_emptied(&mut self, part: &PartName, targets: &[Target]) {
        let emptied = self.ours(part) && targets.iter().any(|target| target.empty == Some(true));
        if let Some(interrupted) = self.interrupted.as_mut().filter(|_| emptied) {
            interrupted.done.retain(|done| done != part);
            self.emptied.push(part.clone());
        }
    }

    fn judge(&mut self, part: &PartName, target: &Target, ownership: &Ownership, size: u64) {
        if let (Some(other), false) = (ownership.other(target, &self.reading.record.snapshot), self.choice.mix) {
            let why = format!(
                "{part}: {} ({}) holds parts of snapshot {other}: mixing two snapshots makes a system that never was; \
                 empty it, or pass --mix",
                target.grant, target.display
            );
            return self.refuse(why, true);
        }
        if target.empty == Some(false) && !self.choice.overwrite && self.interrupted.is_none() {
            let why = format!(
                "{part}: {} ({}) is not empty: choose an empty target, or pass --overwrite",
                target.grant, target.display
            );
            return self.refuse(why, false);
        }
        if target.room.is_some_and(|room| room < size) && !self.done(part) {
            let why = format!("{part}: {} ({}) has no room for its {size} bytes", target.grant, target.display);
            self.refuse(why, false);
        }
    }

    /// The end of a restore that could not begin.
    fn broken(&self, why: String) -> Summary {
        let result = self.end(&[], Some(why));
        self.board.emit(&Event::Ended(Box::new(result.clone())));
        result
    }

    /// Writes. Call it only when nothing is refused.
    pub async fn run(mut self) -> Summary {
        let sides = match self.begin() {
            Ok(sides) => sides,
            Err(why) => return self.broken(why),
        };
        let sides: Vec<Arc<PartSide>> = sides;
        let holds = match self.holds() {
            Ok(holds) => self.board.hold_with(holds),
            Err(error) => return self.broken(format!("reading the journal of holds: {error}")),
        };
        self.board.emit(&self.reading.started_event(Operation::Restore, &sides));
        let (this, watching) = (Arc::new(self), Watching::begin(&holds, &sides));
        let stages = async {
            for stage in Stage::RESTORE {
                this.clone().stage(stage, &sides, &holds).await;
            }
        };
        telling(&sides, stages).await;
        watching.end().await;
        let result = this.end(&sides, None);
        this.board.emit(&Event::Ended(Box::new(result.clone())));
        result
    }

    fn holds(&self) -> std::io::Result<Holds> {
        let (path, text) = self.reading.pipeline.clone().unwrap_or_default();
        let steps = self.reading.steps.iter();
        let plugins =
            steps.map(|(step, reading)| (step.clone(), (reading.plugin.clone(), reading.plugin_name.clone())));
        let (state, run) = (&self.reading.state, &self.reading.record.snapshot);
        Holds::new(state, run, Origin { path, text }, plugins.collect(), self.reading.observer.clone())
    }

    fn begin(&mut self) -> Result<Vec<Arc<PartSide>>, String> {
        for part in &self.emptied {
            let forgotten = self.board.kept.forget_checkpoint(&restoring(&self.reading.record.snapshot), part);
            forgotten.map_err(|error| format!("beginning {part} anew: {error}"))?;
        }
        self.undo()?;
        let mut ownership = Ownership::read(&self.reading.state).map_err(|error| error.to_string())?;
        let all: Vec<_> = self.previews.parts.iter().flat_map(|part| part.targets.clone()).collect();
        ownership
            .claim(&all, &self.reading.record.snapshot)
            .map_err(|error| format!("noting whose snapshot each target holds: {error}"))?;
        let journal = RestoreJournal::open(&self.reading.state, &self.reading.record.snapshot)
            .map_err(|error| format!("opening the restore's journal: {error}"))?;
        let journal = Arc::new(journal);
        let sides = self.parts.iter().map(|(step, part)| {
            let side =
                PartSide::new(PartName::new(step, &part.name), part.clone(), Operation::Restore, self.board.clone());
            Arc::new(side.reading(self.reading.notes(), Some(journal.clone())))
        });
        Ok(sides.collect())
    }

    /// Removes what unfinished parts of an interrupted attempt made: only what its own journal lists, and of a part that
    /// left a checkpoint only what came after it.
    fn undo(&self) -> Result<(), String> {
        let Some(interrupted) = &self.interrupted else { return Ok(()) };
        let attempt = restoring(&self.reading.record.snapshot);
        let from =
            |part: &PartName| self.board.kept.last_checkpoint(&attempt, part).map_or(0, |checkpoint| checkpoint.made);
        let checkpoints: BTreeMap<_, _> = interrupted.made.iter().map(|made| (&made.part, from(&made.part))).collect();
        let after = interrupted.made.iter().filter(|made| made.at >= checkpoints[&made.part]);
        let mut undone = 0;
        for Made { part, grant, path, .. } in after.rev() {
            undone += 1;
            let Some(step) = self.reading.steps.get(&part.step) else { continue };
            let Some(target) = step.grants.dirs.get(grant) else { continue };
            let Ok(dir) = Dir::open_ambient_dir(&target.path, ambient_authority()) else { continue };
            // A directory that someone else put something into stays.
            if dir.remove_file(path.as_path()).is_err() {
                let _ = dir.remove_dir(path.as_path());
            }
        }
        self.board.log_order(&PartName::run(), format!("undid {undone} entries"));
        Ok(())
    }

    fn make_targets(&mut self) {
        let grants = self.reading.steps.iter().flat_map(|(step, reading)| {
            reading.grants.dirs.iter().map(move |(name, grant)| (step.clone(), name.clone(), grant.clone()))
        });
        for (step, name, grant) in grants.collect::<Vec<_>>() {
            if grant.access != Access::Write || grant.path.exists() {
                continue;
            }
            let path = grant.path.display();
            if self.choice.dry_run {
                let why = "is not there; the restore would make it, and this look cannot";
                self.refuse(format!("{step}: dirs.{name} ({path}) {why}"), false);
            } else if let Err(error) = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&grant.path) {
                self.refuse(format!("{step}: making dirs.{name} ({path}): {error}"), false);
            }
        }
    }

    async fn stage(self: Arc<Self>, stage: Stage, sides: &[Arc<PartSide>], holds: &Arc<Holds>) {
        let parts: Vec<_> = sides.iter().filter(|side| side.part.stage == stage).cloned().collect();
        if parts.is_empty() {
            return;
        }
        self.board.log_order(&PartName::run(), format!("stage {}", stage.word()));
        self.board.emit(&Event::Stage { stage: Some(stage) });
        let (places, mut going) = (Arc::new(Semaphore::new(cores())), JoinSet::new());
        for side in parts {
            let (this, places, holds) = (self.clone(), places.clone(), holds.clone());
            going.spawn(async move {
                let _place = places.acquire_owned().await;
                this.one(&side, &holds).await;
            });
        }
        while going.join_next().await.is_some() {}
    }

    async fn one(&self, side: &Arc<PartSide>, holds: &Holds) {
        if self.reading.stop.is_cancelled() {
            return side.skip("the run was stopped".to_owned());
        }
        side.begin(false);
        if self.done(&side.name) {
            side.forget_checkpoint();
            return side.end(Ok(crate::snapshot::receipts::Outcome {
                summary: "restored by the attempt before".to_owned(),
                ..Default::default()
            }));
        }
        let request = Request::Restore(side.part.clone());
        let result = holds::within(holds, side, self.reading.call(side, request, self.attributes())).await;
        side.end(result);
        // What lacks something is not done: the next attempt, perhaps with more consent, begins it again.
        if !side.failed()
            && !side.receipts_differ()
            && let Err(error) = side.journal_done()
        {
            let message = format!("the journal could not note the end of the part: {error}");
            side.find(Finding::new(Severity::Warning, "journal", side.name.to_string(), message));
        }
        if !side.failed() {
            side.forget_checkpoint();
        }
    }

    fn end(&self, sides: &[Arc<PartSide>], broken: Option<String>) -> Summary {
        let failed: Vec<_> = sides.iter().filter(|side| side.failed() || side.receipts_differ()).collect();
        let id = &self.reading.record.snapshot;
        let (exit_code, message) = match (broken, failed.first()) {
            _ if self.reading.stop.is_cancelled() => {
                (EXIT_CANCELED, "canceled: repeat the command to go on".to_owned())
            }
            (Some(why), _) => (1, format!("nothing was restored: {why}")),
            (None, Some(_)) if sides.iter().all(|side| side.failed()) => {
                (1, format!("no part of snapshot {id} was restored"))
            }
            (None, Some(first)) => {
                (3, format!("{} of {} parts failed, {} first", failed.len(), sides.len(), first.name))
            }
            (None, None) => (0, format!("snapshot {id} restored: {}", counted(sides.len(), "part", "parts"))),
        };
        if exit_code == 0 {
            // What is left to go on with after this is nothing; a journal that stays would only be read once more.
            let _ = RestoreJournal::forget(&self.reading.state, id);
        }
        Summary {
            operation: Operation::Restore,
            snapshot: id.clone(),
            state: None,
            exit_code,
            message,
            record: Some(self.reading.record_of(&self.board, sides, self.started.clone())),
            path: None,
            seconds: self.clock.elapsed().as_secs_f64(),
        }
    }
}

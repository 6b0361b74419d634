//! The end of a backup: checks the lists of expectations, decides the state, writes the record, makes the set visible.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::BufReader,
    path::Path,
};

use super::{
    backup::Running,
    board::now,
    copies,
    event::{Event, Operation, PartName, Summary},
    forget,
    part::{ExpectedList, PartSide},
};
use crate::{
    diagnostic::{Finding, Severity, causes},
    digest::Digest,
    name::RawPath,
    plan,
    repository::{
        Error,
        holdings::{PartHeld, StepHoldings, held_by_part},
        host_name,
        whole::Whole,
    },
    snapshot::{
        copy::CopyState,
        expected,
        receipts::Receipt,
        record::{self, ExpectedRecord, PartRecord, Record, StepRecord, Totals},
        state::{self, State},
    },
};

/// Proves, decides and publishes. Blocks.
pub(super) fn seal(running: &Running) -> Summary {
    running.board.emit(&Event::Snapshot { doing: "sealing", bytes: 0, total: None });
    let held = held_by_part(&*running.draft).map_err(|error| causes(&error));
    let parts: Vec<_> = running.sides.iter().map(|side| part_record(running, side, &held)).collect();
    let record = record(running, parts);
    let published = match record.totals.entries {
        0 => Err(format!("nothing could be kept: {}", first_failure(&record))),
        _ => publish(running, &record)
            .map_err(|error| format!("the snapshot could not be sealed, nothing was kept: {}", causes(&error))),
    };
    let mut summary = summary(running, record);
    match published {
        Ok(path) => summary.path = Some(path),
        Err(message) => (summary.state, summary.exit_code, summary.message) = (None, 1, message),
    }
    summary
}

fn first_failure(record: &Record) -> String {
    let parts = record.steps.iter().flat_map(|step| step.parts.iter().map(move |part| (step, part)));
    parts
        .filter_map(|(step, part)| {
            Some(format!("{}/{}: {}", step.name, part.part.name, part.failure.as_ref()?.lines().next()?))
        })
        .next()
        .unwrap_or_else(|| "no part stored anything".to_owned())
}

fn publish(running: &Running, record: &Record) -> Result<std::path::PathBuf, Error> {
    let draft = &*running.draft;
    draft.put_own("plan.json", &mut &running.job.plan_json[..])?;
    draft.put_own("pipeline.toml", &mut running.job.pipeline_toml.as_bytes())?;
    for (digest, path) in &running.job.components {
        let mut file = File::open(path).map_err(Error::io(format!("reading the component {}", path.display())))?;
        let stored = draft.put_own(&format!("plugins/{digest}.wasm"), &mut file)?;
        if stored.sha256 != *digest {
            return Err(Error::Damaged(format!("the component {} changed while the backup ran", path.display())));
        }
    }
    let record_json = serde_json::to_vec_pretty(record)
        .map_err(|error| Error::Io { doing: "writing the record".to_owned(), cause: error.into() })?;
    let path = draft.seal(&record_json)?;
    if record.state == State::Complete
        && let Err(error) = running.board.kept.commit()
    {
        let message = format!("the values that plugins keep for the next run could not be written: {error}");
        running.board.find(Finding::new(Severity::Warning, "values-lost", "", message));
    }
    if record.state == State::Complete
        && let Some(keep) = &running.job.plan.keep
    {
        let found = forget::after_complete(&*running.job.repository, &record.pipeline, keep);
        found.into_iter().for_each(|finding| running.board.find(finding));
    }
    Ok(path)
}

/// What the record says of a part, with what the snapshot holds of it and how its lists were met.
fn part_record(running: &Running, side: &PartSide, held: &Result<HashMap<RawPath, PartHeld>, String>) -> PartRecord {
    let mut part = side.record();
    let path = RawPath::from_text(&side.name.to_string()).unwrap_or_default();
    let held = held.as_ref().map(|parts| parts.get(&path).cloned().unwrap_or_default()).unwrap_or_else(|why| {
        part.failure.get_or_insert_with(|| format!("the snapshot could not be read back: {why}"));
        PartHeld::default()
    });
    (part.files, part.entries, part.bytes) = (held.files, held.entries, held.bytes);
    let awkward = held.awkward;
    if awkward > 0 {
        let message =
            format!("{awkward} names hold control characters or the byte 0xff: plain unzip drops them, use `unzip -^`");
        part.findings.push(
            running
                .board
                .weigh(&side.name, Finding::new(Severity::Info, "awkward-names", side.name.to_string(), message)),
        );
    }
    if running.job.plan.recipients.is_empty() && holds_secrets(&part) {
        let message = "it holds keys or passwords, and the snapshot is not encrypted; write recipients = [\"age1…\"] in \
                       [repository.NAME], or give clear-secrets another severity in [pipeline.severity]";
        let finding = Finding::new(Severity::Warning, "clear-secrets", side.name.to_string(), message);
        part.findings.push(running.board.weigh(&side.name, finding));
    }
    for list in side.expected_lists() {
        match check_list(running, side, &list) {
            Ok(expected) => {
                let (expected_count, actual) = (expected.lines, expected.met);
                part.receipts.push(Receipt { subject: expected.subject.clone(), expected: expected_count, actual });
                part.expected.push(expected);
            }
            Err(why) => {
                part.failure.get_or_insert_with(|| format!("its list of {:?} cannot be checked: {why}", list.subject));
            }
        }
    }
    part
}

/// Whether the plugin says that the part holds secrets: the fact `secret`, with the value `yes`.
fn holds_secrets(part: &PartRecord) -> bool {
    part.entries > 0 && part.facts.iter().any(|(name, value)| name == "secret" && value == "yes")
}

/// Checks one list against the draft and keeps it with the snapshot as evidence.
fn check_list(running: &Running, side: &PartSide, list: &ExpectedList) -> Result<ExpectedRecord, String> {
    // A line that is passed over is an expectation that nobody misses.
    let open = || File::open(&list.list).map(|file| BufReader::new(Whole::new(file, list.size)));
    let step = RawPath::from_text(&side.name.step).map_err(|error| error.to_string())?;
    let holdings = StepHoldings::new(&*running.draft, step);
    let met = expected::check(open, &holdings).map_err(|error| causes(&error))?;
    let name = format!("expected/{}/{}/{}.ndjson", side.name.step, side.name.part, file_word(&list.subject));
    let mut list_again = open().map_err(|error| format!("reading it again: {error}"))?;
    running.draft.put_own(&name, &mut list_again).map_err(|error| causes(&error))?;
    let (subject, evidence) = (list.subject.clone(), list.evidence);
    Ok(ExpectedRecord { subject, evidence, lines: met.lines, met: met.met, missing: met.missing })
}

/// A subject as a single file name.
fn file_word(subject: &str) -> String {
    let word: String = subject
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '-' })
        .collect();
    if word.is_empty() || word.starts_with('.') { format!("list{word}") } else { word }
}

/// The record as it stands.
pub(super) fn record(running: &Running, mut parts: Vec<PartRecord>) -> Record {
    if parts.is_empty() {
        parts = running.sides.iter().map(|side| side.record()).collect();
    }
    let states = state::of(&parts);
    let totals = parts.iter().fold(Totals::default(), |sum, part| Totals {
        entries: sum.entries + part.entries,
        files: sum.files + part.files,
        bytes: sum.bytes + part.bytes,
    });
    running.board.log_order(&PartName::run(), "sealed");
    let parent = running.draft.parent();
    Record {
        version: record::VERSION,
        snapshot: running.id.clone(),
        state: states.iter().copied().max().unwrap_or(State::Complete),
        states,
        pipeline: running.job.plan.pipeline.clone(),
        plan: Digest::of(&running.job.plan_json),
        strongroom: env!("CARGO_PKG_VERSION").to_owned(),
        host: host_name(),
        parent_copies: parent.as_ref().map(|parent| copies_of(&running.job.state, parent)).unwrap_or_default(),
        parent,
        started: running.started.clone(),
        ended: now(),
        copies: running.job.plan.copies.iter().map(|copy| copy.name.clone()).collect(),
        order: running.board.take_order(),
        steps: step_records(running, parts),
        findings: running.board.take_findings(),
        totals,
    }
}

/// What became of a snapshot's copies. Where that cannot be read, `snapshots` says so.
fn copies_of(state: &Path, snapshot: &str) -> BTreeMap<String, CopyState> {
    copies::read(state).unwrap_or_default().remove(snapshot).unwrap_or_default()
}

fn step_records(running: &Running, parts: Vec<PartRecord>) -> Vec<StepRecord> {
    let mut by_step: BTreeMap<&str, Vec<PartRecord>> = BTreeMap::new();
    let mut revealed: BTreeMap<&str, BTreeMap<String, u64>> = BTreeMap::new();
    for (side, part) in running.sides.iter().zip(parts) {
        by_step.entry(&side.name.step).or_default().push(part);
        for (grant, count) in side.revealed_counts() {
            *revealed.entry(&side.name.step).or_default().entry(grant).or_default() += count;
        }
    }
    let of_step = |step: &plan::Step| {
        let (facts, findings) = running.job.seen.get(&step.name).cloned().unwrap_or_default();
        StepRecord {
            name: step.name.clone(),
            plugin: step.plugin.clone(),
            plugin_version: step.plugin_version.clone(),
            component: step.component,
            after: step.after.clone(),
            facts,
            findings,
            notes: running.board.notes_of(&step.name),
            revealed: revealed.remove(step.name.as_str()).unwrap_or_default(),
            parts: by_step.remove(step.name.as_str()).unwrap_or_default(),
        }
    };
    running.job.plan.steps.iter().map(of_step).collect()
}

/// The end of a backup, in one sentence and an exit code.
pub(super) fn summary(running: &Running, record: Record) -> Summary {
    Summary {
        operation: Operation::Backup,
        snapshot: running.id.clone(),
        state: Some(record.state),
        exit_code: record.state.exit_code(),
        message: String::new(),
        record: Some(record),
        path: None,
        seconds: 0.0,
    }
}

//! Proves a sealed snapshot: every byte first, then each part with the knowledge of its plugin.

use std::{sync::Arc, time::Instant as Clock};

use super::{
    board::now,
    event::{Event, Operation, PartName, Summary},
    part::PartSide,
    reading::{Reading, counted},
    stop::EXIT_CANCELED,
};
use crate::{
    diagnostic::{Finding, Severity},
    plan::inspection::Attributes,
    repository::Proof,
    sandbox::Request,
    snapshot::record::Record,
};

/// The bytes are proven, but no trusted component looked at them.
pub const EXIT_BYTES_ONLY: u8 = 4;

/// Verifies a snapshot. `steps` of `reading` are those whose component is trusted.
pub async fn verify(reading: Reading) -> Summary {
    let (clock, started) = (Clock::now(), now());
    let board = reading.board();
    let sides = sides(&reading, &board);
    board.emit(&reading.started_event(Operation::Verify, &sides));
    let proof = reading.prove().await;
    for damage in &proof.damage {
        board.find(Finding::new(Severity::Blocker, "damaged", reading.record.snapshot.clone(), damage.clone()));
    }
    if proof.damage.is_empty() {
        for side in &sides {
            side.begin(false);
            let request = Request::Verify(side.part.clone());
            side.end(reading.call(side, request, Attributes::new()).await);
        }
    }
    let (exit_code, message) = verdict(&reading, &sides, &proof);
    let mut record = reading.record_of(&board, &sides, started);
    if proof.damage.is_empty() {
        count_held(&mut record, &reading.record);
    }
    let summary = Summary {
        operation: Operation::Verify,
        snapshot: reading.record.snapshot.clone(),
        state: Some(reading.record.state),
        exit_code,
        message,
        record: Some(record),
        path: None,
        seconds: clock.elapsed().as_secs_f64(),
    };
    board.emit(&Event::Ended(Box::new(summary.clone())));
    summary
}

/// The parts that a component can look at: those that were captured, of steps with a trusted component.
fn sides(reading: &Reading, board: &Arc<super::board::Board>) -> Vec<Arc<PartSide>> {
    reading
        .parts()
        .filter(|(step, part)| part.failure.is_none() && reading.steps.contains_key(&step.name))
        .map(|(step, part)| {
            let name = PartName::new(&step.name, &part.part.name);
            let side = PartSide::new(name, part.part.clone(), Operation::Verify, board.clone());
            Arc::new(side.reading(reading.notes(), None))
        })
        .collect()
}

/// Of a part whose bytes were proven, all is there that the sealed record counts.
fn count_held(record: &mut Record, sealed: &Record) {
    for (step, sealed) in record.steps.iter_mut().zip(&sealed.steps) {
        for part in &mut step.parts {
            if let Some(held) = sealed.parts.iter().find(|held| held.part.name == part.part.name) {
                (part.files, part.entries, part.bytes) = (held.files, held.entries, held.bytes);
            }
        }
    }
}

fn verdict(reading: &Reading, sides: &[Arc<PartSide>], proof: &Proof) -> (u8, String) {
    let id = &reading.record.snapshot;
    if reading.stop.is_cancelled() {
        return (EXIT_CANCELED, "canceled".to_owned());
    }
    if let Some(first) = proof.damage.first() {
        let others = proof.damage.len() - 1;
        let others = if others > 0 { format!(" (and {others} more)") } else { String::new() };
        return (1, format!("snapshot {id} is damaged: {first}{others}"));
    }
    let bytes = format!("{} entries and {} bytes read back", proof.entries, proof.bytes);
    let bad: Vec<_> = sides.iter().filter(|side| side.failed() || side.receipts_differ()).collect();
    if let Some(first) = bad.first() {
        let name = &first.name;
        return (
            1,
            format!("snapshot {id}: {bytes}; {} of {} parts do not hold, {name} first", bad.len(), sides.len()),
        );
    }
    let unread = reading.parts().filter(|(step, _)| !reading.steps.contains_key(&step.name)).count();
    if unread > 0 {
        let why = "no trusted component: accept it or pass --trust-plugin";
        return (
            EXIT_BYTES_ONLY,
            format!("snapshot {id}: bytes only: {bytes}; {} not looked at ({why})", counted(unread, "part", "parts")),
        );
    }
    let parts = counted(sides.len(), "part holds", "parts hold");
    (0, format!("snapshot {id} verified: {bytes}; {parts}"))
}

//! The order of a backup: the pass ahead, then stage after stage, each waiting until the one before has settled.

use std::sync::Arc;

use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    backup::Running,
    event::{Event, PartName},
    holds,
    part::{PartSide, Progress},
};
use crate::{
    config::Order,
    plan::inspection::Stage,
    repository::Pass,
    sandbox::{Answer, Request, fault::Fault},
    snapshot::receipts::Outcome,
};

/// Runs every part of the plan. What happened is in the parts' sides.
pub(super) async fn run(running: &Arc<Running>) {
    ahead(running).await;
    let mut going = JoinSet::new();
    for stage in Stage::BACKUP {
        if running.stop.is_cancelled() {
            break;
        }
        launch(running, stage, &mut going);
        barrier(running, stage).await;
    }
    while going.join_next().await.is_some() {}
    for side in &running.sides {
        if *side.watch().borrow() != Progress::Ended {
            side.skip(unfinished(running).to_owned());
        }
    }
}

fn unfinished(running: &Running) -> &'static str {
    if running.stop.is_cancelled() { "the run was stopped" } else { BROKEN_OFF }
}

const BROKEN_OFF: &str =
    "the host broke off this part: it has no more threads or memory, or this is a bug of strongroom";

/// Bulk parts that are worth copying before all stages.
async fn ahead(running: &Arc<Running>) {
    let parts: Vec<_> = running.sides.iter().filter(|side| side.part.ahead).cloned().collect();
    if parts.is_empty() {
        return;
    }
    running.board.log_order(&PartName::run(), "pass ahead");
    running.board.emit(&Event::Stage { stage: None });
    let (places, mut going) = (running.places(), JoinSet::new());
    for side in parts {
        let (running, places) = (running.clone(), places.clone());
        going.spawn(async move {
            let _place = places.acquire_owned().await;
            if running.stop.is_cancelled() {
                return;
            }
            side.begin(true);
            let result = holds::within(&running.holds, &side, call(&running, &side, Pass::Ahead)).await;
            side.end_ahead(result);
        });
    }
    while going.join_next().await.is_some() {}
}

/// Starts the parts of a stage, as many side by side as the plan says.
fn launch(running: &Arc<Running>, stage: Stage, going: &mut JoinSet<()>) {
    let parts: Vec<_> = running.sides.iter().filter(|side| side.part.stage == stage).cloned().collect();
    if parts.is_empty() {
        return;
    }
    running.board.log_order(&PartName::run(), format!("stage {}", stage.word()));
    running.board.emit(&Event::Stage { stage: Some(stage) });
    let places = running.places();
    for side in parts {
        match lost_to(running, &side) {
            Some(cause) => side.skip(format!("not run: {cause} ended before it fixed its instant")),
            None => {
                going.spawn(one(running.clone(), side, places.clone()));
            }
        }
    }
}

/// Ends a part whose task breaks off: the barrier of its stage would wait for it without end.
struct LastWord(Option<Arc<PartSide>>);

impl Drop for LastWord {
    fn drop(&mut self) {
        if let Some(side) = self.0.take() {
            side.skip(BROKEN_OFF.to_owned());
        }
    }
}

async fn one(running: Arc<Running>, side: Arc<PartSide>, places: Arc<Semaphore>) {
    let mut last_word = LastWord(Some(side.clone()));
    in_its_place(running, side, places).await;
    last_word.0 = None;
}

async fn in_its_place(running: Arc<Running>, side: Arc<PartSide>, places: Arc<Semaphore>) {
    let _place = places.acquire_owned().await;
    if running.stop.is_cancelled() {
        return;
    }
    side.begin(false);
    let result = holds::within(&running.holds, &side, call(&running, &side, Pass::InStage)).await;
    side.end(result);
}

/// The database part whose loss takes `side` with it: of its own step, or of a step that it comes after.
fn lost_to(running: &Running, side: &PartSide) -> Option<PartName> {
    let after_it =
        |other: &PartSide| other.part.stage < side.part.stage && running.board.sees(&side.name.step, &other.name.step);
    running.sides.iter().find(|other| after_it(other) && other.lost()).map(|other| other.name.clone())
}

/// Waits until what the stage stores no longer depends on time.
async fn barrier(running: &Running, stage: Stage) {
    let enough = match running.order {
        Order::Settled => Progress::Settled,
        Order::Strict => Progress::Ended,
    };
    for side in running.sides.iter().filter(|side| side.part.stage == stage) {
        let mut progress = side.watch();
        tokio::select! {
            // Fails only when the side is gone, and sides live as long as the run.
            _ = progress.wait_for(|progress| *progress >= enough) => {}
            () = running.stop.cancelled() => return,
        }
    }
}

async fn call(running: &Running, side: &Arc<PartSide>, pass: Pass) -> Result<Outcome, Fault> {
    let request = Request::Backup(side.part.clone(), pass);
    let (plugin, session) = running.session(side)?;
    match plugin.call(session, request).await? {
        Answer::Outcome(outcome) => Ok(outcome),
        _ => Err(Fault::Host("the sandbox answered a backup with something else".to_owned())),
    }
}

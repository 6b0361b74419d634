//! Ends holds that last too long, together with the part that took them; at the end of the run, all that still stand.

use std::{future::Future, sync::Arc};

use tokio::{
    task::{JoinHandle, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{Hold, Holds, Tried};
use crate::{
    diagnostic::{Finding, Severity},
    run::{board::lock, event::PartName, part::PartSide},
};

/// The deadlines of a run's holds are being watched.
pub(crate) struct Watching {
    holds: Arc<Holds>,
    sides: Vec<Arc<PartSide>>,
    end: CancellationToken,
    task: JoinHandle<()>,
}

impl Watching {
    /// Begins to watch. `sides` are all parts of the run.
    pub(crate) fn begin(holds: &Arc<Holds>, sides: &[Arc<PartSide>]) -> Self {
        let end = CancellationToken::new();
        let task = tokio::spawn(watch(holds.clone(), sides.to_vec(), end.clone()));
        Self { holds: holds.clone(), sides: sides.to_vec(), end, task }
    }

    /// All parts have ended: releases what still stands. Parts whose holds could not be released have failed.
    pub(crate) async fn end(self) {
        self.end.cancel();
        // It ends what it is releasing first. Where it broke, what it had begun still stands and is released here.
        let _ = self.task.await;
        tell(&self.sides, self.holds.end_run().await);
        self.holds.tidy();
    }
}

/// Runs one call for a part, then releases what it held for its own time.
pub(crate) async fn within<T>(holds: &Holds, side: &PartSide, call: impl Future<Output = T>) -> T {
    holds.begin_call(&side.name);
    let result = call.await;
    for (hold, result) in holds.end_call(&side.name).await {
        note(side, &hold, result);
    }
    result
}

async fn watch(holds: Arc<Holds>, sides: Vec<Arc<PartSide>>, end: CancellationToken) {
    let mut releases = JoinSet::new();
    loop {
        let next = next_deadline(&holds);
        let due = async {
            match next {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = end.cancelled() => break,
            () = holds.changed.notified() => {}
            () = due => {
                for (hold, called) in late(&holds) {
                    if let Some(side) = side_of(&sides, &hold.owner()) {
                        side.spoil(expired(&hold));
                    }
                    // While its part is being called, the end of that call releases it.
                    if !called {
                        let (holds, sides) = (holds.clone(), sides.clone());
                        releases.spawn(async move { tell(&sides, holds.release_all(vec![hold]).await) });
                    }
                }
            }
        }
    }
    while releases.join_next().await.is_some() {}
}

fn next_deadline(holds: &Holds) -> Option<Instant> {
    lock(&holds.open).holds.iter().filter(|held| !held.late && !held.tried).map(|held| held.deadline).min()
}

/// Marks the holds whose deadline has passed. Each with whether its part is being called.
fn late(holds: &Holds) -> Vec<(Hold, bool)> {
    let (now, mut open) = (Instant::now(), lock(&holds.open));
    let open = &mut *open;
    let passed = open.holds.iter_mut().filter(|held| !held.late && !held.tried && held.deadline <= now);
    passed
        .map(|held| {
            held.late = true;
            (held.hold.clone(), open.called.contains(&held.hold.owner()))
        })
        .collect()
}

fn side_of<'a>(sides: &'a [Arc<PartSide>], part: &PartName) -> Option<&'a Arc<PartSide>> {
    sides.iter().find(|side| side.name == *part)
}

fn tell(sides: &[Arc<PartSide>], tried: Vec<Tried>) {
    for (hold, result) in tried {
        if let Some(side) = side_of(sides, &hold.owner()) {
            note(side, &hold, result);
        }
    }
}

fn note(side: &PartSide, hold: &Hold, released: Result<(), String>) {
    match released {
        Ok(()) => side.log_order(format!("hold {} released", hold.name)),
        Err(why) => side.spoil(not_released(hold, &why)),
    }
}

fn not_released(hold: &Hold, why: &str) -> Finding {
    let message = format!("hold {:?} could not be released: {why}; try again with `strongroom recover`", hold.name);
    Finding::new(Severity::Blocker, "hold-not-released", &hold.name, message)
}

fn expired(hold: &Hold) -> Finding {
    let message =
        format!("hold {:?}, taken at {}, stood until its deadline at {}", hold.name, hold.taken, hold.deadline);
    Finding::new(Severity::Blocker, "hold-expired", &hold.name, message)
}

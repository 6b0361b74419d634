//! What a part has submitted: as many side by side as the operator allows, and none forgotten at the end.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{AcquireError, Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::store::{Failure, Storing};
use crate::{
    name::RawPath,
    repository::{Draft, Pass, Stored},
    sandbox::{
        bindings::{Answer, fail},
        fault::Code,
    },
};

/// Files that wait for each one that is being stored.
const WAITING_PER_WORKER: usize = 64;
/// Streams (a tool's output, a pipe) that are stored at a time. They never wait for a worker: what feeds them may
/// itself wait for them.
const STREAMS_MAX: usize = 64;

/// One part's contents on their way.
pub struct Stores {
    state: Mutex<State>,
    parallel: usize,
    places: Arc<Semaphore>,
    idle: Notify,
    give_up: CancellationToken,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    workers: usize,
    streams: usize,
    in_flight: usize,
    failures: BTreeMap<RawPath, (RawPath, Failure)>,
}

type Sender = oneshot::Sender<Result<Stored, Failure>>;
type Job = (Storing, Sender, OwnedSemaphorePermit);

impl Stores {
    /// For a part that stores `parallel` files side by side, in a run that `stop` ends.
    pub fn new(parallel: usize, stop: &CancellationToken) -> Self {
        let parallel = parallel.max(1);
        Self {
            state: Mutex::default(),
            parallel,
            places: Arc::new(Semaphore::new(parallel * WAITING_PER_WORKER)),
            idle: Notify::new(),
            give_up: stop.child_token(),
        }
    }

    /// Ends a storing early: the run is to stop, or the part has failed.
    pub fn stop(&self) -> &CancellationToken {
        &self.give_up
    }

    /// Begins to store. Waits while too many files wait already.
    ///
    /// # Errors
    /// `limit` when too many streams are being stored.
    pub async fn submit(self: &Arc<Self>, storing: Storing) -> Answer<oneshot::Receiver<Result<Stored, Failure>>> {
        let (sender, result) = oneshot::channel();
        if storing.content.is_file() {
            let place = self.place().await.map_err(|closed| fail(Code::Internal, closed.to_string()))?;
            self.queue((storing, sender, place));
        } else {
            self.stream(storing, sender)?;
        }
        Ok(result)
    }

    /// A free place. Once all are taken, waits until half of them are free: waking the guest for each single one would
    /// cost more than storing a small file.
    async fn place(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Ok(place);
        }
        let half = (self.parallel * WAITING_PER_WORKER / 2) as u32;
        let mut places = self.places.clone().acquire_many_owned(half).await?;
        let all_but_one = places.num_permits() - 1;
        drop(places.split(all_but_one));
        Ok(places)
    }

    fn queue(self: &Arc<Self>, job: Job) {
        let mut state = self.state();
        state.in_flight += 1;
        state.waiting.push_back(job);
        if state.workers < self.parallel {
            state.workers += 1;
            let stores = self.clone();
            tokio::task::spawn_blocking(move || stores.work());
        }
    }

    fn work(&self) {
        loop {
            let mut state = self.state();
            let Some((storing, sender, place)) = state.waiting.pop_front() else {
                state.workers -= 1;
                return;
            };
            drop(state);
            self.run(storing, sender);
            drop(place);
        }
    }

    fn stream(self: &Arc<Self>, storing: Storing, sender: Sender) -> Answer<()> {
        let mut state = self.state();
        if state.streams >= STREAMS_MAX {
            let message = format!("{STREAMS_MAX} streams are being stored already: wait for one of them first");
            return Err(fail(Code::Limit, message));
        }
        state.streams += 1;
        state.in_flight += 1;
        let stores = self.clone();
        tokio::task::spawn_blocking(move || {
            stores.run(storing, sender);
            stores.state().streams -= 1;
        });
        Ok(())
    }

    fn run(&self, storing: Storing, sender: Sender) {
        let (path, own) = (storing.path.clone(), storing.own.clone());
        // A panic below must not leave the part waiting for ever.
        let _ended = Ended(self);
        let result = storing.run();
        if let Err(failure) = &result {
            self.state().failures.entry(own).or_insert((path, failure.clone()));
        }
        // The plugin may have dropped its handle.
        let _ = sender.send(result);
    }

    /// Ends once nothing is on its way any more.
    pub async fn idle(&self) {
        loop {
            let change = self.idle.notified();
            if self.state().in_flight == 0 {
                return;
            }
            change.await;
        }
    }

    /// The first path that failed and was not stored again in `pass`, and why.
    pub fn failure(&self, draft: &dyn Draft, pass: Pass) -> Option<String> {
        let failures = std::mem::take(&mut self.state().failures);
        let again = |path: &RawPath| matches!(draft.find(path), Ok(Some(held)) if held.pass == pass);
        failures
            .into_values()
            .find(|(path, failure)| failure.exists || !again(path))
            .map(|(_, failure)| failure.message)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Ended<'a>(&'a Stores);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_flight -= 1;
        if state.in_flight == 0 {
            self.0.idle.notify_waiters();
        }
    }
}

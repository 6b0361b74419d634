//! Threads that do one kind of job for every long content of a draft, as many as there are cores.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use super::cores;

/// See the module.
pub(super) struct Pool<J> {
    jobs: Option<SyncSender<J>>,
    threads: Vec<JoinHandle<()>>,
}

/// Every thread has died, or none could be started.
pub(super) struct Gone;

impl<J: Send + 'static> Pool<J> {
    /// `waiting`: jobs that may wait for a thread; `worker` makes what one thread does with each of its jobs.
    pub(super) fn new<W: FnMut(J) + Send + 'static>(waiting: usize, worker: impl Fn() -> W) -> Self {
        let (jobs, queue) = sync_channel(waiting);
        let queue = Arc::new(Mutex::new(queue));
        // Fewer do, and where there is none, `submit` finds the queue gone.
        let work = |_| {
            let (queue, mut worker) = (Arc::clone(&queue), worker());
            std::thread::Builder::new().spawn(move || serve(&queue, &mut worker)).ok()
        };
        let threads = (0..cores()).filter_map(work).collect();
        Self { jobs: Some(jobs), threads }
    }

    /// Has a job done some time; waits when there is plenty to do.
    pub(super) fn submit(&self, job: J) -> Result<(), Gone> {
        self.jobs.as_ref().ok_or(Gone)?.send(job).map_err(|_| Gone)
    }
}

impl<J> Drop for Pool<J> {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has dropped its replies, and who waited for them has failed.
            let _ = thread.join();
        }
    }
}

fn serve<J>(queue: &Mutex<Receiver<J>>, worker: &mut impl FnMut(J)) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        worker(job);
    }
}

//! A short queue between one thread that lists and those that work, whose two ends seldom wake each other.
//!
//! With small files to be woken for each one costs as much as to store it. So nobody is woken who does not sleep, and
//! the thread that lists sleeps, once the queue is full, until it is half empty.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use super::{Error, workers};

struct Queue<T> {
    items_max: usize,
    state: Mutex<State<T>>,
    filled: Condvar,
    drained: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    /// Who waits for an item.
    idle: usize,
    /// The thread that lists waits for room.
    full: bool,
    ended: bool,
}

impl<T> Queue<T> {
    /// An empty one that holds up to `items_max`.
    fn new(items_max: usize) -> Self {
        let state = State { items: VecDeque::with_capacity(items_max), idle: 0, full: false, ended: false };
        Self { items_max, state: Mutex::new(state), filled: Condvar::new(), drained: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end that fills it. Dropped, it ends the queue. There is one only.
    fn sender(&self) -> Sender<'_, T> {
        Sender(self)
    }

    /// The next item; none once the queue has ended and is empty.
    fn next(&self) -> Option<T> {
        let mut state = self.lock();
        while state.items.is_empty() && !state.ended {
            state.idle += 1;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
        let item = state.items.pop_front();
        if state.full && state.items.len() <= self.items_max / 2 {
            state.full = false;
            self.drained.notify_one();
        }
        item
    }
}

/// See [`Queue::sender`].
struct Sender<'a, T>(&'a Queue<T>);

impl<T> Sender<'_, T> {
    /// Adds an item, once there is room.
    fn send(&self, item: T) {
        let mut state = self.0.lock();
        if state.items.len() >= self.0.items_max {
            state.full = true;
            state = self.0.drained.wait_while(state, |state| state.full).unwrap_or_else(PoisonError::into_inner);
        }
        state.items.push_back(item);
        if state.idle > 0 {
            self.0.filled.notify_one();
        }
    }
}

/// Has `list` send items, and so many threads do `work` on each.
///
/// # Errors
/// What `list` says; and when the system gives not even one thread.
pub(super) fn share<T: Send>(
    items_max: usize,
    threads: usize,
    list: impl FnOnce(&mut dyn FnMut(T)) -> Result<(), Error>,
    work: impl Fn(T) + Copy + Send,
) -> Result<(), Error> {
    let queue = Queue::new(items_max);
    std::thread::scope(|scope| {
        let sender = queue.sender();
        let queue = &queue;
        let started = workers::start_many(scope, threads, move || {
            while let Some(item) = queue.next() {
                work(item);
            }
        });
        let listed = started.and_then(|()| list(&mut |item| sender.send(item)));
        drop(sender);
        listed
    })
}

impl<T> Drop for Sender<'_, T> {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.filled.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn everything_that_is_sent_arrives_once() {
        for (items_max, threads) in [(1, 1), (1, 3), (2, 2), (64, 4)] {
            let (queue, sum, count) = (Queue::new(items_max), AtomicU64::new(0), AtomicU64::new(0));
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        while let Some(item) = queue.next() {
                            sum.fetch_add(item, Ordering::Relaxed);
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
                let sender = queue.sender();
                (1..=10_000).for_each(|item| sender.send(item));
            });
            assert_eq!((count.into_inner(), sum.into_inner()), (10_000, 50_005_000));
        }
    }

    #[test]
    fn a_sender_that_is_dropped_ends_the_queue() {
        let queue = Queue::new(4);
        queue.sender().send(1);
        assert_eq!((queue.next(), queue.next()), (Some(1), None));
    }
}

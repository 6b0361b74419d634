//! Which answers a proxy breaks: those to what question, after how many others, and how often.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

/// What is planned, and what has happened of it.
pub struct Faults<Question, Fault> {
    planned: Mutex<Vec<Planned<Question, Fault>>>,
    fired: AtomicUsize,
}

struct Planned<Question, Fault> {
    question: Question,
    /// How many answers are left alone first.
    after: usize,
    times: usize,
    fault: Fault,
}

impl<Question, Fault> Default for Faults<Question, Fault> {
    fn default() -> Self {
        Self { planned: Mutex::default(), fired: AtomicUsize::new(0) }
    }
}

impl<Question, Fault: Clone> Faults<Question, Fault> {
    /// From the answer after `after` others on, does that to so many answers to that question.
    pub fn plan(&self, question: Question, after: usize, times: usize, fault: Fault) {
        self.planned.lock().unwrap().push(Planned { question, after, times, fault });
    }

    /// How many answers were broken.
    pub fn fired(&self) -> usize {
        self.fired.load(Ordering::SeqCst)
    }

    /// What is done to the next answer to a question that `is_meant`.
    pub fn next(&self, is_meant: impl Fn(&Question) -> bool) -> Option<Fault> {
        let mut planned = self.planned.lock().unwrap();
        let planned = planned.iter_mut().find(|one| one.times > 0 && is_meant(&one.question))?;
        if planned.after > 0 {
            planned.after -= 1;
            return None;
        }
        planned.times -= 1;
        self.fired.fetch_add(1, Ordering::SeqCst);
        Some(planned.fault.clone())
    }
}

//! Counts what happened, and prints it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use super::{Arguments, fault::Fault, trial::Outcome};

/// See the module.
pub struct Tally {
    planned: usize,
    seed: u64,
    at_least: usize,
    failures_max: usize,
    minutes: Option<u64>,
    verbose: bool,
    began: Instant,
    fired: BTreeSet<Fault>,
    missed: usize,
    by_place: BTreeMap<String, usize>,
    by_kind: BTreeMap<String, usize>,
    by_code: BTreeMap<(String, i32), usize>,
    failed: usize,
}

impl Tally {
    pub fn new(arguments: &Arguments, planned: usize) -> Self {
        println!("{planned} faults, seed {}", arguments.seed);
        Self {
            planned,
            seed: arguments.seed,
            at_least: arguments.at_least,
            failures_max: arguments.failures,
            minutes: arguments.minutes,
            verbose: arguments.verbose,
            began: Instant::now(),
            fired: BTreeSet::new(),
            missed: 0,
            by_place: BTreeMap::new(),
            by_kind: BTreeMap::new(),
            by_code: BTreeMap::new(),
            failed: 0,
        }
    }

    /// Whether there is no point in going on.
    pub fn enough(&self, single: bool) -> bool {
        let late = self.minutes.is_some_and(|minutes| self.began.elapsed().as_secs() >= minutes * 60);
        late || self.failed >= self.failures_max || (single && !self.fired.is_empty())
    }

    pub fn add(&mut self, fault: Fault, outcome: Outcome) {
        if self.verbose {
            println!("{fault}: {}, exit {}", if outcome.fired { "happened" } else { "did not happen" }, outcome.code);
        }
        if !outcome.wrong.is_empty() {
            self.failed += 1;
            println!("NOT SURVIVED {fault}{}", if outcome.fired { "" } else { " (which did not happen)" });
            outcome.wrong.iter().for_each(|why| println!("  {}", why.trim_end().replace('\n', "\n    ")));
            println!("  again: cargo run --release --example sweep -- --only {fault}");
        }
        if !outcome.fired {
            self.missed += 1;
            return;
        }
        let case = fault.case.clone();
        *self.by_place.entry(format!("{case} {}", fault.place)).or_default() += 1;
        *self.by_kind.entry(fault.kind.to_string()).or_default() += 1;
        *self.by_code.entry((case, outcome.code)).or_default() += 1;
        self.fired.insert(fault);
        let count = self.fired.len();
        if count.is_multiple_of(500) {
            println!("{count} faults after {} s, {} not survived", self.began.elapsed().as_secs(), self.failed);
        }
    }

    /// Whether all was survived, and enough has happened.
    pub fn good(&self) -> bool {
        self.failed == 0 && self.fired.len() >= self.at_least.max(1)
    }

    pub fn print(&self) {
        let table = |title: &str, rows: Vec<(String, usize)>| {
            println!("\n{title}");
            rows.into_iter().for_each(|(name, count)| println!("  {count:6}  {name}"));
        };
        table("by place", self.by_place.clone().into_iter().collect());
        table("by kind", self.by_kind.clone().into_iter().collect());
        let ends = self.by_code.iter().map(|((case, code), count)| (format!("{case} ended with {code}"), *count));
        table("how the runs ended", ends.collect());
        println!(
            "\n{} distinct faults happened (seed {}, {} planned, {} did not happen), {} not survived, {} s",
            self.fired.len(),
            self.seed,
            self.planned,
            self.missed,
            self.failed,
            self.began.elapsed().as_secs()
        );
        if self.fired.len() < self.at_least {
            println!("fewer than the {} that were asked for", self.at_least);
        }
    }
}

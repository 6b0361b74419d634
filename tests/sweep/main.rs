//! The fault sweep: runs small backups and restores again and again, each time with one fault at another place, and
//! checks after each that nothing was lost, nothing half is visible and nothing false was said.
//!
//! `cargo run --release --example sweep -- --help` says how.

mod calls;
mod cases;
mod check;
mod fault;
mod held;
#[path = "../support/postgres.rs"]
#[allow(dead_code)]
mod postgres;
mod proxy;
mod sets;
mod small_disk;
mod subject;
mod tally;
mod trial;
mod wire;
mod work;

use std::process::ExitCode;

use clap::Parser;

/// Runs small backups and restores with one fault each, and checks what must hold after it.
#[derive(Parser)]
pub struct Arguments {
    /// How many faults; all that there are unless it is given.
    #[arg(long)]
    faults: Option<usize>,
    /// Chooses which, and in which order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only faults whose name begins so; a whole name is one fault, run ten times at most until it happens.
    #[arg(long, value_name = "CASE/PLACE/KIND/NUMBER")]
    only: Option<String>,
    /// The program; beside this one's directory unless it is given.
    #[arg(long)]
    program: Option<std::path::PathBuf>,
    /// Runs side by side.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Fails when fewer distinct faults than this have happened.
    #[arg(long, default_value_t = 0)]
    at_least: usize,
    /// Ends after so many faults that were not survived.
    #[arg(long, default_value_t = 20)]
    failures: usize,
    /// Begins no more faults after so many minutes.
    #[arg(long)]
    minutes: Option<u64>,
    /// Prints every fault.
    #[arg(short, long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().collect();
    if words.get(1).is_some_and(|word| word == held::WORD) {
        eprintln!("becoming the held program: {}", held::become_held(&words[2..]));
        return ExitCode::FAILURE;
    }
    match work::sweep(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the sweep itself failed: {error}");
            ExitCode::FAILURE
        }
    }
}

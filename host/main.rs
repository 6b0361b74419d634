//! Arguments in, exit code out.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, set_hook},
    process::ExitCode,
};

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use strongroom::{cli::Cli, commands, report};

/// Files that this process may have open, where the system lets it.
const OPEN_FILES: u64 = 65_536;

fn main() -> ExitCode {
    let cli = Cli::parse();
    raise_open_files();
    set_hook(Box::new(report::error::broke_off));
    // What was said already is all that can be said; nobody knows what was done.
    catch_unwind(|| run(&cli)).unwrap_or(ExitCode::from(report::exit::FAILED))
}

fn run(cli: &Cli) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return ended(cli, Err(anyhow::Error::from(error).context("starting the runtime"))),
    };
    let result = catch_unwind(AssertUnwindSafe(|| runtime.block_on(commands::run(cli))));
    // A thread that reads from a source that hangs must not keep the process: everything that counts has ended.
    runtime.shutdown_background();
    result.map_or(ExitCode::from(report::exit::FAILED), |result| ended(cli, result))
}

/// The usual soft limit of 1,024 is for programs that call `select`; a few plugins with a thousand streams each are past
/// it. Where it cannot be raised, opening fails later and says so.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    if limit.current.is_some_and(|current| current < wanted) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit });
    }
}

fn ended(cli: &Cli, result: anyhow::Result<u8>) -> ExitCode {
    ExitCode::from(result.unwrap_or_else(|error| {
        let code = commands::code_of(&error);
        report::exit_error(cli.global.json, code, &error);
        code
    }))
}

//! Arguments in, exit code out.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, set_hook},
    process::ExitCode,
};

use clap::Parser;
use strongroom::{cli::Cli, commands, report};

fn main() -> ExitCode {
    let cli = Cli::parse();
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

fn ended(cli: &Cli, result: anyhow::Result<u8>) -> ExitCode {
    ExitCode::from(result.unwrap_or_else(|error| {
        let code = commands::code_of(&error);
        report::exit_error(cli.global.json, code, &error);
        code
    }))
}

//! `completions`: a script that completes the command line in a shell.

use clap_complete::Shell;

use crate::{
    cli,
    report::{self, exit},
};

pub(super) fn completions(shell: &str) -> anyhow::Result<u8> {
    let shell: Shell = shell.parse().map_err(anyhow::Error::msg)?;
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "strongroom", &mut script);
    report::print(&String::from_utf8(script)?)?;
    Ok(exit::DONE)
}

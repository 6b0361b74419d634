//! `man`: the manual page on standard output, or a page for each verb in a directory.

use std::path::Path;

use anyhow::Context;

use crate::{
    cli,
    report::{self, exit},
};

pub(super) fn man(directory: Option<&Path>) -> anyhow::Result<u8> {
    let Some(directory) = directory else {
        let mut page = Vec::new();
        clap_mangen::Man::new(cli::command()).render(&mut page)?;
        report::print(&String::from_utf8(page)?)?;
        return Ok(exit::DONE);
    };
    let doing = || format!("writing manual pages into {}", directory.display());
    anyhow::ensure!(directory.is_dir(), "{} is no directory\nhelp: make it first", directory.display());
    clap_mangen::generate_to(cli::command(), directory).with_context(doing)?;
    Ok(exit::DONE)
}

//! `verify`: reads a snapshot back, then lets its plugins check what the bytes mean.

use std::sync::Arc;

use anyhow::Context;

use super::{reading, select::select};
use crate::{
    cli::{Global, VerifyArgs},
    run::{scratch::Scratch, stop, verify as run},
};

pub(super) async fn verify(global: &Global, args: &VerifyArgs) -> anyhow::Result<u8> {
    let stop = stop::on_signals()?;
    let config = reading::optional_config(global, args.snapshot.repo.repo.as_ref())?;
    let selected = select(global, &args.snapshot)?;
    let trusted = reading::trusted(&selected, config.as_ref(), &args.trust).await?;
    let scratch = Scratch::temporary().context("making a directory for secret files")?;
    let observer = Arc::new(global.report().observers()?);
    let reading = reading::reading(selected, trusted.steps, config.as_ref(), scratch.path(), observer, stop);
    Ok(run::verify(reading).await.exit_code)
}

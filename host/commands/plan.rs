//! `plan`: asks, decides, prints. Nothing is written.

use std::sync::Arc;

use super::pipeline::Pipeline;
use crate::{
    cli::Global,
    plan::render,
    report::{self, exit},
    run::stop,
};

pub(super) async fn plan(global: &Global) -> anyhow::Result<u8> {
    let stop = stop::on_signals()?;
    let pipeline = Pipeline::open(global).await?;
    let resolution = pipeline.resolve(Arc::new(report::asking_observers(&global.report())?), &stop).await?;
    let hash = resolution.plan.hash();
    let text = match global.json {
        true => format!("{:#}\n", render::json(&resolution.plan, &resolution.beside, &hash)),
        false => render::text(&resolution.plan, &resolution.beside, &hash, report::color(&std::io::stdout())),
    };
    report::print(&text)?;
    Ok(if resolution.blockers.is_empty() { exit::DONE } else { exit::FAILED })
}

//! `recover`: undoes what runs that died have left changed in products. A run begins with it, too.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::pipeline;
use crate::{
    cli::{Global, RecoverArgs},
    config::Config,
    diagnostic::{Finding, Severity},
    report::{self, exit},
    run::{
        event::{Event, Observer, PartName},
        holds::{self, Hold, Recovered},
        locks, stop,
    },
};

pub(super) async fn recover(global: &Global, args: &RecoverArgs) -> anyhow::Result<u8> {
    let stop = stop::on_signals()?;
    let config = pipeline::config(global)?;
    let paint = report::words::Paint { on: report::color(&std::io::stdout()) };
    if args.list {
        let standing = holds::standing(&config.state).context("reading the journal of holds")?;
        report::print(&report::holds::listed(&standing, global.json, paint))?;
        return Ok(if standing.unreadable.is_empty() { exit::DONE } else { exit::FAILED });
    }
    let retry = args.lock.retry_lock.unwrap_or(Duration::ZERO);
    let _lock = locks::acquire(&config.state, &config.name, &pipeline::holder("recover"), retry).await?;
    let observer: Arc<dyn Observer> = Arc::new(global.report().observers()?);
    let recovered = release(&config, &observer, &stop).await?;
    report::print(&report::holds::recovered(&recovered, global.json, paint))?;
    let none_left = recovered.left.is_empty() && recovered.unreadable.is_empty();
    Ok(match (stop.is_cancelled(), none_left) {
        (_, true) => exit::DONE,
        (true, false) => exit::CANCELED,
        (false, false) => exit::FAILED,
    })
}

/// What a run does before anything else, under the pipeline's lock. What cannot be undone does not stand in its way:
/// the operator is told.
pub(super) async fn before_a_run(
    config: &Config,
    observer: &Arc<dyn Observer>,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<Finding>> {
    let recovered = release(config, observer, stop).await?;
    let released = recovered.released.iter().map(|hold| {
        let message = format!("a run before left {} standing; it was released now", told(hold));
        Finding::new(Severity::Warning, "hold-recovered", &hold.name, message)
    });
    let left = recovered.left.iter().map(|(hold, why)| {
        let message = format!("a run before left {} standing, and it could not be released: {why}", told(hold));
        Finding::new(Severity::Warning, "hold-not-released", &hold.name, message)
    });
    let unreadable = recovered.unreadable.iter().map(|why| {
        let message = format!("a hold in the journal cannot be read, so it is not released: {why}");
        Finding::new(Severity::Warning, "hold-not-released", "", message)
    });
    Ok(released.chain(left).chain(unreadable).collect())
}

/// Says so where there is no record to hold it.
pub(super) fn tell(observer: &dyn Observer, findings: Vec<Finding>) {
    for finding in findings {
        observer.event(SystemTime::now(), &Event::Found { part: PartName::run(), finding });
    }
}

fn told(hold: &Hold) -> String {
    format!("hold {:?} of {}, taken at {},", hold.name, hold.owner(), hold.taken)
}

async fn release(config: &Config, observer: &Arc<dyn Observer>, stop: &CancellationToken) -> anyhow::Result<Recovered> {
    let standing = holds::standing(&config.state).context("reading the journal of holds")?;
    if standing.holds.is_empty() {
        return Ok(Recovered { unreadable: standing.unreadable, ..Recovered::default() });
    }
    let sandbox = pipeline::sandbox()?;
    holds::recover(&config.state, &sandbox, observer.clone(), stop).await.context("writing the journal of holds")
}

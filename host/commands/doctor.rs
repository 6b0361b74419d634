//! `doctor`: looks whether a backup could work, and says so line by line.

use super::{pipeline, repository};
use crate::{
    cli::Global,
    config::{Config, lock::Lock},
    report::{self, exit},
    run::{
        doctor::{self, Check, Health},
        stop,
    },
};

pub(super) async fn doctor(global: &Global) -> anyhow::Result<u8> {
    let stop = stop::on_signals()?;
    let config = pipeline::config(global)?;
    let mut checks = plugins(&config);
    match repository::of_pipeline(&config) {
        Ok(repository) => checks.extend(doctor::examine(&config, repository, &stop).await),
        Err(error) => checks.push(Check::problem("repository", one_line(&format!("{error:#}")))),
    }
    for copy in &config.copies {
        match repository::to_copy_to(&config, copy) {
            Ok(repository) => checks.extend(doctor::examine_copy(copy, repository).await),
            Err(error) => checks.push(Check::problem(format!("copy {}", copy.name), one_line(&format!("{error:#}")))),
        }
    }
    let paint = report::words::Paint { on: report::color(&std::io::stdout()) };
    report::print(&report::doctor::checks(&checks, global.json, global.quiet, paint))?;
    Ok(match checks.iter().any(|check| check.health == Health::Problem) {
        _ if stop.is_cancelled() => exit::CANCELED,
        true => exit::FAILED,
        false => exit::DONE,
    })
}

/// Each step's component against the lock.
fn plugins(config: &Config) -> Vec<Check> {
    let lock = match pipeline::lock(&pipeline::lock_path(config)) {
        Ok(lock) => lock,
        Err(error) => return vec![Check::problem("strongroom.lock", format!("{error:#}"))],
    };
    config.steps.iter().map(|step| plugin(config, &lock, step)).collect()
}

fn plugin(config: &Config, lock: &Lock, step: &crate::config::Step) -> Check {
    let about = format!("{} plugin", step.name);
    let found = match pipeline::find(&step.plugin, config.directory()) {
        Ok(found) => found,
        Err(error) => return Check::problem(about, one_line(&format!("{error:#}"))),
    };
    match lock.check(step, &found.digest) {
        Ok(()) => Check::ok(about, format!("{} is as accepted", found.path.display())),
        Err(mismatch) => Check::problem(about, one_line(&mismatch.to_string())),
    }
}

/// What stands on several lines for people, on one.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

//! Events as `tracing` events, and the log file that takes them. The home of `tracing`.

use std::{fs, io, os::unix::fs::OpenOptionsExt, path::Path, sync::Mutex, time::SystemTime};

use tracing::{Subscriber, debug, error, info, trace, warn};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter, layer::SubscriberExt};

use super::table;
use crate::{
    diagnostic::{Finding, Severity},
    run::event::{Event, Observer, PartName},
    sandbox::ledger::Level,
};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be written.
    #[error("opening the log file {path}")]
    File {
        /// As given.
        path: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The filter is not one.
    #[error("reading the log filter {filter:?}\n  help: it is written like `info` or `strongroom::run=debug,warn`")]
    Filter {
        /// As given.
        filter: String,
        /// What is wrong with it.
        #[source]
        cause: tracing_subscriber::filter::ParseError,
    },
    /// The process has a log already.
    #[error("a log was opened before in this process")]
    Twice,
}

/// Opens the log of this process: appended to `path` (mode 0600 when new), as JSON lines when the name ends in `.json`,
/// `.jsonl` or `.ndjson`, otherwise as text.
///
/// # Errors
/// When the file cannot be opened, or `filter` is not in `RUST_LOG`'s syntax.
pub fn init(path: &Path, filter: &str) -> Result<(), Error> {
    let opened = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    let file = opened.map_err(|cause| Error::File { path: path.display().to_string(), cause })?;
    let json = path.extension().is_some_and(|end| ["json", "jsonl", "ndjson"].iter().any(|known| end == *known));
    let subscriber = subscriber(Mutex::new(file), filter, json)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| Error::Twice)
}

fn subscriber<W>(writer: W, filter: &str, json: bool) -> Result<Box<dyn Subscriber + Send + Sync>, Error>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let filter =
        EnvFilter::builder().parse(filter).map_err(|cause| Error::Filter { filter: filter.to_owned(), cause })?;
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer);
    let registry = tracing_subscriber::registry().with(filter);
    Ok(if json { Box::new(registry.with(lines.json())) } else { Box::new(registry.with(lines)) })
}

/// Hands every event to `tracing`, under the targets `strongroom::run`, `::progress`, `::plugin` and `::finding`.
pub struct Trace;

impl Observer for Trace {
    fn event(&self, _: SystemTime, event: &Event) {
        match event {
            Event::Started { operation, pipeline, snapshot, plan, parts } => {
                let (plan, parts) = (plan.as_deref().unwrap_or_default(), parts.len());
                info!(target: "strongroom::run", ?operation, pipeline, snapshot, plan, parts, "started");
            }
            Event::Stage { stage } => {
                info!(target: "strongroom::run", stage = stage.map_or("ahead", |stage| stage.word()), "stage");
            }
            Event::PartStarted { part, ahead, .. } => info!(target: "strongroom::run", %part, ahead, "part started"),
            Event::PartProgress { part, bytes, files, plugin } => {
                trace!(target: "strongroom::progress", %part, bytes, files, ?plugin, "progress");
            }
            Event::InstantFixed { part, instant } => info!(target: "strongroom::run", %part, instant, "instant fixed"),
            Event::PartSettled { part } => info!(target: "strongroom::run", %part, "settled"),
            Event::PartEnded { part, ahead, failure: None, summary } => {
                info!(target: "strongroom::run", %part, ahead, summary, "part ended");
            }
            Event::PartEnded { part, ahead, failure: Some(failure), .. } => {
                error!(target: "strongroom::run", %part, ahead, failure, "part failed");
            }
            Event::Log { part, level, message, fields } => log(part, *level, message, fields),
            Event::Found { part, finding } => found(part, finding),
            Event::Snapshot { doing, bytes, total } => {
                trace!(target: "strongroom::progress", doing, bytes, total, "snapshot");
            }
            Event::Ended(summary) => {
                let (state, message) = (summary.state.map(|state| state.word()), table::sentence(summary));
                let (exit_code, seconds) = (summary.exit_code, summary.seconds);
                info!(target: "strongroom::run", state, exit_code, seconds, "{message}");
            }
        }
    }
}

fn log(part: &PartName, level: Level, message: &str, fields: &[(String, String)]) {
    match level {
        Level::Debug => debug!(target: "strongroom::plugin", %part, ?fields, message),
        Level::Info => info!(target: "strongroom::plugin", %part, ?fields, message),
        Level::Warn => warn!(target: "strongroom::plugin", %part, ?fields, message),
        Level::Error => error!(target: "strongroom::plugin", %part, ?fields, message),
    }
}

fn found(part: &PartName, finding: &Finding) {
    let Finding { severity, code, subject, message } = finding;
    match severity {
        Severity::Info => info!(target: "strongroom::finding", %part, code, subject, message),
        Severity::Warning => warn!(target: "strongroom::finding", %part, code, subject, message),
        Severity::Blocker => error!(target: "strongroom::finding", %part, code, subject, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{Buffer, events};

    fn traced(filter: &str, json: bool) -> String {
        let buffer = Buffer::default();
        let subscriber = subscriber(Mutex::new(buffer.clone()), filter, json).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            events().iter().for_each(|(at, event)| Trace.event(*at, event));
        });
        buffer.text()
    }

    #[test]
    fn the_filter_chooses_by_target_and_level() {
        let (all, plugin) = (traced("trace", false), traced("strongroom::plugin=info", false));
        assert_eq!(all.lines().count(), events().len());
        assert_eq!(plugin.lines().count(), 2, "{plugin}");
        assert!(!traced("info", false).contains("progress"));
    }

    #[test]
    fn a_json_log_is_one_object_a_line() {
        for line in traced("info", true).lines() {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(object["target"].as_str().unwrap().starts_with("strongroom::"), "{line}");
        }
    }

    #[test]
    fn what_a_plugin_logs_cannot_colour_a_terminal_that_shows_the_log() {
        assert!(!traced("trace", false).contains('\x1b'));
    }

    #[test]
    fn a_wrong_filter_and_an_unreachable_file_are_named() {
        let wrong = init(Path::new("/dev/null"), "a=b=c").unwrap_err().to_string();
        assert!(wrong.contains("\"a=b=c\"") && wrong.contains("help:"), "{wrong}");
        let unreachable = init(Path::new("/dev/null/log"), "info").unwrap_err().to_string();
        assert!(unreachable.contains("/dev/null/log"), "{unreachable}");
    }
}

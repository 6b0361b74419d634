//! Copies snapshots to another repository of the pipeline, and notes how each copy went. Call it under the pipeline's
//! lock.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::{Instant as Clock, SystemTime},
};

use tokio_util::sync::CancellationToken;

use super::{
    copies,
    event::{Event, Observer, Operation, Summary},
    stop::EXIT_CANCELED,
    telling::Telling,
};
use crate::{
    diagnostic::{Finding, Severity, causes},
    plan::severity::weighed,
    repository::{
        Error, Listed, Repository,
        copy::{self, Copied, Original},
    },
    snapshot::record::Record,
};

/// One snapshot that is to be copied, and where it is to go.
pub struct Copy {
    /// What is copied.
    pub listed: Listed,
    /// Where it is.
    pub from: Arc<dyn Repository>,
    /// Where the copy goes.
    pub to: Arc<dyn Repository>,
    /// What the pipeline calls that repository.
    pub name: String,
    /// The operator's severities.
    pub severity: BTreeMap<String, Severity>,
    /// The state directory.
    pub state: PathBuf,
    /// Who is told.
    pub observer: Arc<dyn Observer>,
    /// The signal to stop.
    pub stop: CancellationToken,
}

/// Snapshots of `pipeline` that `to` does not hold, oldest first.
///
/// # Errors
/// When a repository cannot be listed.
pub fn missing(from: &dyn Repository, to: &dyn Repository, pipeline: &str) -> Result<Vec<Listed>, Error> {
    let held: BTreeSet<String> = to.snapshots()?.0.into_iter().map(|listed| listed.id).collect();
    let (mut listed, _) = from.snapshots()?;
    listed.retain(|listed| listed.pipeline == pipeline && !held.contains(&listed.id));
    Ok(listed)
}

/// Of these, those that began after the newest that `to` holds: older ones may have been forgotten there on purpose.
///
/// # Errors
/// As [`missing`].
pub fn newer(from: &dyn Repository, to: &dyn Repository, pipeline: &str) -> Result<Vec<Listed>, Error> {
    let held = to.snapshots()?.0;
    let newest = held.iter().filter(|listed| listed.pipeline == pipeline).map(|listed| &listed.started).max();
    let mut missing = missing(from, to, pipeline)?;
    missing.retain(|listed| newest.is_none_or(|newest| listed.started > *newest));
    Ok(missing)
}

/// Copies one snapshot; its summary names the exit code.
///
/// # Errors
/// When the snapshot's record cannot be read: then there is nothing to copy.
pub async fn copy(job: Copy) -> Result<Summary, Error> {
    let clock = Clock::now();
    let Copy { listed, name, .. } = &job;
    let original = copy::open(&*job.from, &*job.to, &listed.id)?;
    let record = original.as_ref().map(|original| original.record.clone());
    job.tell(&Event::Started {
        operation: Operation::Copy,
        pipeline: listed.pipeline.clone(),
        snapshot: listed.id.clone(),
        plan: None,
        parts: Vec::new(),
    });
    let copied = job.run(original).await;
    let (exit_code, message) = match &copied {
        _ if job.stop.is_cancelled() => (EXIT_CANCELED, "canceled".to_owned()),
        Ok(Copied { entries: Some(entries), bytes, new_bytes }) => {
            let to = format!("snapshot {} copied to {name} and proven", listed.id);
            (0, format!("{to}: {entries} entries and {bytes} bytes, {new_bytes} of them stored anew"))
        }
        Ok(Copied { entries: None, new_bytes, .. }) => {
            let to = format!("snapshot {} copied to {name} as it is and read back", listed.id);
            (0, format!("{to}: {new_bytes} bytes; it was not opened, for lack of an identity"))
        }
        Err(why) => (1, format!("snapshot {} was not copied to {name}: {why}", listed.id)),
    };
    let findings = job.noted(&copied);
    let unnoted = findings.iter().filter(|_| record.is_none()).map(|finding| format!("; {}", finding.message));
    let message = std::iter::once(message).chain(unnoted).collect();
    let summary = Summary {
        operation: Operation::Copy,
        snapshot: listed.id.clone(),
        state: Some(listed.state),
        exit_code,
        message,
        record: record.map(|record| Record { steps: Vec::new(), findings, ..record }),
        path: None,
        seconds: clock.elapsed().as_secs_f64(),
    };
    job.tell(&Event::Ended(Box::new(summary.clone())));
    Ok(summary)
}

impl Copy {
    fn tell(&self, event: &Event) {
        self.observer.event(SystemTime::now(), event);
    }

    async fn run(&self, original: Option<Original>) -> Result<Copied, String> {
        let total = self.listed.bytes.unwrap_or(self.listed.stored_bytes);
        let telling = Telling::of("copying", total, self.observer.clone(), self.stop.clone());
        let (from, to, listed) = (self.from.clone(), self.to.clone(), self.listed.clone());
        let copying = move || copy::copy(&*from, original.as_ref(), &*to, &listed, &telling);
        match tokio::task::spawn_blocking(copying).await {
            Ok(copied) => copied.map_err(|error| causes(&error)),
            Err(broken) => Err(format!("copying broke off: {broken} (a bug of strongroom)")),
        }
    }

    /// Notes how it went; where that cannot be done, a finding says so.
    fn noted(&self, copied: &Result<Copied, String>) -> Vec<Finding> {
        let there = || Ok::<_, Error>(self.from.snapshots()?.0.into_iter().map(|listed| listed.id).collect());
        let noted = there().map_err(|error| causes(&error)).and_then(|there| {
            let copy = copies::state_of(copied);
            copies::note(&self.state, &there, &self.listed.id, &self.name, copy).map_err(|error| error.to_string())
        });
        let finding = |why| {
            let message = format!("what became of the copy could not be noted in {}: {why}", self.state.display());
            weighed(&self.severity, Finding::new(Severity::Warning, "copy-not-noted", &self.name, message))
        };
        noted.err().map(finding).into_iter().collect()
    }
}

//! Events as JSON lines on standard output: each has `message_type` and `schema_version`; fields are only ever added.

use std::{
    collections::HashMap,
    io::{self, Write},
    sync::Mutex,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use super::{table, words};
use crate::{
    run::event::{Event, Observer, PartName, Summary},
    sandbox::ledger::Level,
};

/// The version of the lines.
pub const SCHEMA_VERSION: u32 = 1;

/// The most that a part's `status` is repeated.
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// Writes one object a line.
pub struct JsonLines {
    inner: Mutex<Inner>,
    progress: bool,
}

struct Inner {
    out: Box<dyn Write + Send>,
    /// When each part's status was last written; the run's own is under the empty name.
    last: HashMap<PartName, SystemTime>,
}

impl JsonLines {
    /// To standard output; `progress` says whether `status` lines are wanted.
    pub fn stdout(progress: bool) -> Self {
        Self::new(Box::new(io::stdout()), progress)
    }

    fn new(out: Box<dyn Write + Send>, progress: bool) -> Self {
        Self { inner: Mutex::new(Inner { out, last: HashMap::new() }), progress }
    }
}

impl Observer for JsonLines {
    fn event(&self, at: SystemTime, event: &Event) {
        let Ok(mut inner) = self.inner.lock() else { return };
        let repeated = match event {
            Event::PartProgress { part, .. } => Some(part.clone()),
            Event::Snapshot { .. } => Some(PartName { step: String::new(), part: String::new() }),
            _ => None,
        };
        if let Some(part) = repeated {
            let recent = inner.last.get(&part).is_some_and(|last| at < *last + STATUS_EVERY);
            if recent || !self.progress {
                return;
            }
            inner.last.insert(part, at);
        }
        let (message_type, mut fields) = object(event);
        fields["time"] = words::timestamp(at).into();
        write(&mut inner.out, message_type, fields);
    }
}

/// Writes one line. There is nobody to tell when standard output fails.
pub(super) fn write(out: &mut impl Write, message_type: &str, fields: Value) {
    let _ = out.write_all(line(message_type, fields).as_bytes()).and_then(|()| out.flush());
}

/// One line, with its line break.
pub(super) fn line(message_type: &str, fields: Value) -> String {
    let mut object = serde_json::Map::new();
    object.insert("message_type".into(), message_type.into());
    object.insert("schema_version".into(), SCHEMA_VERSION.into());
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    format!("{}\n", Value::Object(object))
}

fn object(event: &Event) -> (&'static str, Value) {
    match event {
        Event::Started { operation, pipeline, snapshot, plan, parts } => (
            "started",
            json!({ "operation": operation, "pipeline": pipeline, "snapshot": snapshot, "plan": plan,
                    "parts": parts.iter().map(ToString::to_string).collect::<Vec<_>>() }),
        ),
        Event::Stage { stage } => ("stage", json!({ "stage": stage.map_or("ahead", |stage| stage.word()) })),
        Event::PartStarted { part, ahead, bytes_estimate } => {
            ("part_started", json!({ "part": part.to_string(), "ahead": ahead, "bytes_estimate": bytes_estimate }))
        }
        Event::PartProgress { part, bytes, files, plugin } => {
            let plugin =
                plugin.as_ref().map(|(what, done, total)| json!({ "what": what, "done": done, "total": total }));
            ("status", json!({ "part": part.to_string(), "bytes": bytes, "files": files, "plugin": plugin }))
        }
        Event::InstantFixed { part, instant } => ("instant", json!({ "part": part.to_string(), "instant": instant })),
        Event::PartSettled { part } => ("settled", json!({ "part": part.to_string() })),
        Event::PartEnded { part, ahead, failure, summary } => (
            "part_ended",
            json!({ "part": part.to_string(), "ahead": ahead, "ok": failure.is_none(), "failure": failure, "summary": summary }),
        ),
        Event::Log { part, level, message, fields } => {
            let fields: serde_json::Map<_, _> =
                fields.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
            (
                "log",
                json!({ "part": part.to_string(), "level": level_word(*level), "message": message, "fields": fields }),
            )
        }
        Event::Found { part, finding } => (
            "finding",
            json!({ "part": part.to_string(), "severity": finding.severity, "code": finding.code,
                    "subject": finding.subject, "message": finding.message }),
        ),
        Event::Snapshot { doing, bytes, total } => {
            ("snapshot", json!({ "doing": doing, "bytes": bytes, "total": total }))
        }
        Event::Ended(summary) => ("summary", summary_object(summary)),
    }
}

fn summary_object(summary: &Summary) -> Value {
    json!({
        "operation": summary.operation,
        "snapshot": summary.snapshot,
        "state": summary.state,
        "exit_code": summary.exit_code,
        "message": table::sentence(summary),
        "path": summary.path.as_ref().map(|path| path.to_string_lossy()),
        "seconds": summary.seconds,
        "record": summary.record,
    })
}

/// The word for a level.
pub(super) const fn level_word(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{Buffer, at, events, name};

    fn lines_of(progress: bool, events: &[(SystemTime, Event)]) -> Vec<Value> {
        let buffer = Buffer::default();
        let json = JsonLines::new(Box::new(buffer.clone()), progress);
        events.iter().for_each(|(at, event)| json.event(*at, event));
        buffer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_line_names_its_type_and_version() {
        let lines = lines_of(true, &events());
        assert_eq!(lines.len(), events().len());
        for line in &lines {
            assert_eq!(line["schema_version"], 1);
            assert!(line["message_type"].is_string() && line["time"].is_string(), "{line}");
        }
        let types: Vec<_> = lines.iter().map(|line| line["message_type"].as_str().unwrap()).collect();
        assert_eq!((types[0], *types.last().unwrap()), ("started", "summary"));
    }

    #[test]
    fn the_summary_carries_state_exit_code_and_the_whole_record() {
        let lines = lines_of(true, &events());
        let summary = lines.last().unwrap();
        assert_eq!(summary["state"], "partial");
        assert_eq!(summary["exit_code"], 3);
        assert_eq!(summary["record"]["steps"][0]["parts"][0]["part"]["name"], "database");
    }

    #[test]
    fn a_status_is_repeated_at_most_once_a_second_a_part() {
        let progress = |bytes| Event::PartProgress { part: name("wiki", "home"), bytes, files: 1, plugin: None };
        let events = [(at(0), progress(1)), (at(200), progress(2)), (at(1000), progress(3))];
        let seen: Vec<_> = lines_of(true, &events).iter().map(|line| line["bytes"].clone()).collect();
        assert_eq!(seen, [1, 3]);
        assert!(lines_of(false, &events).is_empty());
    }
}

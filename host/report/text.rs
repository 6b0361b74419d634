//! Events for people: live lines on a terminal, plain lines elsewhere, and a table at the end.
//!
//! What happens goes to standard error, how it ended to standard output.

use std::{
    collections::HashMap,
    io::{self, IsTerminal, Write},
    sync::Mutex,
    time::{Duration, SystemTime},
};

use super::{
    Options, color, json,
    live::Live,
    table::{self, View},
    words::{self, Paint},
};
use crate::{
    diagnostic::{Finding, Severity},
    run::event::{Event, Observer, Operation, PartName, Summary},
    sandbox::ledger::Level,
};

/// How often a part's progress is a line of its own where nothing can be redrawn.
const PROGRESS_EVERY: Duration = Duration::from_secs(30);

/// Tells people.
pub struct Terminal(Mutex<Telling>);

struct Telling {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    out_paint: Paint,
    err_paint: Paint,
    live: Option<Live>,
    quiet: bool,
    verbose: u8,
    progress: bool,
    calls: HashMap<PartName, Call>,
    /// The snapshot as a whole, while it is read or sealed.
    whole: Option<PartName>,
    spent: HashMap<PartName, Duration>,
}

/// What is known of a running call for a part.
struct Call {
    since: SystemTime,
    line_at: SystemTime,
}

impl Terminal {
    /// On standard output and standard error.
    pub fn new(options: &Options) -> Self {
        let progress = !options.no_progress && !options.quiet;
        Self(Mutex::new(Telling {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            out_paint: Paint { on: color(&io::stdout()) },
            err_paint: Paint { on: color(&io::stderr()) },
            live: (progress && io::stderr().is_terminal()).then(Live::new),
            quiet: options.quiet,
            verbose: options.verbose,
            progress,
            calls: HashMap::new(),
            whole: None,
            spent: HashMap::new(),
        }))
    }
}

impl Observer for Terminal {
    fn event(&self, at: SystemTime, event: &Event) {
        if let Ok(mut telling) = self.0.lock() {
            telling.take(at, event);
        }
    }
}

impl Telling {
    fn take(&mut self, at: SystemTime, event: &Event) {
        match event {
            Event::Started { operation, pipeline, snapshot, plan, parts } => {
                let plan = plan.as_deref().map_or_else(String::new, |hash| format!(", plan {}", words::short(hash)));
                let parts = match parts.len() as u64 {
                    0 => String::new(),
                    count => format!(", {}", words::counted(count, "part", "parts")),
                };
                let verb = operation_word(*operation);
                self.say(at, &format!("{verb} of {}: snapshot {snapshot}{plan}{parts}", words::line(pipeline)));
            }
            Event::Stage { stage } if self.verbose > 0 => {
                self.say(at, &format!("stage {}", stage.map_or("ahead", |stage| stage.word())));
            }
            Event::Stage { .. } => {}
            Event::PartStarted { part, ahead, bytes_estimate } => self.part_started(at, part, *ahead, *bytes_estimate),
            Event::PartProgress { part, bytes, files, plugin } => {
                self.part_progress(at, part, *bytes, &progress_text(*files, plugin.as_ref()));
            }
            Event::InstantFixed { part, instant } => {
                self.say(at, &format!("{part} stands for {}", words::line(instant)))
            }
            Event::PartSettled { part } if self.verbose > 0 => self.say(at, &format!("{part} settled")),
            Event::PartSettled { .. } => {}
            Event::PartEnded { part, ahead, failure, summary } => {
                self.part_ended(at, part, *ahead, failure.as_deref(), summary);
            }
            Event::Log { part, level, message, fields } => self.log(at, part, *level, message, fields),
            Event::Found { part, finding } => self.found(at, part, finding),
            Event::Snapshot { doing, bytes, total } => self.snapshot(at, doing, *bytes, *total),
            Event::Ended(summary) => self.ended(summary),
        }
    }

    fn part_started(&mut self, at: SystemTime, part: &PartName, ahead: bool, estimate: Option<u64>) {
        // The last event of a reading need not be its end.
        if let (Some(live), Some(whole)) = (&mut self.live, self.whole.take()) {
            live.end(&whole);
        }
        self.calls.insert(part.clone(), Call { since: at, line_at: at });
        match &mut self.live {
            Some(live) => live.begin(part, estimate),
            None => self.say(at, &format!("{part}{} started", ahead_word(ahead))),
        }
    }

    fn part_progress(&mut self, at: SystemTime, part: &PartName, bytes: u64, how_far: &str) {
        if let Some(live) = &mut self.live {
            return live.moved(part, bytes, how_far.to_owned());
        }
        let Some(call) = self.calls.get_mut(part) else { return };
        if self.progress && at >= call.line_at + PROGRESS_EVERY {
            call.line_at = at;
            let spent = at.duration_since(call.since).unwrap_or_default().as_secs_f64();
            let rate = words::bytes((bytes as f64 / spent.max(1.0)) as u64);
            self.say(at, &format!("{part} {}, {rate}/s, {how_far}", words::bytes(bytes)));
        }
    }

    fn part_ended(&mut self, at: SystemTime, part: &PartName, ahead: bool, failure: Option<&str>, summary: &str) {
        let spent = self.calls.remove(part).and_then(|call| at.duration_since(call.since).ok()).unwrap_or_default();
        *self.spent.entry(part.clone()).or_default() += spent;
        if let Some(live) = &mut self.live {
            live.end(part);
        }
        let (ahead, spent) = (ahead_word(ahead), words::duration(spent));
        match failure {
            Some(why) => {
                let failed = self.err_paint.bad("failed");
                self.always(at, &format!("{part}{ahead} {failed} after {spent}: {}", words::line(why)));
            }
            None if summary.is_empty() => self.say(at, &format!("{part}{ahead} done in {spent}")),
            None => self.say(at, &format!("{part}{ahead} done in {spent}: {}", words::line(summary))),
        }
    }

    fn log(&mut self, at: SystemTime, part: &PartName, level: Level, message: &str, fields: &[(String, String)]) {
        let least = match (self.quiet, self.verbose) {
            (true, _) | (_, 0) => Level::Warn,
            (_, 1) => Level::Info,
            _ => Level::Debug,
        };
        if level < least {
            return;
        }
        let fields: String = fields.iter().map(|(key, value)| format!(" {key}={value:?}")).collect();
        let text = words::line(&format!("{part} {}: {message}{fields}", json::level_word(level)));
        let text = if level < Level::Warn { self.err_paint.dim(&text) } else { text };
        self.always(at, &text);
    }

    /// The table at the end names all findings; on a terminal only what matters is also told while it runs.
    fn found(&mut self, at: SystemTime, part: &PartName, finding: &Finding) {
        let least = if self.live.is_some() { Severity::Warning } else { Severity::Info };
        if finding.severity >= least {
            let line = table::finding_line(&part.to_string(), finding, self.err_paint);
            self.say(at, line.trim_end());
        }
    }

    fn snapshot(&mut self, at: SystemTime, doing: &str, bytes: u64, total: Option<u64>) {
        let this = PartName { step: doing.into(), part: String::new() };
        if !self.calls.contains_key(&this) {
            self.part_started(at, &this, false, total);
        }
        let how_far = total.map_or_else(String::new, |total| format!("of {}", words::bytes(total)));
        self.part_progress(at, &this, bytes, &how_far);
        self.whole = Some(this);
    }

    fn ended(&mut self, summary: &Summary) {
        if let Some(mut live) = self.live.take() {
            live.clear();
        }
        let least = if self.quiet { Severity::Warning } else { Severity::Info };
        let view = View { paint: self.out_paint, least, spent: &self.spent };
        let details = if self.quiet { table::concerns(summary, view) } else { table::details(summary, view) };
        let blank = if details.is_empty() || self.quiet { "" } else { "\n" };
        let last = paint_sentence(summary, self.out_paint);
        let text = format!("{blank}{details}{blank}{last}\n");
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }

    /// A line that `-q` keeps away.
    fn say(&mut self, at: SystemTime, text: &str) {
        if !self.quiet {
            self.always(at, text);
        }
    }

    /// A line; with the time where it will be read later.
    fn always(&mut self, at: SystemTime, text: &str) {
        match &self.live {
            Some(live) => live.above(|| write_line(&mut self.err, text)),
            None => write_line(&mut self.err, &format!("{} {text}", words::clock(at))),
        }
    }
}

/// There is nobody to tell when standard error fails.
fn write_line(err: &mut impl Write, text: &str) {
    let _ = err.write_all(format!("{text}\n").as_bytes()).and_then(|()| err.flush());
}

fn paint_sentence(summary: &Summary, paint: Paint) -> String {
    let text = table::sentence(summary);
    match summary.exit_code {
        0 => paint.good(&text),
        super::exit::UNPROVEN => paint.warn(&text),
        _ => paint.bad(&text),
    }
}

fn progress_text(files: u64, plugin: Option<&(String, u64, Option<u64>)>) -> String {
    let files = words::counted(files, "file", "files");
    match plugin {
        None => files,
        Some((what, done, None)) => format!("{files}, {} {}", words::line(what), words::count(*done)),
        Some((what, done, Some(total))) => {
            format!("{files}, {} {} of {}", words::line(what), words::count(*done), words::count(*total))
        }
    }
}

const fn ahead_word(ahead: bool) -> &'static str {
    if ahead { " (ahead)" } else { "" }
}

pub(super) const fn operation_word(operation: Operation) -> &'static str {
    match operation {
        Operation::Backup => "backup",
        Operation::Restore => "restore",
        Operation::Copy => "copy",
        _ => "verification",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{Buffer, at, events, name};

    fn told(quiet: bool, verbose: u8, events: &[(SystemTime, Event)]) -> (String, String) {
        let (out, err) = (Buffer::default(), Buffer::default());
        let terminal = Terminal(Mutex::new(Telling {
            out: Box::new(out.clone()),
            err: Box::new(err.clone()),
            out_paint: Paint::default(),
            err_paint: Paint::default(),
            live: None,
            quiet,
            verbose,
            progress: true,
            calls: HashMap::new(),
            whole: None,
            spent: HashMap::new(),
        }));
        events.iter().for_each(|(at, event)| terminal.event(*at, event));
        (out.text(), err.text())
    }

    #[test]
    fn where_nothing_can_be_redrawn_each_event_is_a_plain_line() {
        let (_, err) = told(false, 0, &events());
        insta::assert_snapshot!(err, @r#"
        13:03:07Z backup of wiki: snapshot 3f2a00112233aabb, plan 64879f7d6b96, 2 parts
        13:03:07Z wiki/database started
        13:03:08Z wiki/database stands for 2026-11-21T13:03:08Z
        13:03:08Z wiki/database warn: slow\u{1b}[2J table="CONTENT"
        13:03:08Z warning left-out wiki/home index/: an index must not be older than the database
        13:03:38Z wiki/database 1.0 GiB, 33.0 MiB/s, 1 file, rows 10 of 200
        13:03:39Z sealing started
        13:04:22Z wiki/database done in 1m 14s: 200 rows
        13:04:22Z wiki/home failed after 0s: disk full
        "#);
    }

    #[test]
    fn quiet_tells_warnings_and_the_last_line_only() {
        let (out, err) = told(true, 2, &events());
        assert_eq!(err.lines().count(), 2, "{err}");
        assert!(err.contains("slow") && err.contains("disk full"), "{err}");
        assert!(!out.contains("stage") && out.contains("warning left-out"), "{out}");
        assert!(out.lines().last().unwrap().starts_with("snapshot 3f2a00112233aabb partial: "), "{out}");
    }

    #[test]
    fn each_v_shows_more_of_what_plugins_log() {
        for (verbose, dumping, counting) in [(0, false, false), (1, true, false), (2, true, true)] {
            let (_, err) = told(false, verbose, &events());
            assert_eq!((err.contains("dumping"), err.contains("counting")), (dumping, counting), "{verbose}");
        }
    }

    #[test]
    fn progress_is_a_line_every_thirty_seconds_a_part() {
        let part = name("wiki", "home");
        let mut events = vec![(at(0), Event::PartStarted { part: part.clone(), ahead: true, bytes_estimate: None })];
        for second in 1..=90 {
            let progress = Event::PartProgress { part: part.clone(), bytes: second << 20, files: second, plugin: None };
            events.push((at(second * 1000), progress));
        }
        let (_, err) = told(false, 0, &events);
        assert_eq!(err.lines().count(), 4, "{err}");
        assert!(err.ends_with("wiki/home 90.0 MiB, 1.0 MiB/s, 90 files\n"), "{err}");
    }
}

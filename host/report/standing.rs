//! Where a run is, for whoever asks while it goes on: each running part, the stage, and what is awaited.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write as _},
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use super::{live, text::operation_word, words};
use crate::run::event::{Event, Observer, Operation, PartName};

/// How long a part may move no byte until that is worth saying.
const IDLE_FROM: Duration = Duration::from_secs(5);

/// What is known of this process's run.
static STANDING: LazyLock<Mutex<Standing>> = LazyLock::new(Mutex::default);

/// Keeps what [`tell`] says up to date.
pub struct Keeper;

impl Observer for Keeper {
    fn event(&self, at: SystemTime, event: &Event) {
        STANDING.lock().unwrap_or_else(PoisonError::into_inner).take(at, event);
    }
}

/// Prints to standard error where the run is.
pub fn tell() {
    let text = STANDING.lock().unwrap_or_else(PoisonError::into_inner).text(SystemTime::now());
    // Whoever asked may have closed standard error: the run goes on all the same.
    live::above_all(|| drop(io::stderr().write_all(text.as_bytes())));
}

#[derive(Default)]
struct Standing {
    run: Option<Run>,
    stage: &'static str,
    going: BTreeMap<PartName, Going>,
    ended: usize,
    /// The snapshot itself, while it is read or sealed: what is done, bytes, of how many.
    whole: Option<(&'static str, u64, Option<u64>)>,
}

struct Run {
    operation: Operation,
    pipeline: String,
    snapshot: String,
    since: SystemTime,
    parts: usize,
}

/// A call for a part that goes on.
struct Going {
    since: SystemTime,
    moved_at: SystemTime,
    bytes: u64,
    files: u64,
    plugin: Option<(String, u64, Option<u64>)>,
    settled: bool,
    ahead: bool,
}

impl Standing {
    fn take(&mut self, at: SystemTime, event: &Event) {
        match event {
            Event::Started { operation, pipeline, snapshot, parts, .. } => {
                let (pipeline, snapshot) = (pipeline.clone(), snapshot.clone());
                let run = Run { operation: *operation, pipeline, snapshot, since: at, parts: parts.len() };
                *self = Self { run: Some(run), ..Self::default() };
            }
            Event::Stage { stage } => self.stage = stage.map_or("ahead", |stage| stage.word()),
            Event::PartStarted { part, ahead, .. } => {
                let going =
                    Going { since: at, moved_at: at, bytes: 0, files: 0, plugin: None, settled: false, ahead: *ahead };
                self.whole = None;
                self.going.insert(part.clone(), going);
            }
            Event::PartProgress { part, bytes, files, plugin } => {
                if let Some(going) = self.going.get_mut(part) {
                    going.moved(at, *bytes, *files, plugin.clone());
                }
            }
            Event::PartSettled { part } => {
                if let Some(going) = self.going.get_mut(part) {
                    going.settled = true;
                }
            }
            Event::PartEnded { part, ahead, .. } => {
                self.going.remove(part);
                self.ended += usize::from(!ahead);
            }
            Event::Snapshot { doing, bytes, total } => self.whole = Some((*doing, *bytes, *total)),
            Event::Ended(_) => *self = Self::default(),
            Event::InstantFixed { .. } | Event::Log { .. } | Event::Found { .. } => {}
        }
    }

    fn text(&self, now: SystemTime) -> String {
        let Some(run) = &self.run else {
            return "no run goes on: what comes before it is being done, or it is over\n".to_owned();
        };
        let (verb, pipeline) = (operation_word(run.operation), words::line(&run.pipeline));
        let mut text = format!("{verb} of {pipeline}, snapshot {}: for {}", run.snapshot, spent(run.since, now));
        if !self.stage.is_empty() {
            let _ = write!(text, ", stage {}", self.stage);
        }
        let _ = writeln!(text, ", {} of {} ended", self.ended, words::counted(run.parts as u64, "part", "parts"));
        self.going.iter().for_each(|(part, going)| text.push_str(&going.line(part, now)));
        let _ = writeln!(text, "  awaited: {}", self.awaited());
        text
    }

    /// What the next stage, or the end, waits for: parts whose content still depends on time, else those that go on.
    fn awaited(&self) -> String {
        if let (Some((doing, bytes, total)), true) = (&self.whole, self.going.is_empty()) {
            let of = total.map_or_else(String::new, |total| format!(" of {}", words::bytes(total)));
            return format!("{doing} the snapshot, {}{of}", words::bytes(*bytes));
        }
        let names = |settled: bool| -> Vec<String> {
            let those = self.going.iter().filter(|(_, going)| going.settled == settled);
            those.map(|(part, _)| words::line(&part.to_string())).collect()
        };
        match (names(false), names(true)) {
            (open, _) if !open.is_empty() => open.join(", "),
            (_, settled) if !settled.is_empty() => format!("the end of {}", settled.join(", ")),
            _ => "the next part".to_owned(),
        }
    }
}

impl Going {
    fn moved(&mut self, at: SystemTime, bytes: u64, files: u64, plugin: Option<(String, u64, Option<u64>)>) {
        if (bytes, files) != (self.bytes, self.files) {
            self.moved_at = at;
        }
        (self.bytes, self.files, self.plugin) = (bytes, files, plugin);
    }

    fn line(&self, part: &PartName, now: SystemTime) -> String {
        let seconds = now.duration_since(self.since).unwrap_or_default().as_secs_f64();
        let rate = words::bytes((self.bytes as f64 / seconds.max(1.0)) as u64);
        let mut line = format!(
            "  {}{}: {}, {rate}/s, {}, since {} ({})",
            words::line(&part.to_string()),
            if self.ahead { " (ahead)" } else { "" },
            words::bytes(self.bytes),
            words::counted(self.files, "file", "files"),
            words::clock(self.since),
            spent(self.since, now),
        );
        if let Some((what, done, total)) = &self.plugin {
            let of = total.map_or_else(String::new, |total| format!(" of {}", words::count(total)));
            let _ = write!(line, ", {} {}{of}", words::line(what), words::count(*done));
        }
        if self.settled {
            line.push_str(", settled");
        }
        if now.duration_since(self.moved_at).unwrap_or_default() >= IDLE_FROM {
            let _ = write!(line, ", no byte for {}", spent(self.moved_at, now));
        }
        line.push('\n');
        line
    }
}

fn spent(since: SystemTime, now: SystemTime) -> String {
    words::duration(now.duration_since(since).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::inspection::Stage,
        report::fixture::{at, name},
    };

    fn started() -> Standing {
        let mut standing = Standing::default();
        let event = Event::Started {
            operation: Operation::Backup,
            pipeline: "site".into(),
            snapshot: "3f2a00112233aabb".into(),
            plan: None,
            parts: vec![name("wiki", "database"), name("wiki", "home"), name("wiki", "keys")],
        };
        standing.take(at(0), &event);
        standing
    }

    fn begun(standing: &mut Standing, millis: u64, part: &str) {
        let event = Event::PartStarted { part: name("wiki", part), ahead: false, bytes_estimate: None };
        standing.take(at(millis), &event);
    }

    #[test]
    fn each_running_part_is_told_with_what_it_moved_and_what_is_awaited() {
        let mut standing = started();
        standing.take(at(0), &Event::Stage { stage: Some(Stage::Database) });
        begun(&mut standing, 0, "database");
        standing.take(at(100), &Event::PartSettled { part: name("wiki", "database") });
        standing.take(at(200), &Event::Stage { stage: Some(Stage::Files) });
        begun(&mut standing, 1000, "home");
        let progress =
            |part: &str, bytes, files, plugin| Event::PartProgress { part: name("wiki", part), bytes, files, plugin };
        standing.take(at(2000), &progress("database", 20 << 20, 1, Some(("rows".into(), 1200, Some(20_000)))));
        standing.take(at(20_000), &progress("home", 3 << 20, 7, None));
        insta::assert_snapshot!(standing.text(at(21_000)), @"
        backup of site, snapshot 3f2a00112233aabb: for 21s, stage files, 0 of 3 parts ended
          wiki/database: 20.0 MiB, 975.2 KiB/s, 1 file, since 13:03:07Z (21s), rows 1,200 of 20,000, settled, no byte for 19s
          wiki/home: 3.0 MiB, 153.6 KiB/s, 7 files, since 13:03:08Z (20s)
          awaited: wiki/home
        ");
    }

    #[test]
    fn before_and_after_a_run_nothing_is_claimed() {
        assert!(Standing::default().text(at(0)).contains("no run goes on"));
        let mut standing = started();
        begun(&mut standing, 0, "home");
        let ended =
            Event::PartEnded { part: name("wiki", "home"), ahead: false, failure: None, summary: String::new() };
        standing.take(at(1), &ended);
        standing.take(at(2), &Event::Snapshot { doing: "sealing", bytes: 10, total: None });
        let text = standing.text(at(3));
        assert!(text.contains("1 of 3 parts ended\n  awaited: sealing the snapshot, 10 B"), "{text}");
    }
}

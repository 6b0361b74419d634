//! A run that went partly wrong, for the tests of every reader.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use crate::{
    diagnostic::{Finding, Severity},
    digest::Digest,
    plan::inspection::{Part, Stage},
    run::event::{Event, Operation, PartName, Summary},
    sandbox::ledger::Level,
    snapshot::{
        receipts::Receipt,
        record::{Evidence, ExpectedRecord, PartRecord, Record, StepRecord, Totals},
        state::State,
    },
};

/// A place to write that the test can read.
#[derive(Clone, Default)]
pub struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    /// What was written so far.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// So many milliseconds after 2026-11-21T13:03:07Z.
pub fn at(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_266_187_000 + millis)
}

pub fn name(step: &str, part: &str) -> PartName {
    PartName { step: step.into(), part: part.into() }
}

fn receipt(subject: &str, expected: u64, actual: u64) -> Receipt {
    Receipt { subject: subject.into(), expected, actual }
}

fn part(name: &str, stage: Stage) -> PartRecord {
    let part = Part {
        name: name.into(),
        stage,
        ahead: false,
        summary: String::new(),
        bytes_estimate: None,
        uses: Vec::new(),
        settings: Vec::new(),
    };
    PartRecord {
        part,
        started: None,
        ended: Some("2026-11-21T13:04:22Z".into()),
        instant: None,
        summary: String::new(),
        failure: None,
        receipts: Vec::new(),
        findings: Vec::new(),
        facts: Vec::new(),
        expected: Vec::new(),
        files: 1,
        entries: 1,
        bytes: 1 << 30,
    }
}

fn attachments(met: u64, missing: &[&str]) -> ExpectedRecord {
    ExpectedRecord {
        subject: "attachments".into(),
        evidence: Evidence::SameView,
        lines: 214,
        met,
        missing: missing.iter().map(|line| (*line).to_owned()).collect(),
    }
}

fn record(state: State, parts: Vec<PartRecord>) -> Record {
    let step = StepRecord {
        name: "wiki".into(),
        plugin: "example".into(),
        plugin_version: "1.2.3".into(),
        component: Digest::of(b"component"),
        after: Vec::new(),
        facts: Vec::new(),
        findings: Vec::new(),
        notes: Default::default(),
        revealed: Default::default(),
        parts,
    };
    Record {
        version: 1,
        snapshot: "3f2a00112233aabb".into(),
        state,
        states: vec![state],
        pipeline: "wiki".into(),
        plan: Digest::of(b"plan"),
        strongroom: "0.1.0".into(),
        host: "backup1".into(),
        parent: None,
        started: "2026-11-21T13:03:07Z".into(),
        ended: "2026-11-21T13:05:07Z".into(),
        copies: Vec::new(),
        parent_copies: BTreeMap::new(),
        order: Vec::new(),
        steps: vec![step],
        findings: vec![Finding::new(Severity::Info, "unused-grant", "dirs.spare", "no plugin asks for it")],
        totals: Totals { entries: 3, files: 3, bytes: 3 << 30 },
    }
}

fn summary(state: State, parts: Vec<PartRecord>) -> Summary {
    Summary {
        operation: Operation::Backup,
        snapshot: "3f2a00112233aabb".into(),
        state: Some(state),
        exit_code: state.exit_code(),
        message: String::new(),
        record: Some(record(state, parts)),
        path: Some("/srv/backup/wiki.zip".into()),
        seconds: 120.5,
    }
}

/// All is well.
pub fn complete() -> Summary {
    let mut database = part("database", Stage::Database);
    database.receipts = vec![receipt("rows CONTENT", 200, 200), receipt("attachments", 214, 214)];
    database.expected = vec![attachments(214, &[])];
    summary(State::Complete, vec![database])
}

/// A part fails, another differs, references are missing, findings abound.
pub fn partial() -> Summary {
    let mut database = part("database", Stage::Database);
    let missing = [
        "page 1: a: absent",
        "page 2: b: absent",
        "3: c: size 4, expected 5",
        "4: d: absent",
        "5: e: absent",
        "6: f: absent",
        "7: g: absent",
    ];
    database.receipts = vec![
        receipt("rows CONTENT", 200, 200),
        receipt("rows LINKS", 20_000, 19_999),
        receipt("attachments", 214, 207),
    ];
    database.expected = vec![attachments(207, &missing)];
    let mut home = part("home", Stage::Files);
    home.receipts = vec![receipt("entries", 12, 12)];
    home.findings = (0..8)
        .map(|index| Finding::new(Severity::Warning, "left-out", format!("cache-{index}/"), "made anew at the start"))
        .collect();
    let mut install = part("install", Stage::Files);
    install.failure = Some("reading conf/server.xml: permission denied\nhelp: run as the product's user".into());
    summary(State::Partial, vec![database, home, install])
}

/// The events of that run.
pub fn events() -> Vec<(SystemTime, Event)> {
    let (database, home) = (name("wiki", "database"), name("wiki", "home"));
    let started = Event::Started {
        operation: Operation::Backup,
        pipeline: "wiki".into(),
        snapshot: "3f2a00112233aabb".into(),
        plan: Some(Digest::of(b"plan").to_string()),
        parts: vec![database.clone(), home.clone()],
    };
    let progress = |bytes, plugin| Event::PartProgress { part: database.clone(), bytes, files: 1, plugin };
    let log = |level, message: &str| Event::Log {
        part: database.clone(),
        level,
        message: message.into(),
        fields: vec![("table".into(), "CONTENT".into())],
    };
    let found = Finding::new(Severity::Warning, "left-out", "index/", "an index must not be older than the database");
    vec![
        (at(0), started),
        (at(1), Event::Stage { stage: Some(Stage::Database) }),
        (at(2), Event::PartStarted { part: database.clone(), ahead: false, bytes_estimate: Some(2 << 30) }),
        (at(1000), Event::InstantFixed { part: database.clone(), instant: "2026-11-21T13:03:08Z".into() }),
        (at(1001), Event::PartSettled { part: database.clone() }),
        (at(1002), log(Level::Debug, "counting")),
        (at(1003), log(Level::Info, "dumping")),
        (at(1004), log(Level::Warn, "slow\x1b[2J")),
        (at(1005), Event::Found { part: home.clone(), finding: found }),
        (at(31_000), progress(1 << 30, Some(("rows".into(), 10, Some(200))))),
        (at(32_000), Event::Snapshot { doing: "sealing", bytes: 10, total: Some(20) }),
        (
            at(75_000),
            Event::PartEnded { part: database.clone(), ahead: false, failure: None, summary: "200 rows".into() },
        ),
        (
            at(75_001),
            Event::PartEnded { part: home, ahead: false, failure: Some("disk full".into()), summary: String::new() },
        ),
        (at(120_500), Event::Ended(Box::new(partial()))),
    ]
}

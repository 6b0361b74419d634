//! Dumps the database in one view, and proves the dump by reading it back while it is written.

use std::collections::BTreeMap;

use strongroom_plugin::{
    Context, Error, Evidence, Instant, InstantKind, Meta, Outcome, Part, Result, Timestamp, context,
    snapshot::{self, Pending},
    sql::{self, Database, Transaction},
    streams,
    tools::{Process, Tool},
};

use super::note;
use crate::{
    catalogue::{self, Listed},
    describe::grant,
    engine::{Engine, spelled},
    layout,
    readback::Table,
    rows,
};

mod mysql;

/// The dump's name in its part.
pub const DUMP: &str = "database.dump";

pub(super) fn backup(part: &Part) -> Result<Outcome> {
    let database = sql::get(grant::DATABASE)?;
    let doing = format!("dumping the database {}", database.location());
    let asked = context::now();
    let view = database.begin().context(&doing)?;
    match Engine::of(&view) {
        Engine::Postgresql => postgresql(part, &database, view, asked).context(doing),
        Engine::Mysql => mysql::backup(part, &database, view).context(doing),
    }
}

fn postgresql(part: &Part, database: &Database, view: Transaction, asked: Timestamp) -> Result<Outcome> {
    let shared = view.shared_name().ok_or_else(|| Error::unsupported("the server shares no view with a dump tool"))?;
    snapshot::fix_instant(&instant(database, view.seen(), asked))?;
    let tables = catalogue::tables(&view)?;
    let expected = catalogue::count(&view, &tables)?;
    expect_attachments(&view, &tables, "attachments", Evidence::SameView)?;
    let build = catalogue::build_number(&view)?;
    let actual = Dump::start(&shared)?.read_back(part.bytes_estimate)?;
    view.end()?;
    outcome(database, build, &expected, &actual)
}

fn outcome(
    database: &Database,
    build: Option<u64>,
    expected: &BTreeMap<Table, u64>,
    actual: &BTreeMap<Table, u64>,
) -> Result<Outcome> {
    context::set_note(note::ROWS, &rows::to_json(actual))?;
    let total: u64 = actual.values().sum();
    let mut outcome = Outcome::new(format!("{} tables, {total} rows", actual.len()))
        .fact("server version", database.server_version())
        .receipt("tables", expected.len() as u64, actual.len() as u64);
    if let Some(build) = build {
        outcome = outcome.fact("build number", build.to_string());
    }
    outcome.receipts.extend(rows::receipts(expected, actual));
    Ok(outcome)
}

/// The dump stands for its start: for the view that it shares, or for a moment between two views.
fn instant(database: &Database, seen: (Timestamp, Timestamp), asked: Timestamp) -> Instant {
    let (not_before, not_after) = seen;
    let host = (millis(asked) + millis(context::now())) / 2;
    let server = (millis(not_before) + millis(not_after)) / 2;
    Instant {
        not_before,
        not_after,
        kind: InstantKind::Start,
        clock: format!("{} {}", database.engine(), database.location()),
        ahead_of_host_ms: server - host,
        attributes: Vec::new(),
    }
}

fn millis(time: Timestamp) -> i64 {
    time.seconds * 1000 + i64::from(time.nanoseconds / 1_000_000)
}

/// Lists the file of every attachment.
fn expect_attachments(view: &Transaction, tables: &[Listed], subject: &str, evidence: Evidence) -> Result<()> {
    let doing = "listing the files of all attachments";
    let data = catalogue::holds(tables, "attachmentdata").then(|| spelled(view, "attachmentdata")).transpose()?;
    let names =
        layout::Tables { content: spelled(view, "content")?, properties: spelled(view, "contentproperties")?, data };
    let rows = view.query(&layout::expectations(Engine::of(view), &names), &[]).context(doing)?;
    snapshot::expect_rows(subject, evidence, &rows).context(doing)?;
    Ok(())
}

/// A dump on its way into the snapshot and, beside it, into the tool that turns it into SQL.
struct Dump {
    dump: Process,
    reader: Process,
    pending: Pending,
}

impl Dump {
    fn start(shared: &str) -> Result<Self> {
        let dump = Tool::new(grant::DUMP).parameter("snapshot", shared).spawn()?;
        let (kept, read) = streams::tee(dump.stdout()?)?;
        let pending = snapshot::submit(DUMP, kept, &Meta { mode: Some(0o600), ..Meta::default() })?;
        let reader = Tool::new(grant::READ_DUMP).stdin(read).spawn()?;
        Ok(Self { dump, reader, pending })
    }

    /// Rows per table as the dump holds them. Where several things fail, the dump tool's own words come first.
    fn read_back(self, estimate: Option<u64>) -> Result<BTreeMap<Table, u64>> {
        let counted = self
            .reader
            .stdout()
            .and_then(|sql| rows::count(Engine::Postgresql, &sql, "reading the dump back", estimate));
        if counted.is_err() {
            self.dump.kill();
        }
        let exit = self.dump.wait();
        match (&counted, &exit) {
            (Err(_), Ok(exit)) if exit.code.is_some_and(|code| code != 0) => exit.check(grant::DUMP)?,
            (Ok(_), _) => exit?.check(grant::DUMP)?,
            _ => {}
        }
        let counted = counted.context("reading the dump back")?;
        self.reader.wait()?.check(grant::READ_DUMP)?;
        self.pending.wait().context("storing the dump")?;
        Ok(counted)
    }
}

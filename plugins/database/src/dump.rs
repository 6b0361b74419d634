//! Dumps the database in one view, and proves the dump by reading it back while it is written.

use std::collections::BTreeMap;

use strongroom_plugin::{
    Context, Error, Evidence, Instant, InstantKind, Meta, Outcome, Part, Result, Timestamp, context,
    snapshot::{self, Pending},
    sql::{self, Database, Transaction},
    streams,
    tools::{Exit, Process, Tool},
};

use crate::{
    catalogue::{self, Listed},
    engine::Engine,
    needs::{Names, READ_DUMP},
    readback::Table,
    rows,
};

mod mysql;

/// The dump's name in its part.
pub const DUMP: &str = "database.dump";

/// How a view that a product is asked about relates to the dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It is the view that is dumped.
    Dumped,
    /// The dump began after it.
    Before,
    /// The dump began before it.
    After,
}

impl Moment {
    /// For a list of what must be in the snapshot.
    pub const fn evidence(self) -> Evidence {
        match self {
            Self::Dumped => Evidence::SameView,
            Self::Before | Self::After => Evidence::Bracketed,
        }
    }

    /// What a list of `what` is called.
    pub fn subject(self, what: &str) -> String {
        match self {
            Self::Dumped => what.to_owned(),
            Self::Before => format!("{what} before the dump"),
            Self::After => format!("{what} after the dump"),
        }
    }
}

/// What a product asks of its database while that is dumped.
pub trait Product {
    /// Lists what must be in the snapshot because this view refers to it.
    ///
    /// # Errors
    /// As [`snapshot::expect_rows`].
    fn expect(&self, view: &Transaction, tables: &[Listed], moment: Moment) -> Result<()>;

    /// What else is worth knowing of the dumped view: names and values for people.
    ///
    /// # Errors
    /// As [`Transaction::value`].
    fn facts(&self, view: &Transaction, tables: &[Listed]) -> Result<Vec<(String, String)>>;
}

/// Dumps the database whose grants are called like the part, and counts its rows twice.
///
/// # Errors
/// When the database does not answer, a tool fails, or the dump is not whole.
pub fn backup(part: &Part, product: &impl Product) -> Result<Outcome> {
    let names = Names::of(&part.name);
    let database = sql::get(&names.database)?;
    let doing = format!("dumping the database {}", database.location());
    let asked = context::now();
    let view = database.begin().context(&doing)?;
    let dumping = Dumping { part, names, database, product };
    match Engine::of(&view) {
        Engine::Postgresql => dumping.postgresql(view, asked).context(doing),
        Engine::Mysql => dumping.mysql(view).context(doing),
    }
}

/// A dump to be made.
struct Dumping<'a, P> {
    part: &'a Part,
    names: Names,
    database: Database,
    product: &'a P,
}

impl<P: Product> Dumping<'_, P> {
    fn postgresql(&self, view: Transaction, asked: Timestamp) -> Result<Outcome> {
        let shared =
            view.shared_name().ok_or_else(|| Error::unsupported("the server shares no view with a dump tool"))?;
        snapshot::fix_instant(&instant(&self.database, view.seen(), asked))?;
        let tables = catalogue::tables(&view)?;
        let expected = catalogue::count(&view, &tables)?;
        self.product.expect(&view, &tables, Moment::Dumped)?;
        let facts = self.product.facts(&view, &tables)?;
        let actual = Dump::start(&self.names.dump, &shared)?.read_back(self.part.bytes_estimate)?;
        view.end()?;
        self.outcome(facts, &expected, &actual)
    }

    fn outcome(
        &self,
        facts: Vec<(String, String)>,
        expected: &BTreeMap<Table, u64>,
        actual: &BTreeMap<Table, u64>,
    ) -> Result<Outcome> {
        context::set_note(&rows::note(&self.part.name), &rows::to_json(actual))?;
        let total: u64 = actual.values().sum();
        let mut outcome = Outcome::new(format!("{} tables, {total} rows", actual.len()))
            .fact("server version", self.database.server_version())
            .receipt("tables", expected.len() as u64, actual.len() as u64);
        outcome.facts.extend(facts);
        outcome.receipts.extend(rows::receipts(expected, actual));
        Ok(outcome)
    }
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

/// What was counted of a dump that has ended. Where several things fail, the dump tool's own words come first.
fn counted_of(counted: Result<BTreeMap<Table, u64>>, tool: &str, exit: Result<Exit>) -> Result<BTreeMap<Table, u64>> {
    match (&counted, &exit) {
        (Err(_), Ok(exit)) if exit.code.is_some_and(|code| code != 0) => exit.check(tool)?,
        (Ok(_), _) => exit?.check(tool)?,
        _ => {}
    }
    counted.context("reading the dump back")
}

/// A dump on its way into the snapshot and, beside it, into the tool that turns it into SQL.
struct Dump<'a> {
    tool: &'a str,
    dump: Process,
    reader: Process,
    pending: Pending,
}

impl<'a> Dump<'a> {
    fn start(tool: &'a str, shared: &str) -> Result<Self> {
        let dump = Tool::new(tool).parameter("snapshot", shared).spawn()?;
        let (kept, read) = streams::tee(dump.stdout()?)?;
        let pending = snapshot::submit(DUMP, kept, &Meta { mode: Some(0o600), ..Meta::default() })?;
        let reader = Tool::new(READ_DUMP).stdin(read).spawn()?;
        Ok(Self { tool, dump, reader, pending })
    }

    /// Rows per table as the dump holds them.
    fn read_back(self, estimate: Option<u64>) -> Result<BTreeMap<Table, u64>> {
        let counted = self
            .reader
            .stdout()
            .and_then(|sql| rows::count(Engine::Postgresql, &sql, "reading the dump back", estimate));
        if counted.is_err() {
            self.dump.kill();
        }
        let counted = counted_of(counted, self.tool, self.dump.wait())?;
        self.reader.wait()?.check(READ_DUMP)?;
        self.pending.wait().context("storing the dump")?;
        Ok(counted)
    }
}

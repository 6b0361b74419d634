//! Dumps a database of MySQL or MariaDB: frozen while the dump begins, or between two readings where that is not allowed.

use std::collections::BTreeMap;

use strongroom_plugin::{
    Context, ErrorCode, Finding, InputStream, Meta, Outcome, Result, context, snapshot,
    sql::Transaction,
    streams,
    tools::{Process, Tool},
};

use super::{DUMP, Dumping, Moment, Product, counted_of, instant};
use crate::{catalogue, engine::Engine, readback::Table, rows};

/// How long nobody may write to the server while the dump tool connects and begins its transaction.
const FREEZE_SECONDS: u32 = 60;

/// The dump tool writes its header before its transaction begins, and this after.
const BEGUN: &[u8] = b"CREATE TABLE";

/// As much of a dump as is looked at for that: what comes before the first table is a header, and sequences.
const HEAD_BYTES: [u32; 5] = [4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];

impl<P: Product> Dumping<'_, P> {
    pub(super) fn mysql(&self, view: Transaction) -> Result<Outcome> {
        match view.freeze(FREEZE_SECONDS) {
            Ok(()) => self.frozen(view),
            Err(error) if error.code == ErrorCode::Denied => self.bracketed(view, &error.message),
            Err(error) => Err(error),
        }
    }

    /// The dump begins while the view is taken and nobody writes: both show the same.
    fn frozen(&self, view: Transaction) -> Result<Outcome> {
        let asked = context::now();
        let dump = Dump::begin(&self.names.dump)?;
        view.thaw().context("the dump did not begin while nobody wrote")?;
        snapshot::fix_instant(&instant(&self.database, view.seen(), asked))?;
        let actual = dump.read_back(self.part.bytes_estimate)?;
        let tables = catalogue::tables(&view)?;
        let expected = catalogue::count(&view, &tables)?;
        self.product.expect(&view, &tables, Moment::Dumped)?;
        let facts = self.product.facts(&view, &tables)?;
        view.end()?;
        self.outcome(facts, &expected, &actual)
    }

    /// The dump begins between two views. What both show alike, it must show too; of all else it shows something between.
    fn bracketed(&self, before: Transaction, why: &str) -> Result<Outcome> {
        let asked = context::now();
        let first = before.seen().0;
        let tables = catalogue::tables(&before)?;
        let least = catalogue::count(&before, &tables)?;
        self.product.expect(&before, &tables, Moment::Before)?;
        before.end()?;
        let dump = Dump::begin(&self.names.dump)?;
        let after = self.database.begin()?;
        snapshot::fix_instant(&instant(&self.database, (first, after.seen().1), asked))?;
        let actual = dump.read_back(self.part.bytes_estimate)?;
        let tables = catalogue::tables(&after)?;
        let most = catalogue::count(&after, &tables)?;
        self.product.expect(&after, &tables, Moment::After)?;
        let facts = self.product.facts(&after, &tables)?;
        after.end()?;
        let message =
            format!("writes went on while the dump began, so that rows were counted before and after it: {why}");
        let finding = Finding::warning("not-frozen", &self.part.name, message);
        Ok(self.outcome(facts, &between(&least, &most, &actual), &actual)?.finding(finding))
    }
}

/// Rows per table as the database had them between two views, as near to the dump's as that.
fn between(
    first: &BTreeMap<Table, u64>,
    last: &BTreeMap<Table, u64>,
    actual: &BTreeMap<Table, u64>,
) -> BTreeMap<Table, u64> {
    let of = |rows: &BTreeMap<Table, u64>, table: &Table| rows.get(table).copied().unwrap_or(0);
    let near = |table: &Table| {
        let (first, last) = (of(first, table), of(last, table));
        of(actual, table).clamp(first.min(last), first.max(last))
    };
    last.keys().map(|table| (table.clone(), near(table))).collect()
}

/// A dump whose transaction has begun.
struct Dump<'a> {
    name: &'a str,
    tool: Process,
    output: InputStream,
}

impl<'a> Dump<'a> {
    fn begin(name: &'a str) -> Result<Self> {
        let tool = Tool::new(name).spawn()?;
        let output = tool.stdout()?;
        for bytes in HEAD_BYTES {
            let head = output.peek(bytes).context("waiting for the dump's first table")?;
            // Less than that is all of it.
            if memchr::memmem::find(&head, BEGUN).is_some() || head.len() < bytes as usize {
                break;
            }
        }
        Ok(Self { name, tool, output })
    }

    /// Rows per table as the dump holds them.
    fn read_back(self, estimate: Option<u64>) -> Result<BTreeMap<Table, u64>> {
        let (kept, read) = streams::tee(self.output)?;
        let pending = snapshot::submit(DUMP, kept, &Meta { mode: Some(0o600), ..Meta::default() })?;
        let counted = rows::count(Engine::Mysql, &read, "reading the dump back", estimate);
        drop(read);
        let counted = counted_of(counted, self.name, self.tool.wait())?;
        pending.wait().context("storing the dump")?;
        Ok(counted)
    }
}

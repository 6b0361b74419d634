//! What one call of a plugin holds in the host: its session, its handles, its streams and what it has used up.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU32},
    time::Duration,
};

use tokio::sync::Notify;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::{
    Session,
    bindings::{Answer, Fail, fail, host::types},
    budget::{Budget, Charge},
    fault::Code,
    imports::{log::LogBudget, snapshot::Stores},
    limiter::{Compute, Limiter},
    mask::Mask,
    native,
    operation::{Capability, Operation},
    progress::{Stalled, Watch},
    stream::{Detached, Feed, InputStream, Open, OutputStream, output::Target, source::Source},
};
use crate::{diagnostic::causes, name::RawPath, plan::inspection::Need, repository};

/// The store's data: all that the host functions of one call share.
pub struct State {
    /// Every handle that the guest holds.
    pub table: ResourceTable,
    wasi: WasiCtx,
    /// What the call may touch.
    pub session: Arc<Session>,
    /// What `describe` asked for; none where it was never called (tests).
    pub asked: Option<Arc<[Need]>>,
    /// Which export is running.
    pub operation: Operation,
    /// The part that it is called for; empty where there is none.
    pub part: String,
    /// When the call began.
    pub began: tokio::time::Instant,
    /// Ends waits.
    pub watch: Watch,
    /// What the guest, and the host for it, may hold in memory.
    pub budget: Arc<Budget>,
    /// Memory and tables.
    pub limiter: Limiter,
    /// Guest compute.
    pub compute: Compute,
    /// What it may still log.
    pub log: LogBudget,
    /// Values that must never be seen.
    pub mask: Mask,
    /// What is on its way into the repository.
    pub stores: Arc<Stores>,
    /// Told when a pipe or a tee changes.
    pub changed: Arc<Notify>,
    open: Arc<AtomicU32>,
    /// Tools that the guest has running.
    pub tools: Arc<AtomicU32>,
    /// Transactions that it holds.
    pub transactions: Arc<AtomicU32>,
    /// Why the part fails although its export may return well.
    pub spoiled: Arc<Mutex<Option<String>>>,
}

impl State {
    /// The state of a new call.
    pub fn new(session: Arc<Session>, operation: Operation, part: &str) -> Self {
        let limits = &session.limits;
        let budget = Budget::new(limits.memory_bytes, &session.step);
        let mut table = ResourceTable::new();
        // Children of the table's own (WASI's) come on top of what the guest may hold.
        table.set_max_capacity(limits.handles as usize + 64);
        Self {
            table,
            wasi: WasiCtxBuilder::new().build(),
            began: tokio::time::Instant::now(),
            watch: Watch::new(limits.no_progress, session.stop.clone()),
            limiter: Limiter::new(budget.clone()),
            budget,
            compute: Compute::new(limits.compute),
            log: LogBudget::new(limits.log_bytes),
            mask: Mask::default(),
            stores: Arc::new(Stores::new(session.parallel, &session.stop)),
            changed: Arc::default(),
            open: Arc::default(),
            tools: Arc::default(),
            transactions: Arc::default(),
            spoiled: Arc::default(),
            part: part.to_owned(),
            operation,
            session,
            asked: None,
        }
    }

    /// Whether `capability` works now: first thing in every host function.
    ///
    /// # Errors
    /// `canceled` once the run is to stop, `unsupported` in an export where it does not work.
    pub fn enter(&self, capability: Capability) -> Answer<()> {
        if self.session.stop.is_cancelled() {
            return Err(canceled());
        }
        self.operation.allows(capability, self.session.archive.is_some()).map_err(|why| fail(Code::Unsupported, why))
    }

    /// The same for functions that cannot answer an error: they end the instance.
    pub fn enter_or_trap(&self, capability: Capability) -> wasmtime::Result<()> {
        self.operation
            .allows(capability, self.session.archive.is_some())
            .map_err(|why| wasmtime::format_err!("{} ({why})", Code::Unsupported.word()))
    }

    /// What to say when `name` of that kind is not granted.
    pub fn not_granted(&self, capability: Capability, name: &str, example: &str) -> Fail {
        let (step, kind) = (&self.session.step, capability.word());
        fail(
            Code::Denied,
            format!(
                "plugin {:?} asks for {kind} {name:?}, which is not granted: grant it with\n[step.{step}.grant.{kind}.{name}]\n{example}",
                self.session.plugin
            ),
        )
    }

    /// Whether `describe` asked for a grant of that name: what was not announced was never looked at by an operator who
    /// accepted the plugin, so it stays out of reach even where it is granted.
    ///
    /// # Errors
    /// `denied` where it did not.
    pub fn announced(&self, capability: Capability, name: &str) -> Answer<()> {
        let kind = capability.word();
        let fits = |need: &Need| {
            let below = name.strip_prefix(need.name.as_str());
            let many = need.many && below.is_some_and(|rest| rest.starts_with('-'));
            need.capability.split(':').next() == Some(kind) && (below == Some("") || many)
        };
        if self.asked.as_ref().is_none_or(|asked| asked.iter().any(fits)) {
            return Ok(());
        }
        let plugin = &self.session.plugin;
        Err(fail(
            Code::Denied,
            format!(
                "plugin {plugin:?} asks for {kind} {name:?}, which its `describe` does not announce: that is its author's to mend"
            ),
        ))
    }

    /// Why a wait ended, for the guest.
    pub fn stalled(&self, stalled: Stalled, doing: &str) -> Fail {
        match stalled {
            Stalled::Stopped => canceled(),
            Stalled::Deadline => fail(Code::Timeout, format!("{doing}: not done before its timeout")),
            Stalled::NoProgress(limit) => fail(
                Code::Timeout,
                format!(
                    "{doing}: no byte moved for {} (limits.no-progress); allow more with [step.{}.limits] no-progress = \"{}\"",
                    words(limit),
                    self.session.step,
                    words(limit * 2)
                ),
            ),
        }
    }

    /// Takes a place among the open streams and directories.
    pub fn stream_place(&self) -> Answer<Open> {
        let max = self.session.limits.open_streams;
        Open::take(&self.open, max).ok_or_else(|| {
            let more = max.saturating_mul(2);
            fail(
                Code::Limit,
                format!(
                    "{max} streams and directories are open already (limits.open-streams); drop some, or allow more with [step.{}.limits] open-streams = {more}",
                    self.session.step
                ),
            )
        })
    }

    /// Takes a place among `count`, of which a call may hold `max`: too many would harm the machine or the product.
    pub fn place(count: &Arc<AtomicU32>, max: u32, what: &str) -> Answer<Open> {
        Open::take(count, max).ok_or_else(|| {
            fail(Code::Limit, format!("{max} {what} are the most that a call may have at a time: drop one first"))
        })
    }

    /// Charges the call for memory that the host holds for it.
    pub fn charge(&self, bytes: usize) -> Answer<Charge> {
        self.budget.charge(bytes as u64).map_err(|spent| fail(Code::Limit, spent.to_string()))
    }

    /// Gives the guest a stream to read.
    pub fn push_input(&mut self, source: Source, feeds: Vec<Feed>) -> Answer<Resource<InputStream>> {
        let open = self.stream_place()?;
        let source = source.counted(self.watch.moved.clone());
        Ok(self.table.push(InputStream::new(source, feeds, open))?)
    }

    /// Gives the guest a stream to write.
    pub fn push_output(&mut self, target: Target) -> Answer<Resource<OutputStream>> {
        let open = self.stream_place()?;
        Ok(self.table.push(OutputStream::new(target, open))?)
    }

    /// Takes a stream out of the guest's hands.
    pub fn detach(&mut self, stream: Resource<InputStream>) -> Answer<Detached> {
        self.table.delete(stream)?.detach().map_err(|open| fail(Code::Invalid, open.to_string()))
    }

    /// Runs blocking work on a thread that may block, while bytes move.
    pub async fn blocking<T: Send + 'static>(
        &mut self,
        doing: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Answer<T> {
        let watch = self.watch.clone();
        match watch.watched(tokio::task::spawn_blocking(work)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(broken)) => Err(fail(Code::Internal, format!("{doing}: {broken}"))),
            Err(stalled) => Err(self.stalled(stalled, doing)),
        }
    }

    /// `step/part/path` of a path that the guest gave.
    pub fn path(&self, part: &str, path: &str) -> Answer<RawPath> {
        let parse = |text: &str| RawPath::from_text(text).map_err(|bad| fail(Code::Invalid, bad.to_string()));
        Ok(parse(&self.session.step)?.join(&parse(part)?).join(&parse(path)?))
    }

    /// Lets the part fail, whatever its export returns. The first reason is kept.
    pub fn spoil(spoiled: &Mutex<Option<String>>, why: String) {
        spoiled.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl types::Host for State {
    fn convert_error(&mut self, error: Fail) -> wasmtime::Result<types::Error> {
        match error {
            Fail::Plugin(error) => Ok(error),
            Fail::Trap(trap) => Err(trap),
        }
    }
}

/// The answer of every call once the run is to stop.
pub fn canceled() -> Fail {
    fail(Code::Canceled, "the run is to stop")
}

/// An error of the system, for the guest.
pub fn io_fail(doing: &str, error: &std::io::Error) -> Fail {
    use std::io::ErrorKind as K;
    if let Some(native) = native::Error::of(error) {
        return native.clone().into();
    }
    let code = match error.kind() {
        K::NotFound => Code::NotFound,
        K::PermissionDenied => Code::Denied,
        K::AlreadyExists => Code::Exists,
        K::InvalidInput | K::IsADirectory | K::NotADirectory | K::DirectoryNotEmpty => Code::Invalid,
        K::UnexpectedEof | K::InvalidData => Code::Corrupt,
        K::TimedOut => Code::Timeout,
        _ => Code::Io,
    };
    fail(code, format!("{doing}: {}", causes(error)))
}

/// An error of the repository, for the guest.
pub fn repository_fail(error: &repository::Error) -> Fail {
    use repository::Error as E;
    let code = match error {
        E::Exists(_) => Code::Exists,
        E::NotFound(_) | E::NoRepository(_) => Code::NotFound,
        E::Source { cause, .. } if cause.kind() == std::io::ErrorKind::UnexpectedEof => Code::Corrupt,
        E::Source { .. } | E::Io { .. } | E::Busy(_) => Code::Io,
        E::Damaged(_) => Code::Corrupt,
        E::Path(_) | E::Pattern { .. } => Code::Invalid,
        E::Refused(_) | E::WrongPassword(_) => Code::Denied,
        E::Canceled => Code::Canceled,
    };
    fail(code, causes(error))
}

/// A duration as the pipeline writes it.
pub fn words(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

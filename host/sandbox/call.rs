//! One call in a fresh instance: how it is started, how it is ended, and what its end means.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use wasmtime::{Store, UpdateDeadline};

use super::{
    Answer, Plugin, Request, Session,
    bindings::{self, host::types, product},
    convert::{self, Words},
    fault::{Code, Fault},
    limiter::ComputeEnded,
    operation::Operation,
    state::{State, words},
};

/// What a guest may still do after the run is to stop.
const GRACE: Duration = Duration::from_secs(2);
/// How long a failed part waits for what it has left on its way.
const WIND_UP: Duration = Duration::from_secs(10);

/// What the export itself returned.
enum Returned {
    Inspection(Result<product::Inspection, types::Error>),
    Outcome(Result<product::Outcome, types::Error>),
    Released(Result<(), types::Error>),
}

impl Request {
    fn operation(&self) -> Operation {
        match self {
            Self::InspectBackup | Self::InspectRestore => Operation::Inspect,
            Self::Backup(_, pass) => Operation::Backup(*pass),
            Self::Restore(_) => Operation::Restore,
            Self::Verify(_) => Operation::Verify,
            Self::Probe(_) => Operation::Probe,
            Self::Release { .. } => Operation::Release,
        }
    }

    fn part(&self) -> &str {
        match self {
            Self::InspectBackup | Self::InspectRestore | Self::Release { .. } => "",
            Self::Backup(part, _) | Self::Restore(part) | Self::Verify(part) | Self::Probe(part) => &part.name,
        }
    }
}

/// Calls `about.describe`.
pub async fn describe(plugin: &Plugin, session: Session) -> Result<crate::plan::inspection::Description, Fault> {
    let mut store = store(plugin, Arc::new(session), Operation::Describe, "");
    let described = guarded(plugin, &mut store, async |instance, store| {
        instance.strongroom_plugin_about().call_describe(store).await
    })
    .await?;
    convert::description(described)
}

/// Calls an export of `product`.
pub async fn call(plugin: &Plugin, session: Session, request: Request) -> Result<Answer, Fault> {
    let session = Arc::new(session);
    let mut store = store(plugin, session.clone(), request.operation(), request.part());
    let returned = guarded(plugin, &mut store, async |instance, store| dispatch(instance, store, &request).await).await;
    let mask = store.data().mask.clone();
    let answer = returned.and_then(|returned| understand(returned, &Words(&mask), session.stop.is_cancelled()));
    wind_up(store, answer).await
}

async fn dispatch(
    instance: &bindings::Plugin,
    store: &mut Store<State>,
    request: &Request,
) -> wasmtime::Result<Returned> {
    let product = instance.strongroom_plugin_product();
    Ok(match request {
        Request::InspectBackup => Returned::Inspection(product.call_inspect(store, product::Purpose::Backup).await?),
        Request::InspectRestore => Returned::Inspection(product.call_inspect(store, product::Purpose::Restore).await?),
        Request::Backup(part, pass) => {
            Returned::Outcome(product.call_backup(store, &convert::part(part), convert::pass(*pass)).await?)
        }
        Request::Restore(part) => Returned::Outcome(product.call_restore(store, &convert::part(part)).await?),
        Request::Verify(part) => Returned::Outcome(product.call_verify(store, &convert::part(part)).await?),
        Request::Probe(part) => Returned::Outcome(product.call_probe(store, &convert::part(part)).await?),
        Request::Release { hold, data } => Returned::Released(product.call_release(store, hold, data).await?),
    })
}

fn understand(returned: Returned, words: &Words<'_>, stopped: bool) -> Result<Answer, Fault> {
    let failed = |error: types::Error| match error.code {
        types::ErrorCode::Canceled if stopped => Fault::Canceled,
        _ => words.error(error),
    };
    match returned {
        Returned::Inspection(inspection) => Ok(Answer::Inspection(words.inspection(inspection.map_err(failed)?)?)),
        Returned::Outcome(outcome) => Ok(Answer::Outcome(words.outcome(outcome.map_err(failed)?)?)),
        Returned::Released(released) => released.map(|()| Answer::Released).map_err(failed),
    }
}

fn store(plugin: &Plugin, session: Arc<Session>, operation: Operation, part: &str) -> Store<State> {
    let (handles, fuel) = (session.limits.handles as usize, session.limits.hostcall_fuel_bytes);
    let mut state = State::new(session, operation, part);
    state.asked = plugin.asked();
    let mut store = Store::new(plugin.engine(), state);
    store.limiter(|state| &mut state.limiter);
    store.set_max_component_handles(handles);
    store.set_hostcall_fuel(usize::try_from(fuel).unwrap_or(usize::MAX));
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| {
        let state = context.data_mut();
        let away = state.watch.away.load(std::sync::atomic::Ordering::Relaxed);
        state.compute.look(away)?;
        // Yielding lets the call be given up, and others have their turn.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    store
}

/// Runs `call` in a fresh instance, until it returns, traps, uses up its time, or the run has stopped for a while.
async fn guarded<T>(
    plugin: &Plugin,
    store: &mut Store<State>,
    call: impl AsyncFnOnce(&bindings::Plugin, &mut Store<State>) -> wasmtime::Result<T>,
) -> Result<T, Fault> {
    let (session, operation) = (store.data().session.clone(), store.data().operation);
    let work = async {
        let instance = plugin.pre().instantiate_async(&mut *store).await?;
        call(&instance, &mut *store).await
    };
    let ended = in_time(&session, operation, work).await?;
    ended.map_err(|trap| explain(trap, store.data_mut()))
}

async fn in_time<T>(session: &Session, operation: Operation, work: impl Future<Output = T>) -> Result<T, Fault> {
    let mut work = pin!(work);
    let stopped = async {
        session.stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    let limit = session.limits.part_time;
    tokio::select! {
        biased;
        done = work.as_mut() => Ok(done),
        () = stopped => Err(Fault::Canceled),
        () = tokio::time::sleep(limit) => Err(Fault::Limit(match operation {
            Operation::Release => format!("the release was not done after {}", words(limit)),
            _ => format!(
            "the part was not done after {} (limits.part-time); allow more with [step.{}.limits] part-time = \"{}\"",
            words(limit),
            session.step,
                words(limit * 2)
            ),
        })),
    }
}

/// What a trap means: a limit that the operator can raise, or a bug of the plugin.
fn explain(trap: wasmtime::Error, state: &mut State) -> Fault {
    if let Some(refused) = state.limiter.refused.take() {
        return Fault::Limit(refused);
    }
    let step = &state.session.step;
    if trap.downcast_ref::<ComputeEnded>().is_some() {
        return Fault::Limit(state.compute.describe(step));
    }
    let root = trap.root_cause().to_string();
    let limits = &state.session.limits;
    if root.contains("fuel allocated for hostcalls") {
        let (limit, more) =
            (bytesize::ByteSize(limits.hostcall_fuel_bytes), bytesize::ByteSize(limits.hostcall_fuel_bytes * 2));
        return Fault::Limit(format!(
            "the plugin handed more than {limit} to the host at once (limits.hostcall-fuel); allow more with [step.{step}.limits] hostcall-fuel = \"{more}\""
        ));
    }
    if root.contains("handle limit exceeded") || root.contains("no free keys") {
        let (limit, more) = (limits.handles, limits.handles.saturating_mul(2));
        return Fault::Limit(format!(
            "the plugin holds more than {limit} handles (limits.handles); allow more with [step.{step}.limits] handles = {more}"
        ));
    }
    let said = state.log.last_error.take();
    let what = said.map_or(root.clone(), |said| format!("{said} ({root})"));
    Fault::Trap(state.mask.apply(what))
}

/// Lets go of all handles, waits for what was submitted, and lets the part fail if one of them did.
async fn wind_up(store: Store<State>, answer: Result<Answer, Fault>) -> Result<Answer, Fault> {
    let state = store.data();
    let (session, operation, deadline) = (state.session.clone(), state.operation, state.deadline());
    let (stores, spoiled, watch) = (state.stores.clone(), state.spoiled.clone(), state.watch.clone());
    let mask = state.mask.clone();
    // The streams that the guest still holds end here: whatever waits for them goes on, or fails.
    drop(store);
    if answer.is_err() {
        stores.stop().cancel();
        // What is stuck in a system call is left behind; it can store nothing any more once the draft is gone.
        let _ = tokio::time::timeout(WIND_UP, stores.idle()).await;
        return answer;
    }
    let ended = tokio::time::timeout_at(deadline, watch.watched(stores.idle())).await;
    if !matches!(ended, Ok(Ok(()))) {
        stores.stop().cancel();
        return Err(match session.stop.is_cancelled() {
            true => Fault::Canceled,
            false => Fault::Limit(
                "what the part had submitted moved no byte for limits.no-progress, or outlived limits.part-time".into(),
            ),
        });
    }
    let spoiled = spoiled.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    let failed = match (&session.draft, operation) {
        (Some(draft), Operation::Backup(pass)) => stores.failure(&**draft, pass),
        _ => None,
    };
    match failed.or(spoiled) {
        // It names what the plugin stored, as the plugin calls it.
        Some(message) => Err(Fault::Plugin { code: Code::Io, message: mask.apply(message), retryable: false }),
        None => answer,
    }
}

//! Changes to products that must be undone: journalled before they are made, undone at the end of their scope, at
//! their deadline, or by whoever comes after a run that died.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    board::lock,
    event::{Observer, PartName},
    locks,
};
use crate::{
    config::Limits,
    digest::Digest,
    sandbox::{
        Plugin, Sandbox,
        ledger::{Refusal, Scope},
    },
};

mod deadlines;
mod journal;
mod release;

pub(crate) use deadlines::{Watching, within};
pub use journal::{Hold, Standing};

use journal::{Journal, MadeBy};
use release::{Components, Releaser};

/// Longest name of a hold, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// The pipeline as it is while the run goes on.
pub(crate) struct Origin {
    /// Its file, absolute.
    pub(crate) path: PathBuf,
    /// That file's text.
    pub(crate) text: String,
}

/// The holds of one run.
pub(crate) struct Holds {
    journal: Journal,
    state: PathBuf,
    run: String,
    origin: Origin,
    text: Digest,
    /// What serves each step, and what it calls itself.
    plugins: BTreeMap<String, (Plugin, String)>,
    observer: Arc<dyn Observer>,
    /// Changes of the journal come one after the other.
    writing: Mutex<()>,
    open: Mutex<Open>,
    /// Told when a deadline changes.
    changed: Notify,
    /// Releases come one after the other.
    releasing: tokio::sync::Mutex<()>,
}

/// What stands now.
#[derive(Default)]
struct Open {
    /// In the order of taking.
    holds: Vec<Held>,
    /// Parts that are being called.
    called: BTreeSet<PartName>,
    /// The number of the next one.
    next: u64,
    /// The run takes no more.
    closed: bool,
}

struct Held {
    hold: Hold,
    deadline: Instant,
    /// Its deadline has passed.
    late: bool,
    /// This run has tried to release it, in vain.
    tried: bool,
}

/// A hold, and whether it could be released; else why not.
type Tried = (Hold, Result<(), String>);

impl Holds {
    /// The holds of a run that begins. The pipeline's lock is held.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) fn new(
        state: &Path,
        run: &str,
        origin: Origin,
        plugins: BTreeMap<String, (Plugin, String)>,
        observer: Arc<dyn Observer>,
    ) -> io::Result<Self> {
        let journal = Journal::of(state);
        let next = journal.read()?.holds.last().map_or(1, |hold| hold.number + 1);
        Ok(Self {
            journal,
            state: state.to_owned(),
            run: run.to_owned(),
            text: Digest::of(origin.text.as_bytes()),
            origin,
            plugins,
            observer,
            writing: Mutex::default(),
            open: Mutex::new(Open { next, ..Open::default() }),
            changed: Notify::new(),
            releasing: tokio::sync::Mutex::default(),
        })
    }

    /// On disk when it returns.
    pub(crate) fn take(
        &self,
        owner: &PartName,
        name: &str,
        data: &[u8],
        time: Duration,
        scope: Scope,
    ) -> Result<(), Refusal> {
        check(name, data, time)?;
        let missing =
            || Refusal::Unsupported(format!("the pipeline has no step {}, so nothing could be released", owner.step));
        let (plugin, plugin_name) = self.plugins.get(&owner.step).ok_or_else(missing)?;
        let _writing = lock(&self.writing);
        let made_by = MadeBy {
            run: &self.run,
            plugin: plugin_name,
            component: plugin.digest(),
            pipeline: &self.origin.path,
            pipeline_text: self.text,
        };
        let mut hold = Hold::new(owner, name, data, scope, &made_by);
        hold.number = self.number(owner, name)?;
        hold.deadline = from_now(time);
        let deadline = Instant::now() + time;
        self.journal
            .keep(&plugin.digest(), plugin.wasm())
            .and_then(|()| self.journal.keep(&self.text, self.origin.text.as_bytes()))
            .and_then(|()| self.journal.write(&hold))
            .map_err(|error| refused(name, &error))?;
        lock(&self.open).holds.push(Held { hold, deadline, late: false, tried: false });
        self.changed.notify_one();
        Ok(())
    }

    /// The number of a hold that may be taken.
    fn number(&self, owner: &PartName, name: &str) -> Result<u64, Refusal> {
        let mut open = lock(&self.open);
        if open.closed {
            return Err(Refusal::Unsupported("the run has ended".to_owned()));
        }
        let of_step = || open.holds.iter().filter(|held| held.hold.step == owner.step);
        if of_step().any(|held| held.hold.name == name) {
            return Err(Refusal::Exists(format!("step {} has taken the hold {name:?} already", owner.step)));
        }
        if of_step().count() >= Limits::HOLDS_MAX {
            let most = Limits::HOLDS_MAX;
            return Err(Refusal::Limit(format!(
                "step {} has {most} holds, the most that may stand at once",
                owner.step
            )));
        }
        open.next += 1;
        Ok(open.next - 1)
    }

    /// Moves a deadline; on disk before it counts.
    pub(crate) fn renew(&self, step: &str, name: &str, time: Duration) -> Result<(), Refusal> {
        check(name, &[], time)?;
        let _writing = lock(&self.writing);
        let mut hold = self.find(step, name)?;
        let deadline = Instant::now() + time;
        hold.deadline = from_now(time);
        self.journal.write(&hold).map_err(|error| refused(name, &error))?;
        if let Some(held) = lock(&self.open).holds.iter_mut().find(|held| held.hold.number == hold.number) {
            (held.hold, held.deadline) = (hold, deadline);
        }
        self.changed.notify_one();
        Ok(())
    }

    /// Takes out what the plugin has undone itself.
    pub(crate) fn dropped(&self, step: &str, name: &str) -> Result<(), Refusal> {
        let _writing = lock(&self.writing);
        let hold = self.find(step, name)?;
        self.journal.remove(&hold).map_err(|error| refused(name, &error))?;
        self.forget(&hold);
        Ok(())
    }

    /// A hold that stands and whose deadline has not passed.
    fn find(&self, step: &str, name: &str) -> Result<Hold, Refusal> {
        let open = lock(&self.open);
        let found = open.holds.iter().find(|held| held.hold.step == step && held.hold.name == name && !held.late);
        let none = || Refusal::NotFound(format!("step {step} has no hold {name:?} that stands"));
        found.map(|held| held.hold.clone()).ok_or_else(none)
    }

    fn forget(&self, hold: &Hold) {
        lock(&self.open).holds.retain(|held| held.hold.number != hold.number);
    }

    /// A call for a part begins.
    fn begin_call(&self, part: &PartName) {
        lock(&self.open).called.insert(part.clone());
    }

    /// A call for a part has ended, however: releases what it held for its own time, and what is late.
    async fn end_call(&self, part: &PartName) -> Vec<Tried> {
        let due = {
            let mut open = lock(&self.open);
            open.called.remove(part);
            let ended = |held: &&Held| held.hold.owner() == *part && (held.late || held.hold.scope == Scope::Part);
            open.holds.iter().filter(ended).map(|held| held.hold.clone()).collect()
        };
        self.release_all(due).await
    }

    /// The run has ended: releases whatever still stands, and takes no more.
    async fn end_run(&self) -> Vec<Tried> {
        let due = {
            let _writing = lock(&self.writing);
            let mut open = lock(&self.open);
            open.closed = true;
            open.holds.iter().map(|held| held.hold.clone()).collect()
        };
        self.release_all(due).await
    }

    /// In the reverse order of taking.
    async fn release_all(&self, due: Vec<Hold>) -> Vec<Tried> {
        let mut tried = Vec::new();
        for hold in due.into_iter().rev() {
            if let Some(result) = self.release(&hold).await {
                tried.push((hold, result));
            }
        }
        tried
    }

    /// Tries once to release a hold that stands. Nothing where it stands no more, or was tried before.
    async fn release(&self, hold: &Hold) -> Option<Result<(), String>> {
        let _releasing = self.releasing.lock().await;
        let due = |held: &Held| held.hold.number == hold.number && !held.tried;
        if !lock(&self.open).holds.iter().any(due) {
            return None;
        }
        let (plugin, _) = self.plugins.get(&hold.step)?;
        let releaser = Releaser { journal: &self.journal, state: &self.state, observer: self.observer.clone() };
        let result = releaser.release(hold, plugin).await;
        let _writing = lock(&self.writing);
        Some(match result {
            Ok(()) => {
                self.forget(hold);
                let gone = self.journal.remove(hold);
                gone.map_err(|error| format!("it was undone, but the journal cannot say so: {error}"))
            }
            Err(why) => {
                self.give_up(hold, &why);
                Err(why)
            }
        })
    }

    /// It stays in the journal, for the next run or `recover`.
    fn give_up(&self, hold: &Hold, why: &str) {
        let mut hold = hold.clone();
        hold.failed = Some(why.to_owned());
        if let Some(held) = lock(&self.open).holds.iter_mut().find(|held| held.hold.number == hold.number) {
            held.tried = true;
        }
        // The reason is for people who list it; the hold is in the journal with it or without.
        let _ = self.journal.write(&hold);
    }

    /// Nothing of what stood is needed any more.
    fn tidy(&self) {
        // What is left is found by the next run, and tidied then.
        let _ = self.journal.tidy();
    }
}

fn check(name: &str, data: &[u8], time: Duration) -> Result<(), Refusal> {
    if !(1..=NAME_BYTES_MAX).contains(&name.len()) || name.chars().any(char::is_control) {
        let words = format!("a hold's name has 1 to {NAME_BYTES_MAX} bytes without control characters");
        return Err(Refusal::Invalid(words));
    }
    if data.len() > Limits::HOLD_BYTES_MAX {
        let (have, most) = (data.len(), Limits::HOLD_BYTES_MAX);
        return Err(Refusal::Limit(format!("the data of hold {name:?} have {have} bytes: at most {most} are kept")));
    }
    if time.is_zero() || time > Limits::HOLD_TIME_MAX {
        let most = Limits::HOLD_TIME_MAX.as_secs();
        return Err(Refusal::Invalid(format!(
            "hold {name:?} is to last {} s: 1 to {most} are allowed",
            time.as_secs()
        )));
    }
    Ok(())
}

fn refused(name: &str, error: &io::Error) -> Refusal {
    Refusal::Io(format!("writing hold {name:?} to the journal: {error}"))
}

fn from_now(time: Duration) -> String {
    let at = jiff::Timestamp::now().checked_add(time).unwrap_or(jiff::Timestamp::MAX);
    format!("{at:.3}")
}

/// What a recovery did.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Released, in that order.
    pub released: Vec<Hold>,
    /// Not released, each with the reason.
    pub left: Vec<(Hold, String)>,
    /// Documents of the journal that cannot be read, each with the reason.
    pub unreadable: Vec<String>,
}

/// The holds that stand in a state directory. Needs no lock.
///
/// # Errors
/// When the journal cannot be read.
pub fn standing(state: &Path) -> io::Result<Standing> {
    Ok(Standing { going: locks::going(state), ..Journal::of(state).read()? })
}

/// Releases what runs that are over left standing, the newest first. Call it under the pipeline's lock only. `stop` is
/// looked at between two releases: one that has begun goes to its end.
///
/// # Errors
/// When the journal cannot be read or written.
pub async fn recover(
    state: &Path,
    sandbox: &Sandbox,
    observer: Arc<dyn Observer>,
    stop: &CancellationToken,
) -> io::Result<Recovered> {
    let journal = Journal::of(state);
    let Standing { holds, unreadable, .. } = journal.read()?;
    let mut recovered = Recovered { unreadable, ..Recovered::default() };
    let mut components = Components::new(sandbox);
    let releaser = Releaser { journal: &journal, state, observer };
    for mut hold in holds.into_iter().rev() {
        let result = match (stop.is_cancelled(), components.get(&journal, &hold.component).await) {
            (true, _) => Err("canceled before its turn came".to_owned()),
            (false, Ok(plugin)) => releaser.release(&hold, &plugin).await,
            (false, Err(why)) => Err(why),
        };
        match result {
            Ok(()) => {
                journal.remove(&hold)?;
                recovered.released.push(hold);
            }
            Err(why) => {
                hold.failed = Some(why.clone());
                journal.write(&hold)?;
                recovered.left.push((hold, why));
            }
        }
    }
    journal.tidy()?;
    Ok(recovered)
}

//! Reads every tree that snapshots lead to, each once, with all cores.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::{
    index::{ById, Index},
    node::Tree,
    pack::BlobKind,
    reader,
    vault::Vault,
};
use crate::{
    digest::Digest,
    repository::{Error, Watch, workers},
};

/// Gets each tree, or why it cannot be read. What it returns as an error ends the walk.
pub(super) type Visit<'a> = dyn Fn(&Digest, Result<Tree, Error>) -> Result<(), Error> + Sync + 'a;

/// See the module. Trees that were reached are marked in the index.
pub(super) struct Forest<'a> {
    vault: &'a Vault,
    index: &'a Mutex<Index>,
    watch: &'a dyn Watch,
    visit: &'a Visit<'a>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Reached, and not read yet.
    open: Vec<Digest>,
    /// Reached, and in no pack.
    missing: ById<()>,
    /// Threads that are reading.
    busy: usize,
    read: u64,
    /// What is wrong with copies of trees that were read elsewhere.
    saved: Vec<Error>,
    failure: Option<Error>,
}

/// What a walk came to.
pub(super) struct Walked {
    /// How many trees there are.
    pub trees: u64,
    /// What is wrong with some of them, which stand somewhere else once more.
    pub saved: Vec<Error>,
}

/// Copies that are named.
const SAVED_MAX: usize = 1000;

/// Walks from `roots`.
///
/// # Errors
/// The first that `visit` returned; [`Error::Canceled`] when the watch said so.
pub(super) fn walk(
    vault: &Vault,
    index: &Mutex<Index>,
    roots: &[Digest],
    watch: &dyn Watch,
    visit: &Visit<'_>,
) -> Result<Walked, Error> {
    let (state, changed) = (Mutex::default(), Condvar::new());
    let forest = Forest { vault, index, watch, visit, state, changed };
    forest.reach(roots);
    std::thread::scope(|scope| workers::start_many(scope, vault.readers(), || forest.serve()))?;
    let state = forest.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    match state.failure {
        Some(why) => Err(why),
        None if watch.stopped() => Err(Error::Canceled),
        None => Ok(Walked { trees: state.read, saved: state.saved }),
    }
}

impl Forest<'_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        while let Some(id) = self.next() {
            let _turn = Turn(self);
            let tree = self.read(&id);
            let below: Vec<Digest> = tree.iter().flat_map(|tree| &tree.nodes).filter_map(|node| node.subtree).collect();
            if let Err(why) = (self.visit)(&id, tree) {
                self.lock().failure.get_or_insert(why);
            }
            self.reach(&below);
        }
    }

    /// The next tree to read; none once all are read, or nothing more is wanted.
    fn next(&self) -> Option<Digest> {
        let mut state = self.lock();
        loop {
            if state.failure.is_some() || self.watch.stopped() {
                return None;
            }
            if let Some(id) = state.open.pop() {
                state.busy += 1;
                state.read += 1;
                return Some(id);
            }
            if state.busy == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn reach(&self, ids: &[Digest]) {
        let mut state = self.lock();
        let mut index = self.index();
        for id in ids {
            let new = match index.mark(BlobKind::Tree, id) {
                Some(before) => !before,
                None => state.missing.insert(*id, ()).is_none(),
            };
            if new {
                state.open.push(*id);
            }
        }
    }

    fn read(&self, id: &Digest) -> Result<Tree, Error> {
        let copies: Vec<_> = self.index().copies(BlobKind::Tree, id).collect();
        if copies.is_empty() {
            return Err(Error::Damaged(format!("the tree {id} is in no pack")));
        }
        let (json, damage) = reader::fetch_any(self.vault, copies)?;
        let mut state = self.lock();
        if state.saved.len() < SAVED_MAX {
            state.saved.extend(damage);
        }
        drop(state);
        self.watch.moved(json.len() as u64, 0);
        serde_json::from_slice(&json)
            .map_err(|why| Error::Damaged(format!("the tree {id} cannot be understood: {why}")))
    }
}

/// A thread's reading of one tree: however it ends, the others do not wait for it.
struct Turn<'a, 'b>(&'a Forest<'b>);

impl Drop for Turn<'_, '_> {
    fn drop(&mut self) {
        self.0.lock().busy -= 1;
        self.0.changed.notify_all();
    }
}
